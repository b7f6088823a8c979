//! What a guest and the order service get who use a coupon, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{
    Benefit, ClaimStore, Coupon, CouponShelf, CouponState, LOCKED_FOR, Lock, Scope, Stacking, Template,
    TemplateStore, Terms, Threshold, Usage, Use,
};
use domain_ids::{CouponId, GuestId, Nth, TemplateId};
use domain_money::Fen;
use domain_quote::UsageMemory;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};
use use_coupon::handler;

/// The guest of the sample events.
const GUEST: &str = "0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f";
/// The template of their coupon.
const TEMPLATE: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";
const ORDER: &str = "order-20261111-0001";
const FOR_GUESTS: [&str; 3] = ["lock", "redeem", "release"];
const FOR_SERVICES: [&str; 4] = ["lock", "redeem", "release", "refund"];

struct Desk {
    table: CouponTable,
    memory: UsageMemory,
}

impl Desk {
    fn at(client: Client) -> Self {
        let table = CouponTable::new(client, testing::COUPON_TABLE.into());
        Self { table, memory: UsageMemory::default() }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client())
    }

    /// One with a coupon of 20 yuan, which can be combined.
    async fn with_coupon(state: CouponState) -> (Self, Coupon) {
        let desk = Self::open().await;
        let coupon = desk.add(TEMPLATE.parse().unwrap(), cash(2_000), stackable(), state).await;
        (desk, coupon)
    }

    async fn add(&self, id: TemplateId, benefit: Benefit, usage: Usage, state: CouponState) -> Coupon {
        let terms = Terms { name: "x".into(), benefit, threshold: Threshold::None };
        let template = Template { id, terms: terms.clone(), usage, ..testing::template(1) };
        self.table.insert(&template).await.unwrap();
        let coupon = Coupon { terms, state, ..coupon(id) };
        self.table.issue(&coupon, None, None).await.unwrap();
        coupon
    }

    async fn ask(&self, now: Timestamp, request: platform_http::Request) -> Answer {
        Answer::of(handler::handle(&self.table, &self.memory, now, request).await.unwrap())
    }

    async fn sample(&self, name: &str) -> Answer {
        let event = testing::event(&format!("api/use-coupon-{name}.json"));
        self.ask(NOW, testing::request(event)).await
    }

    /// The guest does this with the coupon for an order.
    async fn does(&self, action: &str, coupon: &Coupon, order: &str, now: Timestamp) -> Answer {
        self.ask(now, mine(action, coupon, &body(action, order)).build()).await
    }

    /// The order service does.
    async fn service_does(&self, action: &str, coupon: &Coupon, order: &str) -> Answer {
        self.ask(NOW, signed(theirs(action, coupon, &body(action, order)))).await
    }

    async fn state(&self, coupon: &Coupon) -> CouponState {
        self.table.coupon(&coupon.guest, coupon.id).await.unwrap().unwrap().state
    }
}

fn coupon(template: TemplateId) -> Coupon {
    let guest: GuestId = GUEST.parse().unwrap();
    Coupon { id: CouponId::new(&guest, template, Nth::MIN), guest, ..testing::coupon("ann", 1) }
}

fn stackable() -> Usage {
    Usage { scope: Scope::default(), stacking: Stacking::Stackable }
}

fn cash(amount: u64) -> Benefit {
    Benefit::Cash { amount: Fen::new(amount) }
}

fn locked(order: &str, until: Timestamp) -> CouponState {
    CouponState::Locked(Lock { order: order.parse().unwrap(), saved: Fen::new(2_000), until })
}

fn spent(order: &str) -> Use {
    Use { order: order.parse().unwrap(), saved: Fen::new(2_000), at: NOW }
}

/// One line for so much.
fn draft(amount: i64) -> Value {
    json!({ "lines": [{
        "homestayId": "h-1001", "hostId": "o-17", "city": "杭州",
        "checkIn": "2026-12-01", "checkOut": "2026-12-03", "amountFen": amount,
    }] })
}

fn body(action: &str, order: &str) -> Value {
    match action {
        "lock" => json!({ "orderId": order, "draft": draft(10_000) }),
        _ => json!({ "orderId": order }),
    }
}

fn mine(action: &str, coupon: &Coupon, body: &Value) -> ApiRequest {
    ApiRequest::new("POST", &format!("/v1/me/coupons/{{id}}/{action}"))
        .path("id", &coupon.id.to_string())
        .caller(GUEST, &["guest"])
        .json(body)
}

