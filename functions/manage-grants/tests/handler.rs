//! What an operator gets, on an embedded table.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on has failed"
)]

use std::{
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{IssueType, StoreError, Template, TemplateStatus, TemplateStore};
use domain_grant::{
    CHUNK_BYTES, Failure, Figures, FileError, GrantBook, JobFiles, ListFile, Lists, MAX_LIST_BYTES, Outcome,
    Part, Reason, Refusal, UploadId, Work, WorkQueue,
};
use domain_ids::{GrantId, GuestId};
use grant_dynamodb::GrantTable;
use jiff::{SignedDuration, Timestamp};
use manage_grants::handler::{self, Chance, Stores};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW, template_id};

const ALL: &str = "/v1/admin/grants";
const ONE: &str = "/v1/admin/grants/{id}";
const REPORT: &str = "/v1/admin/grants/{id}/report";
const UPLOADS: &str = "/v1/admin/grant-uploads";

/// Lists and reports in memory.
#[derive(Debug, Default)]
struct Files {
    uploaded: Mutex<Option<u64>>,
    written: Mutex<Vec<GuestId>>,
    refusals: Mutex<Option<Vec<Refusal>>>,
}

impl Lists for Files {
    async fn write(&self, id: GrantId, guests: &[GuestId]) -> Result<ListFile, StoreError> {
        *self.written.lock().unwrap() = guests.to_vec();
        Ok(ListFile { key: format!("uploads/{id}.csv"), bytes: 37 * guests.len() as u64, tag: "t".into() })
    }

    async fn prepare(&self, upload: UploadId, bytes: u64, _: Timestamp) -> Result<String, StoreError> {
        Ok(format!("https://jobs.example.com/uploads/{upload}.csv?bytes={bytes}"))
    }

    async fn uploaded(&self, upload: UploadId) -> Result<ListFile, FileError> {
        let bytes = self.uploaded.lock().unwrap().ok_or(FileError::Missing)?;
        Ok(ListFile { key: format!("uploads/{upload}.csv"), bytes, tag: "t".into() })
    }
}

impl JobFiles for Files {
    async fn read(&self, _: &str, _: Option<&str>, _: Range<u64>) -> Result<Vec<u8>, FileError> {
        unreachable!("operators do not read lists")
    }

    async fn write_part(&self, _: GrantId, _: u32, _: &[GuestId]) -> Result<Part, StoreError> {
        unreachable!("operators do not list segments")
    }

    async fn write_report(&self, _: GrantId, _: u32, _: &[Refusal]) -> Result<String, StoreError> {
        unreachable!("operators do not write reports")
    }

    async fn read_report(&self, _: &str) -> Result<Vec<Refusal>, FileError> {
        self.refusals.lock().unwrap().clone().ok_or(FileError::Missing)
    }
}

/// Work that waits, and whether more is taken.
#[derive(Debug, Default)]
struct Queue {
    sent: Mutex<Vec<Work>>,
    is_down: Mutex<bool>,
}

impl WorkQueue for Queue {
    async fn send(&self, work: &[Work]) -> Result<(), StoreError> {
        if *self.is_down.lock().unwrap() {
            return Err(StoreError::Unavailable("injected: arn:aws:sqs".into()));
        }
        self.sent.lock().unwrap().extend_from_slice(work);
        Ok(())
    }
}

/// Where an operator works.
struct Desk {
    stores: Stores<GrantTable, CouponTable, Files, Queue>,
    requests: AtomicU64,
}

impl Desk {
    fn at(client: Client) -> Self {
        let table = testing::COUPON_TABLE.to_owned();
        let stores = Stores {
            grants: GrantTable::new(client.clone(), table.clone()),
            templates: CouponTable::new(client, table),
            files: Files::default(),
            queue: Queue::default(),
        };
        Self { stores, requests: 0.into() }
    }

    async fn open() -> Self {
        Self::with(&testing::template(100)).await
    }

    async fn with(template: &Template) -> Self {
        let desk = Self::at(EmbeddedDynamoDb::with_coupon_table().await.0.client());
        desk.stores.templates.insert(template).await.unwrap();
        desk
    }

