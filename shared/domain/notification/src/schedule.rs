//! Messages that wait for their time: never early, at most a minute late, once.
//!
//! A queue keeps a message back for up to [`MAX_DELAY`], to the second; so whoever wakes a message has that long to be
//! late itself. What is due later waits elsewhere: a single message at `EventBridge` Scheduler, one of many in the table,
//! by the time it is due. A sweep takes from there what is due within [`LOOKAHEAD`] and gives it to the queue, and only then
//! takes it off the list: a sweep that dies is repeated by the next, a minute later and minutes before anything is late.

use domain_coupon::{Page, StoreError};
use domain_ids::MessageId;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{DispatchQueue, Message, MessageStore, QueueError, Status, Wake};

/// How long a queue can keep a message back: the limit of `SQS`.
pub const MAX_DELAY: SignedDuration = SignedDuration::from_mins(15);

/// How far ahead a sweep looks: several sweeps may fail before anything is late.
pub const LOOKAHEAD: SignedDuration = SignedDuration::from_mins(5);

/// How long before its time a single message is woken: Scheduler is up to a minute late.
pub const WAKE_AHEAD: SignedDuration = SignedDuration::from_mins(3);

/// Parts of the list of what is due. A part takes a thousand new entries a second.
pub const DUE_SHARDS: u16 = 64;

/// Parts that a sweep works on at once.
const SHARDS_AT_ONCE: usize = 8;

/// Entries read at once, and given to the queue in calls of ten.
const PAGE: u16 = 100;

/// What is to be done about a message that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It goes into its queue.
    Queue(Wake),
    /// It is woken then.
    Schedule(Timestamp),
    /// It waits in the table.
    Wait,
    /// It is not pending any more.
    Nothing,
}

/// What is to be done about `message` at `now`.
pub fn plan(message: &Message, now: Timestamp) -> Plan {
    let due = message.due_at();
    if message.status() != Status::Pending {
        Plan::Nothing
    } else if message.waits {
        Plan::Wait
    } else if due.duration_since(now) <= MAX_DELAY {
        Plan::Queue(Wake { id: message.id, priority: message.priority, at: due })
    } else {
        Plan::Schedule(due - WAKE_AHEAD)
    }
}

/// An entry in the list of what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// Which message.
    pub id: MessageId,
}

