//! Rebuilds and comparisons through messages and the schedule, on an embedded table and an index in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::Mutex;

use aws_sdk_dynamodb::types::AttributeValue;
use contracts::RebuildStep;
use domain_coupon::StoreError;
use domain_homestay::{
    Change, Facilities, GenerationId, GeoPoint, Homestay, HomestayStore, IndexWriter, JobBook, JobKind,
    JobQueue, JobStage, NewHomestay, NewJob, Pace, Rating, RoomType, RowState, Workshop, generation_of,
    order_job,
};
use domain_ids::RebuildId;
use domain_money::Fen;
use homestay_dynamodb::HomestayTable;
use jiff::Timestamp;
use reindex_homestays::handler::{self, Chance, Event};
use serde_json::{Value, json};
use testing::{EmbeddedDynamoDb, Fault, HOMESTAY_TABLE, IndexFault, MemoryIndex, NOW, sqs_event};

/// Messages that wait, and whether more are taken.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Vec<(RebuildId, u32)>>,
    is_down: Mutex<bool>,
}

impl JobQueue for Queue {
    async fn send(&self, id: RebuildId, step: u32) -> Result<(), StoreError> {
        if *self.is_down.lock().unwrap() {
            return Err(StoreError::Unavailable("injected".into()));
        }
        self.waiting.lock().unwrap().push((id, step));
        Ok(())
    }
}

struct Reindexing {
    db: EmbeddedDynamoDb,
    shop: Workshop<MemoryIndex, HomestayTable, HomestayTable, Queue>,
}

impl Reindexing {
    async fn of(homestays: u32) -> Self {
        let (db, name) = EmbeddedDynamoDb::with_homestay_table().await;
        let table = HomestayTable::new(db.client(), name);
        for n in 0..homestays {
            assert!(table.insert(&homestay(&format!("h-{n}"))).await.unwrap());
        }
        let shop = Workshop {
            index: MemoryIndex::with_live("a"),
            source: table.clone(),
            book: table,
            queue: Queue::default(),
            pace: Pace { page: 3, rounds: 2 },
        };
        Self { db, shop }
    }

    async fn handle(&self, event: Event, at: Timestamp) -> Value {
        json!(handler::handle(&self.shop, Chance { at, id: 7 }, || true, event).await.unwrap())
    }

    async fn message(&self, id: RebuildId, step: u32) -> Value {
        let body = serde_json::to_string(&RebuildStep { rebuild: id, step }).unwrap();
        self.handle(sqs_event(&[body]), NOW).await
    }

    /// Delivers what waits until nothing does; says how many messages that were.
    async fn work_off(&self) -> u32 {
        let mut messages = 0;
        loop {
            let next = self.shop.queue.waiting.lock().unwrap().pop();
            let Some((id, step)) = next else { return messages };
            assert_eq!(self.message(id, step).await, failures(&[]));
            messages += 1;
        }
    }

