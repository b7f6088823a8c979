//! Messages that wait for their time: never early, at most a minute late, once, whoever dies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use domain_channel::{Category, Channel, Priority};
use domain_coupon::{Page, StoreError};
use domain_ids::MessageId;
use domain_notification::{
    Added, DispatchQueue, Due, DueMessages, MAX_DELAY, Message, MessageStore, Params, QueueError, State,
    TemplateRef, WAKE_AHEAD, Wake, WakeError, due_shard, message_id,
};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::NotificationTable;
use schedule_notifications::handler::{self, Tick};
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, NOW};

/// The latest that a message may come into sight.
const MOST: SignedDuration = SignedDuration::from_secs(60);

/// A dispatch queue: when each message comes into sight, as often as it is put in.
#[derive(Default)]
struct Queue(Mutex<BTreeMap<MessageId, Vec<Timestamp>>>);

impl DispatchQueue for Queue {
    async fn wake(&self, wakes: &[Wake], now: Timestamp) -> Result<(), QueueError> {
        for wake in wakes {
            let delay = wake.at.duration_since(now).clamp(SignedDuration::ZERO, MAX_DELAY);
            let whole =
                SignedDuration::from_secs((delay.as_millis() + 999).div_euclid(1_000).try_into().unwrap());
            self.0.lock().unwrap().entry(wake.id).or_default().push(now + whole);
        }
        Ok(())
    }
}

impl Queue {
    fn seen(&self, id: MessageId) -> Vec<Timestamp> {
        self.0.lock().unwrap().get(&id).cloned().unwrap_or_default()
    }
}

/// Fails one call, the one at which the countdown is over; before or after it has had its effect.
struct Mortal<'a, T> {
    inner: &'a T,
    left: &'a AtomicI64,
    has_effect: bool,
}

impl<T> Mortal<'_, T> {
    async fn call<X, E>(&self, call: impl Future<Output = Result<X, E>>, error: E) -> Result<X, E> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            if self.has_effect {
                call.await?;
            }
            return Err(error);
        }
        call.await
    }
}

fn down() -> StoreError {
    StoreError::Unavailable("down".into())
}

impl<S: MessageStore> MessageStore for Mortal<'_, S> {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        self.call(self.inner.add(message), down()).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.call(self.inner.message(id), down()).await
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        self.call(self.inner.replace(next), down()).await
    }
}

impl<S: DueMessages> DueMessages for Mortal<'_, S> {
    async fn due(
        &self,
        shard: u16,
        until: Timestamp,
        after: Option<Due>,
        limit: u16,
    ) -> Result<Page<Due, Due>, StoreError> {
        self.call(self.inner.due(shard, until, after, limit), down()).await
    }
}

impl DispatchQueue for Mortal<'_, Queue> {
    async fn wake(&self, wakes: &[Wake], now: Timestamp) -> Result<(), QueueError> {
        self.call(self.inner.wake(wakes, now), QueueError::Unavailable("down".into())).await
    }
}

/// A table that costs nothing to set up: for tests of every step.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<MessageId, Message>>);

impl MessageStore for Memory {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        self.0.lock().unwrap().insert(message.id, message.clone());
        Ok(Added::New)
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.0.lock().unwrap().get(&id).cloned())
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        let mut messages = self.0.lock().unwrap();
        let is_next = messages.get(&next.id).is_some_and(|it| it.revision + 1 == next.revision);
        if is_next {
            messages.insert(next.id, next.clone());
        }
        Ok(is_next)
    }
}

impl DueMessages for Memory {
    async fn due(
        &self,
        shard: u16,
        until: Timestamp,
        _: Option<Due>,
        limit: u16,
    ) -> Result<Page<Due, Due>, StoreError> {
        let messages = self.0.lock().unwrap();
        let waiting = messages.values().filter(|it| it.waits && due_shard(it.id) == shard);
        let due = waiting.map(|it| Due { at: it.due_at(), id: it.id }).filter(|due| due.at < until);
        let items: Vec<Due> = due.collect();
        assert!(items.len() <= limit.into(), "a test with pages needs a table");
        Ok(Page { items, next: None })
    }
}

async fn table() -> NotificationTable {
    let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
    NotificationTable::new(db.client(), name)
}

