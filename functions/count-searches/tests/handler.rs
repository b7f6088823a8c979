//! What is kept of a batch, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use count_searches::handler;
use domain_ids::SearchId;
use domain_search::{Chance, Fact, Hour, Salt, Salts, Shelf, What};
use jiff::{SignedDuration, Timestamp};
use platform_batch::sqs::SqsEvent;
use search_dynamodb::SearchTable;
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, Fault, NOW, SEARCH_TABLE};

struct Desk {
    db: EmbeddedDynamoDb,
    table: SearchTable,
    salts: Salts,
}

impl Desk {
    async fn open() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_search_table().await;
        let table = SearchTable::new(db.client(), name);
        Self { db, table, salts: Salts::default() }
    }

    async fn handle(&self, event: SqsEvent) -> Value {
        json!(handler::handle(&self.table, &self.salts, chance(), event).await.unwrap())
    }

    async fn deliver(&self, messages: &[Value]) -> Value {
        let bodies: Vec<String> = messages.iter().map(Value::to_string).collect();
        self.handle(testing::sqs_event(&bodies)).await
    }

    async fn facts(&self, hour: Hour) -> BTreeSet<Fact> {
        let mut facts = BTreeSet::new();
        self.table.facts(hour, 1_000, |fact| assert!(facts.insert(fact))).await.unwrap();
        facts
    }

    async fn everything(&self) -> String {
        format!("{:?}", self.db.client().scan().table_name(SEARCH_TABLE).send().await.unwrap().items)
    }
}

fn chance() -> Chance {
    Chance { at: NOW, salt: Salt([7; 32]), token: 1 }
}

fn failures(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

fn at(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn search(seconds: i64, random: u128) -> SearchId {
    SearchId::from_parts(at(seconds).as_millisecond().unsigned_abs(), random)
}

fn searched(seconds: i64, random: u128) -> Value {
    json!({
        "kind": "searched", "searchId": search(seconds, random), "at": at(seconds), "keyword": "三里屯", "total": 9,
        "client": "192.0.2.1",
    })
}

fn clicked(seconds: i64, random: u128, position: u32) -> Value {
    json!({
        "kind": "clicked", "searchId": search(seconds, random), "at": at(seconds), "keyword": "三里屯",
        "homestayId": "h-1", "position": position, "client": "192.0.2.1",
    })
}

#[tokio::test]
async fn the_sample_event_is_kept_once_however_often_it_comes() {
    let desk = Desk::open().await;
    for _ in 0..3 {
        let event = serde_json::from_value(testing::event("sqs/count-searches.json")).unwrap();
        assert_eq!(desk.handle(event).await, failures(&[]));
    }
    let facts = desk.facts(Hour::of(at(-60))).await;
    assert_eq!(facts.len(), 2);
    assert!(
        facts.iter().any(|fact| matches!(&fact.what, What::Clicked { position, .. } if position.get() == 3))
    );
    let text = desk.everything().await;
    assert!(!text.contains("192.0.2"), "{text}");
}

#[tokio::test]
async fn a_whole_batch_of_a_thousand_is_kept_and_one_within_it_twice_is_one() {
    let desk = Desk::open().await;
    let mut messages: Vec<Value> = (0..990).map(|n| searched(-60, n)).collect();
    messages.extend((0..10).map(|n| searched(-60, n)));
    assert_eq!(desk.deliver(&messages).await, failures(&[]));
    assert_eq!(desk.facts(Hour::of(at(-60))).await.len(), 990);
}

#[tokio::test]
async fn what_cannot_be_read_fails_alone_and_what_does_not_count_is_done_with() {
    let desk = Desk::open().await;
    let mut unknown = searched(-60, 3);
    unknown["kind"] = json!("bought");
    let messages = [
        searched(-60, 1),
        unknown,
        clicked(-60, 1, 0),
        clicked(-60, 1, 10_001),
        json!([]),
        searched(-60 * 60 * 50, 4),
        searched(600, 5),
        clicked(-60, 1, 10_000),
    ];
    assert_eq!(desk.deliver(&messages).await, failures(&["m-1", "m-2", "m-3", "m-4"]));
    assert_eq!(desk.facts(Hour::of(at(-60))).await.len(), 2);
    assert_eq!(desk.facts(Hour::of(at(600))).await.len(), 0);
}

#[tokio::test]
async fn what_comes_late_asks_for_its_hour() {
    let desk = Desk::open().await;
    desk.deliver(&[searched(-60, 1), searched(-20_000, 2), searched(-20_001, 3)]).await;
    let late: Vec<Hour> =
        desk.table.late_hours(10).await.unwrap().into_iter().map(|late| late.hour).collect();
    assert_eq!(late, [Hour::of(at(-20_000))]);
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_all_that_counts_comes_again() {
    let bodies: Vec<String> = [searched(-60, 1), searched(-60 * 60 * 50, 2), clicked(-60, 1, 3)]
        .iter()
        .map(Value::to_string)
        .collect();
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = SearchTable::new(fault.client(), SEARCH_TABLE.into());
        let event = testing::sqs_event(&bodies);
        let response = handler::handle(&table, &Salts::default(), chance(), event).await.unwrap();
        assert_eq!(json!(response), failures(&["m-0", "m-2"]), "{fault:?}");
    }
}
