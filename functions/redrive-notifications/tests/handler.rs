//! Dead letters, put back whatever happens: none lost, none sent twice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use aws_sdk_dynamodb::Client;
use domain_channel::{Category, Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::MessageId;
use domain_notification::{
    Accepted, Added, DeadLetterBox, DispatchQueue, Letter, Message, MessageStore, Params, QueueError, State,
    Status, TemplateRef, Wake, message_id,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::NotificationTable;
use redrive_notifications::handler::{self, Ports};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOTIFICATION_TABLE, NOW, assert_faults_are_hidden};

const ROUTE: &str = "/v1/admin/notification-redrives";

/// The dead letters of the normal priority, in memory. Who holds one keeps it from the sight of others.
#[derive(Default)]
struct Letters(Mutex<Vec<(Letter, bool)>>);

impl Letters {
    fn put(&self, message: Option<MessageId>, reason: Option<&str>) {
        let mut letters = self.0.lock().unwrap();
        let receipt = format!("r-{}", letters.len());
        let reason = reason.map(Into::into);
        letters.push((Letter { message, reason, buried_at: Some(NOW), receipt }, false));
    }

    fn left(&self) -> Vec<Option<MessageId>> {
        self.0.lock().unwrap().iter().map(|(letter, _)| letter.message).collect()
    }

    fn held(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|(_, held)| *held).count()
    }

    /// The time-out of the visibility is over.
    fn let_go(&self) {
        self.0.lock().unwrap().iter_mut().for_each(|(_, held)| *held = false);
    }
}

impl DeadLetterBox for Letters {
    async fn receive(&self, priority: Priority, most: u16) -> Result<Vec<Letter>, QueueError> {
        assert!((1..=10).contains(&most));
        if priority != Priority::Normal {
            return Ok(Vec::new());
        }
        let mut letters = self.0.lock().unwrap();
        let free = letters.iter_mut().filter(|(_, held)| !held).take(most.into());
        Ok(free
            .map(|(letter, held)| {
                *held = true;
                letter.clone()
            })
            .collect())
    }

    async fn delete(&self, _: Priority, letter: &Letter) -> Result<(), QueueError> {
        self.0.lock().unwrap().retain(|(it, _)| it.receipt != letter.receipt);
        Ok(())
    }

    async fn release(&self, _: Priority, letter: &Letter) -> Result<(), QueueError> {
        let mut letters = self.0.lock().unwrap();
        letters.iter_mut().filter(|(it, _)| it.receipt == letter.receipt).for_each(|(_, held)| *held = false);
        Ok(())
    }

    async fn depth(&self, priority: Priority) -> Result<u64, QueueError> {
        Ok(if priority == Priority::Normal { self.0.lock().unwrap().len() as u64 } else { 0 })
    }
}

/// The dispatch queues: how often each message was put in.
#[derive(Default)]
struct Queue(Mutex<BTreeMap<MessageId, u32>>);

impl DispatchQueue for Queue {
    async fn wake(&self, wakes: &[Wake], now: Timestamp) -> Result<(), QueueError> {
        for wake in wakes {
            assert!(wake.at >= now && wake.priority == Priority::Normal);
            *self.0.lock().unwrap().entry(wake.id).or_default() += 1;
        }
        Ok(())
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

fn store_down() -> StoreError {
    StoreError::Unavailable("down".into())
}

fn queue_down() -> QueueError {
    QueueError::Unavailable("down".into())
}

impl<S: MessageStore> MessageStore for Mortal<'_, S> {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        self.call(self.inner.add(message), store_down()).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.call(self.inner.message(id), store_down()).await
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        self.call(self.inner.replace(next), store_down()).await
    }
}

impl DispatchQueue for Mortal<'_, Queue> {
    async fn wake(&self, wakes: &[Wake], now: Timestamp) -> Result<(), QueueError> {
        self.call(self.inner.wake(wakes, now), queue_down()).await
    }
}

impl DeadLetterBox for Mortal<'_, Letters> {
    async fn receive(&self, priority: Priority, most: u16) -> Result<Vec<Letter>, QueueError> {
        self.call(self.inner.receive(priority, most), queue_down()).await
    }

    async fn delete(&self, priority: Priority, letter: &Letter) -> Result<(), QueueError> {
        self.call(self.inner.delete(priority, letter), queue_down()).await
    }

    async fn release(&self, priority: Priority, letter: &Letter) -> Result<(), QueueError> {
        self.call(self.inner.release(priority, letter), queue_down()).await
    }

    async fn depth(&self, priority: Priority) -> Result<u64, QueueError> {
        self.call(self.inner.depth(priority), queue_down()).await
    }
}

