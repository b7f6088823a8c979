//! What is counted of a table's changes, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::HashMap, sync::Mutex, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use count_coupon_facts::handler::{self, Chance};
use coupon_dynamodb::CouponTable;
use domain_coupon::{ClaimStore, Coupon, CouponStore, StoreError, Transition};
use domain_ids::TemplateId;
use domain_money::Fen;
use domain_report::{Counters, FactStore, ReportShelf, Tally, Written};
use jiff::{SignedDuration, Timestamp};
use platform_batch::StreamEvent;
use report_dynamodb::ReportTable;
use serde_json::{Value, json};
use testing::{COUPON_TABLE, EmbeddedDynamoDb, Fault, ItemChange, NOW, stream_event};

const CHANCE: Chance = Chance { at: NOW, seed: 7 };

type Item = HashMap<String, AttributeValue>;

struct Counted {
    db: EmbeddedDynamoDb,
    table: ReportTable,
}

impl Counted {
    async fn nothing() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
        let table = ReportTable::new(db.client(), name);
        Self { db, table }
    }

    async fn of(&self, event: StreamEvent) -> Value {
        json!(handler::handle(&self.table, CHANCE, event).await.unwrap())
    }

    async fn totals(&self, template: TemplateId) -> Counters {
        let hours = self.table.hours(template).await.unwrap();
        hours.values().fold(Counters::default(), |mut sum, counters| {
            sum += counters;
            sum
        })
    }

    async fn item(&self, pk: &str, sk: &str) -> Option<Item> {
        let text = |text: &str| AttributeValue::S(text.into());
        let get = self.db.client().get_item().table_name(COUPON_TABLE);
        get.key("pk", text(pk)).key("sk", text(sk)).send().await.unwrap().item
    }
}

