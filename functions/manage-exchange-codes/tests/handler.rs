//! What an operator gets, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{IssueType, Stock, StoreError, Template, TemplateStore};
use domain_exchange::{CodeBatch, CodeBatchStore, CodeDownloads, ExportQueue, MAX_CODES};
use domain_ids::CodeBatchId;
use exchange_dynamodb::ExchangeTable;
use manage_exchange_codes::handler::{self, Chance, Office};
use serde_json::{Value, json};
use testing::{
    Answer, ApiRequest, COUPON_TABLE, EmbeddedDynamoDb, NOW, assert_faults_are_hidden,
    assert_paging_is_checked, pages, template_id,
};

const ALL: &str = "/v1/admin/coupon-templates/{id}/code-batches";
const ONE: &str = "/v1/admin/coupon-templates/{id}/code-batches/{batchId}";

/// What was asked of the queue.
#[derive(Default)]
struct Queue {
    asked: Mutex<Vec<CodeBatchId>>,
    broken: AtomicBool,
}

impl ExportQueue for Queue {
    async fn ask(&self, batch: CodeBatchId) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("arn:aws:sqs:secret".into()));
        }
        self.asked.lock().unwrap().push(batch);
        Ok(())
    }
}

struct Downloads;

impl CodeDownloads for Downloads {
    async fn download_url(&self, batch: &CodeBatch) -> Result<String, StoreError> {
        Ok(format!("https://bucket.example.com/codes/{}.csv", batch.id))
    }
}

/// Where an operator works, with a template of a thousand coupons.
struct Desk {
    office: Office<CouponTable, ExchangeTable, Queue, Downloads>,
    requests: AtomicU64,
}

impl Desk {
    fn at(client: Client) -> Self {
        let table = || COUPON_TABLE.to_owned();
        let office = Office {
            templates: CouponTable::new(client.clone(), table()),
            batches: ExchangeTable::new(client, table()),
            exports: Queue::default(),
            downloads: Downloads,
        };
        Self { office, requests: 0.into() }
    }

    async fn with(change: impl FnOnce(&mut Template)) -> Self {
        let desk = Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client());
        let mut template = testing::template(1_000);
        template.issue_type = IssueType::Exchange;
        change(&mut template);
        desk.office.templates.insert(&template).await.unwrap();
        desk
    }

    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        // Orders of the same millisecond would be listed in any order.
        let at = NOW + std::time::Duration::from_millis(id);
        let chance = Chance { at, id: id.into() };
        Answer::of(handler::handle(&self.office, chance, request.build()).await.unwrap())
    }

    async fn order(&self, count: u32) -> Answer {
        self.ask(create(&json!({ "count": count, "label": "门店" }))).await
    }

    /// The id of a batch of so many codes, ordered now.
    async fn batch(&self, count: u32) -> String {
        let ordered = self.order(count).await;
        assert_eq!(ordered.status, 202, "{}", ordered.body);
        ordered.body["id"].as_str().unwrap().to_owned()
    }

    async fn export(&self, id: &str) {
        let id: CodeBatchId = id.parse().unwrap();
        assert!(self.office.batches.mark_exported(id.into(), NOW).await.unwrap());
    }
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"]).path("id", &template_id(1).to_string())
}

fn create(body: &Value) -> ApiRequest {
    operator("POST", ALL).json(body)
}

fn show(id: &str) -> ApiRequest {
    operator("GET", ONE).path("batchId", id)
}

fn patch(id: &str, body: &Value) -> ApiRequest {
    operator("PATCH", ONE).path("batchId", id).json(body)
}

#[tokio::test]
async fn the_sample_events_order_show_list_and_revoke_a_batch() {
    let desk = Desk::with(|template| template.id = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()).await;
    let event = |sample: &str| testing::event(&format!("api/manage-exchange-codes-{sample}.json"));
    let ask = async |event| {
        let chance = Chance { at: NOW, id: 1 };
        Answer::of(handler::handle(&desk.office, chance, testing::request(event)).await.unwrap())
    };
    let ordered = ask(event("create")).await;
    assert_eq!(ordered.status, 202, "{}", ordered.body);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(ordered.body, @r#"
        {
          "count": 100,
          "createTime": "2026-11-10T16:00:00Z",
          "id": "01M7330300JH1638GF7PTHH319",
          "label": "双十一门店海报",
          "status": "exporting",
          "templateId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG"
        }
        "#);
    });
    let path = format!(
        "/v1/admin/coupon-templates/01KA3Z5QJ8M4T2R7V9X1C6B0NG/code-batches/{}",
        ordered.body["id"].as_str().unwrap()
    );
    assert_eq!(ordered.header("location"), Some(path.as_str()));
    assert_eq!(ordered.header("cache-control"), Some("no-store"));

    let of_it = |sample: &str| {
        let mut event = event(sample);
        event["pathParameters"]["batchId"] = ordered.body["id"].clone();
        event
    };
    assert_eq!(ask(of_it("show")).await.body, ordered.body);
    assert_eq!(ask(event("list")).await.body, json!({ "items": [ordered.body] }));
    let revoked = ask(of_it("change")).await;
    assert_eq!((revoked.status, &revoked.body["status"]), (200, &json!("disabled")));
    assert_eq!(revoked.body["disableTime"], json!(NOW));
}

