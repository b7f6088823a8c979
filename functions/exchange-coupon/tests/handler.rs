//! What a guest who enters a code gets, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use coupon_dynamodb::{CouponTable, Units};
use domain_coupon::{
    ClaimStore, CodeUse, Coupon, Issue, IssueType, RefillStore, SaleMemory, Shard, StoreError, Template,
    TemplateShelf, TemplateStatus, TemplateStore,
};
use domain_exchange::{
    BatchMemory, BatchSeed, CodeBatch, CodeBatchStore, CodeCount, ExchangeDesk, ExchangeKey, Label,
};
use domain_ids::{CodeBatchId, GuestId, TemplateId};
use domain_risk::RiskPolicy;
use exchange_coupon::handler::{self, Chance};
use exchange_dynamodb::{ExchangeTable, GUESSES_PER_GUEST, GuessCounter};
use jiff::{SignedDuration, Timestamp};
use platform_hot_config::HotConfig;
use platform_rate_limit::RateLimiter;
use risk_dynamodb::RiskGate;
use serde_json::{Value, json};
use testing::{
    Answer, ApiRequest, COUPON_TABLE, EmbeddedDynamoDb, NOW, assert_faults_are_hidden, template_id,
};

const ROUTE: &str = "/v1/me/coupon-exchanges";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Write units: coupon, stock shard and mark of the code in one transaction, and the coupon's place in the index by
/// expiry.
const EXCHANGE: u64 = 7;

type Desk<C = CouponTable> = ExchangeDesk<C, ExchangeTable, GuessCounter>;

fn desk<C>(client: &Client, claims: C) -> Desk<C> {
    let table = || COUPON_TABLE.to_owned();
    ExchangeDesk {
        claims,
        batches: ExchangeTable::new(client.clone(), table()),
        guesses: GuessCounter::new(client.clone(), table(), SECRET.parse().unwrap()).unwrap(),
        key: key(),
        sales: SaleMemory::default(),
        memory: BatchMemory::default(),
    }
}

fn coupons(client: &Client) -> CouponTable {
    CouponTable::new(client.clone(), COUPON_TABLE.into())
}

fn key() -> ExchangeKey {
    SECRET.parse().unwrap()
}

/// Ten codes of a template.
fn batch() -> CodeBatch {
    CodeBatch {
        id: "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap(),
        template: template_id(1),
        count: CodeCount::new(10).unwrap(),
        label: Label::new("双十一".into()).unwrap(),
        seed: BatchSeed::from_random(1),
        created_at: NOW,
        exported_at: Some(NOW),
        disabled_at: None,
    }
}

/// Codes of a batch with this id, of which the table may know nothing.
fn codes_of(id: CodeBatchId, key: &ExchangeKey, count: u32) -> Vec<String> {
    let codes = key.batch(id.into()).codes(CodeCount::new(count).unwrap());
    codes.map(|code| code.to_string()).collect()
}

fn codes() -> Vec<String> {
    codes_of(batch().id, &key(), 10)
}

/// A table with a template of a hundred coupons and a batch of ten codes, and a function that works on it.
struct Shop {
    db: EmbeddedDynamoDb,
    desk: Desk,
    requests: AtomicU64,
}

impl Shop {
    async fn of(change: impl FnOnce(&mut Template)) -> Self {
        let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
        let desk = desk(&db.client(), coupons(&db.client()));
        let mut template = testing::template(100);
        template.issue_type = IssueType::Exchange;
        change(&mut template);
        desk.claims.insert(&template).await.unwrap();
        desk.batches.add(&batch(), 100).await.unwrap();
        Self { db, desk, requests: 0.into() }
    }

    async fn open() -> Self {
        Self::of(|_| {}).await
    }

    async fn ask_at(&self, now: Timestamp, request: ApiRequest) -> Answer {
        let n = self.requests.fetch_add(1, Ordering::Relaxed);
        enter(&self.desk, now, n, request).await
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        self.ask_at(NOW, request).await
    }

    async fn items(&self) -> Vec<HashMap<String, AttributeValue>> {
        self.db.client().scan().table_name(COUPON_TABLE).send().await.unwrap().items.unwrap()
    }

