//! What hosts, operators and guests get, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use aws_sdk_dynamodb::Client;
use domain_coupon::StoreError;
use domain_homestay::{
    Checkpoint, FileError, ImportBook, ImportEnd, ImportFailure, ImportFailureReason, ImportFigures,
    ImportFile, ImportFiles, ImportQueue, ImportUploadId, ImportUploads, MAX_IMPORT_BYTES, RefusedRow,
    ReportPart, RowError,
};
use domain_ids::ImportId;
use homestay_dynamodb::HomestayTable;
use jiff::Timestamp;
use manage_homestays::handler::{self, Chance, Stores};
use platform_http::{Body, Request};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, HOMESTAY_TABLE, NOW};

const ALL: &str = "/v1/homestays";
const ONE: &str = "/v1/homestays/{id}";
const OWN: &str = "/v1/me/homestays";
const OWN_ONE: &str = "/v1/me/homestays/{id}";
const UPLOADS: &str = "/v1/admin/homestay-uploads";
const IMPORTS: &str = "/v1/admin/homestay-imports";
const IMPORT: &str = "/v1/admin/homestay-imports/{id}";
const REPORT: &str = "/v1/admin/homestay-imports/{id}/report";
const CANCEL: &str = "/v1/admin/homestay-imports/{id}/cancel";

/// Uploads and reports in memory.
#[derive(Debug, Default)]
struct Files {
    uploaded: Mutex<Option<u64>>,
    refused: Mutex<Option<Vec<RefusedRow>>>,
}

impl ImportUploads for Files {
    async fn prepare(&self, upload: ImportUploadId, bytes: u64, _: Timestamp) -> Result<String, StoreError> {
        Ok(format!("https://jobs.example.com/imports/uploads/{upload}?bytes={bytes}"))
    }

    async fn uploaded(&self, upload: ImportUploadId) -> Result<ImportFile, FileError> {
        let bytes = self.uploaded.lock().unwrap().ok_or(FileError::Missing)?;
        Ok(ImportFile { key: format!("imports/uploads/{upload}"), bytes, tag: "t".into() })
    }
}

impl ImportFiles for Files {
    async fn read(&self, _: &ImportFile, _: Range<u64>) -> Result<Vec<u8>, FileError> {
        unreachable!("operators do not read files")
    }

    async fn write_part(&self, _: ImportId, _: ReportPart, _: &[RefusedRow]) -> Result<(), StoreError> {
        unreachable!("operators do not write reports")
    }

    async fn read_part(&self, _: ImportId, part: ReportPart) -> Result<Vec<RefusedRow>, FileError> {
        let rows = self.refused.lock().unwrap().clone().ok_or(FileError::Missing)?;
        Ok(rows.into_iter().take(usize::try_from(part.rows).unwrap()).collect())
    }
}

/// Steps that wait, and whether more are taken.
#[derive(Debug, Default)]
struct Queue {
    sent: Mutex<Vec<(ImportId, u64)>>,
    is_down: AtomicBool,
}

impl ImportQueue for Queue {
    async fn send(&self, id: ImportId, from: u64) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("injected: arn:aws:sqs".into()));
        }
        self.sent.lock().unwrap().push((id, from));
        Ok(())
    }
}

/// Where hosts and operators work.
struct Desk {
    stores: Stores<HomestayTable, Files, Queue>,
    requests: AtomicU64,
}

impl Desk {
    fn at(client: Client) -> Self {
        let homestays = HomestayTable::new(client, HOMESTAY_TABLE.into());
        let stores = Stores { homestays, files: Files::default(), queue: Queue::default() };
        Self { stores, requests: 0.into() }
    }

    async fn open() -> Self {
        Self::at(EmbeddedDynamoDb::with_homestay_table().await.0.client())
    }

    async fn receive(&self, request: Request, id: u128) -> Answer {
        let mut response = handler::handle(&self.stores, Chance { at: NOW, id }, request).await.unwrap();
        if response.status() == 204 {
            assert_eq!(response.body(), &Body::Empty);
            *response.body_mut() = "null".into();
        }
        Answer::of(response)
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        let id = self.requests.fetch_add(1, Ordering::Relaxed).into();
        self.receive(request.build(), id).await
    }

    /// A new homestay of ann, by its id.
    async fn homestay(&self, members: &Value) -> String {
        let created = self.ask(create("ann", members)).await;
        assert_eq!(created.status, 201, "{}", created.body);
        created.body["id"].as_str().unwrap().to_owned()
    }

