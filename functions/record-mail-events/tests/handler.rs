//! What becomes of messages by the events of SES, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_channel::{Category, Channel, Priority};
use domain_ids::MessageId;
use domain_notification::{
    Accepted, Address, Contacts, Guests, Message, MessageStore, Params, Receiver, State, Status, TemplateRef,
};
use jiff::Timestamp;
use notification_dynamodb::{NotificationTable, StoredContacts};
use platform_batch::BatchResponse;
use proptest::prelude::*;
use record_mail_events::handler::{self, PROVIDER};
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, Fault, NOTIFICATION_TABLE, NOW};

const ADDRESS: &str = "guest@example.com";
const GUEST: &str = "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34";

/// The message of the sample events.
fn sample_id() -> MessageId {
    "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()
}

fn pending(id: MessageId, to: &str) -> Message {
    let receiver: Receiver = to.parse().unwrap();
    Message {
        id,
        channel: Channel::Email,
        priority: Priority::High,
        category: Category::Order,
        template: TemplateRef { code: "order_confirmed".parse().unwrap(), version: 1 },
        params: Params::default(),
        receiver,
        accepted_at: NOW,
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        broadcast: None,
        fingerprint: 0,
        waits: false,
        is_digest: false,
        digest: None,
        attempts: 0,
        error: None,
        state: State::Pending,
        revision: 1,
    }
}

fn sending(id: MessageId, to: &str) -> Message {
    pending(id, to).lease(&PROVIDER.parse().unwrap(), NOW).unwrap()
}

fn sent(id: MessageId, to: &str) -> Message {
    let accepted = Accepted { reference: Some("010f".into()), dead: Vec::new() };
    sending(id, to).sent(&PROVIDER.parse().unwrap(), &accepted, NOW).unwrap()
}

struct Desk {
    db: EmbeddedDynamoDb,
    table: NotificationTable,
}

impl Desk {
    async fn open() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
        let table = NotificationTable::new(db.client(), name);
        Self { db, table }
    }

    async fn with(message: Message) -> Self {
        let desk = Self::open().await;
        desk.table.add(&message).await.unwrap();
        desk
    }

    async fn handle(&self, event: Value) -> BatchResponse {
        handle(&self.table, event).await
    }

    /// Delivers these events in one batch; says which failed.
    async fn deliver(&self, events: &[Value]) -> Vec<String> {
        let bodies: Vec<String> = events.iter().map(notification).collect();
        failed(&self.handle(testing::sqs_event(&bodies)).await)
    }

    async fn status(&self, id: MessageId) -> Status {
        self.table.message(id).await.unwrap().unwrap().status()
    }

    async fn is_suppressed(&self) -> bool {
        self.table.is_suppressed(&address()).await.unwrap()
    }

    async fn items(&self) -> Vec<String> {
        let items =
            self.db.client().scan().table_name(NOTIFICATION_TABLE).send().await.unwrap().items.unwrap();
        let items = items.into_iter().map(|item| format!("{:?}", BTreeMap::from_iter(item)));
        let mut items: Vec<String> = items.collect();
        items.sort_unstable();
        items
    }
}

async fn handle(table: &NotificationTable, event: Value) -> BatchResponse {
    let event = serde_json::from_value(event).unwrap();
    handler::handle(table, &PROVIDER.parse().unwrap(), event).await.unwrap()
}

fn failed(response: &BatchResponse) -> Vec<String> {
    response.failed().map(str::to_owned).collect()
}

fn address() -> Address {
    Address::Mail(ADDRESS.parse().unwrap())
}

fn sample(name: &str) -> Value {
    testing::event(&format!("sqs/record-mail-events-{name}.json"))
}

/// As SNS puts it into a queue.
fn notification(event: &Value) -> String {
    json!({ "Type": "Notification", "Message": event.to_string() }).to_string()
}

/// What SES publishes of the sample message, `seconds` after it was sent.
fn event(name: &str, key: &str, seconds: i64, mut details: Value) -> Value {
    let at = Timestamp::from_second(NOW.as_second() + seconds).unwrap();
    details["timestamp"] = json!(at);
    json!({
        "eventType": name,
        "mail": {
            "timestamp": NOW,
            "messageId": "0100018c-000000",
            "destination": [ADDRESS],
            "tags": { "message_id": [sample_id()] },
        },
        (key): details,
    })
}

