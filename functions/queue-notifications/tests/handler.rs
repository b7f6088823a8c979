//! Where messages that were accepted end, whatever the stream does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
};

use aws_sdk_dynamodb::types::AttributeValue;
use domain_channel::{Category, Channel, Priority};
use domain_ids::MessageId;
use domain_notification::{
    DispatchQueue, MAX_DELAY, Message, MessageStore, Params, QueueError, Schedules, State, TemplateRef,
    WAKE_AHEAD, Wake, message_id,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::NotificationTable;
use platform_batch::StreamEvent;
use proptest::prelude::*;
use queue_notifications::handler;
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, ItemChange, NOTIFICATION_TABLE, NOW, stream_event};

type Item = HashMap<String, AttributeValue>;

/// Queue and scheduler, whose calls fail as foreseen; afterwards all succeed.
#[derive(Default)]
struct Ports {
    queued: Mutex<BTreeMap<MessageId, Wake>>,
    scheduled: Mutex<BTreeMap<MessageId, Timestamp>>,
    fates: Mutex<Vec<Fate>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    /// Nothing is done.
    Fails,
    /// Half of it is done.
    Half,
    /// All is done, and the answer is lost.
    Lost,
}

impl Ports {
    fn failing(fates: &[Fate]) -> Self {
        Self { fates: Mutex::new(fates.to_vec()), ..Self::default() }
    }

    fn fate(&self) -> Fate {
        self.fates.lock().unwrap().pop().unwrap_or(Fate::Works)
    }
}

fn down() -> QueueError {
    QueueError::Unavailable("down".into())
}

impl DispatchQueue for Ports {
    async fn wake(&self, wakes: &[Wake], _: Timestamp) -> Result<(), QueueError> {
        let fate = self.fate();
        let done = match fate {
            Fate::Works | Fate::Lost => wakes.len(),
            Fate::Half => wakes.len() / 2,
            Fate::Fails => 0,
        };
        self.queued.lock().unwrap().extend(wakes[..done].iter().map(|wake| (wake.id, *wake)));
        match fate {
            Fate::Works => Ok(()),
            Fate::Half => Err(QueueError::Partial { sent: wakes.len(), taken: done }),
            Fate::Fails | Fate::Lost => Err(down()),
        }
    }
}

impl Schedules for Ports {
    async fn schedule(&self, id: MessageId, at: Timestamp, now: Timestamp) -> Result<(), QueueError> {
        assert!(at > now, "nothing is scheduled for a time that is over");
        let fate = self.fate();
        if matches!(fate, Fate::Works | Fate::Lost) {
            self.scheduled.lock().unwrap().entry(id).or_insert(at);
        }
        if fate == Fate::Works { Ok(()) } else { Err(down()) }
    }
}