    async fn import(&self, members: &Value) -> Answer {
        *self.stores.files.uploaded.lock().unwrap() = Some(1_000);
        self.ask(start(members)).await
    }
}

fn host(name: &str, method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller(name, &["host"])
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

fn with(mut body: Value, members: &Value) -> Value {
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn create(name: &str, members: &Value) -> ApiRequest {
    let body = json!({
        "title": "三里屯阳光大床房", "lat": 39.936, "lon": 116.4546, "city": "北京", "priceFen": 29_900, "roomType": "double",
        "capacity": 2, "facilities": ["wifi"], "rowState": "published",
    });
    host(name, "POST", ALL).json(&with(body, members))
}

fn patch(request: ApiRequest, id: &str, version: u64, body: &Value) -> ApiRequest {
    request.path("id", id).header("If-Match", &format!("\"{version}\"")).json(body)
}

fn delete(request: ApiRequest, id: &str, version: u64) -> ApiRequest {
    request.path("id", id).header("If-Match", &format!("\"{version}\""))
}

fn start(members: &Value) -> ApiRequest {
    let upload = ImportUploadId::from_parts(1, 1).to_string();
    operator("POST", IMPORTS)
        .json(&with(json!({ "uploadId": upload, "format": "csv", "source": "demo" }), members))
}

#[tokio::test]
async fn the_sample_events_create_show_change_list_and_delete_a_homestay() {
    let desk = Desk::open().await;
    let sample = async |name: &str| {
        let event = testing::event(&format!("api/manage-homestays-{name}.json"));
        desk.receive(testing::request(event), 0).await
    };
    let created = sample("create").await;
    assert_eq!((created.status, created.header("etag")), (201, Some("\"1\"")));
    assert_eq!(created.header("location"), Some("/v1/me/homestays/01M73303000000000000000000"));
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(created.body, @r#"
        {
          "capacity": 2,
          "city": "北京",
          "cover": "https://example.com/cover.jpg",
          "createdAt": "2026-11-10T16:00:00Z",
          "district": "朝阳区",
          "facilities": [
            "wifi",
            "projector"
          ],
          "hostId": "0b9f4a1e-7c35-4d0e-9a52-1f6f0c1d2e3f",
          "id": "01M73303000000000000000000",
          "info": "安静，带院子",
          "lat": 39.936,
          "lon": 116.4546,
          "priceFen": 29900,
          "ratingCount": 0,
          "roomType": "double",
          "rowState": "published",
          "sales": 0,
          "subtitle": "近地铁",
          "title": "三里屯阳光大床房",
          "updatedAt": "2026-11-10T16:00:00Z",
          "version": 1
        }
        "#);
    });
    let shown = sample("show").await;
    assert_eq!((shown.status, shown.header("etag")), (200, Some("\"1\"")));
    assert!(["hostId", "rowState", "version", "updatedAt"].iter().all(|name| shown.body.get(name).is_none()));
    let changed = sample("change").await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    assert_eq!(
        (&changed.body["priceFen"], &changed.body["rowState"]),
        (&json!(27_900), &json!("unpublished"))
    );
    assert_eq!(sample("show").await.problem(), (404, "homestay-not-found"));
    assert_eq!(sample("show-own").await.body, changed.body);
    assert_eq!(sample("list-own").await.body, json!({ "items": [changed.body] }));
    assert_eq!(sample("delete").await.status, 204);
    assert_eq!(sample("show-own").await.problem(), (404, "homestay-not-found"));
    assert_eq!(sample("list-own").await.body, json!({ "items": [] }));
}

#[tokio::test]
async fn the_sample_events_upload_start_show_list_and_cancel_an_import() {
    let desk = Desk::open().await;
    let sample = async |name: &str| {
        let event = testing::event(&format!("api/manage-homestays-{name}.json"));
        desk.receive(testing::request(event), 0).await
    };
    let upload = sample("upload").await;
    assert_eq!(upload.status, 201);
    assert_eq!(upload.body["expireTime"], "2026-11-10T16:15:00Z");
    assert_eq!((&upload.body["method"], &upload.body["bytes"]), (&json!("PUT"), &json!(1_863_933)));
    *desk.stores.files.uploaded.lock().unwrap() = Some(1_863_933);
    let started = sample("import").await;
    assert_eq!(started.status, 202);
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(started.body, @r#"
        {
          "createTime": "2026-11-10T16:00:00Z",
          "datum": "wgs84",
          "dryRun": false,
          "format": "csv",
          "host": "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34",
          "id": "01M73303000000000000000000",
          "progress": {
            "bytes": 1863933,
            "changed": 0,
            "created": 0,
            "doneBytes": 0,
            "percent": 0,
            "refused": 0,
            "reported": 0,
            "rows": 0,
            "unchanged": 0
          },
          "source": "partner1",
          "status": "running",
          "updateTime": "2026-11-10T16:00:00Z"
        }
        "#);
    });
    assert_eq!(sample("show-import").await.body, started.body);
    assert_eq!(sample("list-imports").await.body, json!({ "items": [started.body] }));
    assert_eq!(sample("import-report").await.body, json!({ "items": [] }));
    let cancelled = sample("cancel-import").await;
    assert_eq!((cancelled.status, &cancelled.body["status"]), (200, &json!("cancelled")));
    assert_eq!(sample("cancel-import").await.body, cancelled.body, "a repeat is harmless");
}

