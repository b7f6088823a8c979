//! What a guest is told of an order, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{
    Benefit, ClaimStore, Coupon, CouponState, Lock, Scope, Stacking, Template, TemplateStore, Terms,
    Threshold, Usage,
};
use domain_ids::{CouponId, GuestId, Nth};
use domain_money::Fen;
use domain_quote::UsageMemory;
use jiff::SignedDuration;
use quote_coupons::handler;
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};

const ROUTE: &str = "/v1/me/coupon-quotes";

/// The guest of the sample event.
const GUEST: &str = "0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f";

struct Wallet {
    table: CouponTable,
    memory: UsageMemory,
}

impl Wallet {
    fn at(client: Client) -> Self {
        let table = CouponTable::new(client, testing::COUPON_TABLE.into());
        Self { table, memory: UsageMemory::default() }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client())
    }

    /// Publishes the `n`th template and gives its coupon to the guest.
    async fn add(&self, n: u128, benefit: Benefit, threshold: u64, usage: Usage) -> Coupon {
        let terms = Terms {
            name: format!("coupon {n}"),
            benefit,
            threshold: if threshold == 0 { Threshold::None } else { Threshold::Amount(Fen::new(threshold)) },
        };
        let template = Template { id: template_id(n), terms, usage, ..testing::template(1) };
        self.table.insert(&template).await.unwrap();
        let coupon = Coupon { terms: template.terms, ..coupon(n, 1) };
        self.put(&coupon).await;
        coupon
    }

    async fn put(&self, coupon: &Coupon) {
        self.table.issue(coupon, None, None).await.unwrap();
    }

    async fn quote(&self, body: &Value) -> Answer {
        self.ask(ApiRequest::new("POST", ROUTE).caller(GUEST, &["guest"]).json(body)).await
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.table, &self.memory, NOW, request.build()).await.unwrap())
    }
}

fn coupon(n: u128, nth: u8) -> Coupon {
    let guest: GuestId = GUEST.parse().unwrap();
    let id = CouponId::new(&guest, template_id(n), Nth::new(nth).unwrap());
    Coupon { id, guest, ..testing::coupon("ann", 1) }
}

fn stackable() -> Usage {
    Usage { scope: Scope::default(), stacking: Stacking::Stackable }
}

fn cash(amount: u64) -> Benefit {
    Benefit::Cash { amount: Fen::new(amount) }
}

/// An order of one line for 100 yuan, with `members` put in or replaced in that line.
fn order(members: Value) -> Value {
    let mut line = json!({
        "homestayId": "h-1001", "hostId": "o-17", "city": "杭州",
        "checkIn": "2026-12-01", "checkOut": "2026-12-03", "amountFen": 10_000,
    });
    let Value::Object(members) = members else { panic!("not members: {members}") };
    line.as_object_mut().unwrap().extend(members);
    json!({ "lines": [line] })
}

#[tokio::test]
async fn the_sample_event_is_a_quote() {
    let wallet = Wallet::open().await;
    let hangzhou = Scope { cities: ["杭州".into()].into(), ..Scope::default() };
    let in_hangzhou = Usage { scope: hangzhou, ..stackable() };
    wallet.add(1, Benefit::Discount { percent: 15, cap: None }, 0, in_hangzhou).await;
    wallet.add(2, Benefit::FullReduction { amount: Fen::new(2_000) }, 10_000, Usage::default()).await;
    wallet.add(3, cash(500), 0, stackable()).await;
    wallet.add(4, Benefit::Gift { sku: "tea".into() }, 0, stackable()).await;
    wallet.add(5, Benefit::FullReduction { amount: Fen::new(50_000) }, 200_000, stackable()).await;
    let request = testing::request(testing::event("api/quote-coupons.json"));
    let response = handler::handle(&wallet.table, &wallet.memory, NOW, request).await.unwrap();
    let answer = Answer::of(response);
    assert_eq!(answer.status, 200, "{}", answer.body);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(answer.body, @r#"
        {
          "bestCombination": {
            "couponIds": [
              "01M6SBQ5000000000000000001-1-QUWGNLDIHEDTUFIG",
              "01M6SBQ5000000000000000003-1-QUWGNLDIHEDTUFIG"
            ],
            "lines": [
              {
                "index": 0,
                "savedFen": 10522
              },
              {
                "index": 1,
                "savedFen": 178
              }
            ],
            "payableFen": 89300,
            "savedFen": 10700
          },
          "bestSingle": {
            "couponIds": [
              "01M6SBQ5000000000000000001-1-QUWGNLDIHEDTUFIG"
            ],
            "lines": [
              {
                "index": 0,
                "savedFen": 10200
              },
              {
                "index": 1,
                "savedFen": 0
              }
            ],
            "payableFen": 89800,
            "savedFen": 10200
          },
          "coupons": [
            {
              "applies": false,
              "id": "01M6SBQ5000000000000000005-1-QUWGNLDIHEDTUFIG",
              "reasons": [
                {
                  "code": "below_threshold",
                  "missingFen": 100000
                }
              ],
              "savedFen": 0
            },
            {
              "applies": true,
              "giftSku": "tea",
              "id": "01M6SBQ5000000000000000004-1-QUWGNLDIHEDTUFIG",
              "savedFen": 0
            },
            {
              "applies": true,
              "id": "01M6SBQ5000000000000000003-1-QUWGNLDIHEDTUFIG",
              "savedFen": 500
            },
            {
              "applies": true,
              "id": "01M6SBQ5000000000000000002-1-QUWGNLDIHEDTUFIG",
              "savedFen": 2000
            },
            {
              "applies": true,
              "id": "01M6SBQ5000000000000000001-1-QUWGNLDIHEDTUFIG",
              "savedFen": 10200
            }
          ],
          "exact": true,
          "totalFen": 100000,
          "truncated": false
        }
        "#);
    });
}