fn message(n: u32, due: Timestamp, waits: bool) -> Message {
    let receiver = "ann".parse().unwrap();
    Message {
        id: message_id("test", &n.to_string(), &receiver),
        channel: Channel::Sms,
        priority: Priority::Normal,
        category: Category::Order,
        template: TemplateRef { code: "order_confirmed".parse().unwrap(), version: 1 },
        params: Params::default(),
        receiver,
        accepted_at: NOW,
        scheduled_at: Some(due),
        expires_at: None,
        transaction: None,
        broadcast: None,
        fingerprint: 7,
        waits,
        is_digest: false,
        digest: None,
        attempts: 0,
        error: None,
        state: State::Pending,
        revision: 1,
    }
}

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

async fn add(table: &NotificationTable, messages: &[Message]) {
    stream::iter(messages)
        .for_each_concurrent(8, |message| async move {
            assert_eq!(table.add(message).await.unwrap(), Added::New);
        })
        .await;
}

async fn sweep(
    store: &impl DueMessages,
    queue: &impl DispatchQueue,
    now: Timestamp,
) -> Result<(), WakeError> {
    handler::handle(store, queue, now, || true, Tick::Minute).await
}

async fn waits(table: &NotificationTable, id: MessageId) -> bool {
    table.message(id).await.unwrap().unwrap().waits
}

#[test]
fn the_sample_events_are_a_minute_and_a_message() {
    let tick = |name: &str| {
        serde_json::from_value::<Tick>(testing::event(&format!("schedule/{name}.json"))).unwrap()
    };
    assert_eq!(tick("schedule-notifications"), Tick::Minute);
    let id = "4V3DDQTWPB9XG3ZGNNNY9QXYNW".parse().unwrap();
    assert_eq!(tick("schedule-notifications-one"), Tick::Message(id));
}

#[test]
fn an_event_that_names_no_message_of_ours_fails_instead_of_sweeping() {
    for event in [json!({ "message": 7 }), json!({ "message": "x" }), json!({ "message": null }), Value::Null]
    {
        assert!(serde_json::from_value::<Tick>(event.clone()).is_err(), "{event}");
    }
    assert_eq!(serde_json::from_value::<Tick>(json!({})).unwrap(), Tick::Minute);
}

#[tokio::test]
async fn with_a_sweep_every_minute_nothing_is_early_and_nothing_more_than_a_minute_late() {
    let table = table().await;
    let queue = Queue::default();
    let messages: Vec<Message> = (0..200).map(|n| message(n, after(930 + 3 * i64::from(n)), true)).collect();
    add(&table, &messages).await;
    for minute in 8..28 {
        // Somewhen within its minute, as schedules are.
        sweep(&table, &queue, after(60 * minute + (17 * minute) % 60)).await.unwrap();
    }
    for message in &messages {
        let seen = queue.seen(message.id);
        let late = seen[0].duration_since(message.due_at());
        assert!(seen.len() == 1 && (SignedDuration::ZERO..=MOST).contains(&late), "{late:?}");
        assert!(!waits(&table, message.id).await);
    }
}

#[tokio::test]
async fn a_minute_that_is_left_out_makes_nothing_late() {
    let table = table().await;
    let queue = Queue::default();
    let messages: Vec<Message> = (0..60).map(|n| message(n, after(900 + 10 * i64::from(n)), true)).collect();
    add(&table, &messages).await;
    // Every fourth minute alone.
    for minute in (8..28).step_by(4) {
        sweep(&table, &queue, after(60 * minute)).await.unwrap();
    }
    for message in &messages {
        let late = queue.seen(message.id)[0].duration_since(message.due_at());
        assert!((SignedDuration::ZERO..=MOST).contains(&late), "{late:?}");
    }
}