#[tokio::test]
async fn a_route_asks_who_comes() {
    let desk = Desk::open().await;
    for (method, route) in [
        ("POST", ALL),
        ("PATCH", ONE),
        ("DELETE", ONE),
        ("GET", OWN),
        ("GET", OWN_ONE),
        ("POST", UPLOADS),
        ("POST", IMPORTS),
        ("GET", IMPORTS),
        ("GET", IMPORT),
        ("GET", REPORT),
        ("POST", CANCEL),
    ] {
        let anybody = ApiRequest::new(method, route).path("id", "x");
        assert_eq!(desk.ask(anybody.clone()).await.problem(), (401, "unauthenticated"), "{method} {route}");
        let guest = anybody.clone().caller("ann", &["guest"]);
        assert_eq!(desk.ask(guest).await.problem(), (403, "forbidden"), "{method} {route}");
        if route.starts_with("/v1/admin") {
            let host = anybody.caller("ann", &["host"]);
            assert_eq!(desk.ask(host).await.problem(), (403, "forbidden"), "{method} {route}");
        }
    }
    assert_eq!(desk.ask(host("ann", "GET", "/v1/other")).await.problem(), (404, "route-not-found"));
    let strange = ApiRequest::new("GET", OWN).caller("a b", &["host"]);
    assert_eq!(desk.ask(strange).await.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn another_hosts_homestay_is_not_found() {
    let desk = Desk::open().await;
    let id = desk.homestay(&json!({})).await;
    for request in [
        host("bob", "GET", OWN_ONE).path("id", &id),
        patch(host("bob", "PATCH", ONE), &id, 1, &json!({ "title": "x" })),
        delete(host("bob", "DELETE", ONE), &id, 1),
        host("ann", "GET", OWN_ONE).path("id", "nothing"),
        host("ann", "GET", OWN_ONE).path("id", "a b"),
    ] {
        assert_eq!(desk.ask(request).await.problem(), (404, "homestay-not-found"));
    }
    let changed =
        desk.ask(patch(operator("PATCH", ONE), &id, 1, &json!({ "rating": 4.85, "ratingCount": 7 }))).await;
    assert_eq!((changed.status, &changed.body["rating"]), (200, &json!(4.85)));
    assert_eq!(changed.body["hostId"], "ann");
    assert_eq!(desk.ask(operator("GET", OWN_ONE).path("id", &id)).await.body, changed.body);
    assert_eq!(desk.ask(delete(operator("DELETE", ONE), &id, 2)).await.status, 204);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let desk = Desk::open().await;
    for (members, fields) in [
        (json!({ "title": " " }), "title"),
        (json!({ "lat": 91, "lon": 181 }), "lat lon"),
        (json!({ "priceFen": -1, "capacity": 100_000 }), "priceFen capacity"),
        (json!({ "roomType": "tent" }), "roomType"),
        (json!({ "facilities": ["wifi", "moat"] }), "facilities/1"),
        (json!({ "rating": 5, "ratingCount": 1, "sales": 2 }), "rating sales"),
        (json!({ "hostId": "bob" }), "hostId"),
        (json!({ "cover": "http://example.com" }), "cover"),
        (json!({ "state": "deleted" }), "state"),
    ] {
        let answer = desk.ask(create("ann", &members)).await;
        assert_eq!(answer.problem(), (422, "invalid-body"), "{members}");
        assert_eq!(answer.fields(), fields, "{members}");
    }
    let id = desk.homestay(&json!({})).await;
    let refused = desk.ask(patch(host("ann", "PATCH", ONE), &id, 1, &json!({ "lat": 1, "sales": 3 }))).await;
    assert_eq!((refused.problem(), refused.fields()), ((422, "invalid-body"), "lon".into()));
    let refused = desk.ask(patch(host("ann", "PATCH", ONE), &id, 1, &json!({ "sales": 3 }))).await;
    assert_eq!((refused.problem(), refused.fields()), ((422, "invalid-body"), "sales".into()));
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_is_told() {
    let desk = Desk::open().await;
    let id = desk.homestay(&json!({})).await;
    let change = |price: u64| patch(host("ann", "PATCH", ONE), &id, 1, &json!({ "priceFen": price }));
    assert_eq!(desk.ask(change(1)).await.status, 200);
    assert_eq!(desk.ask(change(2)).await.problem(), (412, "precondition-failed"));
    assert_eq!(
        desk.ask(delete(host("ann", "DELETE", ONE), &id, 1)).await.problem(),
        (412, "precondition-failed")
    );
    let without = host("ann", "DELETE", ONE).path("id", &id);
    assert_eq!(desk.ask(without).await.problem(), (428, "precondition-required"));
}

#[tokio::test]
async fn a_repeated_creation_is_answered_with_the_first_one() {
    let desk = Desk::open().await;
    let keyed = |name: &str, key: &str| create(name, &json!({})).header("Idempotency-Key", key);
    let first = desk.ask(keyed("ann", "k-1")).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let again = desk.ask(keyed("ann", "k-1")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    for (name, key) in [("ann", "k-2"), ("bob", "k-1")] {
        assert_ne!(desk.ask(keyed(name, key)).await.body["id"], first.body["id"], "{name} {key}");
    }
    let id = first.body["id"].as_str().unwrap();
    assert_eq!(desk.ask(delete(host("ann", "DELETE", ONE), id, 1)).await.status, 204);
    assert_eq!(desk.ask(keyed("ann", "k-1")).await.problem(), (409, "homestay-deleted"));
    let bad = desk.ask(keyed("ann", "a b")).await;
    assert_eq!(bad.problem(), (400, "invalid-idempotency-key"));
}

#[tokio::test]
async fn hosts_page_through_their_own_homestays() {
    let desk = Desk::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(desk.homestay(&json!({})).await);
    }
    desk.ask(create("bob", &json!({}))).await;
    let pages =
        testing::pages("id", host("ann", "GET", OWN).query("limit", "2"), async |page| desk.ask(page).await)
            .await;
    assert!(pages.iter().all(|page| page.len() <= 2));
    let mut seen: Vec<String> = pages.concat().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    seen.sort();
    assert_eq!(seen, ids, "each once");
    testing::assert_paging_is_checked(host("ann", "GET", OWN), 50, async |list| desk.ask(list).await).await;
}

#[tokio::test]
async fn operators_page_through_imports_the_newest_first() {
    let desk = Desk::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(desk.import(&json!({})).await.body["id"].clone());
    }
    ids.reverse();
    let list = operator("GET", IMPORTS);
    let pages =
        testing::pages("id", list.clone().query("limit", "2"), async |page| desk.ask(page).await).await;
    assert_eq!(pages.concat(), ids);
    testing::assert_paging_is_checked(list, 50, async |list| desk.ask(list).await).await;
}

#[tokio::test]
async fn an_import_is_started_once_for_a_key() {
    let desk = Desk::open().await;
    *desk.stores.files.uploaded.lock().unwrap() = Some(10);
    desk.stores.queue.is_down.store(true, Ordering::Relaxed);
    let order = || start(&json!({ "dryRun": true })).header("Idempotency-Key", "k-1");
    assert_eq!(desk.ask(order()).await.problem(), (503, "try-again"));
    desk.stores.queue.is_down.store(false, Ordering::Relaxed);
    let found = desk.ask(order()).await;
    assert_eq!((found.status, found.header("idempotent-replayed")), (202, Some("true")));
    let id: ImportId = found.body["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(*desk.stores.queue.sent.lock().unwrap(), [(id, 0)], "the lost message is sent");
    assert_eq!(desk.ask(operator("GET", IMPORTS)).await.items("dryRun"), [json!(true)]);
}

#[tokio::test]
async fn an_order_that_cannot_be_is_refused_by_its_field() {
    let desk = Desk::open().await;
    for (members, uploaded, field) in [
        (json!({}), None, "uploadId"),
        (json!({}), Some(0), "uploadId"),
        (json!({}), Some(MAX_IMPORT_BYTES + 1), "uploadId"),
        (json!({ "uploadId": "x" }), Some(1), "uploadId"),
        (json!({ "source": "a-b" }), Some(1), "source"),
        (json!({ "format": "xlsx" }), Some(1), "format"),
        (json!({ "datum": "bd09" }), Some(1), "datum"),
        (json!({ "host": "#" }), Some(1), "host"),
    ] {
        *desk.stores.files.uploaded.lock().unwrap() = uploaded;
        let answer = desk.ask(start(&members)).await;
        assert_eq!((answer.problem(), answer.fields()), ((422, "invalid-body"), field.into()), "{members}");
    }
    for bytes in [0, MAX_IMPORT_BYTES + 1] {
        let answer = desk.ask(operator("POST", UPLOADS).json(&json!({ "bytes": bytes }))).await;
        assert_eq!((answer.problem(), answer.fields()), ((422, "invalid-body"), "bytes".into()));
    }
    for request in [operator("GET", IMPORT), operator("GET", REPORT), operator("POST", CANCEL)] {
        for id in ["x", "01M73303000000000000000000"] {
            assert_eq!(desk.ask(request.clone().path("id", id)).await.problem(), (404, "import-not-found"));
        }
    }
}

#[tokio::test]
async fn an_import_that_has_failed_says_why_and_what_was_refused() {
    let desk = Desk::open().await;
    let started = desk.import(&json!({})).await;
    let id = started.body["id"].as_str().unwrap();
    let failure = ImportFailure { reason: ImportFailureReason::NotUtf8, line: Some(9), column: None };
    let checkpoint = Checkpoint {
        to: 500,
        lines: 8,
        figures: ImportFigures { created: 3, changed: 1, unchanged: 1, refused: 2 },
        part: Some(ReportPart { from: 0, to: 500, rows: 2 }),
        end: Some(ImportEnd::Failed(failure)),
    };
    let import: ImportId = id.parse().unwrap();
    assert!(desk.stores.homestays.checkpoint(import, 0, &checkpoint, NOW).await.unwrap());
    let shown = desk.ask(operator("GET", IMPORT).path("id", id)).await;
    assert_eq!(shown.body["failure"], json!({ "reason": "not-utf8", "line": 9 }));
    let progress = json!({ "bytes": 1_000, "doneBytes": 500, "percent": 50, "rows": 7, "created": 3, "changed": 1, "unchanged": 1,
        "refused": 2, "reported": 2 });
    assert_eq!(shown.body["progress"], progress);
    assert_eq!(desk.ask(operator("POST", CANCEL).path("id", id)).await.problem(), (409, "import-finished"));

    let report = operator("GET", REPORT).path("id", id);
    assert_eq!(desk.ask(report.clone()).await.problem(), (410, "report-expired"));
    let row = |line| RefusedRow {
        line,
        external_id: Some("a-1".into()),
        errors: vec![RowError { field: "title".into(), must: "must be 1 to 200 characters".into() }],
    };
    *desk.stores.files.refused.lock().unwrap() = Some(vec![row(2), row(4)]);
    let pages =
        testing::pages("line", report.clone().query("limit", "1"), async |page| desk.ask(page).await).await;
    assert_eq!(pages, [[json!(2)], [json!(4)]]);
    for limit in ["0", "1001", "x", ""] {
        let refused = desk.ask(report.clone().query("limit", limit)).await;
        assert_eq!(
            (refused.problem(), refused.fields()),
            ((400, "invalid-parameter"), "limit".into()),
            "{limit}"
        );
    }
    // `x.0`, `0.`, `.` and nothing.
    for cursor in ["eC4w", "MC4", "Lg", ""] {
        let refused = desk.ask(report.clone().query("cursor", cursor)).await;
        assert_eq!(refused.problem(), (400, "invalid-cursor"), "{cursor}");
    }
}

#[tokio::test]
async fn faults_of_the_table_are_hidden() {
    let id = "01M73303000000000000000000";
    for request in [
        create("ann", &json!({})),
        ApiRequest::new("GET", ONE).path("id", id),
        host("ann", "GET", OWN),
        host("ann", "GET", OWN_ONE).path("id", id),
        patch(host("ann", "PATCH", ONE), id, 1, &json!({})),
        delete(host("ann", "DELETE", ONE), id, 1),
        start(&json!({})),
        start(&json!({})).header("Idempotency-Key", "k"),
        operator("GET", IMPORTS),
        operator("GET", IMPORT).path("id", id),
        operator("GET", REPORT).path("id", id),
        operator("POST", CANCEL).path("id", id),
    ] {
        testing::assert_faults_are_hidden(async |client| {
            let desk = Desk::at(client);
            *desk.stores.files.uploaded.lock().unwrap() = Some(1);
            desk.ask(request.clone()).await
        })
        .await;
    }
}