fn theirs(action: &str, coupon: &Coupon, body: &Value) -> ApiRequest {
    ApiRequest::new("POST", &format!("/v1/internal/guests/{{guestId}}/coupons/{{id}}/{action}"))
        .path("guestId", GUEST)
        .path("id", &coupon.id.to_string())
        .json(body)
}

/// As the IAM authorizer passes it on.
fn signed(request: ApiRequest) -> platform_http::Request {
    let mut event = request.event();
    let role = "arn:aws:sts::123456789012:assumed-role/order-service/order-service";
    event["requestContext"]["authorizer"] = json!({ "iam": { "userArn": role } });
    testing::request(event)
}

#[tokio::test]
async fn the_sample_events_of_a_guest_lock_release_and_redeem() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    let held = desk.sample("lock").await;
    assert_eq!(held.status, 200, "{}", held.body);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(held.body, @r#"
        {
          "amountFen": 2000,
          "claimTime": "2026-11-10T16:00:00Z",
          "code": "1000-0000-0000-000Z",
          "expireTime": "2026-12-10T16:00:00Z",
          "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-QUWGNLDIHEDTUFIG",
          "lockedUntil": "2026-11-10T16:30:00Z",
          "name": "x",
          "order": {
            "couponIds": [
              "01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-QUWGNLDIHEDTUFIG"
            ],
            "lines": [
              {
                "index": 0,
                "savedFen": 1360
              },
              {
                "index": 1,
                "savedFen": 640
              }
            ],
            "payableFen": 98000,
            "savedFen": 2000
          },
          "orderId": "order-20261111-0001",
          "savedFen": 2000,
          "source": "claim",
          "status": "locked",
          "templateId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG",
          "threshold": {
            "type": "none"
          },
          "type": "cash"
        }
        "#);
    });
    assert_eq!(desk.sample("release").await.body["status"], "unused");
    assert_eq!(desk.state(&coupon).await, CouponState::Unused);
    desk.sample("lock").await;
    let used = desk.sample("redeem").await;
    assert_eq!(
        (used.status, &used.body["status"], &used.body["savedFen"]),
        (200, &json!("used"), &json!(2_000))
    );
}

#[tokio::test]
async fn the_sample_events_of_the_order_service_lock_release_redeem_and_refund() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    for (event, status) in [
        ("lock", "locked"),
        ("release", "unused"),
        ("lock", "locked"),
        ("redeem", "used"),
        ("refund", "refunded"),
    ] {
        let answer = desk.sample(&format!("internal-{event}")).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(status)), "{}", answer.body);
    }
    assert_eq!(desk.state(&coupon).await, CouponState::Refunded(spent(ORDER)));
}

#[tokio::test]
async fn a_repeat_is_200_and_changes_nothing() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    for action in ["lock", "redeem", "refund"] {
        let first = desk.service_does(action, &coupon, ORDER).await;
        let repeat = desk.service_does(action, &coupon, ORDER).await;
        assert_eq!((first.status, &first.body), (200, &repeat.body), "{action}");
    }
}

#[tokio::test]
async fn what_has_happened_to_a_coupon_refuses_by_name() {
    let until = NOW + SignedDuration::from_mins(10);
    let unused = CouponState::Unused;
    let table = [
        ("lock", locked("other", until), "coupon-locked"),
        ("lock", CouponState::Used(spent("other")), "coupon-used"),
        ("lock", CouponState::Expired, "coupon-expired"),
        ("lock", CouponState::Refunded(spent("other")), "coupon-refunded"),
        ("redeem", unused.clone(), "coupon-not-locked"),
        ("redeem", locked("other", until), "coupon-locked"),
        ("redeem", locked("other", NOW), "coupon-not-locked"),
        ("redeem", CouponState::Used(spent("other")), "coupon-used"),
        ("redeem", CouponState::Expired, "coupon-expired"),
        ("redeem", CouponState::Refunded(spent("other")), "coupon-refunded"),
        ("release", CouponState::Used(spent(ORDER)), "coupon-used"),
        ("refund", unused, "coupon-not-used"),
        ("refund", CouponState::Used(spent("other")), "coupon-not-used"),
    ];
    for (action, state, slug) in table {
        let (desk, coupon) = Desk::with_coupon(state.clone()).await;
        let answer = desk.service_does(action, &coupon, ORDER).await;
        assert_eq!(answer.problem(), (409, slug), "{action} {state:?}");
        let names_end = answer.body["lockedUntil"] == json!(until);
        assert_eq!(names_end, slug == "coupon-locked");
        assert_eq!(desk.state(&coupon).await, state, "nothing was written");
    }
}