fn pending(name: &str) -> Message {
    let receiver = "ann".parse().unwrap();
    Message {
        id: message_id("test", name, &receiver),
        channel: Channel::Sms,
        priority: Priority::Normal,
        category: Category::Order,
        template: TemplateRef { code: "order_confirmed".parse().unwrap(), version: 1 },
        params: Params::default(),
        receiver,
        accepted_at: NOW,
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        broadcast: None,
        fingerprint: 7,
        waits: false,
        is_digest: false,
        digest: None,
        attempts: 0,
        error: None,
        state: State::Pending,
        revision: 1,
    }
}

/// Failed so many minutes after noon, so to speak.
fn failed(name: &str, error: &str, minutes: i64) -> Message {
    let at = NOW + SignedDuration::from_mins(minutes);
    Message { revision: 5, ..pending(name).failed(error, true, at).unwrap() }
}

struct Desk {
    ports: Ports<NotificationTable, Queue, Letters>,
}

impl Desk {
    fn at(client: Client) -> Self {
        let store = NotificationTable::new(client, NOTIFICATION_TABLE.into());
        Self { ports: Ports { store, queue: Queue::default(), letters: Letters::default() } }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_notification_table().await.0.client())
    }

    async fn bury(&self, message: &Message, reason: Option<&str>) {
        self.ports.store.add(message).await.unwrap();
        self.ports.letters.put(Some(message.id), reason);
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.ports, NOW, || true, request.build()).await.unwrap())
    }

    async fn redrive(&self, filter: Value, dry_run: bool) -> Answer {
        self.ask(redrive(&json!({ "priority": "normal", "filter": filter, "dryRun": dry_run }))).await
    }

    async fn status(&self, message: &Message) -> Status {
        self.ports.store.message(message.id).await.unwrap().unwrap().status()
    }

    fn queued(&self, message: &Message) -> u32 {
        self.ports.queue.0.lock().unwrap().get(&message.id).copied().unwrap_or_default()
    }
}

fn operator(method: &str) -> ApiRequest {
    ApiRequest::new(method, ROUTE).caller("eve", &["admin"])
}

fn redrive(body: &Value) -> ApiRequest {
    operator("POST").json(body)
}

fn figures(answer: &Answer) -> [u64; 6] {
    assert_eq!(answer.status, 200, "{}", answer.body);
    ["scanned", "matched", "redriven", "skipped", "stale", "unreadable"]
        .map(|name| answer.body[name].as_u64().unwrap())
}

#[tokio::test]
async fn the_sample_events_count_and_put_back_dead_letters() {
    let desk = Desk::open().await;
    let message = failed("a", "timeout", 0);
    desk.bury(&message, Some("aliyun: timeout")).await;
    let ask = async |name: &str| {
        let request = testing::request(testing::event(&format!("api/{name}.json")));
        Answer::of(handler::handle(&desk.ports, NOW, || true, request).await.unwrap())
    };
    let count = ask("redrive-notifications-count").await;
    let done = ask("redrive-notifications").await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!("count", count.body);
        insta::assert_json_snapshot!("done", done.body);
    });
    assert_eq!(desk.status(&message).await, Status::Pending);
    assert_eq!((desk.queued(&message), desk.ports.letters.left()), (1, vec![]));
}

#[tokio::test]
async fn without_being_told_otherwise_it_only_looks() {
    let desk = Desk::open().await;
    let message = failed("a", "timeout", 0);
    let sent = pending("b").sent(&"aliyun".parse().unwrap(), &Accepted::default(), NOW).unwrap();
    desk.bury(&message, None).await;
    desk.bury(&sent, None).await;
    desk.ports.letters.put(None, None);
    let looked = desk.ask(redrive(&json!({ "priority": "normal" }))).await;
    assert_eq!(figures(&looked), [3, 1, 0, 0, 1, 1]);
    assert_eq!(looked.body["examples"], json!([{ "id": message.id, "reason": "timeout" }]));
    assert_eq!((desk.status(&message).await, desk.queued(&message)), (Status::Failed, 0));
    assert_eq!((desk.ports.letters.left().len(), desk.ports.letters.held()), (3, 0));
}