fn delivery() -> Value {
    event("Delivery", "delivery", 2, json!({ "recipients": [ADDRESS] }))
}

fn bounce(class: &str) -> Value {
    let details = json!({
        "bounceType": class, "bounceSubType": "General", "bouncedRecipients": [{ "emailAddress": ADDRESS }],
    });
    event("Bounce", "bounce", 3, details)
}

fn complaint(of: &Value) -> Value {
    event("Complaint", "complaint", 60, json!({ "complainedRecipients": of }))
}

#[tokio::test]
async fn the_sample_of_a_delivery_is_recorded() {
    let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
    let response = desk.handle(sample("delivery")).await;
    assert_eq!(json!(response), json!({ "batchItemFailures": [] }));
    assert_eq!(desk.status(sample_id()).await, Status::Delivered);
    assert!(!desk.is_suppressed().await);
}

#[tokio::test]
async fn the_sample_of_a_permanent_bounce_fails_its_message_and_suppresses_the_address() {
    let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
    let response = desk.handle(sample("bounce")).await;
    assert_eq!(json!(response), json!({ "batchItemFailures": [] }));
    let message = desk.table.message(sample_id()).await.unwrap().unwrap();
    assert_eq!((message.status(), message.error.as_deref()), (Status::Failed, Some("Permanent/General")));
    assert!(desk.is_suppressed().await);
}

#[tokio::test]
async fn a_full_mailbox_fails_its_message_alone() {
    let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
    assert!(desk.deliver(&[bounce("Transient")]).await.is_empty());
    assert_eq!(desk.status(sample_id()).await, Status::Failed);
    assert!(!desk.is_suppressed().await);
}

#[tokio::test]
async fn a_complaint_suppresses_the_address_and_leaves_the_message_as_it_is() {
    let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
    assert!(desk.deliver(&[complaint(&json!([{ "emailAddress": ADDRESS }]))]).await.is_empty());
    assert_eq!(desk.status(sample_id()).await, Status::Sent);
    assert!(desk.is_suppressed().await);
}

#[tokio::test]
async fn a_complaint_that_names_nobody_is_of_the_guest_to_whom_the_message_went() {
    let desk = Desk::with(sent(sample_id(), GUEST)).await;
    let contacts = Contacts { email: Some(ADDRESS.parse().unwrap()), ..Contacts::default() };
    let contacts = StoredContacts { contacts, revision: 1 };
    assert!(desk.table.put_contacts(&GUEST.parse().unwrap(), &contacts).await.unwrap());
    assert!(desk.deliver(&[complaint(&json!([]))]).await.is_empty());
    assert!(desk.is_suppressed().await);
}

#[tokio::test]
async fn an_event_that_is_faster_than_the_record_of_the_call_is_recorded() {
    for (event, status) in [(delivery(), Status::Delivered), (bounce("Permanent"), Status::Failed)] {
        let desk = Desk::with(sending(sample_id(), "mailto:guest@example.com")).await;
        assert!(desk.deliver(&[event]).await.is_empty());
        assert_eq!(desk.status(sample_id()).await, status);
    }
}

#[tokio::test]
async fn a_message_that_another_provider_has_by_now_stays_as_it_is() {
    let provider = "sendgrid".parse().unwrap();
    let message = pending(sample_id(), "mailto:guest@example.com").lease(&provider, NOW).unwrap();
    let desk = Desk::with(message).await;
    assert!(desk.deliver(&[bounce("Permanent")]).await.is_empty());
    assert_eq!(desk.status(sample_id()).await, Status::Sending);
    assert!(desk.is_suppressed().await);
}

#[tokio::test]
async fn the_same_event_twice_changes_nothing_more() {
    for event in [delivery(), bounce("Permanent"), complaint(&json!([{ "emailAddress": ADDRESS }]))] {
        let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
        assert!(desk.deliver(std::slice::from_ref(&event)).await.is_empty());
        let items = desk.items().await;
        assert!(desk.deliver(&[event.clone(), event]).await.is_empty());
        assert_eq!(desk.items().await, items);
    }
}

#[tokio::test]
async fn of_what_contradicts_itself_the_first_stays_and_the_address_is_suppressed_all_the_same() {
    for (events, status) in [
        ([delivery(), bounce("Permanent")], Status::Delivered),
        ([bounce("Permanent"), delivery()], Status::Failed),
    ] {
        let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
        for event in events {
            assert!(desk.deliver(&[event]).await.is_empty());
        }
        assert_eq!(desk.status(sample_id()).await, status);
        assert!(desk.is_suppressed().await);
    }
}