#[tokio::test]
async fn a_lock_ends_by_itself() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    desk.does("lock", &coupon, "order-1", NOW).await;
    let ends = NOW + LOCKED_FOR;
    let early = desk.does("lock", &coupon, "order-2", ends - SignedDuration::from_millis(1)).await;
    assert_eq!((early.problem(), &early.body["lockedUntil"]), ((409, "coupon-locked"), &json!(ends)));
    assert_eq!(desk.does("lock", &coupon, "order-2", ends).await.body["orderId"], "order-2");
    assert_eq!(desk.does("redeem", &coupon, "order-1", ends).await.problem(), (409, "coupon-locked"));
}

#[tokio::test]
async fn a_coupon_that_does_not_apply_says_why() {
    let desk = Desk::open().await;
    let far = Scope { cities: ["苏州".into()].into(), first_order_only: true, ..Scope::default() };
    let usage = Usage { scope: far, ..stackable() };
    let coupon = desk.add(template_id(1), cash(100), usage, CouponState::Unused).await;
    let answer = desk.does("lock", &coupon, ORDER, NOW).await;
    assert_eq!(answer.problem(), (409, "coupon-not-applicable"));
    let reasons = json!([{ "code": "first_order_only" }, { "code": "out_of_scope", "part": "city" }]);
    assert_eq!(answer.body["reasons"], reasons);
    assert_eq!(desk.state(&coupon).await, CouponState::Unused);
}

#[tokio::test]
async fn an_order_holds_only_what_goes_together() {
    let desk = Desk::open().await;
    let rule = |stacking| Usage { stacking, ..stackable() };
    let group = || rule(Stacking::Group("new-year".into()));
    let add = async |n, benefit, usage| desk.add(template_id(n), benefit, usage, CouponState::Unused).await;
    let half = Benefit::Discount { percent: 50, cap: None };
    let first = add(1, cash(8_000), group()).await;
    let second = add(2, half, stackable()).await;
    let exclusive = add(3, cash(100), rule(Stacking::Exclusive)).await;
    let of_group = add(4, cash(100), group()).await;
    let gift = add(5, Benefit::Gift { sku: "tea".into() }, stackable()).await;

    let one = desk.does("lock", &first, ORDER, NOW).await;
    assert_eq!((&one.body["savedFen"], &one.body["order"]["payableFen"]), (&json!(8_000), &json!(2_000)));
    let two = desk.does("lock", &second, ORDER, NOW).await;
    // Half of 100 yuan, then cash for the other half: 20 more than the 80 of the first.
    assert_eq!((&two.body["savedFen"], &two.body["order"]["payableFen"]), (&json!(2_000), &json!(0)));
    assert_eq!(two.body["order"]["couponIds"], json!([second.id, first.id]));
    for (coupon, code) in [(&exclusive, "exclusive"), (&of_group, "same_group")] {
        let refused = desk.does("lock", coupon, ORDER, NOW).await;
        assert_eq!(refused.problem(), (409, "coupon-not-applicable"));
        assert_eq!(refused.body["reasons"], json!([{ "code": code }]));
        assert_eq!(desk.does("lock", coupon, code, NOW).await.status, 200);
    }
    let thing = desk.does("lock", &gift, ORDER, NOW).await;
    assert_eq!((thing.status, &thing.body["savedFen"]), (200, &json!(0)), "a gift goes along");
    for coupon in [&first, &second, &gift] {
        assert_eq!(desk.does("redeem", coupon, ORDER, NOW).await.status, 200);
    }
}

#[tokio::test]
async fn a_changed_draft_is_priced_anew() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    for (amount, saved) in [(10_000, 2_000), (500, 500), (10_000, 2_000)] {
        let request = mine("lock", &coupon, &json!({ "orderId": ORDER, "draft": draft(amount) }));
        let held = desk.ask(NOW, request.build()).await;
        assert_eq!((held.status, &held.body["savedFen"]), (200, &json!(saved)));
    }
}

#[tokio::test]
async fn nobody_gets_in_by_the_wrong_door() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    for action in FOR_GUESTS {
        let anonymous = ApiRequest::new("POST", &format!("/v1/me/coupons/{{id}}/{action}"))
            .path("id", &coupon.id.to_string())
            .json(&body(action, ORDER));
        assert_eq!(desk.ask(NOW, anonymous.clone().build()).await.problem(), (401, "unauthenticated"));
        assert_eq!(desk.ask(NOW, signed(anonymous.clone())).await.problem(), (401, "unauthenticated"));
        let stranger = anonymous.caller("eve", &["admin"]);
        assert_eq!(desk.ask(NOW, stranger.build()).await.problem(), (404, "coupon-not-found"));
    }
    for action in FOR_SERVICES {
        let anonymous = theirs(action, &coupon, &body(action, ORDER));
        assert_eq!(desk.ask(NOW, anonymous.clone().build()).await.problem(), (401, "unauthenticated"));
        let with_a_token = anonymous.caller(GUEST, &["admin"]);
        assert_eq!(desk.ask(NOW, with_a_token.build()).await.problem(), (401, "unauthenticated"));
    }
    let refund = mine("refund", &coupon, &body("refund", ORDER));
    assert_eq!(desk.ask(NOW, refund.build()).await.problem(), (404, "route-not-found"));
    assert_eq!(desk.state(&coupon).await, CouponState::Unused);
}