fn failures(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

/// What a coupon's item may look like when it is new.
fn new_coupon(guest: &str) -> Item {
    let coupon = testing::coupon(guest, 1);
    let text = |text: String| AttributeValue::S(text);
    HashMap::from([
        ("pk".into(), text(format!("USER#{guest}"))),
        ("sk".into(), text(format!("COUPON#{}#001", coupon.template()))),
        ("id".into(), text(coupon.id.to_string())),
        ("status".into(), text("unused".into())),
        ("rev".into(), AttributeValue::N("1".into())),
        ("changedAt".into(), AttributeValue::N(NOW.as_millisecond().to_string())),
        ("source".into(), text("claim".into())),
    ])
}

fn issued(guests: &[&str]) -> Vec<ItemChange> {
    guests.iter().map(|guest| (None, Some(new_coupon(guest)))).collect()
}

#[tokio::test]
async fn what_happens_to_a_coupon_as_it_is_stored_is_counted_once() {
    let counted = Counted::nothing().await;
    let coupons = CouponTable::new(counted.db.client(), COUPON_TABLE.into());
    let order = || "order-1".parse().unwrap();
    let lock = Transition::Lock { order: order(), saved: Fen::new(2_000) };
    let courses = [
        (
            "ann",
            vec![lock.clone(), Transition::Redeem { order: order() }, Transition::Refund { order: order() }],
        ),
        ("bob", vec![lock, Transition::Release { order: order() }, Transition::Expire]),
    ];
    let mut changes: Vec<ItemChange> = Vec::new();
    let mut template = None;
    for (guest, course) in courses {
        let mut coupon = Coupon { restock: true, ..testing::coupon(guest, 1) };
        template = Some(coupon.template());
        let (pk, sk) = (format!("USER#{guest}"), format!("COUPON#{}#001", coupon.template()));
        coupons.issue(&coupon, None, None).await.unwrap();
        let mut before = counted.item(&pk, &sk).await;
        changes.push((None, before.clone()));
        for transition in course {
            let at = if transition == Transition::Expire { coupon.expires_at } else { NOW };
            coupon = coupon.after(&transition, at).unwrap().unwrap();
            assert!(coupons.replace(&coupon).await.unwrap());
            let after = counted.item(&pk, &sk).await;
            changes.push((before, after.clone()));
            before = after;
        }
    }
    let template = template.unwrap();
    for _ in 0..3 {
        assert_eq!(counted.of(stream_event(&changes)).await, failures(&[]));
        let expected = Counters {
            issued: 2,
            claimed: 2,
            locked: 2,
            released: 1,
            used: 1,
            expired: 1,
            refunded: 1,
            saved_fen: 2_000,
            refunded_fen: 2_000,
            ..Counters::default()
        };
        assert_eq!(counted.totals(template).await, expected);
        let returned = counted.item(&format!("TEMPLATE#{template}"), "RETURNED").await.unwrap();
        assert_eq!(returned["count"], AttributeValue::N("2".into()));
    }
}

#[tokio::test]
async fn what_is_no_fact_is_left_alone() {
    let counted = Counted::nothing().await;
    let mut reminded = new_coupon("ann");
    reminded.insert("reminded".into(), AttributeValue::N("3".into()));
    let mut shard = new_coupon("ann");
    shard.insert("sk".into(), AttributeValue::S("STOCK".into()));
    let event = stream_event(&[
        (Some(new_coupon("ann")), Some(reminded)),
        (None, Some(shard)),
        (Some(new_coupon("ann")), None),
    ]);
    assert_eq!(counted.of(event).await, failures(&[]));
    let items = counted.db.client().scan().table_name(COUPON_TABLE).send().await.unwrap();
    assert_eq!(items.count(), 0);
}

#[tokio::test]
async fn a_change_that_nobody_can_account_for_fails_and_the_others_are_counted() {
    let counted = Counted::nothing().await;
    let mut changes = issued(&["ann", "bob", "eve"]);
    changes[1].1.as_mut().unwrap().remove("source");
    assert_eq!(counted.of(stream_event(&changes)).await, failures(&["101"]));
    assert_eq!(counted.totals(testing::template_id(1)).await.issued, 2);
}

#[tokio::test]
async fn an_event_that_is_no_stream_event_fails_as_a_whole() {
    for event in [json!({}), json!({ "Records": [{}] }), json!({ "Records": [{ "eventName": "INSERT" }] })] {
        assert!(serde_json::from_value::<StreamEvent>(event).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_the_first_fact_is_asked_for_again() {
    let mut other = new_coupon("zoe");
    other.insert("sk".into(), AttributeValue::S("STOCK".into()));
    let mut changes = vec![(None, Some(other))];
    changes.extend(issued(&["eve", "bob", "ann"]));
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = ReportTable::new(fault.client(), COUPON_TABLE.into());
        let response = handler::handle(&table, CHANCE, stream_event(&changes)).await.unwrap();
        assert_eq!(json!(response), failures(&["101"]), "{fault:?}");
    }
}

/// A table that is reached once, and then no more.
struct Once(ReportTable, Mutex<bool>);

impl FactStore for Once {
    async fn write(&self, tally: &Tally, shard: u16, now: Timestamp) -> Result<Written, StoreError> {
        if std::mem::replace(&mut *self.1.lock().unwrap(), true) {
            return Err(StoreError::Unavailable("down".into()));
        }
        self.0.write(tally, shard, now).await
    }

    async fn wait(&self, _: Duration) {}
}

#[tokio::test]
async fn what_was_counted_before_an_outage_is_not_counted_again() {
    let counted = Counted::nothing().await;
    let guests: Vec<String> = (0..250).map(|n| format!("guest-{n}")).collect();
    let changes = issued(&guests.iter().map(String::as_str).collect::<Vec<_>>());
    let once = Once(counted.table.clone(), Mutex::new(false));
    let response = handler::handle(&once, CHANCE, stream_event(&changes)).await.unwrap();
    let failed: usize = response.failed().unwrap().parse().unwrap();
    let before = counted.totals(testing::template_id(1)).await.issued;
    assert!((1..250).contains(&before), "{before}");

    // Lambda goes on at the change that was reported: nothing before it may be missing.
    let behind = changes[failed - 100..].to_vec();
    let event = stream_event(&behind);
    let later = Chance { at: NOW + SignedDuration::from_secs(9), ..CHANCE };
    assert_eq!(json!(handler::handle(&counted.table, later, event).await.unwrap()), failures(&[]));
    assert_eq!(counted.totals(testing::template_id(1)).await.issued, 250);
}

#[tokio::test]
async fn the_sample_event_is_counted() {
    let counted = Counted::nothing().await;
    let event = testing::event("dynamodb/count-coupon-facts.json");
    assert_eq!(counted.of(serde_json::from_value(event).unwrap()).await, failures(&[]));
    let totals = counted.totals("01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()).await;
    assert_eq!((totals.issued, totals.locked, totals.used, totals.saved_fen), (1, 1, 1, 2_000));
}