#[tokio::test]
async fn what_decides_nothing_is_done_with() {
    let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
    let items = desk.items().await;
    let events = ["Send", "Open", "Click", "DeliveryDelay"].map(|name| event(name, "details", 1, json!({})));
    assert!(desk.deliver(&events).await.is_empty());
    assert_eq!(desk.items().await, items);
}

#[tokio::test]
async fn an_event_of_a_message_that_is_forgotten_is_done_with() {
    let desk = Desk::open().await;
    assert!(desk.deliver(&[delivery(), bounce("Transient")]).await.is_empty());
    assert!(desk.items().await.is_empty());
}

#[tokio::test]
async fn an_event_of_somebody_elses_mail_is_done_with_and_asks_the_store_nothing() {
    let mut of_others = bounce("Permanent");
    of_others["mail"]["tags"] = json!({ "ses:configuration-set": ["mails"] });
    let table = NotificationTable::new(Fault::Unreachable.client(), NOTIFICATION_TABLE.into());
    let response = handle(&table, testing::sqs_event(&[notification(&of_others)])).await;
    assert_eq!(failed(&response), [""; 0]);
}

#[tokio::test]
async fn what_ses_says_when_it_is_told_of_the_topic_is_done_with() {
    let greeting = json!({
        "Type": "Notification",
        "Message": "Successfully validated SNS topic for Amazon SES event publishing.",
    });
    let desk = Desk::open().await;
    let response = desk.handle(testing::sqs_event(&[greeting.to_string()])).await;
    assert_eq!(failed(&response), [""; 0]);
}

#[tokio::test]
async fn what_is_no_event_fails_alone() {
    let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
    let text = json!({ "Type": "Notification", "Message": "hello" }).to_string();
    let without_details = notification(&event("Bounce", "x", 1, json!({})));
    let bodies = ["poison".into(), "{}".into(), notification(&delivery()), text, without_details];
    let response = desk.handle(testing::sqs_event(&bodies)).await;
    assert_eq!(failed(&response), ["m-0", "m-1", "m-3", "m-4"]);
    assert_eq!(desk.status(sample_id()).await, Status::Delivered);
}

#[tokio::test]
async fn an_event_of_a_message_that_cannot_be_read_is_not_acknowledged_away() {
    let desk = Desk::open().await;
    let text = |text: String| AttributeValue::S(text);
    let broken = desk.db.client().put_item().table_name(NOTIFICATION_TABLE);
    broken
        .item("pk", text(format!("MESSAGE#{}", sample_id())))
        .item("sk", text("MESSAGE".into()))
        .send()
        .await
        .unwrap();
    assert_eq!(desk.deliver(&[delivery()]).await, ["m-0"]);
}

#[tokio::test]
async fn a_store_outage_has_every_event_come_again() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = NotificationTable::new(fault.client(), NOTIFICATION_TABLE.into());
        let events = [delivery(), bounce("Permanent"), complaint(&json!([{ "emailAddress": ADDRESS }]))];
        let response = handle(&table, testing::sqs_event(&events.map(|event| notification(&event)))).await;
        assert_eq!(failed(&response), ["m-0", "m-1", "m-2"], "{fault:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn in_whatever_order_and_however_often_events_come_the_outcome_is_the_same(
        batches in proptest::collection::vec(proptest::collection::vec(0..3_usize, 1..4), 0..5),
        last in Just([0, 1, 2]).prop_shuffle(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let desk = Desk::with(sent(sample_id(), "mailto:guest@example.com")).await;
            let nobody = complaint(&json!([]));
            let events = [delivery(), complaint(&json!([{ "emailAddress": ADDRESS }])), nobody];
            for batch in batches.into_iter().chain(last.iter().map(|n| vec![*n])) {
                let batch: Vec<Value> = batch.iter().map(|n| events[*n].clone()).collect();
                prop_assert!(desk.deliver(&batch).await.is_empty());
            }
            prop_assert_eq!(desk.status(sample_id()).await, Status::Delivered);
            prop_assert!(desk.is_suppressed().await);
            Ok(())
        })?;
    }
}