#[tokio::test]
async fn a_batch_can_be_downloaded_while_it_is_ready_and_no_longer() {
    let desk = Desk::open().await;
    let id = desk.batch(10).await;
    let state = async || {
        let shown = desk.ask(show(&id)).await.body;
        (shown["status"].as_str().unwrap().to_owned(), shown["downloadUrl"].as_str().map(str::to_owned))
    };
    assert_eq!(state().await, ("exporting".into(), None));
    desk.export(&id).await;
    let url = format!("https://bucket.example.com/codes/{id}.csv");
    assert_eq!(state().await, ("ready".into(), Some(url)));
    let listed = desk.ask(operator("GET", ALL)).await;
    assert_eq!(listed.body["items"][0].get("downloadUrl"), None, "a list has no keys to codes");
    assert_eq!(desk.ask(patch(&id, &json!({ "disabled": true }))).await.status, 200);
    assert_eq!(state().await, ("disabled".into(), None));
}

#[tokio::test]
async fn a_batch_is_exported_once_it_is_ordered() {
    let desk = Desk::open().await;
    let id = desk.batch(10).await;
    assert_eq!(*desk.office.exports.asked.lock().unwrap(), [id.parse().unwrap()]);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_the_same_batch() {
    let desk = Desk::open().await;
    let keyed = |key: &str| create(&json!({ "count": 400, "label": "门店" })).header("Idempotency-Key", key);
    let first = desk.ask(keyed("k-1")).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None));
    for key in ["k-1", "\"k-1\""] {
        let repeat = desk.ask(keyed(key)).await;
        assert_eq!((repeat.status, &repeat.body), (202, &first.body));
        assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
    }
    assert_ne!(desk.ask(keyed("k-2")).await.body["id"], first.body["id"]);
    let elsewhere = keyed("k-1").caller("bob", &["admin"]);
    assert_eq!(
        desk.ask(elsewhere).await.problem(),
        (409, "too-many-codes"),
        "another's key is another order"
    );
}

