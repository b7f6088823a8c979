//! What everybody sees of the sales, on an embedded table.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{
    ClaimStore, Issue, Shard, Stock, Template, TemplateChange, TemplateStatus, TemplateStore, change_template,
};
use jiff::{SignedDuration, Timestamp};
use list_coupon_templates::{RemainingMemory, handler};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};

const ALL: &str = "/v1/coupon-templates";
const ONE: &str = "/v1/coupon-templates/{id}";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const ONE_MS: SignedDuration = SignedDuration::from_millis(1);
const FIVE_SECONDS: SignedDuration = SignedDuration::from_secs(5);

/// What guests look at.
struct Window {
    table: CouponTable,
    memory: RemainingMemory,
}

impl Window {
    fn at(client: Client) -> Self {
        let table = CouponTable::new(client, testing::COUPON_TABLE.into());
        Self { table, memory: RemainingMemory::default() }
    }

    async fn showing(templates: &[Template]) -> Self {
        let window = Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client());
        for template in templates {
            window.table.insert(template).await.unwrap();
        }
        window
    }

    async fn look(&self, now: Timestamp, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.table, &self.memory, now, request.build()).await.unwrap())
    }

    /// What is left of the first template, by itself and in the list, which never differ.
    async fn remaining(&self, now: Timestamp) -> Value {
        let alone = self.look(now, one(&template_id(1).to_string())).await.body["remaining"].clone();
        assert_eq!(self.look(now, all()).await.items("remaining")[0], alone);
        alone
    }

    async fn claim(&self, guest: &str) {
        let issued = self.table.issue(&testing::coupon(guest, 1), Some(Shard(0)), None).await.unwrap();
        assert_eq!(issued, Issue::Issued);
    }
}

fn all() -> ApiRequest {
    ApiRequest::new("GET", ALL)
}

fn one(id: &str) -> ApiRequest {
    ApiRequest::new("GET", ONE).path("id", id)
}

/// The `n`th template: runs from an hour ago on, and ends so many hours from now.
fn sale(n: u128, ends_in_hours: i64) -> Template {
    Template {
        id: template_id(n),
        starts_at: NOW - SignedDuration::from_hours(24),
        ends_at: NOW + SignedDuration::from_hours(ends_in_hours),
        ..testing::template(3)
    }
}

/// Three coupons in one shard.
fn three() -> Template {
    Template { stock: testing::stock(3, 1), ..sale(1, 24) }
}

#[tokio::test]
async fn a_sale_shows_what_guests_need_and_nothing_of_its_operation() {
    let window = Window::showing(&[testing::template(1_000)]).await;
    let shown = window.look(NOW, one(&template_id(1).to_string())).await;
    assert_eq!(shown.status, 200);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(shown.body, @r#"
        {
          "amountFen": 2000,
          "endTime": "2026-11-11T16:00:00Z",
          "id": "01M6SBQ5000000000000000001",
          "issueMode": "direct",
          "name": "满100减20",
          "perUserLimit": 1,
          "phase": "running",
          "remaining": 1000,
          "scope": {},
          "stacking": {
            "type": "exclusive"
          },
          "startTime": "2026-11-10T16:00:00Z",
          "threshold": {
            "amountFen": 10000,
            "type": "amount"
          },
          "totalCount": 1000,
          "type": "full_reduction",
          "validDays": 30
        }
        "#);
    });
    assert_eq!(window.look(NOW, all()).await.body, json!({ "items": [shown.body] }));
}

#[tokio::test]
async fn the_sample_events_list_and_show_a_sale() {
    let id = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";
    let window = Window::showing(&[Template { id: id.parse().unwrap(), ..sale(1, 24) }]).await;
    let look = async |sample: &str| {
        let request = testing::request(testing::event(&format!("api/{sample}.json")));
        Answer::of(handler::handle(&window.table, &window.memory, NOW, request).await.unwrap())
    };
    assert_eq!(look("list-coupon-templates").await.items("id"), [id]);
    assert_eq!(look("list-coupon-templates-one").await.body["id"], id);
}

