//! The domain's ports on the model: the real `claim` and the real `change_template` run against it.

use std::{sync::Arc, time::Duration};

use domain_coupon::{
    BatchClaimStore, BatchIssue, ClaimStore, CodeUse, Coupon, Issue, RefillStore, Shard, Stock, StoreError,
    Template, TemplateStore,
};
use domain_ids::{GuestId, TemplateId};
use jiff::Timestamp;

use crate::{
    dynamodb::{Raise, Table},
    ticket::Tickets,
    transaction,
    world::World,
};

/// Times a throttled read is made, or keys left unprocessed are asked for; as in `coupon-dynamodb`.
const READ_ROUNDS: u32 = 4;

/// Shards topped up at once; as in `coupon-dynamodb`.
const RAISES_AT_ONCE: usize = 32;

/// How a coupon is issued.
#[derive(Debug)]
pub enum Protocol {
    /// One transaction of two items.
    Transaction,
    /// A ticket first, then the coupon.
    Ticket(Tickets),
}

/// A coupon table as the domain sees it.
#[derive(Debug)]
pub struct Store {
    /// Where the table is.
    pub world: Arc<World>,
    /// How a coupon is issued.
    pub protocol: Protocol,
}

impl Store {
    async fn read<T: Send>(
        &self,
        mut read: impl FnMut(&mut Table, Duration) -> Option<T> + Send,
    ) -> Result<T, StoreError> {
        for _ in 0..READ_ROUNDS {
            if let Some(found) = self.world.request(&mut read).await {
                return Ok(found);
            }
        }
        Err(StoreError::Throttled("reads are throttled".into()))
    }

    async fn current(&self) -> Result<Template, StoreError> {
        self.read(|table, now| match &self.protocol {
            Protocol::Transaction => table.read_template(now),
            Protocol::Ticket(tickets) => tickets.read_template(table, now, self.world.timestamp()),
        })
        .await
    }
}

impl ClaimStore for Store {
    async fn template(&self, _: TemplateId) -> Result<Option<Template>, StoreError> {
        self.current().await.map(Some)
    }

    async fn held(&self, guest: &GuestId, _: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        self.read(|table, now| table.read_held(now, guest)).await
    }

    async fn issue(
        &self,
        coupon: &Coupon,
        shard: Option<Shard>,
        _: Option<CodeUse>,
    ) -> Result<Issue, StoreError> {
        let shard = shard.ok_or_else(|| StoreError::Corrupt("the model has no unlimited stock".into()))?;
        match &self.protocol {
            Protocol::Transaction => transaction::issue(&self.world, coupon, shard).await,
            Protocol::Ticket(tickets) => tickets.issue(&self.world, coupon, shard).await,
        }
    }

    async fn open_shards(&self, _: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        let mut asked = shards.to_vec();
        let mut open = Vec::new();
        self.read(|table, now| {
            open.append(&mut table.read_shards(now, &mut asked));
            asked.is_empty().then_some(())
        })
        .await?;
        Ok(open)
    }

    async fn mark_sold_out(&self, _: TemplateId, epoch: u64, at: Timestamp) -> Result<(), StoreError> {
        let marked = self.world.request(|table, now| table.mark_sold_out(now, epoch, at)).await;
        if marked {
            Ok(())
        } else {
            Err(StoreError::Throttled("writes of the template are throttled".into()))
        }
    }

    async fn wait(&self, delay: Duration) {
        self.world.clock.sleep(delay).await;
    }
}

impl BatchClaimStore for Store {
    async fn issue_batch(
        &self,
        coupons: &[Coupon],
        shard: Shard,
        capacity: u32,
    ) -> Result<BatchIssue, StoreError> {
        transaction::issue_batch(&self.world, coupons, shard, capacity).await
    }
}

impl RefillStore for Store {
    async fn raise_shards(&self, template: &Template) -> Result<(), StoreError> {
        let Stock::Limited(stock) = &template.stock else { return Ok(()) };
        let mut waiting: Vec<Shard> = stock.shards().collect();
        while !waiting.is_empty() {
            let batch = waiting.split_off(waiting.len().saturating_sub(RAISES_AT_ONCE));
            let mut refused = self
                .world
                .request(|table, now| {
                    let capacity = |shard| stock.capacity_of(shard);
                    let try_again =
                        |shard: &Shard| table.raise(now, *shard, capacity(*shard)) == Raise::TryAgain;
                    batch.into_iter().filter(try_again).collect::<Vec<_>>()
                })
                .await;
            waiting.append(&mut refused);
        }
        Ok(())
    }

    async fn replace(&self, template: &Template, expected: u64) -> Result<bool, StoreError> {
        Ok(self.world.request(|table, now| table.replace(now, template, expected)).await)
    }
}

impl TemplateStore for Store {
    async fn insert(&self, _: &Template) -> Result<(), StoreError> {
        Err(StoreError::Corrupt("the model's table starts with its template".into()))
    }

    async fn template(&self, _: TemplateId) -> Result<Option<Template>, StoreError> {
        self.current().await.map(Some)
    }
}
