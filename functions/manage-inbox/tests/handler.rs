//! What a guest gets to see of the own inbox, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client;
use domain_channel::Category;
use domain_ids::MessageId;
use domain_notification::{Address, Outgoing, Provider, Rendered};
use jiff::{SignedDuration, Timestamp};
use manage_inbox::handler;
use notification_dynamodb::{InboxProvider, NotificationTable};
use platform_http::{Body, Request};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOTIFICATION_TABLE, NOW};

const ALL: &str = "/v1/me/inbox";
const COUNT: &str = "/v1/me/inbox/unread-count";
const READ_ALL: &str = "/v1/me/inbox/read-all";
const READ: &str = "/v1/me/inbox/{id}/read";
const ONE: &str = "/v1/me/inbox/{id}";

struct Desk(NotificationTable);

impl Desk {
    fn at(client: Client) -> Self {
        Self(NotificationTable::new(client, NOTIFICATION_TABLE.into()))
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_notification_table().await.0.client())
    }

    /// Tells ann something that was to be sent so many seconds after the beginning; it arrives in time.
    async fn tell(&self, number: u64, category: Category, seconds: i64) {
        self.tell_to("ann", number, category, seconds).await;
    }

    async fn tell_to(&self, guest: &str, number: u64, category: Category, seconds: i64) {
        let outgoing = Outgoing {
            id: id(number),
            address: Address::Inbox(guest.parse().unwrap()),
            rendered: Rendered {
                title: (number == 1).then(|| "优惠券即将到期".into()),
                content: format!("第 {number} 条"),
                ..Rendered::default()
            },
            category,
            accepted_at: NOW,
            due_at: at(seconds),
        };
        InboxProvider::new(self.0.clone(), || NOW).send(&outgoing).await.unwrap();
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request.build()).await
    }

    async fn ask_at(&self, now: Timestamp, request: Request) -> Answer {
        let mut response = handler::handle(&self.0, now, request).await.unwrap();
        if response.status() == 204 {
            assert_eq!(response.body(), &Body::Empty);
            *response.body_mut() = "null".into();
        }
        Answer::of(response)
    }

    async fn unread(&self) -> Value {
        self.ask(ann("GET", COUNT)).await.body
    }

    async fn contents(&self) -> Vec<Value> {
        self.ask(ann("GET", ALL).query("limit", "100")).await.items("content")
    }
}

fn at(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn id(number: u64) -> MessageId {
    MessageId::from_parts(number, 0)
}

fn entry(number: u64, seconds: i64) -> String {
    format!("{}-{}", at(seconds).as_millisecond(), id(number))
}

fn ann(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("ann", &[])
}

fn read(entry: &str) -> ApiRequest {
    ann("POST", READ).path("id", entry)
}

fn delete(entry: &str) -> ApiRequest {
    ann("DELETE", ONE).path("id", entry)
}

/// Every route, as ann would ask it.
fn every_route() -> [ApiRequest; 5] {
    let entry = entry(1, -1);
    [ann("GET", ALL), ann("GET", COUNT), read(&entry), ann("POST", READ_ALL), delete(&entry)]
}

#[tokio::test]
async fn the_sample_events_list_count_read_and_delete() {
    let desk = Desk::open().await;
    let guest = "0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f";
    for (number, category) in [(1, Category::Reminder), (2, Category::Order)] {
        desk.tell_to(guest, number, category, -60).await;
    }
    let sample = async |name: &str| {
        let event = testing::event(&format!("api/manage-inbox-{name}.json"));
        desk.ask_at(NOW, testing::request(event)).await
    };
    let listed = sample("list").await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(listed.body, @r#"
        {
          "asOf": "2026-11-10T16:00:00Z",
          "items": [
            {
              "category": "order",
              "content": "第 2 条",
              "id": "1794326340000-00000000020000000000000000",
              "read": false,
              "sendTime": "2026-11-10T15:59:00Z"
            },
            {
              "category": "reminder",
              "content": "第 1 条",
              "id": "1794326340000-00000000010000000000000000",
              "read": false,
              "sendTime": "2026-11-10T15:59:00Z",
              "title": "优惠券即将到期"
            }
          ]
        }
        "#);
    });
    assert_eq!(sample("count").await.body["total"], 2);
    assert_eq!(sample("read").await.status, 204);
    let counted = sample("count").await;
    let expected = json!({
        "total": 1, "byCategory": { "account": 0, "order": 1, "reminder": 0, "marketing": 0 },
    });
    assert_eq!((counted.status, counted.body), (200, expected));
    assert_eq!(sample("read-all").await.status, 204);
    assert_eq!(sample("count").await.body["total"], 0);
    assert_eq!(sample("delete").await.status, 204);
    assert_eq!(sample("delete").await.problem(), (404, "inbox-entry-not-found"));
    assert_eq!(sample("list").await.items("read"), [true]);
}

