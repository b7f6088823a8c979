//! What the functions have in common: time, chance, the table, the providers, and what an observer counts.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain_ids::MessageId;
use domain_notification::Channels;
use jiff::{SignedDuration, Timestamp};

use super::{provider::Books, queue::Queues, scenario::Scenario, store::Table};
use crate::{chance::Chance, executor::Clock};

/// When the run begins: ten in the morning in Shanghai, so that nobody sleeps.
const BEGINS: Timestamp = Timestamp::constant(1_795_485_600, 0);

/// Median time of a request to the table, or to a queue, and back.
const ROUND_TRIP: Duration = Duration::from_millis(5);

/// With 0.4 the slowest in a hundred take 2.5 times the median.
pub(super) const LATENCY_SIGMA: f64 = 0.4;

/// What everybody shares.
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) channels: Channels,
    pub(super) clock: Clock,
    chance: Mutex<Chance>,
    table: Mutex<Table>,
    queues: Mutex<Queues>,
    books: Mutex<Books>,
    seen: Mutex<Seen>,
}

/// What an observer notes.
#[derive(Default)]
pub(super) struct Seen {
    /// When each message that was due first was in its queue for everybody to see.
    pub(super) queued: HashMap<MessageId, Duration>,
    /// When a worker first had each message in hand that was due.
    pub(super) taken: HashMap<MessageId, Duration>,
    /// Dead letters, with their reasons. There may be several of one message.
    pub(super) dead_letters: BTreeMap<MessageId, String>,
    /// Messages that were delivered too often to be delivered again.
    pub(super) given_up: u32,
    pub(super) deaths: u32,
    pub(super) dead_sweeps: u32,
    pub(super) duplicates: u32,
    pub(super) lost_replies: u32,
    pub(super) redelivered: u32,
    pub(super) environments: u32,
    pub(super) repeats: u32,
    /// Messages that a worker had in hand when it died or failed: a provider may have them.
    pub(super) orphaned: HashSet<MessageId>,
    /// Sweeps that ran to their end, and what they put into queues.
    pub(super) swept: u64,
}

impl World {
    pub(super) fn new(scenario: Scenario, channels: Channels, clock: Clock) -> Self {
        Self {
            chance: Mutex::new(Chance::seeded(scenario.seed)),
            table: Mutex::default(),
            queues: Mutex::default(),
            books: Mutex::default(),
            seen: Mutex::default(),
            scenario,
            channels,
            clock,
        }
    }

    /// Now, on the calendar, in whole milliseconds.
    pub(super) fn timestamp(&self) -> Timestamp {
        on_calendar(self.clock.now())
    }

    /// One way of a request to the table or a queue.
    pub(super) async fn travel(&self) {
        self.takes(ROUND_TRIP / 2).await;
    }

    /// Something that takes so long in half of the cases.
    pub(super) async fn takes(&self, median: Duration) {
        let delay = self.random(|chance| chance.log_normal(median, LATENCY_SIGMA));
        self.clock.sleep(delay).await;
    }

    pub(super) fn random<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut locked(&self.chance))
    }

    pub(super) fn happens(&self, share: f64) -> bool {
        self.random(|chance| chance.happens(share))
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        locked(&self.table)
    }

    pub(super) fn queues(&self) -> MutexGuard<'_, Queues> {
        locked(&self.queues)
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        locked(&self.books)
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        locked(&self.seen)
    }

    /// A worker has a message in hand.
    pub(super) fn note_taken(&self, id: MessageId) {
        let now = self.clock.now();
        if self.is_due(id, now) {
            self.seen().taken.entry(id).or_insert(now);
        }
    }

    /// Whether a message's time has come.
    pub(super) fn is_due(&self, id: MessageId, now: Duration) -> bool {
        self.table().get(id).is_some_and(|message| message.due_at() <= on_calendar(now))
    }
}

/// A moment of the run, on the calendar.
pub(super) fn on_calendar(at: Duration) -> Timestamp {
    let ms = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    BEGINS.checked_add(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX)
}

/// A moment on the calendar, in the run. What was before it is its beginning.
pub(super) fn in_run(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(BEGINS)).unwrap_or_default()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