    fn chance(&self) -> Chance {
        let id = self.requests.fetch_add(1, Ordering::Relaxed).into();
        Chance { at: NOW, id, secret: [7; 16] }
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        Answer::of(handler::handle(&self.stores, self.chance(), request.build()).await.unwrap())
    }

    async fn order(&self, recipients: Value) -> Answer {
        self.ask(create(&json!({ "templateId": template_id(1), "recipients": recipients }))).await
    }

    /// A grant to so many chunks, and its id.
    async fn with_chunks(&self, chunks: u64) -> GrantId {
        *self.stores.files.uploaded.lock().unwrap() = Some(chunks * CHUNK_BYTES);
        let ordered = self.order(json!({ "upload": UploadId::from_parts(1, 1).to_string() })).await;
        assert_eq!(ordered.status, 202, "{}", ordered.body);
        ordered.body["id"].as_str().unwrap().parse().unwrap()
    }

    async fn finish(&self, id: GrantId, chunk: u32, issued: u64, refused: &[(Reason, u64)]) {
        let figures = Figures { issued, refused: refused.iter().copied().collect() };
        let report = (!refused.is_empty()).then(|| "report".to_owned());
        let outcome = Outcome { lines: figures.rows() as u32, figures, report };
        assert!(self.stores.grants.finish(id, chunk, &outcome, NOW).await.unwrap());
    }

