//! SQS's standard queues, one for each priority.
//!
//! | SQS and Lambda | Modelled as |
//! |---|---|
//! | messages in about their order | any of the first hundred |
//! | at least once | a share is delivered again within 20 seconds, three of ten within 100 ms, whatever became of it |
//! | `DelaySeconds` | whole seconds, at most 900 |
//! | visibility time-out | 181 s: what is not acknowledged, or reported as failed, comes again |
//! | `maxReceiveCount` 5 | what came five times in vain is a dead letter, without a reason |
//! | batches of 10, a maximum concurrency by queue | the same; pollers look every 10 ms |

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain_channel::Priority;
use domain_ids::MessageId;
use domain_notification::{DeadLetters, DispatchQueue, QueueError, Wake};
use jiff::Timestamp;

use super::{scenario::concurrency, world::World};

/// What a batch has at most.
const BATCH: usize = 10;

/// What one call of `SendMessageBatch` takes.
const CALL: usize = 10;

/// How long a delivery has until it is made again.
const VISIBILITY: Duration = Duration::from_secs(181);

/// Deliveries after which a message is given up.
const MAX_RECEIVES: u32 = 5;

/// The longest delay.
const MAX_DELAY: Duration = Duration::from_mins(15);

/// A message is any of so many of the first.
const DISORDER: usize = 100;

/// How long after the first a delivery may be repeated.
const REPEATED_WITHIN: Duration = Duration::from_secs(20);

/// The share that is repeated while the first is in somebody's hands, and the time that is.
const AT_ONCE: f64 = 0.3;
const ONCE: Duration = Duration::from_millis(100);

/// A message in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    available_at: Duration,
    pub(super) id: MessageId,
    receives: u32,
}

#[derive(Default)]
struct Queue {
    /// Not to be seen yet.
    hidden: BinaryHeap<Reverse<Entry>>,
    visible: VecDeque<Entry>,
    /// Invocations under way.
    busy: u32,
    longest: usize,
}

/// All queues.
#[derive(Default)]
pub(super) struct Queues(BTreeMap<Priority, Queue>);

impl Queues {
    fn push(&mut self, priority: Priority, entry: Entry) {
        self.0.entry(priority).or_default().hidden.push(Reverse(entry));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|queue| queue.hidden.is_empty() && queue.visible.is_empty() && queue.busy == 0)
    }

    /// The most messages that waited at once.
    pub(super) fn longest(&self, priority: Priority) -> usize {
        self.0.get(&priority).map_or(0, |queue| queue.longest)
    }

    /// An invocation has ended.
    pub(super) fn end(&mut self, priority: Priority) {
        if let Some(queue) = self.0.get_mut(&priority) {
            queue.busy = queue.busy.saturating_sub(1);
        }
    }
}

impl World {
    /// A batch for one more invocation, if there is anything and one may begin.
    pub(super) fn receive(&self, priority: Priority) -> Option<Vec<Entry>> {
        let now = self.clock.now();
        let mut queues = self.queues();
        let queue = queues.0.get_mut(&priority)?;
        while let Some(Reverse(entry)) =
            queue.hidden.peek().copied().filter(|first| first.0.available_at <= now)
        {
            queue.hidden.pop();
            queue.visible.push_back(entry);
            if self.is_due(entry.id, now) {
                self.seen().queued.entry(entry.id).or_insert(now);
            }
        }
        queue.longest = queue.longest.max(queue.visible.len());
        if queue.busy >= concurrency(priority) || queue.visible.is_empty() {
            return None;
        }
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH && !queue.visible.is_empty() {
            let among = queue.visible.len().min(DISORDER);
            let place = self.random(|chance| chance.below(among));
            let Some(entry) = queue.visible.swap_remove_front(place) else { break };
            if entry.receives >= MAX_RECEIVES {
                self.seen().given_up += 1;
                self.seen().dead_letters.entry(entry.id).or_insert_with(|| "delivered too often".into());
                continue;
            }
            if self.happens(self.scenario.faults.duplicates) {
                self.seen().duplicates += 1;
                let soon = if self.happens(AT_ONCE) { ONCE } else { REPEATED_WITHIN };
                let again = self.random(|chance| chance.up_to(soon));
                queue.hidden.push(Reverse(Entry { available_at: now + again, ..entry }));
            }
            batch.push(Entry { receives: entry.receives + 1, available_at: now + VISIBILITY, ..entry });
        }
        if batch.is_empty() {
            return None;
        }
        queue.busy += 1;
        Some(batch)
    }

    /// These deliveries were not acknowledged.
    pub(super) fn put_back(&self, priority: Priority, entries: impl IntoIterator<Item = Entry>) {
        let mut queues = self.queues();
        for entry in entries {
            self.seen().redelivered += 1;
            self.seen().orphaned.insert(entry.id);
            queues.push(priority, entry);
        }
    }
}

/// The queues as a function reaches them.
pub(super) struct Sqs(pub(super) Arc<World>);

impl DispatchQueue for Sqs {
    async fn wake(&self, wakes: &[Wake], now: Timestamp) -> Result<(), QueueError> {
        let mut taken = 0;
        for call in wakes.chunks(CALL) {
            self.0.travel().await;
            let fails = self.0.happens(self.0.scenario.faults.queue_errors);
            for wake in call {
                if fails && self.0.happens(0.5) {
                    continue;
                }
                let wait = Duration::try_from(wake.at.duration_since(now)).unwrap_or_default();
                // In whole seconds: rather a moment too late than too early.
                let delay =
                    Duration::from_secs(wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX));
                let jitter = self.0.random(|chance| chance.up_to(Duration::from_millis(20)));
                let available_at = self.0.clock.now() + delay.min(MAX_DELAY) + jitter;
                self.0.queues().push(wake.priority, Entry { available_at, id: wake.id, receives: 0 });
                taken += 1;
            }
            self.0.travel().await;
            if fails {
                return Err(QueueError::Partial { sent: wakes.len(), taken });
            }
        }
        Ok(())
    }
}

impl DeadLetters for Sqs {
    async fn bury(&self, id: MessageId, _: Priority, reason: &str) -> Result<(), QueueError> {
        self.0.travel().await;
        if self.0.happens(self.0.scenario.faults.queue_errors) {
            return Err(QueueError::Unavailable("the queue failed".into()));
        }
        self.0.seen().dead_letters.insert(id, reason.to_owned());
        self.0.travel().await;
        Ok(())
    }
}