#[tokio::test]
async fn a_coupon_that_the_order_holds_counts_as_free() {
    let wallet = Wallet::open().await;
    let mut held = wallet.add(1, cash(500), 0, stackable()).await;
    held.id = coupon(1, 2).id;
    let until = NOW + SignedDuration::from_mins(10);
    held.state = CouponState::Locked(Lock { order: "order-1".parse().unwrap(), saved: Fen::new(500), until });
    wallet.put(&held).await;
    let mut body = order(json!({}));
    let of_another = wallet.quote(&body).await;
    assert_eq!(of_another.body["coupons"][0]["reasons"], json!([{ "code": "locked", "lockedUntil": until }]));
    assert_eq!(of_another.body["bestCombination"]["savedFen"], 500);
    body["orderId"] = "order-1".into();
    assert_eq!(wallet.quote(&body).await.body["bestCombination"]["savedFen"], 1_000);
}

#[tokio::test]
async fn a_guest_without_coupons_saves_nothing() {
    let answer = Wallet::open().await.quote(&order(json!({}))).await;
    let nothing = json!({ "totalFen": 10_000, "coupons": [], "exact": true, "truncated": false });
    assert_eq!((answer.status, answer.body), (200, nothing));
}

#[tokio::test]
async fn of_very_many_coupons_five_hundred_are_looked_at() {
    let wallet = Wallet::open().await;
    for n in 1..=26 {
        wallet.add(n, cash(100), 0, stackable()).await;
        for nth in 2..=20 {
            wallet.put(&coupon(n, nth)).await;
        }
    }
    let answer = wallet.quote(&order(json!({}))).await;
    assert_eq!(answer.body["coupons"].as_array().unwrap().len(), 500);
    assert_eq!(answer.body["truncated"], true);
}

#[tokio::test]
async fn a_coupon_whose_template_is_gone_does_not_apply() {
    let wallet = Wallet::open().await;
    wallet.put(&coupon(1, 1)).await;
    let answer = wallet.quote(&order(json!({}))).await;
    assert_eq!(answer.body["coupons"][0]["reasons"], json!([{ "code": "template_gone" }]));
}

#[tokio::test]
async fn where_coupons_may_be_used_is_remembered() {
    let wallet = Wallet::open().await;
    wallet.add(1, cash(500), 0, stackable()).await;
    for template_reads in [1, 0] {
        wallet.table.consumed().take();
        wallet.quote(&order(json!({}))).await;
        // One unit for the coupons, and one for the template while it is not known.
        let half_reads = wallet.table.consumed().take().half_reads;
        assert_eq!(half_reads, 2 + 2 * template_reads);
    }
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let wallet = Wallet::open().await;
    let post = || ApiRequest::new("POST", ROUTE);
    let known = || post().caller("ann", &["guest"]);
    let fault = |members: Value, field: &'static str| (order(members), field);
    let mut many = order(json!({}));
    many["lines"] = json!(vec![many["lines"][0].clone(); 51]);
    let mut with_order = order(json!({}));
    with_order["orderId"] = "order 1".into();
    let table = [
        (post().json(&order(json!({}))), 401, "unauthenticated", ""),
        (known(), 415, "unsupported-media-type", ""),
        (known().header("content-type", "application/json").body("{"), 400, "invalid-json", ""),
        (known().json(&json!([])), 422, "invalid-body", ""),
        (known().json(&json!({})), 422, "invalid-body", "lines"),
        (known().json(&json!({ "lines": [] })), 422, "invalid-body", "lines"),
        (known().json(&json!({ "lines": [], "more": 1 })), 422, "invalid-body", "more"),
        (known().json(&many), 422, "invalid-body", "lines"),
        (known().json(&with_order), 422, "invalid-body", "orderId"),
        (known().json(&json!({ "lines": "x".repeat(70_000) })), 413, "body-too-large", ""),
    ];
    for (request, status, slug, fields) in table {
        let answer = wallet.ask(request).await;
        assert_eq!((answer.problem(), answer.fields().as_str()), ((status, slug), fields));
    }
    for (body, field) in [
        fault(json!({ "homestayId": "h#1" }), "lines/0/homestayId"),
        fault(json!({ "hostId": "" }), "lines/0/hostId"),
        fault(json!({ "city": " x" }), "lines/0/city"),
        fault(json!({ "checkIn": "2026-02-30" }), "lines/0/checkIn"),
        fault(json!({ "checkIn": 7 }), "lines/0/checkIn"),
        fault(json!({ "checkOut": "2026-12-01" }), "lines/0/checkOut"),
        fault(json!({ "amountFen": 0 }), "lines/0/amountFen"),
        fault(json!({ "amountFen": -1 }), "lines/0/amountFen"),
        fault(json!({ "amountFen": 1_000_000_001 }), "lines/0/amountFen"),
        fault(json!({ "amountFen": 1.5 }), "lines/0/amountFen"),
        fault(json!({ "amountFen": "100" }), "lines/0/amountFen"),
        fault(json!({ "couponId": "x" }), "lines/0/couponId"),
    ] {
        let answer = wallet.quote(&body).await;
        assert_eq!((answer.problem(), answer.fields().as_str()), ((422, "invalid-body"), field));
    }
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing() {
    testing::assert_faults_are_hidden(async |client| Wallet::at(client).quote(&order(json!({}))).await).await;
}
