//! What a guest who claims gets, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use claim_coupon::handler::{self, Chance};
use coupon_dynamodb::CouponTable;
use domain_coupon::{
    ClaimStore, CodeUse, Coupon, Issue, RefillStore, SaleMemory, Shard, Stock, StoreError, Template,
    TemplateStatus, TemplateStore,
};
use domain_ids::{GuestId, TemplateId};
use jiff::{SignedDuration, Timestamp};
use platform_http::Request;
use serde_json::json;
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW};

const ROUTE: &str = "/v1/coupon-templates/{id}/claims";

struct Sale {
    _db: EmbeddedDynamoDb,
    table: CouponTable,
    memory: SaleMemory,
    template: Template,
    claims: std::cell::Cell<u64>,
}

impl Sale {
    async fn of(change: impl FnOnce(&mut Template)) -> Self {
        let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
        let table = CouponTable::new(db.client(), name);
        let mut template = testing::template(2);
        change(&mut template);
        table.insert(&template).await.unwrap();
        Self { _db: db, table, memory: SaleMemory::default(), template, claims: 0.into() }
    }

    fn request(&self, guest: &str) -> ApiRequest {
        ApiRequest::new("POST", ROUTE).path("id", &self.template.id.to_string()).caller(guest, &["guest"])
    }

    async fn claim(&self, request: ApiRequest) -> Answer {
        self.claims.set(self.claims.get() + 1);
        let chance = Chance { at: NOW, code: u128::from(self.claims.get()), seed: 7 };
        Answer::of(handler::handle(&self.table, &self.memory, chance, request.build()).await.unwrap())
    }
}

