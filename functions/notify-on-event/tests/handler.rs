//! What becomes of events by the rules of a fresh stack, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::Client;
use domain_channel::Category;
use domain_coupon::StoreError;
use domain_ids::RuleId;
use domain_notification::{
    Accepted, Message, MessageShelf, MessageStore, RULE_SCOPE, Renderer, Rule, RuleShelf, Status,
    TemplateChange, TemplateReader, change_template, create_template, message_id,
};
use notification_dynamodb::{NotificationTable, RuleCache, TemplateCache};
use notification_http::CreateNotificationTemplateRequest;
use notification_minijinja::Templates;
use notify_on_event::handler::{self, Ports};
use proptest::prelude::*;
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, Fault, NOTIFICATION_TABLE, NOW};

const GUEST: &str = "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34";

const ORDER: &str = "O-20261111-000042";

type TablePorts = Ports<NotificationTable, NotificationTable, TemplateCache, Templates>;

fn table(client: Client) -> NotificationTable {
    NotificationTable::new(client, NOTIFICATION_TABLE.into())
}

/// Ports whose rules and templates, and whose messages, are reached so.
fn ports(reading: Client, writing: Client) -> TablePorts {
    Ports {
        rules: RuleCache::new(table(reading.clone()), || NOW),
        templates: TemplateCache::new(table(reading), || NOW),
        store: table(writing),
        renderer: Templates::default(),
    }
}

fn rules() -> Vec<Rule> {
    let rules: Vec<Rule> =
        serde_json::from_str(include_str!("../../../xtask/src/notification_rules.json")).unwrap();
    rules.into_iter().map(|rule| Rule { revision: 1, ..rule }).collect()
}

struct Desk {
    db: EmbeddedDynamoDb,
}

impl Desk {
    /// One with the templates of a fresh stack, and these rules.
    async fn with(rules: &[Rule]) -> Self {
        let (db, _) = EmbeddedDynamoDb::with_notification_table().await;
        let table = table(db.client());
        let templates: Vec<CreateNotificationTemplateRequest> =
            serde_json::from_str(include_str!("../../../xtask/src/notification_templates.json")).unwrap();
        for template in templates {
            let new = template.parse().unwrap();
            create_template(&table, &Templates::without_memory(), new, NOW).await.unwrap();
        }
        for rule in rules {
            assert_eq!(rule.faults(), [], "{}", rule.id);
            assert!(table.put_rule(rule).await.unwrap());
        }
        Self { db }
    }

    async fn open() -> Self {
        Self::with(&rules()).await
    }

    fn table(&self) -> NotificationTable {
        table(self.db.client())
    }

    fn ports(&self) -> TablePorts {
        ports(self.db.client(), self.db.client())
    }

    /// Delivers events in one batch, to an environment that remembers nothing; says which failed.
    async fn deliver(&self, events: &[Value]) -> Vec<String> {
        deliver(&self.ports(), events).await
    }

    async fn messages(&self) -> Vec<Message> {
        self.table().messages_to(&GUEST.parse().unwrap(), None, 100).await.unwrap().items
    }

    async fn message(&self, rule: &str) -> Option<Message> {
        let id = message_id(RULE_SCOPE, &format!("{rule}/{ORDER}"), &GUEST.parse().unwrap());
        self.table().message(id).await.unwrap()
    }

    async fn status(&self, rule: &str) -> Option<Status> {
        self.message(rule).await.map(|message| message.status())
    }
}

async fn deliver<K: RuleShelf>(
    ports: &Ports<NotificationTable, K, TemplateCache, Templates>,
    events: &[Value],
) -> Vec<String> {
    let bodies: Vec<String> = events.iter().map(ToString::to_string).collect();
    let response = handler::handle(ports, NOW, testing::sqs_event(&bodies)).await.unwrap();
    response.failed().map(str::to_owned).collect()
}

fn sample(name: &str) -> Value {
    testing::event(&format!("contracts/{name}.json"))
}