    /// Items whose partition key begins so.
    async fn count(&self, prefix: &str) -> usize {
        let items = self.items().await;
        items.iter().filter(|item| item["pk"].as_s().unwrap().starts_with(prefix)).count()
    }
}

async fn enter<C: ClaimStore>(desk: &Desk<C>, at: Timestamp, n: u64, request: ApiRequest) -> Answer {
    let chance = Chance { at, code: n.into(), seed: n };
    Answer::of(handler::handle(&RiskGate::default(), desk, chance, request.build()).await.unwrap())
}

fn request(guest: &str, code: &str) -> ApiRequest {
    ApiRequest::new("POST", ROUTE).caller(guest, &["guest"]).json(&json!({ "code": code }))
}

#[tokio::test]
async fn a_code_is_exchanged_for_the_coupon_of_its_template() {
    let shop = Shop::open().await;
    shop.desk.claims.consumed().take();
    let answer = shop.ask(request("ann", &codes()[0])).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(shop.desk.claims.consumed().take(), Units::whole(1, EXCHANGE));
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(answer.body, @r#"
        {
          "amountFen": 2000,
          "claimTime": "2026-11-10T16:00:00Z",
          "code": "0000-0000-0000-0000",
          "expireTime": "2026-12-10T16:00:00Z",
          "id": "01M6SBQ5000000000000000001-1-JGIV4DL5JNAC4MAX",
          "name": "满100减20",
          "source": "exchange",
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
    let location = format!("/v1/me/coupons/{}", answer.body["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("idempotent-replayed"), None);
    assert_eq!(shop.count("LIMIT#").await, 0, "a right code writes no counter");

    shop.ask(request("bob", &codes()[1])).await;
    assert_eq!(shop.desk.claims.consumed().take(), Units::whole(0, EXCHANGE), "the template is remembered");
}

#[tokio::test]
async fn the_sample_event_is_an_exchange() {
    let shop = Shop::open().await;
    let event = testing::event("api/exchange-coupon.json");
    let chance = Chance { at: NOW, code: 1, seed: 1 };
    let gate = RiskGate::default();
    let response = handler::handle(&gate, &shop.desk, chance, testing::request(event)).await.unwrap();
    assert_eq!(response.status(), 201);
}

#[tokio::test]
async fn a_code_is_read_however_it_is_typed() {
    let shop = Shop::open().await;
    let all = codes();
    let typed: [fn(&str) -> String; 4] = [
        str::to_lowercase,
        |code| code.replace('-', ""),
        |code| format!("  {}  ", code.replace('-', " ")),
        |code| code.replace('0', "o").replace('1', "l"),
    ];
    for (n, typed) in typed.into_iter().enumerate() {
        let answer = shop.ask(request(&format!("guest-{n}"), &typed(&all[n]))).await;
        assert_eq!(answer.status, 201, "{n}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_repeat_returns_the_same_coupon_also_after_the_sale_and_after_the_code_was_revoked() {
    let shop = Shop::of(|template| {
        template.stock = testing::stock(1, 1);
        template.per_user_limit = 3;
    })
    .await;
    let code = &codes()[0];
    let first = shop.ask(request("ann", code)).await;
    assert_eq!(first.status, 201);
    assert_eq!(shop.ask(request("bob", &codes()[1])).await.problem(), (409, "coupon-sold-out"));
    let assert_repeat = |repeat: Answer| {
        assert_eq!((repeat.status, &repeat.body["id"]), (201, &first.body["id"]), "{}", repeat.body);
        assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
    };
    assert_repeat(shop.ask(request("ann", code)).await);
    assert_repeat(shop.ask_at(NOW + SignedDuration::from_hours(48), request("ann", code)).await);
    shop.desk.batches.disable(batch().serial(), NOW).await.unwrap();
    assert_repeat(shop.ask_at(NOW + SignedDuration::from_hours(49), request("ann", code)).await);
    assert_eq!(shop.count("CODE#").await, 1);
}

#[tokio::test]
async fn a_code_that_another_guest_has_used_is_refused() {
    let shop = Shop::open().await;
    assert_eq!(shop.ask(request("ann", &codes()[0])).await.status, 201);
    assert_eq!(shop.ask(request("bob", &codes()[0])).await.problem(), (409, "code-used"));
    assert_eq!(shop.ask(request("ann", &codes()[1])).await.problem(), (409, "claim-limit-reached"));
    assert_eq!(shop.ask(request("bob", &codes()[1])).await.status, 201, "the code was not used up");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_code_the_answer_is_the_same() {
    let shop = Shop::open().await;
    let right = &codes()[0];
    let last = right.chars().last().unwrap();
    let other_key: ExchangeKey = SECRET.replace('0', "f").parse().unwrap();
    let unknown = CodeBatchId::from_parts(1_794_000_000_000, 7);
    let wrong: Vec<String> = vec![
        String::new(),
        "x".into(),
        "用户".into(),
        "'; DROP TABLE coupons".into(),
        "0".repeat(10_000),
        right[..22].into(),
        format!("{right}0"),
        format!("{}{}", &right[..22], if last == '7' { '8' } else { '7' }),
        right.chars().rev().collect(),
        codes_of(batch().id, &other_key, 1).remove(0),
        codes_of(unknown, &key(), 1).remove(0),
        codes_of(batch().id, &key(), 11).remove(10),
    ];
    let mut answers: Vec<(u16, Value)> = Vec::new();
    for (n, code) in wrong.iter().enumerate() {
        let answer = shop.ask(request(&format!("guest-{n}"), code)).await;
        assert_eq!(answer.problem(), (422, "invalid-code"), "{n}");
        answers.push((answer.status, answer.body));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(shop.count("USER#").await + shop.count("CODE#").await, 0);
}

#[tokio::test]
async fn after_ten_wrong_codes_nothing_is_looked_at_for_the_rest_of_the_hour() {
    let shop = Shop::open().await;
    let wrong = "0".repeat(20);
    for _ in 0..GUESSES_PER_GUEST {
        assert_eq!(shop.ask(request("ann", &wrong)).await.problem(), (422, "invalid-code"));
    }
    for code in [&wrong, &codes()[0]] {
        let refused = shop.ask_at(NOW + SignedDuration::from_mins(20), request("ann", code)).await;
        assert_eq!(refused.problem(), (429, "too-many-guesses"));
        assert_eq!(refused.header("retry-after"), Some("2400"));
    }
    assert_eq!(shop.ask(request("bob", &codes()[0])).await.status, 201, "others go on");
    let next_hour = NOW + SignedDuration::from_hours(1);
    assert_eq!(shop.ask_at(next_hour, request("ann", &codes()[1])).await.status, 201);
}

#[tokio::test]
async fn what_goes_wrong_with_a_genuine_code_is_no_guess() {
    let shop = Shop::open().await;
    shop.ask(request("bob", &codes()[0])).await;
    for _ in 0..2 * GUESSES_PER_GUEST {
        assert_eq!(shop.ask(request("ann", &codes()[0])).await.problem(), (409, "code-used"));
    }
    assert_eq!(shop.count("LIMIT#").await, 0);
}

#[tokio::test]
async fn whom_the_risk_policy_blocks_gets_nothing_and_counts_no_guess() {
    let shop = Shop::open().await;
    let policy: RiskPolicy =
        r#"{"signals": {"missingDevice": {"mode": "block", "weight": 100}}}"#.parse().unwrap();
    let limiter = RateLimiter::new(shop.db.client(), COUPON_TABLE.into());
    let gate = RiskGate::new(limiter, HotConfig::fixed(policy), SECRET.parse().unwrap());
    let ask = async |request: ApiRequest| {
        let chance = Chance { at: NOW, code: 1, seed: 1 };
        Answer::of(handler::handle(&gate, &shop.desk, chance, request.build()).await.unwrap())
    };
    for code in [&codes()[0], &"0".repeat(20)] {
        assert_eq!(ask(request("ann", code)).await.problem(), (403, "request-blocked"));
    }
    assert_eq!(shop.count("CODE#").await + shop.count("LIMIT#").await, 0);
    assert_eq!(ask(request("ann", &codes()[0]).header("X-Device-Id", "phone-7")).await.status, 201);
}

#[tokio::test]
async fn only_who_has_a_genuine_code_is_told_that_it_was_revoked() {
    let shop = Shop::open().await;
    shop.desk.batches.disable(batch().serial(), NOW).await.unwrap();
    assert_eq!(shop.ask(request("ann", &codes()[0])).await.problem(), (409, "code-disabled"));
    let wrong = format!("{}{}", &codes()[0][..18], &codes()[1][18..]);
    assert_eq!(shop.ask(request("ann", &wrong)).await.problem(), (422, "invalid-code"));
    assert_eq!(shop.count("USER#").await, 0);
}

#[tokio::test]
async fn a_revocation_is_seen_after_two_seconds() {
    let shop = Shop::open().await;
    assert_eq!(shop.ask(request("ann", &codes()[0])).await.status, 201);
    shop.desk.batches.disable(batch().serial(), NOW).await.unwrap();
    let later = NOW + domain_exchange::BATCH_REMEMBERED_FOR;
    assert_eq!(shop.ask_at(later, request("bob", &codes()[1])).await.problem(), (409, "code-disabled"));
}

#[tokio::test]
async fn the_template_has_its_say() {
    type Change = fn(&mut Template);
    let coming: Change = |template| template.starts_at = NOW + SignedDuration::from_secs(1);
    let ended: Change =
        |template| (template.starts_at, template.ends_at) = (NOW - SignedDuration::from_secs(9), NOW);
    let paused: Change = |template| template.status = TemplateStatus::Paused;
    let manual: Change = |template| template.issue_type = IssueType::Manual;
    for (change, slug) in [
        (coming, "sale-not-started"),
        (ended, "sale-ended"),
        (paused, "sale-paused"),
        (manual, "template-not-claimable"),
    ] {
        let shop = Shop::of(change).await;
        assert_eq!(shop.ask(request("ann", &codes()[0])).await.problem(), (409, slug));
        assert_eq!(shop.count("CODE#").await, 0, "the code is still good");
    }
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let shop = Shop::open().await;
    let ann = || ApiRequest::new("POST", ROUTE).caller("ann", &["guest"]);
    let table = [
        (ApiRequest::new("POST", ROUTE).json(&json!({ "code": codes()[0] })), 401, "unauthenticated"),
        (ApiRequest::new("POST", ROUTE).caller("a#b", &[]).json(&json!({})), 401, "unauthenticated"),
        (ann(), 415, "unsupported-media-type"),
        (ann().header("content-type", "text/plain").body("x"), 415, "unsupported-media-type"),
        (ann().header("content-type", "application/json").body("{"), 400, "invalid-json"),
        (ann().header("content-type", "application/json").body(""), 400, "invalid-json"),
        (ann().json(&json!({ "code": "x".repeat(70_000) })), 413, "body-too-large"),
        (ann().json(&json!({})), 422, "invalid-body"),
        (ann().json(&json!({ "code": null })), 422, "invalid-body"),
        (ann().json(&json!({ "code": 7 })), 422, "invalid-body"),
        (ann().json(&json!({ "code": ["x"] })), 422, "invalid-body"),
        (ann().json(&json!({ "code": "x", "more": 1 })), 422, "invalid-body"),
        (ann().json(&json!(["x"])), 422, "invalid-body"),
    ];
    for (request, status, slug) in table {
        let shown = format!("{request:?}");
        assert_eq!(shop.ask(request).await.problem(), (status, slug), "{}", &shown[..shown.len().min(300)]);
    }
    assert_eq!(shop.count("LIMIT#").await, 0, "none of it is a guess");
    assert_eq!(shop.ask(request("ann", &codes()[0])).await.status, 201, "none of it took anything");
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing() {
    for code in [codes()[0].clone(), "0".repeat(20)] {
        assert_faults_are_hidden(async |client| {
            let desk = desk(&client, coupons(&client));
            let answer = enter(&desk, NOW, 1, request("ann", &code)).await;
            assert!(!answer.body.to_string().contains(&code));
            answer
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_guests_with_one_code_get_one_coupon() {
    let shop = Arc::new(Shop::of(|template| template.stock = testing::stock(100, 4)).await);
    let mut guests = tokio::task::JoinSet::new();
    for n in 0..50 {
        let shop = Arc::clone(&shop);
        guests.spawn(async move { shop.ask(request(&format!("guest-{n}"), &codes()[0])).await });
    }
    let answers = guests.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let refused = answers.iter().filter(|answer| answer.status != 201);
    assert!(refused.into_iter().all(|answer| answer.problem() == (409, "code-used")));
    assert_eq!((shop.count("USER#").await, shop.count("CODE#").await), (1, 1));
    let template = TemplateShelf::template(&shop.desk.claims, template_id(1)).await.unwrap().unwrap();
    assert_eq!(shop.desk.claims.remaining(&template).await.unwrap(), Some(99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_guest_with_one_code_on_many_devices_gets_one_coupon() {
    let shop = Arc::new(Shop::of(|template| template.per_user_limit = 20).await);
    let mut devices = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let shop = Arc::clone(&shop);
        devices.spawn(async move { shop.ask(request("ann", &codes()[0])).await });
    }
    for answer in devices.join_all().await {
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    assert_eq!((shop.count("USER#").await, shop.count("CODE#").await), (1, 1));
}

/// A table whose first answer to a write is lost on the way.
struct LosesAnswers {
    table: CouponTable,
    lost: AtomicBool,
}

impl RefillStore for LosesAnswers {
    async fn raise_shards(&self, template: &Template) -> Result<(), StoreError> {
        self.table.raise_shards(template).await
    }

    async fn replace(&self, template: &Template, expected: u64) -> Result<bool, StoreError> {
        self.table.replace(template, expected).await
    }
}

impl ClaimStore for LosesAnswers {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        ClaimStore::template(&self.table, id).await
    }

    async fn held(&self, guest: &GuestId, template: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        self.table.held(guest, template).await
    }

    async fn issue(
        &self,
        coupon: &Coupon,
        shard: Option<Shard>,
        exchange: Option<CodeUse>,
    ) -> Result<Issue, StoreError> {
        let issue = self.table.issue(coupon, shard, exchange).await;
        if self.lost.swap(true, Ordering::Relaxed) {
            issue
        } else {
            Err(StoreError::Unavailable("the answer was lost".into()))
        }
    }

    async fn open_shards(&self, template: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        self.table.open_shards(template, shards).await
    }

    async fn mark_sold_out(&self, template: TemplateId, epoch: u64, at: Timestamp) -> Result<(), StoreError> {
        self.table.mark_sold_out(template, epoch, at).await
    }

    async fn wait(&self, _: Duration) {}
}

#[tokio::test]
async fn a_repeat_after_a_lost_answer_finds_the_coupon() {
    for limit in [1, 3] {
        let shop = Shop::of(|template| template.per_user_limit = limit).await;
        let client = shop.db.client();
        let desk = desk(&client, LosesAnswers { table: coupons(&client), lost: false.into() });
        let lost = enter(&desk, NOW, 1, request("ann", &codes()[0])).await;
        assert_eq!(lost.problem(), (503, "try-again"));
        assert_eq!(enter(&desk, NOW, 2, request("bob", &codes()[0])).await.problem(), (409, "code-used"));
        let repeat = enter(&desk, NOW, 3, request("ann", &codes()[0])).await;
        assert_eq!((repeat.status, repeat.header("idempotent-replayed")), (201, Some("true")));
        assert_eq!((shop.count("USER#").await, shop.count("CODE#").await), (1, 1));
    }
}

#[tokio::test]
async fn the_table_has_no_code_in_it() {
    let shop = Shop::open().await;
    for (n, code) in codes().iter().take(5).enumerate() {
        assert_eq!(shop.ask(request(&format!("guest-{n}"), code)).await.status, 201);
    }
    shop.ask(request("ann", &"0".repeat(20))).await;
    let stored = format!("{:?}", shop.items().await).to_uppercase().replace('-', "");
    assert!(stored.contains("CODEBATCH#"));
    for code in codes() {
        // The last eleven symbols are the digest alone: they are what nobody else can make.
        let code = code.replace('-', "");
        assert!(!stored.contains(&code) && !stored.contains(&code[9..]), "{code}");
    }
}