    fn sent(&self) -> Vec<Work> {
        std::mem::take(&mut self.stores.queue.sent.lock().unwrap())
    }
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

fn create(body: &Value) -> ApiRequest {
    operator("POST", ALL).json(body)
}

fn one(method: &str, route: &str, id: GrantId) -> ApiRequest {
    operator(method, route).path("id", &id.to_string())
}

fn patch(id: GrantId, status: &str) -> ApiRequest {
    one("PATCH", ONE, id).json(&json!({ "status": status }))
}

#[tokio::test]
async fn the_sample_events_upload_order_list_show_pause_and_report() {
    let mut template = testing::template(100);
    template.id = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
    let desk = Desk::with(&template).await;
    let chance = Chance { at: NOW, id: 1, secret: [7; 16] };
    let ask = async |sample: &str| {
        let request = testing::request(testing::event(&format!("api/manage-grants-{sample}.json")));
        Answer::of(handler::handle(&desk.stores, chance, request).await.unwrap())
    };
    let upload = ask("upload").await;
    let created = ask("create").await;
    assert_eq!(created.header("location"), Some("/v1/admin/grants/01M73303000000000000000001"));
    let answers = json!({
        "upload": [upload.status, upload.body],
        "create": [created.status, created.body],
        "list": ask("list").await.items("id"),
        "show": ask("show").await.body["status"],
        "change": ask("change").await.body["status"],
        "report": ask("report").await.body,
    });
    insta::with_settings!({ sort_maps => true }, { insta::assert_json_snapshot!(answers) });
}

#[tokio::test]
async fn a_list_in_the_request_becomes_a_file_and_a_message() {
    let desk = Desk::open().await;
    let ordered = desk.order(json!({ "guests": ["ann", "bob", "ann"] })).await;
    assert_eq!((ordered.status, &ordered.body["status"]), (202, &json!("planning")));
    assert_eq!(ordered.body["recipients"], json!({ "list": { "bytes": 111 } }));
    assert_eq!(desk.stores.files.written.lock().unwrap().len(), 3);
    let grant = ordered.body["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(desk.sent(), [Work::Plan { grant, from: 0 }]);
}

#[tokio::test]
async fn segments_are_ordered_by_their_name() {
    let desk = Desk::open().await;
    for segment in [json!({ "all": true }), json!({ "group": "vip" })] {
        let ordered = desk.order(json!({ "segment": segment })).await;
        assert_eq!((ordered.status, &ordered.body["recipients"]["segment"]), (202, &segment));
    }
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_the_same_grant() {
    let desk = Desk::open().await;
    let body = json!({ "templateId": template_id(1), "recipients": { "guests": ["ann"] } });
    let keyed = |key: &str| create(&body).header("Idempotency-Key", key);
    let first = desk.ask(keyed("k-1")).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None));
    let repeat = desk.ask(keyed("k-1")).await;
    assert_eq!((repeat.status, repeat.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(repeat.body, first.body);
    assert_eq!(repeat.header("location"), first.header("location"));
    assert_eq!(desk.sent().len(), 2, "the message may have been lost");
    for other in [keyed("k-2"), keyed("k-1").caller("mia", &["admin"]), create(&body)] {
        assert_ne!(desk.ask(other).await.body["id"], first.body["id"]);
    }
    assert_eq!(desk.ask(operator("GET", ALL)).await.items("id").len(), 4);
    let bad = desk.ask(create(&body).header("Idempotency-Key", "")).await;
    assert_eq!(bad.problem(), (400, "invalid-idempotency-key"));
}

#[tokio::test]
async fn an_order_whose_message_was_lost_is_completed_by_its_repeat() {
    let desk = Desk::open().await;
    let body = json!({ "templateId": template_id(1), "recipients": { "guests": ["ann"] } });
    let keyed = || create(&body).header("Idempotency-Key", "k-1");
    *desk.stores.queue.is_down.lock().unwrap() = true;
    let failed = desk.ask(keyed()).await;
    assert_eq!(failed.problem(), (503, "try-again"));
    assert!(!format!("{failed:?}").contains("arn:"));
    *desk.stores.queue.is_down.lock().unwrap() = false;
    assert_eq!(desk.ask(keyed()).await.header("idempotent-replayed"), Some("true"));
    assert_eq!(desk.sent().len(), 1);
}

#[tokio::test]
async fn a_dry_run_counts_and_grants_nothing() {
    let desk = Desk::open().await;
    let guests = json!({ "guests": ["ann", "bob", "ann", "#", ""] });
    let body = json!({ "templateId": template_id(1), "recipients": guests, "dryRun": true });
    let answer = desk.ask(create(&body)).await;
    let counted = json!({ "valid": 2, "duplicate": 1, "invalid": 2 });
    assert_eq!((answer.status, answer.body), (200, counted));
    assert_eq!(desk.sent(), []);
    assert!(desk.ask(operator("GET", ALL)).await.items("id").is_empty());
}

#[tokio::test]
async fn a_template_that_would_refuse_everyone_is_refused() {
    let hour = SignedDuration::from_hours(1);
    let base = || testing::template(9);
    for (template, slug) in [
        (Template { starts_at: NOW + hour, ..base() }, "sale-not-started"),
        (Template { starts_at: NOW - hour, ends_at: NOW, ..base() }, "sale-ended"),
        (Template { status: TemplateStatus::Paused, ..base() }, "sale-paused"),
        (Template { issue_type: IssueType::Exchange, ..base() }, "template-not-claimable"),
    ] {
        let desk = Desk::with(&template).await;
        for dry_run in [false, true] {
            let recipients = json!({ "guests": ["ann"] });
            let body = json!({ "templateId": template.id, "recipients": recipients, "dryRun": dry_run });
            assert_eq!(desk.ask(create(&body)).await.problem(), (409, slug));
        }
        assert_eq!(desk.sent(), []);
    }
    let desk = Desk::open().await;
    let body = json!({ "templateId": template_id(2), "recipients": { "guests": ["ann"] } });
    assert_eq!(desk.ask(create(&body)).await.problem(), (404, "template-not-found"));
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_named() {
    let desk = Desk::open().await;
    let id = template_id(1);
    let long = "x".repeat(129);
    let many = vec!["a"; 1_001];
    for (body, fields) in [
        (json!({ "recipients": { "guests": ["ann"] } }), "templateId"),
        (json!({ "templateId": "x", "recipients": { "guests": ["ann"] } }), "templateId"),
        (json!({ "templateId": id }), "recipients"),
        (json!({ "templateId": id, "recipients": { "guests": ["ann"] }, "extra": 1 }), "extra"),
        (json!({ "templateId": id, "recipients": { "guests": [] } }), "recipients/guests"),
        (json!({ "templateId": id, "recipients": { "guests": many } }), "recipients/guests"),
        (
            json!({ "templateId": id, "recipients": { "guests": ["ann", "a b", "bob", "#"] } }),
            "recipients/guests/1 recipients/guests/3",
        ),
        (json!({ "templateId": id, "recipients": { "guests": [7] } }), "recipients/guests/0"),
        (json!({ "templateId": id, "recipients": { "upload": "../x" } }), "recipients/upload"),
        (
            json!({ "templateId": id, "recipients": { "segment": { "all": false } } }),
            "recipients/segment/all",
        ),
        (
            json!({ "templateId": id, "recipients": { "segment": { "group": "" } } }),
            "recipients/segment/group",
        ),
        (
            json!({ "templateId": id, "recipients": { "segment": { "group": long } } }),
            "recipients/segment/group",
        ),
        (json!({ "templateId": id, "recipients": { "segment": { "all": true } }, "dryRun": true }), "dryRun"),
    ] {
        let answer = desk.ask(create(&body)).await;
        assert_eq!(answer.problem(), (422, "invalid-body"), "{body}");
        assert_eq!(answer.fields(), fields, "{body}");
    }
    for (recipients, fields) in [
        (json!({}), "recipients"),
        (json!(7), "recipients"),
        (json!({ "guests": ["ann"], "upload": "x" }), "recipients"),
        (json!({ "all": true }), "recipients/all"),
        (json!({ "segment": {} }), "recipients/segment"),
        (json!({ "segment": { "all": true, "group": "vip" } }), "recipients/segment"),
    ] {
        let answer = desk.order(recipients.clone()).await;
        assert_eq!(
            (answer.problem(), answer.fields()),
            ((422, "invalid-body"), fields.into()),
            "{recipients}"
        );
    }
    assert_eq!(desk.ask(operator("POST", ALL).body("{}")).await.problem(), (415, "unsupported-media-type"));
    let garbage = operator("POST", ALL).header("content-type", "application/json").body("{");
    assert_eq!(desk.ask(garbage).await.problem(), (400, "invalid-json"));
    assert_eq!(desk.sent(), []);
}

#[tokio::test]
async fn an_upload_must_be_there_and_of_a_sensible_length() {
    let desk = Desk::open().await;
    for bytes in [None, Some(0), Some(MAX_LIST_BYTES + 1)] {
        *desk.stores.files.uploaded.lock().unwrap() = bytes;
        let answer = desk.order(json!({ "upload": UploadId::from_parts(1, 1).to_string() })).await;
        assert_eq!((answer.problem(), answer.fields()), ((422, "invalid-body"), "recipients/upload".into()));
    }
    let id = desk.with_chunks(1_024).await;
    let grant = desk.ask(one("GET", ONE, id)).await;
    assert_eq!(grant.body["progress"]["chunks"], 1_024);
}

#[tokio::test]
async fn an_upload_is_prepared_for_its_length() {
    let desk = Desk::open().await;
    let answer = desk.ask(operator("POST", UPLOADS).json(&json!({ "bytes": 4_711 }))).await;
    let upload = answer.body["upload"].as_str().unwrap();
    assert!(upload.parse::<UploadId>().is_ok());
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["url"], format!("https://jobs.example.com/uploads/{upload}.csv?bytes=4711"));
    assert_eq!((&answer.body["method"], &answer.body["bytes"]), (&json!("PUT"), &json!(4_711)));
    assert_eq!(answer.body["expireTime"], "2026-11-10T16:15:00Z");
    for bytes in [json!(0), json!(MAX_LIST_BYTES + 1), json!(-1), json!("1"), json!(null)] {
        let refused = desk.ask(operator("POST", UPLOADS).json(&json!({ "bytes": bytes }))).await;
        assert_eq!((refused.problem(), refused.fields()), ((422, "invalid-body"), "bytes".into()));
    }
}

#[tokio::test]
async fn progress_is_shown_as_chunks_are_done() {
    let desk = Desk::open().await;
    let id = desk.with_chunks(3).await;
    desk.stores.grants.planned(id, NOW).await.unwrap();
    desk.finish(id, 1, 5, &[(Reason::ClaimLimitReached, 2), (Reason::Duplicate, 1)]).await;
    desk.finish(id, 0, 4, &[(Reason::Duplicate, 3)]).await;
    let answer = desk.ask(one("GET", ONE, id)).await;
    assert_eq!(answer.body["status"], "running");
    let progress = json!({
        "chunks": 3, "doneChunks": 2, "recipients": 15, "issued": 9, "alreadyHeld": 2, "refused": { "duplicate": 4 },
    });
    assert_eq!(answer.body["progress"], progress);
    desk.finish(id, 2, 1, &[]).await;
    assert_eq!(desk.ask(one("GET", ONE, id)).await.body["status"], "done");
    for status in ["paused", "running"] {
        assert_eq!(desk.ask(patch(id, status)).await.problem(), (409, "grant-finished"));
    }
}

#[tokio::test]
async fn a_grant_that_failed_says_why() {
    let desk = Desk::open().await;
    let id = desk.with_chunks(3).await;
    desk.stores.grants.fail(id, Failure::ListChanged, NOW).await.unwrap();
    desk.stores.grants.fail(id, Failure::ListMissing, NOW).await.unwrap();
    let answer = desk.ask(one("GET", ONE, id)).await;
    assert_eq!((&answer.body["status"], &answer.body["failure"]), (&json!("failed"), &json!("list-changed")));
    assert_eq!(desk.ask(patch(id, "running")).await.problem(), (409, "grant-finished"));
}

#[tokio::test]
async fn a_grant_is_paused_and_goes_on_with_what_is_left() {
    let desk = Desk::open().await;
    let id = desk.with_chunks(3).await;
    desk.stores.grants.planned(id, NOW).await.unwrap();
    desk.finish(id, 1, 5, &[]).await;
    desk.sent();
    for _ in 0..2 {
        assert_eq!(desk.ask(patch(id, "paused")).await.body["status"], "paused");
        assert_eq!(desk.sent(), []);
    }
    for _ in 0..2 {
        assert_eq!(desk.ask(patch(id, "running")).await.body["status"], "running");
        let chunk = |number: u32| Work::Chunk {
            grant: id,
            number,
            range: u64::from(number) * CHUNK_BYTES..u64::from(number + 1) * CHUNK_BYTES,
        };
        assert_eq!(desk.sent(), [chunk(0), chunk(2)]);
    }
    for body in [json!({}), json!({ "status": "done" }), json!({ "status": 1 })] {
        let refused = desk.ask(one("PATCH", ONE, id).json(&body)).await;
        assert_eq!((refused.problem(), refused.fields()), ((422, "invalid-body"), "status".into()));
    }
}

#[tokio::test]
async fn a_report_names_lines_as_far_as_they_are_known() {
    let desk = Desk::open().await;
    let id = desk.with_chunks(3).await;
    let refusal = |line, guest: Option<&str>, reason| Refusal {
        line,
        guest: guest.map(|guest| guest.parse().unwrap()),
        reason,
    };
    let refusals = [refusal(0, None, Reason::InvalidGuestId), refusal(3, Some("ann"), Reason::CouponSoldOut)];
    *desk.stores.files.refusals.lock().unwrap() = Some(refusals.to_vec());
    let counted = [(Reason::InvalidGuestId, 1), (Reason::CouponSoldOut, 1)];
    desk.finish(id, 0, 8, &counted).await;
    desk.finish(id, 2, 8, &counted).await;
    let first = [
        json!({ "line": 1, "reason": "invalid-guest-id" }),
        json!({ "line": 4, "guestId": "ann", "reason": "coupon-sold-out" }),
    ];
    let third = |offset: Option<u64>| {
        let mut rows = first.clone();
        for (row, line) in rows.iter_mut().zip([1, 4]) {
            match offset {
                Some(offset) => row["line"] = json!(offset + line),
                None => drop(row.as_object_mut().unwrap().remove("line")),
            }
        }
        rows
    };
    let rows = async |limit: &str| {
        let (mut rows, mut request) = (Vec::new(), one("GET", REPORT, id).query("limit", limit));
        loop {
            let page = desk.ask(request).await;
            assert_eq!(page.status, 200, "{}", page.body);
            rows.extend(page.body["items"].as_array().unwrap().clone());
            let Some(next) = page.body["nextCursor"].as_str() else { return rows };
            request = one("GET", REPORT, id).query("limit", limit).query("cursor", next);
        }
    };
    for limit in ["1", "2", "3", "1000"] {
        assert_eq!(rows(limit).await, [first.clone(), third(None)].concat(), "{limit}");
    }
    desk.finish(id, 1, 7, &[]).await;
    assert_eq!(rows("3").await, [first.clone(), third(Some(17))].concat());
    *desk.stores.files.refusals.lock().unwrap() = None;
    assert_eq!(desk.ask(one("GET", REPORT, id)).await.problem(), (410, "report-expired"));
}

#[tokio::test]
async fn grants_are_listed_newest_first() {
    let desk = Desk::open().await;
    let mut expected = Vec::new();
    for guest in ["a", "b", "c", "d", "e"] {
        expected.insert(0, desk.order(json!({ "guests": [guest] })).await.body["id"].clone());
    }
    for limit in ["1", "2", "5", "50"] {
        let first = operator("GET", ALL).query("limit", limit);
        let pages = testing::pages("id", first, async |request| desk.ask(request).await).await;
        assert_eq!(pages.concat(), expected, "{limit}");
    }
}

#[tokio::test]
async fn pages_are_checked() {
    let desk = Desk::open().await;
    let id = desk.with_chunks(1).await;
    let ask = async |request| desk.ask(request).await;
    testing::assert_paging_is_checked(operator("GET", ALL), 50, ask).await;
    let ask = async |request| desk.ask(request).await;
    let limit = async |limit: &str| desk.ask(one("GET", REPORT, id).query("limit", limit)).await;
    assert_eq!(limit("1000").await.status, 200);
    assert_eq!(limit("1001").await.problem(), (400, "invalid-parameter"));
    for cursor in ["", "?", "Lg", "MS4", "LjE", "MS4tMQ", "MQ"] {
        let refused = ask(one("GET", REPORT, id).query("cursor", cursor)).await;
        assert_eq!(refused.problem(), (400, "invalid-cursor"), "{cursor}");
    }
}

#[tokio::test]
async fn a_grant_that_is_not_there_is_not_found() {
    let desk = Desk::open().await;
    let nobodys = GrantId::from_parts(1, 1).to_string();
    for id in [nobodys.as_str(), "x", ""] {
        let requests = [
            operator("GET", ONE),
            operator("GET", REPORT),
            operator("PATCH", ONE).json(&json!({ "status": "paused" })),
            operator("PATCH", ONE).json(&json!({ "status": "running" })),
        ];
        for request in requests {
            let answer = desk.ask(request.path("id", id)).await;
            assert_eq!(answer.problem(), (404, "grant-not-found"), "{id}");
        }
    }
}

#[tokio::test]
async fn only_admins_may_come_in() {
    let desk = Desk::open().await;
    for (method, route) in
        [("POST", ALL), ("GET", ALL), ("GET", ONE), ("PATCH", ONE), ("GET", REPORT), ("POST", UPLOADS)]
    {
        let request = || ApiRequest::new(method, route).path("id", "x");
        assert_eq!(desk.ask(request()).await.problem(), (401, "unauthenticated"));
        assert_eq!(desk.ask(request().caller("ann", &[])).await.problem(), (403, "forbidden"));
    }
    assert_eq!(desk.ask(operator("GET", "/v1/other")).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn faults_are_hidden() {
    let id = GrantId::from_parts(1, 1);
    let order = json!({ "templateId": template_id(1), "recipients": { "guests": ["ann"] } });
    let requests = || {
        [
            create(&order),
            create(&order).header("Idempotency-Key", "k"),
            operator("GET", ALL),
            one("GET", ONE, id),
            one("GET", REPORT, id),
            patch(id, "paused"),
            patch(id, "running"),
        ]
    };
    for request in requests() {
        let ask = async |client| Desk::at(client).ask(request.clone()).await;
        testing::assert_faults_are_hidden(ask).await;
    }
}
