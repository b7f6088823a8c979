//! What a guest keeps, sees and deletes of the own history, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use manage_search_history::handler;
use platform_http::{Body, Request};
use search_dynamodb::SearchTable;
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, SEARCH_TABLE, assert_faults_are_hidden};

const ALL: &str = "/v1/me/search-history";
const ONE: &str = "/v1/me/search-history/{id}";

struct Desk(SearchTable);

impl Desk {
    fn at(client: Client) -> Self {
        Self(SearchTable::new(client, SEARCH_TABLE.into()))
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_search_table().await.0.client())
    }

    async fn ask_at(&self, now: Timestamp, request: Request) -> Answer {
        let mut response = handler::handle(&self.0, now, request).await.unwrap();
        if response.status() == 204 {
            assert_eq!(response.body(), &Body::Empty);
            *response.body_mut() = "null".into();
        }
        Answer::of(response)
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request.build()).await
    }

    async fn add(&self, guest: &str, seconds: i64, keyword: &str) -> Answer {
        let request = by(guest, "POST", ALL).json(&json!({ "keyword": keyword }));
        self.ask_at(NOW + SignedDuration::from_secs(seconds), request.build()).await
    }

    async fn keywords(&self, guest: &str) -> Vec<Value> {
        self.ask(by(guest, "GET", ALL)).await.items("keyword")
    }
}

fn by(guest: &str, method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller(guest, &[])
}

#[tokio::test]
async fn the_sample_events_add_list_and_delete() {
    let desk = Desk::open().await;
    let sample = async |name: &str| {
        let event = testing::event(&format!("api/manage-search-history-{name}.json"));
        desk.ask_at(NOW, testing::request(event)).await
    };
    let entry = json!({
        "id": "cdd34295640b7d4d76c5a1cb4dea2a5f",
        "keyword": "三里屯 大床房",
        "searchedAt": "2026-11-10T16:00:00Z",
    });
    let added = sample("add").await;
    assert_eq!((added.status, &added.body), (200, &entry));
    let listed = sample("list").await;
    assert_eq!((listed.status, listed.body.clone()), (200, json!({ "items": [entry] })));
    assert_eq!(listed.header("cache-control"), Some("no-store"));
    assert_eq!(sample("delete").await.status, 204);
    assert_eq!(sample("delete").await.problem(), (404, "history-entry-not-found"));
    sample("add").await;
    for _ in 0..2 {
        assert_eq!(sample("clear").await.status, 204);
    }
    assert_eq!(sample("list").await.body, json!({ "items": [] }));
}

#[tokio::test]
async fn a_repeat_moves_up_and_the_fifty_first_falls_out() {
    let desk = Desk::open().await;
    for n in 0..51 {
        assert_eq!(desk.add("ann", n - 100, &format!("第{n}家")).await.status, 200);
    }
    desk.add("ann", -1, "第3家").await;
    let keywords = desk.keywords("ann").await;
    assert_eq!((keywords.len(), &keywords[0], &keywords[1]), (50, &json!("第3家"), &json!("第50家")));
    assert!(!keywords.contains(&json!("第0家")));
}

#[tokio::test]
async fn a_history_is_the_guests_own() {
    let desk = Desk::open().await;
    let id = desk.add("ann", -1, "西湖").await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(desk.keywords("bob").await, [] as [Value; 0]);
    let other = desk.ask(by("bob", "DELETE", ONE).path("id", &id)).await;
    assert_eq!(other.problem(), (404, "history-entry-not-found"));
    assert_eq!(desk.ask(by("bob", "DELETE", ALL)).await.status, 204);
    assert_eq!(desk.keywords("ann").await, ["西湖"]);
    assert_eq!(desk.ask(by("ann", "DELETE", ONE).path("id", &id)).await.status, 204);
    assert_eq!(desk.keywords("ann").await, [] as [Value; 0]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let desk = Desk::open().await;
    for keyword in ["", "  ", "\u{0}", &"长".repeat(101)] {
        let refused = desk.add("ann", 0, keyword).await;
        assert_eq!(
            (refused.problem(), refused.fields()),
            ((422, "invalid-body"), "keyword".into()),
            "{keyword:?}"
        );
    }
    for body in [json!({}), json!({ "keyword": 1 }), json!({ "keyword": "a", "at": 1 })] {
        assert_eq!(
            desk.ask(by("ann", "POST", ALL).json(&body)).await.problem(),
            (422, "invalid-body"),
            "{body}"
        );
    }
    for id in ["x", "CDD34295640B7D4D76C5A1CB4DEA2A5F", &"0".repeat(33), &"1".repeat(10_000)] {
        let unknown = desk.ask(by("ann", "DELETE", ONE).path("id", id)).await;
        assert_eq!(unknown.problem(), (404, "history-entry-not-found"), "{id}");
    }
    assert_eq!(desk.keywords("ann").await, [] as [Value; 0]);
}

#[tokio::test]
async fn without_a_guest_there_is_no_history() {
    let desk = Desk::open().await;
    for request in [
        ApiRequest::new("GET", ALL),
        ApiRequest::new("POST", ALL).json(&json!({ "keyword": "a" })),
        ApiRequest::new("DELETE", ALL),
        ApiRequest::new("DELETE", ONE).path("id", "1"),
    ] {
        assert_eq!(desk.ask(request).await.problem(), (401, "unauthenticated"));
    }
    assert_eq!(desk.ask(by("ann", "PATCH", ALL)).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn a_store_outage_is_hidden() {
    let id = "cdd34295640b7d4d76c5a1cb4dea2a5f";
    for request in [
        by("ann", "GET", ALL),
        by("ann", "POST", ALL).json(&json!({ "keyword": "a" })),
        by("ann", "DELETE", ALL),
        by("ann", "DELETE", ONE).path("id", id),
    ] {
        assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