#[tokio::test]
async fn it_is_the_same_for_everybody_and_may_be_kept_for_five_seconds() {
    let window = Window::showing(&[sale(1, 24)]).await;
    for request in [all(), one(&template_id(1).to_string())] {
        let nobody = window.look(NOW, request.clone()).await;
        let guest = window.look(NOW, request.clone().caller("ann", &["guest"])).await;
        let operator = window.look(NOW, request.caller("eve", &["admin"])).await;
        assert_eq!(nobody.status, 200);
        assert_eq!([&guest.body, &operator.body], [&nobody.body; 2]);
        for answer in [nobody, guest, operator] {
            assert_eq!(answer.header("cache-control"), Some("public, max-age=5"));
            assert_eq!(answer.header("etag"), None, "it would have to count what is left");
        }
    }
    let refused = window.look(NOW, all().query("limit", "0")).await;
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    let unknown = window.look(NOW, one("x")).await;
    assert_eq!(unknown.header("cache-control"), Some("no-store"), "it may be published in a moment");
}

#[tokio::test]
async fn a_sale_is_coming_running_paused_or_sold_out_until_it_has_ended() {
    let coming = Template { starts_at: NOW + ONE_MS, ..sale(1, 1) };
    let running = Template { starts_at: NOW, ..sale(2, 2) };
    let paused = Template { status: TemplateStatus::Paused, ..sale(3, 3) };
    let sold_out = sale(4, 4);
    let ending = Template { ends_at: NOW + ONE_MS, ..sale(5, 0) };
    let ended = sale(6, 0);
    let window = Window::showing(&[ended, sold_out.clone(), coming, running, paused, ending]).await;
    window.table.mark_sold_out(sold_out.id, 0, NOW).await.unwrap();

    let phases =
        [(1, "coming"), (2, "running"), (3, "paused"), (4, "sold_out"), (5, "running"), (6, "ended")];
    for (n, phase) in phases {
        let shown = window.look(NOW, one(&template_id(n).to_string())).await;
        assert_eq!((shown.status, &shown.body["phase"]), (200, &json!(phase)), "template {n}");
    }
    let listed = window.look(NOW, all()).await;
    assert_eq!(listed.items("id"), [5, 1, 2, 3, 4].map(|n| json!(template_id(n))), "the next to end first");
    assert_eq!(listed.items("phase"), ["running", "coming", "running", "paused", "sold_out"]);

    let later = window.look(NOW + ONE_MS, all()).await;
    assert_eq!(later.items("id"), [1, 2, 3, 4].map(|n| json!(template_id(n))), "over at its very end");
    assert_eq!(later.items("phase"), ["running", "running", "paused", "sold_out"]);
    assert_eq!(window.look(NOW + HOUR * 24, all()).await.body, json!({ "items": [] }));
}

#[tokio::test]
async fn what_is_left_is_at_most_five_seconds_old() {
    let window = Window::showing(&[three()]).await;
    assert_eq!(window.remaining(NOW).await, 3);
    window.claim("ann").await;
    window.claim("bob").await;
    assert_eq!(window.remaining(NOW + FIVE_SECONDS - ONE_MS).await, 3, "remembered");
    assert_eq!(window.remaining(NOW + FIVE_SECONDS).await, 1);
    window.claim("eve").await;
    assert_eq!(window.remaining(NOW + FIVE_SECONDS * 2).await, 0);
}

#[tokio::test]
async fn what_is_left_is_not_believed_when_the_clock_goes_back() {
    let window = Window::showing(&[three()]).await;
    assert_eq!(window.remaining(NOW + HOUR).await, 3);
    window.claim("ann").await;
    assert_eq!(window.remaining(NOW).await, 2);
}

#[tokio::test]
async fn a_top_up_shows_within_five_seconds_and_what_is_left_never_exceeds_the_total() {
    let window = Window::showing(&[three()]).await;
    window.claim("ann").await;
    let figures = async |now| {
        let body = window.look(now, one(&template_id(1).to_string())).await.body;
        ["totalCount", "remaining"].map(|name| body[name].as_i64().unwrap())
    };
    assert_eq!(figures(NOW).await, [3, 2]);
    let more = TemplateChange { total_count: Some(10), ..TemplateChange::default() };
    change_template(&window.table, template_id(1), 1, more, NOW).await.unwrap();
    assert_eq!(figures(NOW + ONE_MS).await, [10, 2]);
    assert_eq!(figures(NOW + FIVE_SECONDS).await, [10, 9]);
}