/// The list of messages that wait in the table.
pub trait DueMessages: MessageStore {
    /// Up to `limit` messages of one part of the list that are due before `until`, the earliest first, from behind `after`
    /// on. The list may lag behind by a second.
    fn due(
        &self,
        shard: u16,
        until: Timestamp,
        after: Option<Due>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Due, Due>, StoreError>> + Send;
}

/// Which part of the list a message is in.
pub fn due_shard(id: MessageId) -> u16 {
    let text = id.to_string();
    let hash = text.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    u16::try_from(hash % u32::from(DUE_SHARDS)).unwrap_or_default()
}

/// A message could not be woken. It still waits where it waited.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error("the queue failed")]
    Queue(#[from] QueueError),
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Messages given to their queues.
    pub queued: u64,
    /// How late the latest of them was, in milliseconds; 0 where all were in time.
    pub latest_ms: u64,
    /// Whether there was time for all.
    pub is_complete: bool,
}

/// Gives what is due before `now` + [`LOOKAHEAD`] to the queues, while there is time left. After an error, which is told once
/// every part of the list had its turn, a repeat takes what is left.
pub async fn sweep<S: DueMessages, Q: DispatchQueue>(
    store: &S,
    queue: &Q,
    now: Timestamp,
    is_time_left: impl Fn() -> bool + Sync,
) -> Result<Swept, WakeError> {
    let is_time_left = &is_time_left;
    let parts: Vec<Result<Swept, WakeError>> = stream::iter(0..DUE_SHARDS)
        .map(|shard| sweep_part(store, queue, shard, now, is_time_left))
        .buffer_unordered(SHARDS_AT_ONCE)
        .collect()
        .await;
    // A part that fails holds up no other: of many writes each minute some always fail, and each sweep would end early.
    let none = Swept { is_complete: true, ..Swept::default() };
    parts.into_iter().try_fold(none, |sum, part| {
        let part = part?;
        Ok(Swept {
            queued: sum.queued + part.queued,
            latest_ms: sum.latest_ms.max(part.latest_ms),
            is_complete: sum.is_complete && part.is_complete,
        })
    })
}

async fn sweep_part<S: DueMessages, Q: DispatchQueue>(
    store: &S,
    queue: &Q,
    shard: u16,
    now: Timestamp,
    is_time_left: &(impl Fn() -> bool + Sync),
) -> Result<Swept, WakeError> {
    let until = now.checked_add(LOOKAHEAD).unwrap_or(Timestamp::MAX);
    let (mut swept, mut after) = (Swept::default(), None);
    loop {
        if !is_time_left() {
            return Ok(swept);
        }
        let page = store.due(shard, until, after, PAGE).await?;
        let mut wanted = Vec::with_capacity(page.items.len());
        for due in &page.items {
            // The list lags behind, and somebody may have cancelled.
            match store.message(due.id).await? {
                Some(message) if message.waits && message.status() == Status::Pending => {
                    wanted.push(message);
                }
                Some(_) | None => {}
            }
        }
        let wakes: Vec<Wake> = wanted
            .iter()
            .map(|message| Wake { id: message.id, priority: message.priority, at: message.due_at() })
            .collect();
        queue.wake(&wakes, now).await?;
        for message in wanted {
            let late = now.duration_since(message.due_at()).as_millis().max(0);
            swept.latest_ms = swept.latest_ms.max(u64::try_from(late).unwrap_or(u64::MAX));
            swept.queued += 1;
            if let Ok(next) = message.queued() {
                // Somebody else was faster: a sweep beside this one, or the dispatch itself.
                let _ = store.replace(&next).await?;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(Swept { is_complete: true, ..swept });
        }
    }
}

/// Gives a single message to its queue, when its schedule says so.
pub async fn wake(
    store: &impl MessageStore,
    queue: &impl DispatchQueue,
    id: MessageId,
    now: Timestamp,
) -> Result<(), WakeError> {
    let Some(message) = store.message(id).await? else { return Ok(()) };
    match plan(&message, now) {
        Plan::Queue(wake) => queue.wake(&[wake], now).await?,
        // Scheduler is never early by more than the margin; the queue would keep it back no longer than it can.
        Plan::Schedule(_) => {
            let at = now.checked_add(MAX_DELAY).unwrap_or(Timestamp::MAX);
            queue.wake(&[Wake { id, priority: message.priority, at }], now).await?;
        }
        Plan::Wait | Plan::Nothing => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{
        Added, Receiver,
        fixtures::{at, message},
        message_id,
    };

    /// A table of messages that are due, of which one part cannot be read, and a queue.
    struct World {
        due: Vec<Message>,
        unreadable: u16,
        woken: Mutex<Vec<MessageId>>,
    }

    impl MessageStore for World {
        async fn add(&self, _: &Message) -> Result<Added, StoreError> {
            Ok(Added::New)
        }

        async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
            Ok(self.due.iter().find(|message| message.id == id).cloned())
        }

        async fn replace(&self, _: &Message) -> Result<bool, StoreError> {
            Ok(true)
        }
    }

    impl DueMessages for World {
        async fn due(
            &self,
            shard: u16,
            _: Timestamp,
            _: Option<Due>,
            _: u16,
        ) -> Result<Page<Due, Due>, StoreError> {
            if shard == self.unreadable {
                return Err(StoreError::Unavailable("down".into()));
            }
            let of_part = self.due.iter().filter(|message| due_shard(message.id) == shard);
            let items = of_part.map(|message| Due { at: message.due_at(), id: message.id }).collect();
            Ok(Page { items, next: None })
        }
    }

    impl DispatchQueue for World {
        async fn wake(&self, wakes: &[Wake], _: Timestamp) -> Result<(), QueueError> {
            self.woken.lock().unwrap().extend(wakes.iter().map(|wake| wake.id));
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_part_that_fails_holds_up_no_other() {
        let due: Vec<Message> = (0..200)
            .map(|n| {
                let receiver: Receiver = format!("guest-{n}").parse().unwrap();
                let id = message_id("test", "key", &receiver);
                Message { id, receiver, waits: true, scheduled_at: Some(at(60)), ..message() }
            })
            .collect();
        let unreadable = due_shard(due[0].id);
        let others = due.iter().filter(|message| due_shard(message.id) != unreadable).count();
        let world = World { due, unreadable, woken: Mutex::default() };
        let swept = sweep(&world, &world, at(0), || true).await;
        assert!(matches!(swept, Err(WakeError::Store(_))), "the error is told: {swept:?}");
        assert_eq!(world.woken.lock().unwrap().len(), others);
    }
}