#[tokio::test]
async fn a_repeat_after_the_queue_failed_has_the_batch_exported() {
    let desk = Desk::open().await;
    let keyed = || create(&json!({ "count": 10, "label": "门店" })).header("Idempotency-Key", "k-1");
    desk.office.exports.broken.store(true, Ordering::Relaxed);
    let failed = desk.ask(keyed()).await;
    assert_eq!(failed.problem(), (503, "try-again"));
    assert!(!failed.body.to_string().contains("arn:"));
    desk.office.exports.broken.store(false, Ordering::Relaxed);
    let repeat = desk.ask(keyed()).await;
    assert_eq!((repeat.status, repeat.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(desk.office.exports.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_template_has_no_more_codes_than_coupons() {
    let desk = Desk::open().await;
    desk.batch(700).await;
    let refused = desk.order(301).await;
    assert_eq!(refused.problem(), (409, "too-many-codes"));
    assert_eq!(refused.body["codesLeft"], 300);
    desk.batch(300).await;
    assert_eq!(desk.order(1).await.body["codesLeft"], 0);

    let unlimited = Desk::with(|template| template.stock = Stock::Unlimited).await;
    unlimited.batch(MAX_CODES).await;
    assert_eq!(unlimited.order(1).await.problem(), (409, "too-many-codes"));
}

#[tokio::test]
async fn only_templates_that_are_exchanged_have_codes() {
    for issue_type in [IssueType::Manual, IssueType::Auto] {
        let desk = Desk::with(|template| template.issue_type = issue_type).await;
        assert_eq!(desk.order(1).await.problem(), (409, "template-not-exchanged"));
    }
    let desk = Desk::open().await;
    let elsewhere = create(&json!({ "count": 1, "label": "a" })).path("id", &template_id(2).to_string());
    assert_eq!(desk.ask(elsewhere).await.problem(), (404, "template-not-found"));
}

#[tokio::test]
async fn the_batches_of_a_template_are_listed_page_by_page() {
    let desk = Desk::open().await;
    let mut ordered = Vec::new();
    for _ in 0..5 {
        ordered.push(json!(desk.batch(1).await));
    }
    ordered.reverse();
    let listed =
        pages("id", operator("GET", ALL).query("limit", "2"), async |request| desk.ask(request).await);
    let listed = listed.await;
    assert_eq!(listed.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(listed.concat(), ordered);
    let elsewhere = operator("GET", ALL).path("id", &template_id(2).to_string());
    assert_eq!(desk.ask(elsewhere).await.body, json!({ "items": [] }));
    assert_paging_is_checked(operator("GET", ALL), 50, async |request| desk.ask(request).await).await;
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let desk = Desk::open().await;
    let id = desk.batch(1).await;
    let good = json!({ "count": 1, "label": "a" });
    let namesake = CodeBatchId::from_parts(1, 0).to_string();
    let nobody = |request: ApiRequest| request.caller("", &[]);
    let guest = |request: ApiRequest| request.caller("ann", &["guest"]);
    let typed = |content_type, body| operator("POST", ALL).header("content-type", content_type).body(body);
    let disabled = json!({ "disabled": true });
    let table = [
        (nobody(create(&good)), 401, "unauthenticated", ""),
        (nobody(operator("GET", ALL)), 401, "unauthenticated", ""),
        (nobody(show(&id)), 401, "unauthenticated", ""),
        (nobody(patch(&id, &disabled)), 401, "unauthenticated", ""),
        (guest(create(&good)), 403, "forbidden", ""),
        (guest(operator("GET", ALL)), 403, "forbidden", ""),
        (guest(show(&id)), 403, "forbidden", ""),
        (guest(patch(&id, &disabled)), 403, "forbidden", ""),
        (operator("DELETE", ONE).path("batchId", &id), 404, "route-not-found", ""),
        (create(&good).path("id", "x"), 404, "template-not-found", ""),
        (operator("GET", ALL).path("id", "%00"), 404, "template-not-found", ""),
        (operator("POST", ALL), 415, "unsupported-media-type", ""),
        (typed("text/csv", "code"), 415, "unsupported-media-type", ""),
        (typed("application/json", "{"), 400, "invalid-json", ""),
        (create(&json!({ "count": 1, "label": "x".repeat(70_000) })), 413, "body-too-large", ""),
        (create(&good).header("Idempotency-Key", ""), 400, "invalid-idempotency-key", ""),
        (create(&json!({})), 422, "invalid-body", "count"),
        (create(&json!({ "count": 1 })), 422, "invalid-body", "label"),
        (create(&json!({ "count": 0, "label": "" })), 422, "invalid-body", "count label"),
        (create(&json!({ "count": 1_000_001, "label": "a" })), 422, "invalid-body", "count"),
        (create(&json!({ "count": -1, "label": "a" })), 422, "invalid-body", "count"),
        (create(&json!({ "count": 1.5, "label": "a" })), 422, "invalid-body", "count"),
        (create(&json!({ "count": "1", "label": "a" })), 422, "invalid-body", "count"),
        (create(&json!({ "count": 1, "label": " a" })), 422, "invalid-body", "label"),
        (create(&json!({ "count": 1, "label": "a\nb" })), 422, "invalid-body", "label"),
        (create(&json!({ "count": 1, "label": "春".repeat(101) })), 422, "invalid-body", "label"),
        (create(&json!({ "count": 1, "label": "a", "codes": [] })), 422, "invalid-body", "codes"),
        (show("x"), 404, "code-batch-not-found", ""),
        (show(&id.to_lowercase()), 404, "code-batch-not-found", ""),
        (show(&namesake), 404, "code-batch-not-found", ""),
        (show(&id).path("id", &template_id(2).to_string()), 404, "code-batch-not-found", ""),
        (patch("x", &disabled), 404, "code-batch-not-found", ""),
        (patch(&namesake, &disabled), 404, "code-batch-not-found", ""),
        (patch(&id, &disabled).path("id", &template_id(2).to_string()), 404, "code-batch-not-found", ""),
        (patch(&id, &json!({ "disabled": false })), 422, "invalid-body", "disabled"),
        (patch(&id, &json!({})), 422, "invalid-body", "disabled"),
        (patch(&id, &json!({ "disabled": "yes" })), 422, "invalid-body", "disabled"),
        (patch(&id, &json!({ "disabled": true, "label": "b" })), 422, "invalid-body", "label"),
    ];
    for (request, status, slug, fields) in table {
        let shown = format!("{request:?}");
        let shown = shown.chars().take(300).collect::<String>();
        let refused = desk.ask(request).await;
        assert_eq!(refused.problem(), (status, slug), "{shown}");
        assert_eq!(refused.fields(), fields, "{shown}");
    }
    assert_eq!(desk.ask(show(&id)).await.body["status"], "exporting", "none of it changed anything");
    assert_eq!(desk.ask(operator("GET", ALL)).await.items("id").len(), 1);
}

#[tokio::test]
async fn a_revocation_can_be_repeated() {
    let desk = Desk::open().await;
    let id = desk.batch(1).await;
    let first = desk.ask(patch(&id, &json!({ "disabled": true }))).await;
    let second = desk.ask(patch(&id, &json!({ "disabled": true }))).await;
    assert_eq!((first.status, &first.body), (200, &second.body));
}

#[tokio::test]
async fn a_store_outage_is_503_and_leaks_nothing() {
    let id = CodeBatchId::from_parts(1, 1).to_string();
    let requests = [
        create(&json!({ "count": 1, "label": "a" })),
        operator("GET", ALL),
        show(&id),
        patch(&id, &json!({ "disabled": true })),
    ];
    for request in requests {
        assert_faults_are_hidden(async |client| Desk::at(client).ask(request.clone()).await).await;
    }
}