fn message(n: usize) -> Message {
    let receiver = "ann".parse().unwrap();
    Message {
        id: message_id("test", &n.to_string(), &receiver),
        channel: Channel::Sms,
        priority: Priority::ALL[n % 4],
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

/// Twenty messages of every kind: at once, soon, later, later in the table, cancelled.
fn messages() -> Vec<Message> {
    let after = |minutes: i64| Some(NOW + SignedDuration::from_mins(minutes));
    (0..20)
        .map(|n| {
            let message = message(n);
            match n % 5 {
                0 => message,
                1 => Message { scheduled_at: after(14), ..message },
                2 => Message { scheduled_at: after(16), ..message },
                3 => Message { scheduled_at: after(60), waits: true, ..message },
                _ => message.cancelled(NOW).unwrap(),
            }
        })
        .collect()
}

/// The messages as they are stored.
async fn images(messages: &[Message]) -> Vec<Item> {
    let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
    let table = NotificationTable::new(db.client(), name);
    let mut images = Vec::new();
    for message in messages {
        table.add(message).await.unwrap();
        let get = db.client().get_item().table_name(NOTIFICATION_TABLE);
        let get = get.key("pk", AttributeValue::S(format!("MESSAGE#{}", message.id)));
        images.push(get.key("sk", AttributeValue::S("MESSAGE".into())).send().await.unwrap().item.unwrap());
    }
    images
}

fn insert(image: &Item) -> ItemChange {
    (None, Some(image.clone()))
}

async fn of(ports: &Ports, event: StreamEvent) -> Value {
    json!(handler::handle(ports, ports, NOW, event).await.unwrap())
}

fn failures(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

#[tokio::test]
async fn the_sample_event_queues_one_message_and_schedules_another() {
    let ports = Ports::default();
    let event = testing::event("dynamodb/queue-notifications.json");
    assert_eq!(of(&ports, serde_json::from_value(event).unwrap()).await, failures(&[]));
    let queued: Vec<Wake> = ports.queued.lock().unwrap().values().copied().collect();
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].priority, Priority::High);
    assert_eq!(ports.scheduled.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn each_message_goes_where_its_time_says() {
    let messages = messages();
    let changes: Vec<ItemChange> = images(&messages).await.iter().map(insert).collect();
    let ports = Ports::default();
    assert_eq!(of(&ports, stream_event(&changes)).await, failures(&[]));
    let (queued, scheduled) = (ports.queued.lock().unwrap(), ports.scheduled.lock().unwrap());
    for (n, message) in messages.iter().enumerate() {
        let due = message.due_at();
        let wake = Wake { id: message.id, priority: message.priority, at: due };
        let is_soon = n % 5 < 2;
        assert_eq!(queued.get(&message.id), is_soon.then_some(&wake), "{n}");
        let at = due - WAKE_AHEAD;
        assert_eq!(scheduled.get(&message.id), (n % 5 == 2).then_some(&at), "{n}");
        assert!(!is_soon || due.duration_since(NOW) <= MAX_DELAY);
    }
}

#[tokio::test]
async fn what_is_no_new_message_is_left_alone() {
    let image = images(&[message(0)]).await.remove(0);
    let text = |text: &str| AttributeValue::S(text.into());
    let template = Item::from([("pk".into(), text("TEMPLATES")), ("sk".into(), text("a"))]);
    let bare = Item::from([("sk".into(), text("a"))]);
    let changes = [
        (Some(image.clone()), Some(image.clone())),
        (Some(image), None),
        (None, Some(template)),
        (None, Some(bare)),
    ];
    let ports = Ports::failing(&[Fate::Fails]);
    assert_eq!(of(&ports, stream_event(&changes)).await, failures(&[]));
}

#[tokio::test]
async fn an_image_that_nobody_can_read_fails_and_the_others_are_queued() {
    let mut images = images(&[message(0), message(1), message(2)]).await;
    images[1].remove("receiver");
    let changes: Vec<ItemChange> = images.iter().map(insert).collect();
    let ports = Ports::default();
    assert_eq!(of(&ports, stream_event(&changes)).await, failures(&["101"]));
    assert_eq!(ports.queued.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_first_that_is_not_where_it_should_be_is_asked_for_again() {
    let all = messages();
    let images = images(&all).await;
    let changes: Vec<ItemChange> = [3, 2, 0, 1].map(|n: usize| insert(&images[n])).into();
    for (fates, first) in [
        (&[Fate::Fails][..], "102"),
        (&[Fate::Half][..], "102"),
        // The queue is asked first, then the scheduler; the last fate comes first.
        (&[Fate::Fails, Fate::Works][..], "101"),
        (&[Fate::Fails, Fate::Fails][..], "101"),
    ] {
        let ports = Ports::failing(fates);
        assert_eq!(of(&ports, stream_event(&changes)).await, failures(&[first]), "{fates:?}");
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Works), Just(Fate::Fails), Just(Fate::Half), Just(Fate::Lost)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_every_pending_message_ends_where_it_waits_for_its_time(
        order in proptest::collection::vec(0..20_usize, 1..40),
        fates in proptest::collection::vec(fate(), 0..12),
        batch in 1..10_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let all = messages();
            let images = images(&all).await;
            let changes: Vec<ItemChange> = order.iter().map(|n| insert(&images[*n])).collect();
            let ports = Ports::failing(&fates);
            // As Lambda does: goes on behind what is done, or again from the first failure.
            let mut from = 0;
            while from < changes.len() {
                let until = changes.len().min(from + batch);
                let event = stream_event(&changes[from..until]);
                let response = handler::handle(&ports, &ports, NOW, event).await.unwrap();
                from = match response.failed() {
                    None => until,
                    Some(failed) => from + failed.parse::<usize>().unwrap() - 100,
                };
            }
            let (queued, scheduled) = (ports.queued.lock().unwrap(), ports.scheduled.lock().unwrap());
            for n in order.iter().collect::<BTreeSet<_>>() {
                let message = &all[*n];
                let places = [
                    queued.contains_key(&message.id),
                    scheduled.contains_key(&message.id),
                    images[*n].contains_key("dueShard"),
                ];
                let pending = message.state == State::Pending;
                assert_eq!(places.iter().filter(|it| **it).count(), usize::from(pending), "{n}: {places:?}");
            }
        });
    }
}
