//! What an operator gets, on an embedded table and an index in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::Client;
use domain_coupon::StoreError;
use domain_homestay::{
    Change, Facilities, GeoPoint, Homestay, IndexAdmin, IndexWriter, JobBook, JobKind, JobQueue, JobStage,
    NewHomestay, Pace, Rating, RoomType, RowState, Workshop,
};
use domain_ids::RebuildId;
use domain_money::Fen;
use homestay_dynamodb::HomestayTable;
use manage_search_index::handler::{self, Chance, Stores};
use serde_json::json;
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, HOMESTAY_TABLE, IndexFault, MemoryIndex, NOW};

const INDEX: &str = "/v1/admin/search-index";
const ALL: &str = "/v1/admin/search-index/rebuilds";
const ONE: &str = "/v1/admin/search-index/rebuilds/{id}";
const CANCEL: &str = "/v1/admin/search-index/rebuilds/{id}/cancel";
const BACK: &str = "/v1/admin/search-index/rebuilds/{id}/roll-back";
const COMPARE: &str = "/v1/admin/search-index/reconciliations";

/// Messages that wait, and whether more are taken.
#[derive(Debug, Default)]
struct Queue {
    sent: Mutex<Vec<(RebuildId, u32)>>,
    is_down: Mutex<bool>,
}

impl JobQueue for &Queue {
    async fn send(&self, id: RebuildId, step: u32) -> Result<(), StoreError> {
        if *self.is_down.lock().unwrap() {
            return Err(StoreError::Unavailable("injected: arn:aws:sqs".into()));
        }
        self.sent.lock().unwrap().push((id, step));
        Ok(())
    }
}

/// Where an operator works.
struct Desk {
    db: Option<EmbeddedDynamoDb>,
    stores: Stores<MemoryIndex, HomestayTable, &'static Queue>,
    requests: AtomicU64,
}

impl Desk {
    fn at(client: Client, db: Option<EmbeddedDynamoDb>) -> Self {
        let stores = Stores {
            index: MemoryIndex::with_live("a"),
            book: HomestayTable::new(client, HOMESTAY_TABLE.into()),
            queue: &*Box::leak(Box::<Queue>::default()),
        };
        Self { db, stores, requests: 0.into() }
    }

    async fn open() -> Self {
        let (db, _) = EmbeddedDynamoDb::with_homestay_table().await;
        Self::at(db.client(), Some(db))
    }

    async fn ask(&self, request: ApiRequest) -> Answer {
        let id = self.requests.fetch_add(1, Ordering::Relaxed).into();
        let answer = handler::handle(&self.stores, Chance { at: NOW, id }, request.build());
        Answer::of(answer.await.unwrap())
    }