/// Every event of which there is a sample, but the cancelled order.
fn samples() -> Vec<Value> {
    let names = [
        "order-created",
        "order-paid",
        "order-completed",
        "coupon-expiring",
        "guest-birthday",
        "guest-signed-up",
    ];
    names.map(sample).into()
}

#[tokio::test]
async fn each_event_becomes_the_messages_of_its_rules() {
    let desk = Desk::open().await;
    assert!(desk.deliver(&samples()).await.is_empty());
    let ports = desk.ports();
    let mut read = Vec::new();
    for message in desk.messages().await {
        let version = ports.templates.version(&message.template).await.unwrap().unwrap();
        let text = ports.renderer.render(&version, None, &message.params).unwrap();
        let at = message.scheduled_at.map_or("at once".to_owned(), |at| at.to_string());
        read.push(format!(
            "{} by {}, {}, {at}: {} {}",
            message.template.code,
            message.channel,
            message.priority,
            text.title.unwrap_or_default(),
            text.content,
        ));
    }
    read.sort();
    insta::assert_snapshot!(read.join("\n"));
}

#[tokio::test]
async fn the_samples_of_the_queue_are_those_of_the_contract() {
    for name in ["order-created", "order-cancelled", "order-completed", "order-paid", "coupon-expiring"] {
        let event = testing::event(&format!("sqs/notify-on-event-{name}.json"));
        let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["detail"], sample(name)["detail"], "{name}");
        let desk = Desk::open().await;
        let response = handler::handle(&desk.ports(), NOW, serde_json::from_value(event).unwrap()).await;
        assert_eq!(json!(response.unwrap()), json!({ "batchItemFailures": [] }), "{name}");
        assert!(!desk.messages().await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing() {
    let desk = Desk::open().await;
    let twice: Vec<Value> = samples().into_iter().flat_map(|event| [event.clone(), event]).collect();
    assert!(desk.deliver(&twice[..6]).await.is_empty());
    assert!(desk.deliver(&twice[6..]).await.is_empty());
    let messages = desk.messages().await;
    assert_eq!(messages.len(), 5);
    for event in samples() {
        assert!(desk.deliver(&[event]).await.is_empty());
    }
    assert_eq!(desk.messages().await, messages);
}

#[tokio::test]
async fn an_event_that_no_rule_is_about_is_done_with() {
    let desk = Desk::open().await;
    let events = [sample("guest-birthday"), json!({ "detail-type": "", "detail": null })];
    assert!(deliver(&ports(desk.db.client(), Fault::Unreachable.client()), &events).await.is_empty());
    let desk = Desk::with(&[]).await;
    assert!(desk.deliver(&samples()).await.is_empty());
    assert!(desk.messages().await.is_empty());
}

#[tokio::test]
async fn a_cancelled_order_takes_back_its_reminder_alone() {
    let desk = Desk::open().await;
    assert!(desk.deliver(&[sample("order-created")]).await.is_empty());
    assert_eq!(desk.status("check-in-reminder").await, Some(Status::Pending));
    for _ in 0..2 {
        assert!(desk.deliver(&[sample("order-cancelled")]).await.is_empty());
        assert_eq!(desk.status("check-in-reminder").await, Some(Status::Cancelled));
        assert_eq!(desk.status("order-confirmed").await, Some(Status::Pending));
    }
}

#[tokio::test]
async fn a_cancellation_that_comes_first_wins() {
    let desk = Desk::open().await;
    assert!(desk.deliver(&[sample("order-cancelled")]).await.is_empty());
    let ahead = desk.message("check-in-reminder").await.unwrap();
    assert_eq!(ahead.status(), Status::Cancelled);
    assert_eq!((ahead.template.code.as_str(), ahead.category), ("check_in_reminder", Category::Reminder));
    assert!(desk.deliver(&[sample("order-created")]).await.is_empty());
    assert_eq!(desk.message("check-in-reminder").await, Some(ahead));
    assert_eq!(desk.status("order-confirmed").await, Some(Status::Pending));
}

#[tokio::test]
async fn a_cancellation_wins_also_where_the_reminder_has_no_template_yet() {
    let desk = Desk::open().await;
    let change = TemplateChange { name: None, enabled: Some(false) };
    let code = "check_in_reminder".parse().unwrap();
    change_template(&desk.table(), &code, 1, change, NOW).await.unwrap();
    assert_eq!(desk.deliver(&[sample("order-created")]).await, ["m-0"]);
    assert!(desk.deliver(&[sample("order-cancelled")]).await.is_empty());
    assert_eq!(desk.status("check-in-reminder").await, Some(Status::Cancelled));
}

#[tokio::test]
async fn a_cancellation_finds_what_a_rule_asked_for_that_is_gone() {
    let desk = Desk::open().await;
    assert!(desk.deliver(&[sample("order-created")]).await.is_empty());
    assert!(desk.table().remove_rule(&"check-in-reminder".parse().unwrap(), 1).await.unwrap());
    let mut other = sample("order-cancelled");
    other["detail"]["orderId"] = json!("O-other");
    assert!(desk.deliver(&[sample("order-cancelled"), other]).await.is_empty());
    assert_eq!(desk.status("check-in-reminder").await, Some(Status::Cancelled));
    assert_eq!(desk.messages().await.len(), 2, "nothing was left for the order that nobody has asked about");
}

#[tokio::test]
async fn what_is_being_sent_is_cancelled_later_and_what_was_sent_not_at_all() {
    let desk = Desk::open().await;
    assert!(desk.deliver(&[sample("order-created")]).await.is_empty());
    let (table, provider) = (desk.table(), "aliyun".parse().unwrap());
    let leased = desk.message("check-in-reminder").await.unwrap().lease(&provider, NOW).unwrap();
    assert!(table.replace(&leased).await.unwrap());
    assert_eq!(desk.deliver(&[sample("order-cancelled")]).await, ["m-0"]);
    assert!(table.replace(&leased.sent(&provider, &Accepted::default(), NOW).unwrap()).await.unwrap());
    assert!(desk.deliver(&[sample("order-cancelled")]).await.is_empty());
    assert_eq!(desk.status("check-in-reminder").await, Some(Status::Sent));
}

#[tokio::test]
async fn what_a_disabled_rule_has_scheduled_stays() {
    let desk = Desk::open().await;
    assert!(desk.deliver(&[sample("order-created")]).await.is_empty());
    for rule in rules() {
        assert!(desk.table().put_rule(&Rule { enabled: false, revision: 2, ..rule }).await.unwrap());
    }
    let before = desk.messages().await;
    assert!(
        desk.deliver(&[sample("order-created"), sample("order-cancelled"), sample("order-paid")])
            .await
            .is_empty()
    );
    assert_eq!(desk.messages().await, before);
}

#[tokio::test]
async fn a_rule_that_cannot_be_carried_out_stops_no_other() {
    let lacking = |id: &str, pointer: &str| {
        let mut rule = rules().remove(0);
        rule.id = id.parse().unwrap();
        rule.receiver = pointer.into();
        rule
    };
    // One before and one behind the others: they are carried out in the order of their ids.
    let broken = [lacking("a", "/hostId"), lacking("z", "/hostId")];
    let desk = Desk::with(&[&broken[..], &rules()].concat()).await;
    for _ in 0..2 {
        let failed = desk.deliver(&[sample("order-created"), sample("order-paid")]).await;
        assert_eq!(failed, ["m-0"]);
        assert_eq!(desk.messages().await.len(), 3);
    }
    for rule in broken {
        let repaired = Rule { receiver: "/guestId".into(), revision: 2, ..rule };
        assert!(desk.table().put_rule(&repaired).await.unwrap());
    }
    assert!(desk.deliver(&[sample("order-created")]).await.is_empty());
    assert_eq!(desk.messages().await.len(), 5, "what was missing is made up for");
}

#[tokio::test]
async fn what_cannot_be_read_fails_alone() {
    let desk = Desk::open().await;
    let bodies = [
        String::new(),
        "{}".into(),
        sample("order-paid").to_string(),
        r#"{"detail-type": 7, "detail": {}}"#.into(),
        r#"{"detail": {"guestId": "ann"}}"#.into(),
        json!({ "detail-type": "order.paid", "detail": "x" }).to_string(),
    ];
    let response = handler::handle(&desk.ports(), NOW, testing::sqs_event(&bodies)).await.unwrap();
    assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0", "m-1", "m-3", "m-4", "m-5"]);
    assert_eq!(desk.messages().await.len(), 1);
}

#[tokio::test]
async fn a_store_outage_sends_every_event_again_and_nothing_is_lost() {
    let events = [sample("order-created"), sample("order-cancelled")];
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let desk = Desk::open().await;
        let (up, down) = (desk.db.client(), fault.client());
        for ports in [ports(down.clone(), up.clone()), ports(up, down)] {
            assert_eq!(deliver(&ports, &events).await, ["m-0", "m-1"], "{fault:?}");
            assert!(desk.messages().await.is_empty(), "{fault:?}");
        }
        assert!(desk.deliver(&events).await.is_empty());
        assert_eq!(desk.messages().await.len(), 2);
        assert_eq!(desk.status("check-in-reminder").await, Some(Status::Cancelled));
    }
}

/// Rules that are counted when they are read.
struct Counting(AtomicU32);

impl RuleShelf for Counting {
    async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(rules())
    }

    async fn rule(&self, _: &RuleId) -> Result<Option<Rule>, StoreError> {
        unreachable!("all are read at once")
    }

    async fn put_rule(&self, _: &Rule) -> Result<bool, StoreError> {
        unreachable!("no rule is written")
    }

    async fn remove_rule(&self, _: &RuleId, _: u32) -> Result<bool, StoreError> {
        unreachable!("no rule is written")
    }
}