#[tokio::test]
async fn a_sweep_that_dies_at_any_step_is_made_good_by_the_next() {
    for has_effect in [false, true] {
        for step in 0.. {
            let (table, queue) = (Memory::default(), Queue::default());
            let messages: Vec<Message> = (0..5).map(|n| message(n, after(200), true)).collect();
            for message in &messages {
                table.add(message).await.unwrap();
            }
            let left = AtomicI64::new(step);
            let dying = sweep(
                &Mortal { inner: &table, left: &left, has_effect },
                &Mortal { inner: &queue, left: &left, has_effect },
                NOW,
            )
            .await;
            sweep(&table, &queue, after(60)).await.unwrap();
            for message in &messages {
                let seen = queue.seen(message.id);
                assert!(!seen.is_empty() && seen.len() <= 2, "step {step}");
                assert!(seen.iter().all(|at| *at == after(200)), "step {step}");
                let stored = table.message(message.id).await.unwrap().unwrap();
                assert_eq!(
                    (stored.waits, stored.revision),
                    (false, 2),
                    "step {step}: taken off the list once"
                );
            }
            if dying.is_ok() {
                // 64 parts of the list, and for each message a read, a write and its part of a call to the queue.
                assert!(step > 64 + 2 * 5, "{step}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_was_cancelled_is_not_queued() {
    let table = table().await;
    let queue = Queue::default();
    let messages: Vec<Message> = (0..4).map(|n| message(n, after(100), n < 2)).collect();
    add(&table, &messages).await;
    for message in &messages[1..3] {
        domain_notification::cancel(&table, message.id, NOW).await.unwrap();
    }
    sweep(&table, &queue, NOW).await.unwrap();
    for message in &messages {
        handler::handle(&table, &queue, NOW, || true, Tick::Message(message.id)).await.unwrap();
    }
    let counts: Vec<usize> = messages.iter().map(|message| queue.seen(message.id).len()).collect();
    assert_eq!(counts, [2, 0, 0, 1], "one that was swept may be woken, which does no harm");
}

#[tokio::test]
async fn a_thousand_messages_of_one_moment_are_all_queued_by_one_sweep() {
    let table = table().await;
    let queue = Queue::default();
    let messages: Vec<Message> = (0..1_000).map(|n| message(n, after(250), true)).collect();
    add(&table, &messages).await;
    sweep(&table, &queue, NOW).await.unwrap();
    assert!(messages.iter().all(|message| queue.seen(message.id) == [after(250)]));
    sweep(&table, &queue, after(60)).await.unwrap();
    assert!(messages.iter().all(|message| queue.seen(message.id).len() == 1));
}

#[tokio::test]
async fn what_there_is_no_time_for_is_left_to_the_next_sweep() {
    let table = table().await;
    let queue = Queue::default();
    let messages: Vec<Message> = (0..200).map(|n| message(n, after(250), true)).collect();
    add(&table, &messages).await;
    let asked = AtomicI64::new(0);
    let is_time_left = || asked.fetch_add(1, Ordering::Relaxed) < 10;
    handler::handle(&table, &queue, NOW, is_time_left, Tick::Minute).await.unwrap();
    let queued = queue.0.lock().unwrap().len();
    assert!((1..200).contains(&queued), "{queued}");
    sweep(&table, &queue, after(60)).await.unwrap();
    assert!(messages.iter().all(|message| queue.seen(message.id) == [after(250)]));
}

#[tokio::test]
async fn a_single_message_is_woken_ahead_and_comes_into_sight_in_time() {
    let table = table().await;
    let due = after(3_600);
    let one = message(1, due, false);
    add(&table, std::slice::from_ref(&one)).await;
    // Scheduler is exact, or late by up to a minute.
    for late in [0, 59] {
        let queue = Queue::default();
        let now = due - WAKE_AHEAD + SignedDuration::from_secs(late);
        handler::handle(&table, &queue, now, || true, Tick::Message(one.id)).await.unwrap();
        assert_eq!(queue.seen(one.id), [due]);
    }
    // Long after an outage of Scheduler it is sent at once.
    let queue = Queue::default();
    handler::handle(&table, &queue, after(9_000), || true, Tick::Message(one.id)).await.unwrap();
    assert_eq!(queue.seen(one.id), [after(9_000)]);
}

#[tokio::test]
async fn a_message_that_is_gone_or_waits_in_the_table_is_not_woken() {
    let table = table().await;
    let queue = Queue::default();
    let deferred = message(1, after(3_600), true);
    add(&table, std::slice::from_ref(&deferred)).await;
    for id in [deferred.id, message(2, NOW, false).id] {
        handler::handle(&table, &queue, NOW, || true, Tick::Message(id)).await.unwrap();
        assert_eq!(queue.seen(id), []);
    }
}

#[tokio::test]
async fn a_schedule_whose_message_cannot_be_queued_is_tried_again() {
    let table = table().await;
    let queue = Queue::default();
    let one = message(1, after(100), false);
    add(&table, std::slice::from_ref(&one)).await;
    let left = AtomicI64::new(0);
    let dead = Mortal { inner: &queue, left: &left, has_effect: false };
    let failed = handler::handle(&table, &dead, NOW, || true, Tick::Message(one.id)).await;
    assert!(matches!(failed, Err(WakeError::Queue(_))), "{failed:?}");
}