#[tokio::test]
async fn what_needs_nothing_any_more_is_deleted_and_what_nobody_can_read_stays() {
    let desk = Desk::open().await;
    let provider = "aliyun".parse().unwrap();
    let sent = pending("sent").sent(&provider, &Accepted::default(), NOW).unwrap();
    let cancelled = pending("cancelled").cancelled(NOW).unwrap();
    let refused = pending("refused").failed("bad number", false, NOW).unwrap();
    let deferred = pending("deferred").deferred(NOW).unwrap();
    for message in [&sent, &cancelled, &refused, &deferred] {
        desk.bury(message, None).await;
    }
    desk.ports.letters.put(Some(pending("gone").id), None);
    desk.ports.letters.put(None, Some("not ours"));
    assert_eq!(figures(&desk.redrive(json!({}), false).await), [6, 0, 0, 0, 5, 1]);
    assert_eq!((desk.ports.letters.left(), desk.ports.letters.held()), (vec![None], 0));
    assert!(desk.ports.queue.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_filter_says_which() {
    let desk = Desk::open().await;
    let messages = [
        failed("0", "timeout", 0),
        Message { receiver: "tel:+8613800138000".parse().unwrap(), ..failed("1", "timeout", 10) },
        Message { channel: Channel::Email, ..failed("2", "no-channel", 20) },
        Message {
            template: TemplateRef { code: "other".parse().unwrap(), version: 1 },
            ..failed("3", "not-renderable", 30)
        },
    ];
    for message in &messages {
        desk.bury(message, None).await;
    }
    let at = |minutes: i64| json!(NOW + SignedDuration::from_mins(minutes));
    for (filter, expected) in [
        (json!({}), &[0, 1, 2, 3][..]),
        (json!({ "reason": "time" }), &[0, 1]),
        (json!({ "template": "other" }), &[3]),
        (json!({ "channel": "email" }), &[2]),
        (json!({ "receiver": "tel:+8613800138000" }), &[1]),
        (json!({ "failedBefore": at(20) }), &[0, 1]),
        (json!({ "failedAfter": at(20) }), &[2, 3]),
        (json!({ "failedAfter": at(5), "failedBefore": at(15), "reason": "timeout" }), &[1]),
        (json!({ "reason": "nothing like that" }), &[]),
    ] {
        let answer = desk.redrive(filter.clone(), true).await;
        let found: Vec<Value> =
            answer.body["examples"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
        let expected: Vec<Value> = expected.iter().map(|n: &usize| json!(messages[*n].id)).collect();
        assert_eq!(found, expected, "{filter}");
        assert_eq!(desk.ports.letters.held(), 0);
    }
    let done = desk.redrive(json!({ "channel": "email" }), false).await;
    assert_eq!(figures(&done), [4, 1, 1, 3, 0, 0]);
    assert_eq!(desk.status(&messages[2]).await, Status::Pending);
    assert_eq!((desk.ports.letters.left().len(), desk.ports.letters.held()), (3, 0));
}

#[tokio::test]
async fn a_limit_is_kept_and_the_rest_is_for_the_next_time() {
    let desk = Desk::open().await;
    let messages: Vec<Message> = (0..25).map(|n| failed(&n.to_string(), "timeout", 0)).collect();
    for message in &messages {
        desk.bury(message, None).await;
    }
    let body = |limit: u16| json!({ "priority": "normal", "dryRun": false, "limit": limit });
    for (limit, done, left, is_complete) in [(12, 12, 13, false), (13, 13, 0, false), (1, 0, 0, true)] {
        let answer = desk.ask(redrive(&body(limit))).await;
        assert_eq!(figures(&answer)[2], done);
        assert_eq!((desk.ports.letters.left().len(), desk.ports.letters.held()), (left, 0));
        assert_eq!(answer.body["isComplete"], is_complete);
        assert!(answer.body["examples"].as_array().unwrap().len() <= 10);
    }
    assert!(messages.iter().all(|message| desk.queued(message) == 1));
}

#[tokio::test]
async fn a_message_with_two_letters_is_redriven_once() {
    let desk = Desk::open().await;
    let message = failed("a", "timeout", 0);
    desk.bury(&message, None).await;
    desk.ports.letters.put(Some(message.id), None);
    assert_eq!(figures(&desk.redrive(json!({}), false).await), [2, 1, 1, 0, 1, 0]);
    assert_eq!((desk.queued(&message), desk.ports.letters.left()), (1, vec![]));
}

#[tokio::test]
async fn whoever_dies_at_any_step_loses_nothing_and_sends_nothing_twice() {
    for has_effect in [false, true] {
        for step in 0.. {
            let desk = Desk::open().await;
            let messages: Vec<Message> = (0..13).map(|n| failed(&n.to_string(), "timeout", 0)).collect();
            for message in &messages {
                desk.bury(message, None).await;
            }
            let other = Message { channel: Channel::Email, ..failed("other", "timeout", 0) };
            desk.bury(&other, None).await;
            let left = AtomicI64::new(step);
            let dying = Ports {
                store: Mortal { inner: &desk.ports.store, left: &left, has_effect },
                queue: Mortal { inner: &desk.ports.queue, left: &left, has_effect },
                letters: Mortal { inner: &desk.ports.letters, left: &left, has_effect },
            };
            let body = json!({ "priority": "normal", "dryRun": false, "filter": { "channel": "sms" } });
            let request = redrive(&body).build();
            let answer = Answer::of(handler::handle(&dying, NOW, || true, request).await.unwrap());
            let has_died = left.load(Ordering::Relaxed) < 0;
            if answer.status != 200 {
                assert_eq!(answer.problem(), (503, "try-again"), "step {step}");
            }
            // At no time is a message neither in its queue nor among the dead letters.
            for message in &messages {
                let has_letter = desk.ports.letters.left().contains(&Some(message.id));
                assert!(has_letter || desk.queued(message) > 0, "step {step}");
            }
            desk.ports.letters.let_go();
            desk.redrive(json!({ "channel": "sms" }), false).await;
            for message in &messages {
                let stored = desk.ports.store.message(message.id).await.unwrap().unwrap();
                assert_eq!((stored.status(), stored.revision), (Status::Pending, 6), "step {step}");
                assert!((1..=2).contains(&desk.queued(message)), "step {step}");
            }
            assert_eq!(desk.ports.letters.left(), [Some(other.id)], "step {step}");
            assert_eq!((desk.ports.letters.held(), desk.queued(&other)), (0, 0), "step {step}");
            if !has_died {
                // 3 calls to receive, 14 reads, 13 writes, 2 to the queue, 13 to delete, 1 to release.
                assert_eq!(step, 46);
                break;
            }
        }
    }
}

#[tokio::test]
async fn without_time_nothing_is_looked_at() {
    let desk = Desk::open().await;
    desk.bury(&failed("a", "timeout", 0), None).await;
    let request = redrive(&json!({ "priority": "normal" })).build();
    let answer = Answer::of(handler::handle(&desk.ports, NOW, || false, request).await.unwrap());
    assert_eq!((figures(&answer), &answer.body["isComplete"]), ([0; 6], &json!(false)));
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_request_is_told() {
    let desk = Desk::open().await;
    let filter = json!({
        "reason": "", "template": "a b", "receiver": "fax:1", "failedBefore": "noon", "failedAfter": "",
    });
    let answer = desk.ask(redrive(&json!({ "priority": "normal", "filter": filter, "limit": 501 }))).await;
    assert_eq!(answer.problem(), (422, "invalid-body"));
    let expected =
        "limit filter/reason filter/template filter/receiver filter/failedBefore filter/failedAfter";
    assert_eq!(answer.fields(), expected);
    for (body, field) in [
        (json!({}), "priority"),
        (json!({ "priority": 2 }), "priority"),
        (json!({ "priority": "normal", "limit": -1 }), "limit"),
        (json!({ "priority": "normal", "filter": { "x": 1 } }), "filter/x"),
        (json!({ "priority": "normal", "dry_run": true }), "dry_run"),
    ] {
        assert_eq!(desk.ask(redrive(&body)).await.fields(), field, "{body}");
    }
}

#[tokio::test]
async fn only_operators_come_in() {
    let desk = Desk::open().await;
    for method in ["GET", "POST"] {
        let nobody = ApiRequest::new(method, ROUTE);
        assert_eq!(desk.ask(nobody.clone()).await.problem(), (401, "unauthenticated"));
        assert_eq!(desk.ask(nobody.caller("ann", &["service"])).await.problem(), (403, "forbidden"));
    }
    assert_eq!(desk.ask(operator("PUT")).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing() {
    assert_faults_are_hidden(async |client| {
        let desk = Desk::at(client);
        desk.ports.letters.put(Some(pending("a").id), None);
        let answer = desk.ask(redrive(&json!({ "priority": "normal", "dryRun": false }))).await;
        assert_eq!((desk.ports.letters.left().len(), desk.ports.letters.held()), (1, 0));
        answer
    })
    .await;
}