impl RuleShelf for &Counting {
    async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        (**self).rules().await
    }

    async fn rule(&self, id: &RuleId) -> Result<Option<Rule>, StoreError> {
        (**self).rule(id).await
    }

    async fn put_rule(&self, next: &Rule) -> Result<bool, StoreError> {
        (**self).put_rule(next).await
    }

    async fn remove_rule(&self, id: &RuleId, revision: u32) -> Result<bool, StoreError> {
        (**self).remove_rule(id, revision).await
    }
}

#[tokio::test]
async fn rules_are_read_once_for_a_batch() {
    let desk = Desk::with(&[]).await;
    let TablePorts { store, templates, renderer, .. } = desk.ports();
    let shelf = Counting(AtomicU32::new(0));
    let ports = Ports { store, rules: RuleCache::new(&shelf, || NOW), templates, renderer };
    assert!(deliver(&ports, &samples()).await.is_empty());
    assert_eq!((shelf.0.load(Ordering::Relaxed), desk.messages().await.len()), (1, 5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn in_whatever_order_and_however_often_events_come_the_outcome_is_the_same(
        batches in proptest::collection::vec(proptest::collection::vec(0..4_usize, 1..4), 0..5),
        last in Just([0, 1, 2, 3]).prop_shuffle(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let desk = Desk::open().await;
            let events = ["order-created", "order-cancelled", "order-paid", "order-completed"].map(sample);
            let last = last.iter().map(|n| vec![*n]);
            for batch in batches.into_iter().chain(last) {
                let batch: Vec<Value> = batch.iter().map(|n| events[*n].clone()).collect();
                // Two that change one message at once may have to come again.
                for _ in 0..10 {
                    if desk.deliver(&batch).await.is_empty() {
                        break;
                    }
                }
            }
            prop_assert_eq!(desk.messages().await.len(), 4);
            prop_assert_eq!(desk.status("check-in-reminder").await, Some(Status::Cancelled));
            for rule in ["order-confirmed", "payment-succeeded", "review-request"] {
                prop_assert_eq!(desk.status(rule).await, Some(Status::Pending), "{}", rule);
            }
            Ok(())
        })?;
    }
}
