//! Templates in the embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use domain_ids::TemplateCode;
use domain_notification::{Template, TemplateRef, TemplateShelf, TemplateVersion};
use futures_util::future::join_all;
use notification_dynamodb::NotificationTable;
use serde_json::json;
use testing::EmbeddedDynamoDb;

async fn table() -> NotificationTable {
    let (db, table) = EmbeddedDynamoDb::with_notification_table().await;
    NotificationTable::new(db.client(), table)
}

fn template(code: &str, version: u32, revision: u32) -> Template {
    serde_json::from_value(json!({
        "code": code, "name": "订单确认", "channel": "sms", "category": "order", "enabled": true, "version": version,
        "revision": revision, "createdAt": "2026-11-24T10:00:00.123Z", "updatedAt": "2026-11-24T10:00:00.123Z",
    }))
    .unwrap()
}

fn version(code: &str, version: u32) -> TemplateVersion {
    serde_json::from_value(json!({
        "code": code, "version": version, "channel": "sms", "category": "order",
        "variables": [
            { "name": "a", "kind": "text", "description": "甲", "example": "x" },
            { "name": "b", "kind": "money_fen", "optional": true, "example": -9_007_199_254_740_993_i64 },
            { "name": "c", "kind": "flag", "example": true },
            { "name": "d", "kind": "list", "example": ["x", "y"] },
        ],
        "texts": { "zh-CN": { "title": "t", "content": "{{ a }}", "html": "<b>" }, "en": { "content": "" } },
        "defaultLanguage": "zh-CN",
        "providerTemplates": { "aliyun": { "id": "SMS_1", "params": [{ "name": "a", "value": "{{ a }}" }] } },
        "publishedAt": "2026-11-24T10:00:00.123Z",
    }))
    .unwrap()
}

fn of(code: &str, version: u32) -> TemplateRef {
    TemplateRef { code: code.parse().unwrap(), version }
}

#[tokio::test]
async fn a_template_and_its_versions_read_back() {
    let table = table().await;
    assert!(table.insert(&template("a", 1, 1), &version("a", 1)).await.unwrap());
    let second = Template { name: "新".into(), ..template("a", 2, 2) };
    assert!(table.publish(&second, &version("a", 2), 1).await.unwrap());
    assert_eq!(table.template(&second.code).await.unwrap(), Some(second.clone()));
    for number in [1, 2] {
        assert_eq!(table.version(&of("a", number)).await.unwrap(), Some(version("a", number)));
    }
    assert_eq!(table.version(&of("a", 3)).await.unwrap(), None);
    assert_eq!(table.template(&"b".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_code_is_taken_once() {
    let table = table().await;
    assert!(table.insert(&template("a", 1, 1), &version("a", 1)).await.unwrap());
    let other = Template { name: "other".into(), ..template("a", 1, 1) };
    assert!(!table.insert(&other, &version("a", 1)).await.unwrap());
    assert_eq!(table.template(&other.code).await.unwrap().unwrap().name, "订单确认");
}

#[tokio::test]
async fn a_published_version_is_never_written_again() {
    let table = table().await;
    assert!(table.insert(&template("a", 1, 1), &version("a", 1)).await.unwrap());
    let rewritten = TemplateVersion { variables: Vec::new(), ..version("a", 1) };
    assert!(!table.publish(&template("a", 1, 2), &rewritten, 1).await.unwrap());
    assert_eq!(table.version(&of("a", 1)).await.unwrap(), Some(version("a", 1)));
    assert_eq!(table.template(&"a".parse().unwrap()).await.unwrap().unwrap().revision, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_changes_of_one_revision_one_happens() {
    let table = table().await;
    assert!(table.insert(&template("a", 1, 1), &version("a", 1)).await.unwrap());
    let changes = (0..8).map(|n| {
        let table = &table;
        async move {
            if n % 2 == 0 {
                table.publish(&template("a", 2, 2), &version("a", 2), 1).await.unwrap()
            } else {
                table.replace(&template("a", 1, 2), 1).await.unwrap()
            }
        }
    });
    let happened = join_all(changes).await.into_iter().filter(|happened| *happened).count();
    assert_eq!(happened, 1);
    assert!(!table.replace(&template("b", 1, 2), 1).await.unwrap(), "none to replace");
}

#[tokio::test]
async fn templates_are_listed_page_by_page_in_the_order_of_their_codes() {
    let table = table().await;
    let codes = ["a", "a-b", "a.b", "a_b", "b"];
    for code in codes {
        assert!(table.insert(&template(code, 1, 1), &version(code, 1)).await.unwrap());
    }
    for limit in [1, 2, 5, 50] {
        let mut listed: Vec<TemplateCode> = Vec::new();
        let mut after = None;
        loop {
            let page = table.templates(after, limit).await.unwrap();
            assert!(page.items.len() <= usize::from(limit));
            listed.extend(page.items.into_iter().map(|template| template.code));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let listed: Vec<&str> = listed.iter().map(TemplateCode::as_str).collect();
        assert_eq!(listed, codes, "limit {limit}");
    }
}
