//! The table, as an execution environment sees it: one conditional write at a time, whose reply may be lost.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain_coupon::{Page, StoreError};
use domain_ids::{GuestId, MessageId, ProviderName};
use domain_notification::{
    Added, Address, Caps, Contacts, Digests, Due, DueMessages, GuestProfile, Guests, Message, MessageStore,
    References, State, due_shard,
};
use jiff::Timestamp;

use super::{environment::Environment, provider::text, world::World};

/// How long the index of what is due lags behind at most.
const INDEX_LAG: Duration = Duration::from_secs(1);

/// All items.
#[derive(Default)]
pub(super) struct Table {
    messages: HashMap<MessageId, Message>,
    /// What waits in the table, and since when the index shows it.
    due: HashMap<u16, BTreeSet<(Timestamp, MessageId)>>,
    shown_from: HashMap<MessageId, Duration>,
    suppressed: HashSet<String>,
    references: HashMap<(String, String), MessageId>,
    /// Messages that the stream has not told of yet.
    pub(super) inserted: VecDeque<(Duration, MessageId)>,
    /// Messages that are not in a final state.
    pub(super) open: u32,
    pub(super) reads: u32,
    pub(super) writes: u32,
}

impl Table {
    pub(super) fn get(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    fn insert(&mut self, message: &Message, now: Duration) -> Added {
        self.writes += 1;
        if let Some(known) = self.messages.get(&message.id) {
            return Added::Known(Box::new(known.clone()));
        }
        self.open += 1;
        self.inserted.push_back((now, message.id));
        self.index(message, now);
        self.messages.insert(message.id, message.clone());
        Added::New
    }

    fn replace(&mut self, next: &Message, now: Duration, is_conditional: bool) -> bool {
        self.writes += 1;
        let Some(current) = self.messages.get(&next.id) else { return false };
        if is_conditional && current.revision + 1 != next.revision {
            return false;
        }
        let ended = u32::from(!is_final(current) && is_final(next));
        let begun = u32::from(is_final(current) && !is_final(next));
        self.open = (self.open + begun).saturating_sub(ended);
        let before = current.clone();
        if before.waits {
            self.due.entry(due_shard(before.id)).or_default().remove(&(before.due_at(), before.id));
        }
        self.index(next, now);
        self.messages.insert(next.id, next.clone());
        true
    }

    fn index(&mut self, message: &Message, now: Duration) {
        if message.waits {
            self.due.entry(due_shard(message.id)).or_default().insert((message.due_at(), message.id));
            self.shown_from.insert(message.id, now + INDEX_LAG);
        }
    }
}

/// Nothing happens to it any more by itself.
fn is_final(message: &Message) -> bool {
    match message.state {
        State::Pending | State::Sending { .. } => false,
        State::Sent { .. } | State::Delivered { .. } | State::Failed { .. } | State::Cancelled { .. } => true,
    }
}

/// The table as one environment reaches it.
pub(super) struct Store {
    pub(super) world: Arc<World>,
    pub(super) environment: Arc<Environment>,
}

impl Store {
    async fn read<T: Send>(&self, read: impl FnOnce(&mut Table) -> T + Send) -> Result<T, StoreError> {
        self.world.travel().await;
        let found = {
            let mut table = self.world.table();
            table.reads += 1;
            read(&mut table)
        };
        self.world.travel().await;
        Ok(found)
    }

