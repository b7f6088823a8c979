//! Rules in the embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use domain_notification::{Rule, RuleShelf};
use futures_util::future::join_all;
use notification_dynamodb::NotificationTable;
use serde_json::json;
use testing::EmbeddedDynamoDb;

async fn table() -> NotificationTable {
    let (db, table) = EmbeddedDynamoDb::with_notification_table().await;
    NotificationTable::new(db.client(), table)
}

fn rule(id: &str, revision: u32) -> Rule {
    serde_json::from_value(json!({
        "id": id, "name": "确认短信", "enabled": true, "event": "order.created", "revision": revision,
        "when": { "/status": "new", "/rate": 1.0, "/tags": ["a", null], "/n": 1 },
        "key": ["/orderId"], "receiver": "/guestId",
        "action": {
            "type": "send", "channel": "sms", "priority": "high", "template": "order_confirmed",
            "params": { "orderId": "/orderId" }, "at": { "field": "/checkIn", "offsetHours": -24 },
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_rule_reads_back_whatever_its_conditions_are() {
    let table = table().await;
    assert!(table.put_rule(&rule("a", 1)).await.unwrap());
    assert_eq!(table.rule(&"a".parse().unwrap()).await.unwrap(), Some(rule("a", 1)));
    assert_eq!(table.rule(&"b".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_changes_of_one_revision_one_is_written() {
    let table = table().await;
    for revision in 1..=3 {
        let next = rule("a", revision);
        let written = join_all((0..5).map(|_| table.put_rule(&next))).await;
        assert_eq!(written.into_iter().filter(|it| *it.as_ref().unwrap()).count(), 1);
    }
    assert!(!table.put_rule(&rule("a", 5)).await.unwrap());
    let id = "a".parse().unwrap();
    assert!(!table.remove_rule(&id, 2).await.unwrap());
    assert!(table.remove_rule(&id, 3).await.unwrap());
    assert!(!table.remove_rule(&id, 3).await.unwrap());
    assert!(table.rules().await.unwrap().is_empty());
}

#[tokio::test]
async fn every_page_of_rules_is_read_in_their_order() {
    let table = table().await;
    let long = "x".repeat(20_000);
    for number in (0..60).rev() {
        let mut rule = rule(&format!("r{number:02}"), 1);
        rule.when.insert("/long".into(), json!(long));
        assert!(table.put_rule(&rule).await.unwrap());
    }
    let ids: Vec<String> = table.rules().await.unwrap().iter().map(|rule| rule.id.to_string()).collect();
    assert_eq!(ids, (0..60).map(|number| format!("r{number:02}")).collect::<Vec<_>>());
}