#[tokio::test]
async fn a_guest_sees_and_touches_the_own_inbox_alone() {
    let desk = Desk::open().await;
    desk.tell(1, Category::Order, -1).await;
    let bob = |request: ApiRequest| request.caller("bob", &["admin"]);
    let entry = entry(1, -1);
    assert_eq!(desk.ask(bob(ann("GET", ALL))).await.body["items"], json!([]));
    assert_eq!(desk.ask(bob(ann("GET", COUNT))).await.body["total"], 0);
    for request in [read(&entry), delete(&entry)] {
        assert_eq!(desk.ask(bob(request)).await.problem(), (404, "inbox-entry-not-found"));
    }
    assert_eq!(desk.ask(bob(ann("POST", READ_ALL))).await.status, 204);
    assert_eq!(desk.unread().await["total"], 1);
}

#[tokio::test]
async fn pages_follow_each_other_of_all_and_of_a_category() {
    let desk = Desk::open().await;
    for number in 0..12 {
        let category = if number % 5 == 0 { Category::Marketing } else { Category::Order };
        desk.tell(number, category, number.cast_signed() - 20).await;
    }
    let contents = |wanted: &dyn Fn(u64) -> bool| -> Vec<Value> {
        (0..12).rev().filter(|&n| wanted(n)).map(|n| json!(format!("第 {n} 条"))).collect()
    };
    for limit in [1, 5, 100] {
        let first = ann("GET", ALL).query("limit", &limit.to_string());
        let pages = testing::pages("content", first.clone(), async |request| desk.ask(request).await).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), contents(&|_| true), "limit {limit}");
        let rare = first.query("category", "marketing");
        let pages = testing::pages("content", rare, async |request| desk.ask(request).await).await;
        assert_eq!(pages.concat(), contents(&|n| n % 5 == 0), "limit {limit}");
    }
    testing::assert_paging_is_checked(ann("GET", ALL), 100, async |request| desk.ask(request).await).await;
    for category in ["", "orders", "ORDER", "1"] {
        let refused = desk.ask(ann("GET", ALL).query("category", category)).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "invalid-parameter"), "category".into()));
    }
}

#[tokio::test]
async fn what_arrives_after_the_list_was_seen_stays_unread() {
    let desk = Desk::open().await;
    desk.tell(1, Category::Order, -20).await;
    let seen = json!({ "until": at(-1) });
    let later = at(5);
    // What is there arrived at NOW, after the moment that the guest names.
    let asked = desk.ask_at(later, ann("POST", READ_ALL).json(&seen).build()).await;
    assert_eq!(asked.status, 204);
    assert_eq!(desk.unread().await["total"], 1);
    for (body, left) in
        [(json!({ "category": "marketing" }), 1), (json!({ "until": NOW, "category": "order" }), 0)]
    {
        assert_eq!(desk.ask_at(later, ann("POST", READ_ALL).json(&body).build()).await.status, 204);
        assert_eq!(desk.unread().await["total"], left, "{body}");
    }
    // A clock that is fast reads nothing that has yet to come.
    let fast = json!({ "until": at(1_000_000) });
    assert_eq!(desk.ask_at(at(-10), ann("POST", READ_ALL).json(&fast).build()).await.status, 204);
    desk.tell(2, Category::Reminder, -5).await;
    assert_eq!(desk.unread().await["total"], 1);
}

#[tokio::test]
async fn what_to_mark_as_read_is_checked() {
    let desk = Desk::open().await;
    for (body, fields) in [
        (json!({ "category": "orders" }), "category"),
        (json!({ "category": 1 }), "category"),
        (json!({ "until": "yesterday" }), "until"),
        (json!({ "untill": NOW }), "untill"),
        (json!([]), ""),
    ] {
        let refused = desk.ask(ann("POST", READ_ALL).json(&body)).await;
        assert_eq!((refused.problem(), refused.fields().as_str()), ((422, "invalid-body"), fields), "{body}");
    }
    let refused = desk.ask(ann("POST", READ_ALL).header("content-type", "application/json").body("{")).await;
    assert_eq!(refused.problem(), (400, "invalid-json"));
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let desk = Desk::open().await;
    desk.tell(1, Category::Order, -1).await;
    let (other, lower) = (entry(2, -1), entry(1, -1).to_lowercase());
    let moved = entry(1, 0);
    let long = "1".repeat(10_000);
    for text in [&*other, &moved, &format!("{lower}x"), "", "x", "-1-x", "%00'; DROP TABLE", &long] {
        for request in [read(text), delete(text)] {
            assert_eq!(desk.ask(request).await.problem(), (404, "inbox-entry-not-found"), "{text:.60}");
        }
    }
    assert_eq!(desk.contents().await, ["第 1 条"]);
    let elsewhere = desk.ask(ann("PUT", ONE).path("id", &other)).await;
    assert_eq!(elsewhere.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn only_guests_come_in() {
    let desk = Desk::open().await;
    for request in every_route() {
        for subject in ["", "a#b"] {
            let refused = desk.ask(request.clone().caller(subject, &[])).await;
            assert_eq!(refused.problem(), (401, "unauthenticated"));
        }
    }
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in every_route() {
        testing::assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