    /// A write whose reply may be lost: the SDK tries once more, which in half of the cases helps.
    async fn write<T: Send>(
        &self,
        write: impl Fn(&mut Table, Duration) -> T + Send + Sync,
    ) -> Result<T, StoreError> {
        self.world.travel().await;
        if self.world.happens(self.world.scenario.faults.refused_writes) {
            return Err(StoreError::Throttled("the table is busy".into()));
        }
        let mut written = write(&mut self.world.table(), self.world.clock.now());
        if self.world.happens(self.world.scenario.faults.lost_replies) {
            self.world.seen().lost_replies += 1;
            self.world.clock.sleep(Duration::from_secs(1)).await;
            if self.world.happens(0.5) {
                return Err(StoreError::Unavailable("the reply was lost".into()));
            }
            written = write(&mut self.world.table(), self.world.clock.now());
        }
        self.world.travel().await;
        Ok(written)
    }
}

impl MessageStore for Store {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        self.write(|table, now| table.insert(message, now)).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.read(|table| table.messages.get(&id).cloned()).await
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        let has_lease = self.world.scenario.has_lease;
        let is_around_call = matches!(next.state, State::Sending { .. } | State::Sent { .. });
        if is_around_call {
            self.environment.may_die(&self.world).await;
        }
        let written = self.write(|table, now| table.replace(next, now, has_lease)).await?;
        if is_around_call {
            self.environment.may_die(&self.world).await;
        }
        // Without the lease nobody learns that another was faster.
        Ok(written || !has_lease)
    }
}

impl DueMessages for Store {
    async fn due(
        &self,
        shard: u16,
        until: Timestamp,
        after: Option<Due>,
        limit: u16,
    ) -> Result<Page<Due, Due>, StoreError> {
        let now = self.world.clock.now();
        let limit = usize::from(limit);
        let mut items: Vec<Due> = self
            .read(|table| {
                let shown = |id: &MessageId| table.shown_from.get(id).is_some_and(|from| *from <= now);
                let part = table.due.get(&shard);
                let behind = part.into_iter().flatten().filter(|(at, id)| {
                    *at < until && after.is_none_or(|after| (*at, *id) > (after.at, after.id)) && shown(id)
                });
                behind.take(limit + 1).map(|&(at, id)| Due { at, id }).collect()
            })
            .await?;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().copied().filter(|_| has_more);
        Ok(Page { items, next })
    }
}

impl Guests for Store {
    async fn profile(&self, guest: &GuestId) -> Result<GuestProfile, StoreError> {
        self.read(|_| GuestProfile { contacts: contacts(guest), ..GuestProfile::default() }).await
    }

    async fn is_suppressed(&self, address: &Address) -> Result<bool, StoreError> {
        match address {
            Address::Phone(_) | Address::Mail(_) => {
                self.read(|table| table.suppressed.contains(&text(address))).await
            }
            Address::Wechat { .. } | Address::Devices(_) | Address::Inbox(_) => Ok(false),
        }
    }

    async fn suppress(&self, address: &Address, _: &str, _: Timestamp) -> Result<(), StoreError> {
        self.write(|table, _| table.suppressed.insert(text(address))).await.map(drop)
    }

    async fn forget_devices(&self, _: &GuestId, _: &[String]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Caps for Store {
    async fn admit(&self, _: &GuestId, _: &str, _: u16, _: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }
}

impl Digests for Store {
    async fn join(&self, _: MessageId, _: MessageId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn members(&self, _: MessageId) -> Result<Vec<MessageId>, StoreError> {
        Ok(Vec::new())
    }
}

impl References for Store {
    async fn referred(
        &self,
        provider: &ProviderName,
        reference: &str,
    ) -> Result<Option<MessageId>, StoreError> {
        let key = (provider.to_string(), reference.to_owned());
        self.read(|table| table.references.get(&key).copied()).await
    }

    async fn refer(
        &self,
        provider: &ProviderName,
        reference: &str,
        to: MessageId,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        let key = (provider.to_string(), reference.to_owned());
        self.write(|table, _| table.references.insert(key.clone(), to)).await.map(drop)
    }
}

/// Where a guest is reached: everywhere.
pub(super) fn contacts(guest: &GuestId) -> Contacts {
    let number: u32 = guest.as_str().trim_start_matches("guest-").parse().unwrap_or_default();
    Contacts {
        phone: format!("+86138{number:08}").parse().ok(),
        email: format!("{guest}@example.com").parse().ok(),
        wechat_official: format!("official-{number}").parse().ok(),
        wechat_mini: format!("mini-{number}").parse().ok(),
        devices: format!("arn:aws:sns:eu-west-1:1:endpoint/GCM/app/{number}").parse().into_iter().collect(),
    }
}