#[tokio::test]
async fn a_claim_is_201_with_the_coupon_and_where_it_is() {
    let sale = Sale::of(|_| {}).await;
    let answer = sale.claim(sale.request("ann")).await;
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(answer.body, @r#"
        {
          "amountFen": 2000,
          "claimTime": "2026-11-10T16:00:00Z",
          "code": "1000-0000-0000-000Z",
          "expireTime": "2026-12-10T16:00:00Z",
          "id": "01M6SBQ5000000000000000001-1-JGIV4DL5JNAC4MAX",
          "name": "满100减20",
          "source": "claim",
          "status": "unused",
          "templateId": "01M6SBQ5000000000000000001",
          "threshold": {
            "amountFen": 10000,
            "type": "amount"
          },
          "type": "full_reduction"
        }
        "#);
    });
    assert_eq!(answer.status, 201);
    let location = format!("/v1/me/coupons/{}", answer.body["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_201_with_the_same_coupon_also_after_sell_out() {
    let sale = Sale::of(|_| {}).await;
    let keyed = |guest| sale.request(guest).header("Idempotency-Key", "\"retry-1\"");
    let first = sale.claim(keyed("ann")).await;
    assert_eq!(sale.claim(sale.request("bob")).await.status, 201);
    assert_eq!(sale.claim(sale.request("eve")).await.problem(), (409, "coupon-sold-out"));
    let repeat = sale.claim(keyed("ann")).await;
    assert_eq!((repeat.status, &repeat.body), (201, &first.body));
    assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn without_a_key_a_repeat_names_the_coupon_held() {
    let sale = Sale::of(|_| {}).await;
    let first = sale.claim(sale.request("ann")).await;
    let repeat = sale.claim(sale.request("ann")).await;
    assert_eq!(repeat.problem(), (409, "claim-limit-reached"));
    assert_eq!(repeat.body["couponIds"], json!([first.body["id"]]));
}

#[tokio::test]
async fn a_sale_out_of_its_time_tells_its_times() {
    type Change = fn(&mut Template);
    let coming: Change = |template| template.starts_at = NOW + SignedDuration::from_secs(1);
    let ended: Change =
        |template| (template.starts_at, template.ends_at) = (NOW - SignedDuration::from_secs(9), NOW);
    let paused: Change = |template| template.status = TemplateStatus::Paused;
    for (change, slug) in [(coming, "sale-not-started"), (ended, "sale-ended"), (paused, "sale-paused")] {
        let sale = Sale::of(change).await;
        let refused = sale.claim(sale.request("ann")).await;
        assert_eq!(refused.problem(), (409, slug));
        assert_eq!(refused.body["startTime"], json!(sale.template.starts_at));
        assert_eq!(refused.body["endTime"], json!(sale.template.ends_at));
    }
    let granted = Sale::of(|template| template.issue_type = domain_coupon::IssueType::Auto).await;
    assert_eq!(granted.claim(granted.request("ann")).await.problem(), (409, "template-not-claimable"));
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let sale = Sale::of(|_| {}).await;
    let id = sale.template.id.to_string();
    let to = |id: &str| ApiRequest::new("POST", ROUTE).path("id", id);
    let table = [
        (to(&id), 401, "unauthenticated"),
        (to(&id).caller("", &[]), 401, "unauthenticated"),
        (to(&id).caller("a#b", &[]), 401, "unauthenticated"),
        (to("01KA3Z5QJ8M4T2R7V9X1C6B0NG").caller("ann", &[]), 404, "template-not-found"),
        (to(&id.to_lowercase()).caller("ann", &[]), 404, "template-not-found"),
        (to("x").caller("ann", &[]), 404, "template-not-found"),
        (to(&"9".repeat(10_000)).caller("ann", &[]), 404, "template-not-found"),
        (to("%00'; DROP TABLE").caller("ann", &[]), 404, "template-not-found"),
        (sale.request("ann").header("Idempotency-Key", ""), 400, "invalid-idempotency-key"),
        (sale.request("ann").header("Idempotency-Key", &"k".repeat(256)), 400, "invalid-idempotency-key"),
        (sale.request("ann").header("Idempotency-Key", "键"), 400, "invalid-idempotency-key"),
    ];
    for (request, status, slug) in table {
        let shown = format!("{request:?}");
        assert_eq!(sale.claim(request).await.problem(), (status, slug), "{}", &shown[..shown.len().min(300)]);
    }
    assert_eq!(sale.claim(sale.request("ann")).await.status, 201, "none of it took anything");
}

/// A store on which one thing is wrong.
struct Broken(fn() -> Result<Issue, StoreError>, Template);

impl RefillStore for Broken {
    async fn raise_shards(&self, _: &Template) -> Result<(), StoreError> {
        Ok(())
    }

    async fn replace(&self, _: &Template, _: u64) -> Result<bool, StoreError> {
        Ok(false)
    }
}

impl ClaimStore for Broken {
    async fn template(&self, _: TemplateId) -> Result<Option<Template>, StoreError> {
        Ok(Some(self.1.clone()))
    }

    async fn held(&self, _: &GuestId, _: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        Ok(Vec::new())
    }

    async fn issue(&self, _: &Coupon, _: Option<Shard>, _: Option<CodeUse>) -> Result<Issue, StoreError> {
        (self.0)()
    }

    async fn open_shards(&self, _: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        Ok(shards.to_vec())
    }

    async fn mark_sold_out(&self, _: TemplateId, _: u64, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn wait(&self, _: Duration) {}
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing() {
    let outage: fn() -> Result<Issue, StoreError> =
        || Err(StoreError::Unavailable("arn:aws:dynamodb:secret".into()));
    let throttled: fn() -> Result<Issue, StoreError> = || Err(StoreError::Throttled("secret".into()));
    let table = [
        (outage, 503, "try-again"),
        (throttled, 429, "too-many-requests"),
        (|| Ok(Issue::Conflict), 503, "try-again"),
        (|| Ok(Issue::Throttled), 429, "too-many-requests"),
        (|| Ok(Issue::ShardEmpty), 503, "try-again"),
    ];
    let mut template = testing::template(4_000);
    template.stock = Stock::Limited(domain_coupon::LimitedStock::new(4_000, 20_000));
    for (issue, status, slug) in table {
        let request: Request = ApiRequest::new("POST", ROUTE)
            .path("id", &template.id.to_string())
            .caller("ann", &["guest"])
            .build();
        let chance = Chance { at: NOW, code: 1, seed: 1 };
        let store = Broken(issue, template.clone());
        let refused =
            Answer::of(handler::handle(&store, &SaleMemory::default(), chance, request).await.unwrap());
        assert_eq!(refused.problem(), (status, slug));
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(!refused.body.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn the_sample_event_is_a_claim() {
    let sale = Sale::of(|template| template.id = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()).await;
    let request = testing::request(testing::event("api/claim-coupon.json"));
    let chance = Chance { at: NOW, code: 1, seed: 1 };
    let response = handler::handle(&sale.table, &sale.memory, chance, request).await.unwrap();
    assert_eq!(response.status(), 201);
}