#[tokio::test]
async fn what_is_left_of_each_sale_is_its_own() {
    let sales: Vec<Template> = (1..=30)
        .map(|n| Template { stock: testing::stock(10 + u32::try_from(n).unwrap(), 2), ..sale(n, 24) })
        .collect();
    let window = Window::showing(&sales).await;
    for _ in ["read", "remembered"] {
        let page = window.look(NOW, all().query("limit", "50")).await;
        assert_eq!(page.items("id"), (1..=30).map(|n| json!(template_id(n))).collect::<Vec<_>>());
        assert_eq!(page.items("remaining"), (11..=40).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn unlimited_stock_is_minus_one() {
    let window = Window::showing(&[Template { stock: Stock::Unlimited, ..sale(1, 24) }]).await;
    assert_eq!(window.remaining(NOW).await, -1);
    assert_eq!(window.look(NOW, all()).await.items("totalCount"), [-1]);
}

#[tokio::test]
async fn every_sale_is_listed_once_the_next_to_end_first() {
    // Ends in no order, some of them alike, some of them over, one of them after the year 2286, whose milliseconds
    // have a digit more.
    let mut sales: Vec<Template> =
        (1..).zip([5, 3, 9, 3, -7, 0, 1, 9, 2_400_000]).map(|(n, hours)| sale(n, hours)).collect();
    let window = Window::showing(&sales).await;
    sales.retain(|sale| sale.ends_at > NOW);
    sales.sort_by_key(|sale| (sale.ends_at, sale.id));
    let expected: Vec<Value> = sales.iter().map(|sale| json!(sale.id)).collect();
    for limit in [1, 3, 7, 50] {
        let first = all().query("limit", &limit.to_string());
        let pages = testing::pages("id", first, async |request| window.look(NOW, request).await).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), expected, "limit {limit}");
    }
}

#[tokio::test]
async fn a_page_goes_on_although_the_sale_before_it_has_ended() {
    let window = Window::showing(&[sale(1, 1), sale(2, 2), sale(3, 3)]).await;
    let first = window.look(NOW, all().query("limit", "1")).await;
    let next = all().query("cursor", first.body["nextCursor"].as_str().unwrap());
    for (later, left) in [(HOUR - ONE_MS, &[2, 3][..]), (HOUR, &[2, 3]), (HOUR * 2, &[3]), (HOUR * 3, &[])] {
        let page = window.look(NOW + later, next.clone()).await;
        assert_eq!(page.status, 200, "{later}: {}", page.body);
        let expected: Vec<Value> = left.iter().map(|&n| json!(template_id(n))).collect();
        assert_eq!(page.items("id"), expected, "{later}");
    }
}

#[tokio::test]
async fn limits_and_cursors_are_checked() {
    let window = Window::showing(&[sale(1, 24)]).await;
    testing::assert_paging_is_checked(all(), 50, async |request| window.look(NOW, request).await).await;
}

#[tokio::test]
async fn a_sale_that_does_not_exist_is_404() {
    let window = Window::showing(&[sale(1, 24)]).await;
    let lower_case = template_id(1).to_string().to_lowercase();
    let long = "0".repeat(10_000);
    for id in ["01KA3Z5QJ8M4T2R7V9X1C6B0NG", &lower_case, "", "x", "../x", "%00'; DROP TABLE", "券", &long] {
        let shown = window.look(NOW, one(id)).await;
        assert_eq!(shown.problem(), (404, "template-not-found"), "{id:.50}");
    }
}

#[tokio::test]
async fn a_route_that_is_not_served_is_404() {
    let window = Window::showing(&[]).await;
    for (method, route) in
        [("POST", ALL), ("DELETE", ONE), ("GET", "/v1/admin/coupon-templates"), ("GET", "/")]
    {
        let answer = window.look(NOW, ApiRequest::new(method, route)).await;
        assert_eq!(answer.problem(), (404, "route-not-found"), "{method} {route}");
    }
}

#[tokio::test]
async fn an_outage_is_told_without_a_word_of_its_cause() {
    for request in [all(), one(&template_id(1).to_string())] {
        testing::assert_faults_are_hidden(async |client| Window::at(client).look(NOW, request.clone()).await)
            .await;
    }
}