#[tokio::test]
async fn bad_input_is_refused_by_name_on_every_route() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    let unknown = coupon_of_nobody();
    for (action, is_internal) in
        FOR_GUESTS.map(|action| (action, false)).into_iter().chain(FOR_SERVICES.map(|action| (action, true)))
    {
        let ask = async |coupon: &Coupon, body: &Value| {
            let request = if is_internal {
                signed(theirs(action, coupon, body))
            } else {
                mine(action, coupon, body).build()
            };
            desk.ask(NOW, request).await
        };
        let with = |field: &str, value: Value| {
            let mut body = body(action, ORDER);
            body[field] = value;
            body
        };
        assert_eq!(ask(&unknown, &body(action, ORDER)).await.problem(), (404, "coupon-not-found"));
        for (body, field) in [
            (json!({ "draft": draft(1) }), if action == "lock" { "orderId" } else { "draft" }),
            (with("orderId", json!("a b")), "orderId"),
            (with("orderId", json!("")), "orderId"),
            (with("orderId", json!("x".repeat(65))), "orderId"),
            (with("orderId", json!(7)), "orderId"),
            (with("savedFen", json!(7)), "savedFen"),
        ] {
            let answer = ask(&coupon, &body).await;
            assert_eq!((answer.problem(), answer.fields().as_str()), ((422, "invalid-body"), field));
        }
        let large = with("orderId", json!("x".repeat(70_000)));
        assert_eq!(ask(&coupon, &large).await.problem(), (413, "body-too-large"));
    }
    for (draft, field) in [
        (draft(0), "draft/lines/0/amountFen"),
        (json!({ "lines": [] }), "draft/lines"),
        (json!({}), "draft/lines"),
        (json!({ "lines": [], "orderId": "x" }), "draft/orderId"),
    ] {
        let body = json!({ "orderId": ORDER, "draft": draft });
        let answer = desk.ask(NOW, mine("lock", &coupon, &body).build()).await;
        assert_eq!((answer.problem(), answer.fields().as_str()), ((422, "invalid-body"), field));
    }
    for id in ["x", "%00", &"9".repeat(10_000), &coupon.id.to_string().to_lowercase()] {
        let request = ApiRequest::new("POST", "/v1/me/coupons/{id}/redeem").path("id", id);
        let request = request.caller(GUEST, &["guest"]).json(&body("redeem", ORDER));
        assert_eq!(desk.ask(NOW, request.build()).await.problem(), (404, "coupon-not-found"));
    }
    let broken = mine("redeem", &coupon, &json!({})).body("{").build();
    assert_eq!(desk.ask(NOW, broken).await.problem(), (400, "invalid-json"));
    assert_eq!(desk.state(&coupon).await, CouponState::Unused, "none of it did anything");
}

fn coupon_of_nobody() -> Coupon {
    coupon(template_id(9))
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing_on_every_route() {
    let coupon = coupon_of_nobody();
    for action in FOR_GUESTS {
        let ask = async |client| Desk::at(client).does(action, &coupon, ORDER, NOW).await;
        testing::assert_faults_are_hidden(ask).await;
    }
    for action in FOR_SERVICES {
        let ask = async |client| Desk::at(client).service_does(action, &coupon, ORDER).await;
        testing::assert_faults_are_hidden(ask).await;
    }
}

#[tokio::test]
async fn a_use_costs_one_write_unit() {
    let (desk, coupon) = Desk::with_coupon(CouponState::Unused).await;
    let writes = async |action| {
        desk.table.consumed().take();
        assert_eq!(desk.service_does(action, &coupon, ORDER).await.status, 200);
        desk.table.consumed().take().half_writes / 2
    };
    assert_eq!(writes("lock").await, 1);
    assert_eq!(writes("release").await, 1);
    assert_eq!(writes("lock").await, 1);
    // And one to leave the index of what may still expire.
    assert_eq!(writes("redeem").await, 2);
    assert_eq!(writes("refund").await, 1);
    assert_eq!(writes("refund").await, 0, "a repeat");
}