    async fn rebuild(&self) -> String {
        let answer = self.ask(operator("POST", ALL)).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// Does what was asked for, as `reindex-homestays` would.
    async fn work_off(&self) {
        let table = HomestayTable::new(self.db.as_ref().unwrap().client(), HOMESTAY_TABLE.into());
        let shop = Workshop {
            index: self.stores.index.clone(),
            source: table.clone(),
            book: table,
            queue: self.stores.queue,
            pace: Pace::DEFAULT,
        };
        loop {
            let next = self.stores.queue.sent.lock().unwrap().pop();
            let Some((id, step)) = next else { return };
            shop.step(id, step, NOW, || true).await.unwrap();
        }
    }
}

fn operator(method: &str, route: &str) -> ApiRequest {
    ApiRequest::new(method, route).caller("eve", &["admin"])
}

fn one(method: &str, route: &str, id: &str) -> ApiRequest {
    operator(method, route).path("id", id)
}

fn homestay(id: &str) -> Homestay {
    let new = NewHomestay {
        title: "三里屯阳光大床房".to_owned(),
        subtitle: String::new(),
        info: String::new(),
        location: GeoPoint::new(39.936, 116.4546).unwrap(),
        city: "北京".to_owned(),
        district: String::new(),
        price: Fen::new(29_900),
        room_type: RoomType::Double,
        capacity: 2,
        facilities: Facilities::new(),
        cover: String::new(),
        row_state: RowState::Published,
        rating: Rating::default(),
        sales: 0,
    };
    Homestay::create(id.parse().unwrap(), "host-1".parse().unwrap(), new, NOW).unwrap()
}

#[tokio::test]
async fn only_operators_come_in() {
    let desk = Desk::open().await;
    let routes = [
        ("GET", INDEX),
        ("POST", ALL),
        ("GET", ALL),
        ("GET", ONE),
        ("POST", CANCEL),
        ("POST", BACK),
        ("POST", COMPARE),
    ];
    for (method, route) in routes {
        let request = || ApiRequest::new(method, route).path("id", "x");
        assert_eq!(desk.ask(request()).await.problem(), (401, "unauthenticated"), "{method} {route}");
        let host = request().caller("ann", &["host"]);
        assert_eq!(desk.ask(host).await.problem(), (403, "forbidden"), "{method} {route}");
    }
    assert_eq!(desk.ask(operator("PUT", ALL)).await.problem(), (404, "route-not-found"));
}

#[tokio::test]
async fn the_index_shows_its_generations_and_how_many_can_be_found() {
    let desk = Desk::open().await;
    desk.stores
        .index
        .apply(&[Change::of(&homestay("h-1")), Change::of(&homestay("h-2").deleted(NOW))])
        .await
        .unwrap();
    let answer = desk.ask(operator("GET", INDEX)).await;
    assert_eq!(answer.body, json!({ "generations": { "live": "a" }, "visible": 1 }));
    let id = desk.rebuild().await;
    desk.ask(operator("POST", COMPARE)).await;
    let answer = desk.ask(operator("GET", INDEX)).await;
    assert_eq!(answer.body["rebuild"]["id"], id.as_str());
    assert_eq!(answer.body["reconciliation"]["status"], "preparing");
}

#[tokio::test]
async fn an_index_without_a_live_generation_is_shown() {
    let desk = Desk {
        stores: Stores { index: MemoryIndex::default(), ..Desk::open().await.stores },
        ..Desk::open().await
    };
    assert_eq!(desk.ask(operator("GET", INDEX)).await.body, json!({ "generations": {} }));
}

#[tokio::test]
async fn a_rebuild_is_ordered_watched_and_rolled_back() {
    let desk = Desk::open().await;
    let ordered = desk.ask(operator("POST", ALL)).await;
    let id = ordered.body["id"].as_str().unwrap().to_owned();
    assert_eq!((ordered.status, ordered.header("location")), (202, Some(format!("{ALL}/{id}").as_str())));
    assert_eq!(ordered.body["status"], "preparing");
    assert_eq!(*desk.stores.queue.sent.lock().unwrap(), [(id.parse().unwrap(), 0)]);
    desk.work_off().await;
    let done = desk.ask(one("GET", ONE, &id)).await;
    assert_eq!((&done.body["status"], &done.body["progress"]["percent"]), (&json!("done"), &json!(100)));
    assert_eq!(done.body["replaced"], "a");
    for _ in 0..2 {
        let back = desk.ask(one("POST", BACK, &id)).await;
        assert_eq!((back.status, &back.body["rolledBackTime"]), (200, &json!("2026-11-10T16:00:00Z")));
    }
    assert_eq!(desk.stores.index.known().live.unwrap().as_str(), "a");
    let comparing = desk.stores.book.running(JobKind::Reconciliation).await.unwrap();
    assert!(comparing.is_some(), "a comparison follows");
    desk.work_off().await;
    assert_eq!(desk.ask(operator("GET", INDEX)).await.body["reconciliation"]["status"], "done");
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_the_same_job() {
    let desk = Desk::open().await;
    for route in [ALL, COMPARE] {
        let request = || operator("POST", route).header("Idempotency-Key", "k-1");
        let first = desk.ask(request()).await;
        let again = desk.ask(request()).await;
        assert_eq!((first.status, again.status), (202, 202));
        assert_eq!(
            (&first.body["id"], again.header("idempotent-replayed")),
            (&again.body["id"], Some("true"))
        );
        let bad = desk.ask(operator("POST", route).header("Idempotency-Key", "k 1")).await;
        assert_eq!(bad.problem(), (400, "invalid-idempotency-key"));
    }
}

#[tokio::test]
async fn of_each_kind_one_runs_at_a_time() {
    let desk = Desk::open().await;
    let id = desk.rebuild().await;
    let refused = desk.ask(operator("POST", ALL)).await;
    assert_eq!((refused.problem(), &refused.body["running"]), ((409, "rebuild-running"), &json!(id)));
    assert_eq!(desk.ask(operator("POST", COMPARE)).await.status, 202);
    assert_eq!(desk.ask(operator("POST", COMPARE)).await.problem(), (409, "reconciliation-running"));
    desk.work_off().await;
    desk.rebuild().await;
}

#[tokio::test]
async fn a_rebuild_is_cancelled_and_one_that_is_over_is_not() {
    let desk = Desk::open().await;
    let id = desk.rebuild().await;
    for _ in 0..2 {
        assert_eq!(desk.ask(one("POST", CANCEL, &id)).await.body["status"], "cancelled");
    }
    desk.work_off().await;
    let id = desk.rebuild().await;
    desk.work_off().await;
    assert_eq!(desk.ask(one("POST", CANCEL, &id)).await.problem(), (409, "rebuild-over"));
}

#[tokio::test]
async fn what_cannot_be_rolled_back_is_refused() {
    let desk = Desk::open().await;
    let first = desk.rebuild().await;
    assert_eq!(desk.ask(one("POST", BACK, &first)).await.problem(), (409, "rebuild-not-live"));
    desk.work_off().await;
    let second = desk.rebuild().await;
    desk.work_off().await;
    assert_eq!(desk.ask(one("POST", BACK, &first)).await.problem(), (409, "rebuild-not-live"));
    let job = desk.stores.book.job(second.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(job.stage, JobStage::Done);
    desk.stores.index.discard(&job.replaced.unwrap()).await.unwrap();
    assert_eq!(desk.ask(one("POST", BACK, &second)).await.problem(), (409, "nothing-to-roll-back-to"));
}

#[tokio::test]
async fn what_is_no_rebuild_is_not_found() {
    let desk = Desk::open().await;
    let comparison = desk.ask(operator("POST", COMPARE)).await.body["id"].as_str().unwrap().to_owned();
    for id in ["x", "01KA3Z5QJ8M4T2R7V9X1C6B0NG", &comparison] {
        for (method, route) in [("GET", ONE), ("POST", CANCEL), ("POST", BACK)] {
            assert_eq!(
                desk.ask(one(method, route, id)).await.problem(),
                (404, "rebuild-not-found"),
                "{route} {id}"
            );
        }
    }
}

#[tokio::test]
async fn rebuilds_are_listed_by_pages_the_newest_first() {
    let desk = Desk::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, json!(desk.rebuild().await));
        desk.work_off().await;
    }
    let first = operator("GET", ALL).query("limit", "2");
    let pages = testing::pages("id", first, async |request| desk.ask(request).await).await;
    assert_eq!(pages.concat(), ids);
    testing::assert_paging_is_checked(operator("GET", ALL), 100, async |request| desk.ask(request).await)
        .await;
}

#[tokio::test]
async fn an_outage_of_the_index_is_503_and_leaks_nothing() {
    let desk = Desk::open().await;
    for (fault, told) in [
        (IndexFault::Unreachable, (503, "try-again")),
        (IndexFault::Busy, (429, "too-many-requests")),
        (IndexFault::Corrupt, (503, "try-again")),
    ] {
        for before in [vec![], vec![None]] {
            desk.stores.index.fail_next(before.into_iter().chain([Some(fault)]));
            let answer = desk.ask(operator("GET", INDEX)).await;
            assert_eq!(answer.problem(), told, "{fault:?}");
            assert!(!format!("{answer:?}").contains("injected"));
        }
    }
}

#[tokio::test]
async fn an_outage_of_the_table_is_hidden() {
    for (method, route) in
        [("GET", INDEX), ("POST", ALL), ("GET", ALL), ("GET", ONE), ("POST", CANCEL), ("POST", BACK)]
    {
        testing::assert_faults_are_hidden(async |client| {
            let request = one(method, route, "01KA3Z5QJ8M4T2R7V9X1C6B0NG");
            Desk::at(client, None).ask(request).await
        })
        .await;
    }
}

#[tokio::test]
async fn what_was_ordered_while_the_queue_failed_is_found_by_its_key() {
    let desk = Desk::open().await;
    let request = || operator("POST", ALL).header("Idempotency-Key", "k-1");
    *desk.stores.queue.is_down.lock().unwrap() = true;
    assert_eq!(desk.ask(request()).await.problem(), (503, "try-again"));
    *desk.stores.queue.is_down.lock().unwrap() = false;
    assert_eq!(desk.ask(request()).await.header("idempotent-replayed"), Some("true"));
    assert_eq!(desk.stores.queue.sent.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_samples_are_understood() {
    let desk = Desk::open().await;
    for (sample, status) in [
        ("show", 200),
        ("rebuild", 202),
        ("list-rebuilds", 200),
        ("show-rebuild", 404),
        ("cancel-rebuild", 404),
        ("roll-back", 404),
        ("reconcile", 202),
    ] {
        let event = testing::event(&format!("api/manage-search-index-{sample}.json"));
        let id = desk.requests.fetch_add(1, Ordering::Relaxed).into();
        let answer =
            handler::handle(&desk.stores, Chance { at: NOW, id }, testing::request(event)).await.unwrap();
        assert_eq!(Answer::of(answer).status, status, "{sample}");
    }
}
