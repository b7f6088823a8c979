//! Claims that were put into a queue: what became of each, and how far the queue has come.
//!
//! | item | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | outcome of a request | `REQUEST#<request>` | `REQUEST` | `guest`, `template`, `outcome`, `coupon` or `problem`, `at`, `ttl` |
//! | progress of the queue | `REQUEST#` | `PROGRESS` | `taken` |
//!
//! An outcome is written after the claim, and again whenever the claim comes again: what an environment left out that
//! died in between is made up for by the queue, which delivers the claim to another.

mod request_item;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use coupon_dynamodb::{Consumed, condition_held, corrupt, store_error, write_batch};
use domain_coupon::StoreError;
use domain_ids::{CouponId, GuestId, RequestId, TemplateId};
use futures_util::{TryStreamExt, future::try_join, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

type Item = HashMap<String, AttributeValue>;

/// How long an outcome is kept. Guests look within minutes, and find their coupons among theirs ever after.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Items of one `BatchWriteItem`, at most.
const ITEMS_PER_WRITE: usize = 25;

/// Single writes under way at once.
const CONCURRENCY: usize = 25;

/// A request that has its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub request: RequestId,
    /// Whose: nobody else is told.
    pub guest: GuestId,
    /// What was claimed, if the caller named something.
    pub template: Option<TemplateId>,
    /// What came of it.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A coupon.
    Issued(CouponId),
    /// None, and the problem document that says why: what a caller who had waited would have been answered.
    Refused(Value),
}

/// The outcomes of queued claims.
#[derive(Debug, Clone)]
pub struct ClaimRequests {
    client: Client,
    table: String,
}

impl ClaimRequests {
    /// Those in the table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Writes outcomes, 1 write unit each. May be repeated.
    ///
    /// A claim may be under way twice, and a refusal that was decided before the other was issued its coupon may be
    /// written after: a coupon replaces a refusal, and nothing replaces a coupon.
    pub async fn record(&self, settled: &[Settled]) -> Result<(), StoreError> {
        let mut issued = HashMap::new();
        let mut refused = Vec::new();
        for one in settled {
            let item = request_item::write(one).map_err(corrupt)?;
            match one.outcome {
                // By request: a batch with two items of one key would be refused as a whole.
                Outcome::Issued(_) => drop(issued.insert(&one.request, item)),
                Outcome::Refused(_) => refused.push(item),
            }
        }
        let issued: Vec<Item> = issued.into_values().collect();
        try_join(self.write(&issued), self.write_if_new(refused)).await?;
        Ok(())
    }

    async fn write(&self, items: &[Item]) -> Result<(), StoreError> {
        for chunk in items.chunks(ITEMS_PER_WRITE) {
            self.write_chunk(chunk).await?;
        }
        Ok(())
    }

    async fn write_chunk(&self, items: &[Item]) -> Result<(), StoreError> {
        let put = |item: &Item| {
            let put = PutRequest::builder().set_item(Some(item.clone())).build()?;
            Ok::<_, BuildError>(WriteRequest::builder().put_request(put).build())
        };
        let writes = items.iter().map(put).collect::<Result<_, _>>().map_err(corrupt)?;
        write_batch(&self.client, &self.table, writes, &Consumed::default()).await
    }

    async fn write_if_new(&self, items: Vec<Item>) -> Result<(), StoreError> {
        stream::iter(items.into_iter().map(Ok))
            .try_for_each_concurrent(CONCURRENCY, async |item| {
                let written = self
                    .client
                    .put_item()
                    .table_name(&self.table)
                    .set_item(Some(item))
                    .condition_expression("attribute_not_exists(pk)")
                    .send()
                    .await;
                condition_held(written).map(drop)
            })
            .await
    }

    /// What came of a request, if it has come to anything yet: half a read unit. May be some milliseconds old.
    pub async fn settled(&self, request: &RequestId) -> Result<Option<Settled>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(request_item::key(request)))
            .send()
            .await
            .map_err(store_error)?;
        output.item.map(|item| request_item::parse(request.clone(), item)).transpose().map_err(corrupt)
    }

    /// Counts claims that were taken from the queue for the first time: 1 write unit, all to one item, which takes a
    /// thousand a second. Where the answer is lost they may be counted twice.
    pub async fn count_taken(&self, more: u64) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(request_item::progress_key()))
            .update_expression("ADD taken :more")
            .expression_attribute_values(":more", AttributeValue::N(more.to_string()))
            .send()
            .await
            .map_err(store_error)?;
        Ok(())
    }

    /// How many were ever counted: half a read unit.
    pub async fn taken(&self) -> Result<u64, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(request_item::progress_key()))
            .send()
            .await
            .map_err(store_error)?;
        let Some(item) = output.item else { return Ok(0) };
        let taken = item.get("taken").and_then(|taken| taken.as_n().ok()?.parse().ok());
        taken.ok_or_else(|| corrupt("the progress of the queue is no number"))
    }
}