    async fn order(&self, kind: JobKind) -> RebuildId {
        let new = NewJob { id: id(1), kind, key: None, at: NOW };
        order_job(&self.shop.book, &self.shop.queue, new).await.unwrap().job.id
    }
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

fn id(n: u128) -> RebuildId {
    RebuildId::from_parts(1_794_326_400_000, n)
}

fn live() -> GenerationId {
    "a".parse().unwrap()
}

fn failures(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

fn schedule() -> Event {
    serde_json::from_value(testing::event("schedule/reindex-homestays.json")).unwrap()
}

#[tokio::test]
async fn a_rebuild_goes_from_message_to_message_to_its_end() {
    let world = Reindexing::of(50).await;
    let id = world.order(JobKind::Rebuild).await;
    let messages = world.work_off().await;
    assert!(messages > 10, "{messages}");
    let job = world.shop.book.job(id).await.unwrap().unwrap();
    assert_eq!((job.stage, job.figures.scanned, job.figures.repaired), (JobStage::Done, 50, 0));
    assert_eq!(world.shop.index.known().live, Some(generation_of(id)));
    assert_eq!(world.shop.index.contents(&generation_of(id)).len(), 50);
}

#[tokio::test]
async fn the_schedule_orders_a_comparison_that_repairs() {
    let world = Reindexing::of(20).await;
    world.shop.index.apply(&[Change::of(&homestay("x-1"))]).await.unwrap();
    assert_eq!(world.handle(schedule(), NOW).await, failures(&[]));
    world.work_off().await;
    let latest = world.shop.book.latest(JobKind::Reconciliation, None, 1).await.unwrap();
    let job = &latest.items[0];
    assert_eq!((&job.stage, job.figures.repaired), (&JobStage::Done, 21));
    assert_eq!(world.shop.index.contents(&live()).len(), 20);
}

#[tokio::test]
async fn an_item_that_nobody_understands_is_counted_and_keeps_no_other_from_being_found() {
    let world = Reindexing::of(9).await;
    let key = |id: &str| AttributeValue::S(format!("HOMESTAY#{id}"));
    let update = world.db.client().update_item().table_name(HOMESTAY_TABLE);
    update
        .key("pk", key("h-3"))
        .key("sk", AttributeValue::S("HOMESTAY".into()))
        .update_expression("REMOVE title")
        .send()
        .await
        .unwrap();
    world.shop.index.apply(&[Change::of(&homestay("h-3"))]).await.unwrap();
    world.handle(schedule(), NOW).await;
    world.work_off().await;
    let contents = world.shop.index.contents(&live());
    assert_eq!((contents.len(), contents.values().all(|(_, document)| document.is_some())), (9, true));
    let id = world.order(JobKind::Rebuild).await;
    world.work_off().await;
    let job = world.shop.book.job(id).await.unwrap().unwrap();
    assert_eq!((job.stage, job.figures.scanned), (JobStage::Done, 8));
    assert!(job.figures.unreadable > 0);
}

#[tokio::test]
async fn while_the_index_or_the_queue_fails_the_message_comes_again() {
    let world = Reindexing::of(9).await;
    let id = world.order(JobKind::Rebuild).await;
    for fault in [IndexFault::Unreachable, IndexFault::Busy] {
        world.shop.index.fail_next([Some(fault)]);
        assert_eq!(world.message(id, 0).await, failures(&["m-0"]), "{fault:?}");
    }
    *world.shop.queue.is_down.lock().unwrap() = true;
    assert_eq!(world.message(id, 0).await, failures(&["m-0"]));
    *world.shop.queue.is_down.lock().unwrap() = false;
    // The step was done, but the next one not asked for: the repeat does.
    world.shop.queue.waiting.lock().unwrap().clear();
    assert_eq!(world.message(id, 0).await, failures(&[]));
    assert_eq!(*world.shop.queue.waiting.lock().unwrap(), [(id, 1)]);
    world.work_off().await;
    assert_eq!(world.shop.index.known().live, Some(generation_of(id)));
}

#[tokio::test]
async fn a_message_that_nobody_can_read_or_of_a_job_that_is_not_there_becomes_a_dead_letter() {
    let world = Reindexing::of(1).await;
    let unknown = serde_json::to_string(&RebuildStep { rebuild: id(9), step: 0 }).unwrap();
    let event = sqs_event(&["?", "{}", unknown.as_str()]);
    assert_eq!(world.handle(event, NOW).await, failures(&["m-0", "m-1", "m-2"]));
}

#[tokio::test]
async fn in_an_outage_of_the_table_messages_come_again_and_the_schedule_fails() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = HomestayTable::new(fault.client(), HOMESTAY_TABLE.into());
        let shop = Workshop {
            index: MemoryIndex::with_live("a"),
            source: table.clone(),
            book: table,
            queue: Queue::default(),
            pace: Pace::DEFAULT,
        };
        let chance = Chance { at: NOW, id: 7 };
        let body = serde_json::to_string(&RebuildStep { rebuild: id(1), step: 0 }).unwrap();
        let response = handler::handle(&shop, chance, || true, sqs_event(&[body])).await.unwrap();
        assert_eq!(json!(response), failures(&["m-0"]), "{fault:?}");
        let error = handler::handle(&shop, chance, || true, schedule()).await.unwrap_err();
        assert!(error.is_retryable(), "{fault:?}");
    }
}

#[tokio::test]
async fn the_samples_are_understood() {
    let world = Reindexing::of(1).await;
    let event = testing::event("sqs/reindex-homestays.json");
    let body: RebuildStep = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    let new = NewJob { id: body.rebuild, kind: JobKind::Rebuild, key: None, at: NOW };
    order_job(&world.shop.book, &world.shop.queue, new).await.unwrap();
    assert_eq!(world.handle(serde_json::from_value(event).unwrap(), NOW).await, failures(&[]));
    assert_eq!(world.shop.book.job(body.rebuild).await.unwrap().unwrap().step, 1);
}
