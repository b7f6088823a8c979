//! What becomes of the messages of the import queue, on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use contracts::ImportStep;
use domain_coupon::StoreError;
use domain_homestay::{
    Datum, FileError, Import, ImportDesk, ImportFigures, ImportFile, ImportFiles, ImportFormat, ImportQueue,
    ImportShelf, ImportStatus, ImportStore, RefusedRow, ReportPart,
};
use domain_ids::{HomestayId, ImportId};
use homestay_dynamodb::HomestayTable;
use import_homestays::handler::{self, Stores};
use platform_batch::BatchResponse;
use serde_json::Value;
use testing::{EmbeddedDynamoDb, Fault, HOMESTAY_TABLE, NOW};

const HEADER: &str = "externalId,title,lat,lon,city,priceFen,roomType,capacity\n";

/// A file and its report, in memory.
#[derive(Debug, Default)]
struct Files {
    content: Vec<u8>,
    is_missing: AtomicBool,
    refused: Mutex<Vec<RefusedRow>>,
}

impl ImportFiles for Files {
    async fn read(&self, _: &ImportFile, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        if self.is_missing.load(Ordering::Relaxed) {
            return Err(FileError::Missing);
        }
        let place = |byte: u64| self.content.len().min(usize::try_from(byte).unwrap());
        Ok(self.content[place(range.start)..place(range.end)].to_vec())
    }

    async fn write_part(&self, _: ImportId, _: ReportPart, rows: &[RefusedRow]) -> Result<(), StoreError> {
        self.refused.lock().unwrap().extend_from_slice(rows);
        Ok(())
    }

    async fn read_part(&self, _: ImportId, _: ReportPart) -> Result<Vec<RefusedRow>, FileError> {
        unreachable!("steps do not read reports")
    }
}

#[derive(Debug, Default)]
struct Queue {
    sent: Mutex<VecDeque<ImportStep>>,
    fails: AtomicU32,
}

impl ImportQueue for Queue {
    async fn send(&self, import: ImportId, from: u64) -> Result<(), StoreError> {
        if self.fails.load(Ordering::Relaxed) > 0 {
            self.fails.fetch_sub(1, Ordering::Relaxed);
            return Err(StoreError::Unavailable("injected".into()));
        }
        self.sent.lock().unwrap().push_back(ImportStep { import, from });
        Ok(())
    }
}

struct World {
    stores: Stores<HomestayTable, Files, Queue>,
}

fn id() -> ImportId {
    "01M73303000000000000000000".parse().unwrap()
}

fn rows(count: usize) -> String {
    let row = |n: usize| format!("h{n},民宿{n},39.9,116.4,北京,{},double,2\n", n + 1);
    (0..count).map(row).collect::<Vec<_>>().concat()
}

impl World {
    async fn with(file: Vec<u8>) -> Self {
        let homestays = HomestayTable::new(
            EmbeddedDynamoDb::with_homestay_table().await.0.client(),
            HOMESTAY_TABLE.into(),
        );
        let bytes = file.len() as u64;
        let import = Import {
            id: id(),
            file: ImportFile { key: "imports/uploads/x".into(), bytes, tag: "t".into() },
            format: ImportFormat::Csv,
            source: "demo".parse().unwrap(),
            host: Some("ann".parse().unwrap()),
            datum: Datum::Gcj02,
            dry_run: false,
            status: ImportStatus::Running,
            failure: None,
            position: 0,
            lines: 0,
            figures: ImportFigures::default(),
            parts: Vec::new(),
            created_at: NOW,
            updated_at: NOW,
        };
        assert!(homestays.start(&import, None).await.unwrap());
        let files = Files { content: file, ..Files::default() };
        Self { stores: Stores { homestays, files, queue: Queue::default() } }
    }

    async fn deliver(&self, step: ImportStep, count: u32, has_time: bool) -> BatchResponse {
        let body = serde_json::to_string(&step).unwrap();
        let mut event: Value = testing::sqs_event(&[body]);
        event["Records"][0]["attributes"]["ApproximateReceiveCount"] = count.to_string().into();
        handler::handle(&self.stores, NOW, || has_time, serde_json::from_value(event).unwrap()).await.unwrap()
    }

    /// Delivers until the queue is empty.
    async fn finish(&self, has_time: bool) {
        while let Some(step) = { self.stores.queue.sent.lock().unwrap().pop_front() } {
            assert_eq!(self.deliver(step, 1, has_time).await, BatchResponse::new());
        }
    }

    async fn import(&self) -> Import {
        self.stores.homestays.import(id()).await.unwrap().unwrap()
    }

    async fn titles(&self, count: usize) -> Vec<Option<String>> {
        let ids: Vec<HomestayId> = (0..count).map(|n| format!("demo-h{n}").parse().unwrap()).collect();
        let stored = self.stores.homestays.stored(&ids).await.unwrap();
        stored.into_iter().map(|stored| stored.map(|stored| stored.homestay.title)).collect()
    }
}

fn first() -> ImportStep {
    ImportStep { import: id(), from: 0 }
}

#[tokio::test]
async fn the_sample_event_imports_a_file() {
    let file = format!("{HEADER}{}h1,,39.9,116.4,北京,1,double,2\n", rows(3));
    let world = World::with(file.clone().into_bytes()).await;
    let event = serde_json::from_value(testing::event("sqs/import-homestays.json")).unwrap();
    let response = handler::handle(&world.stores, NOW, || true, event).await.unwrap();
    assert_eq!(response, BatchResponse::new());
    let import = world.import().await;
    assert_eq!(
        (import.status, import.position, import.percent()),
        (ImportStatus::Done, file.len() as u64, 100)
    );
    assert_eq!(import.figures, ImportFigures { created: 3, refused: 1, ..ImportFigures::default() });
    assert_eq!(world.titles(3).await, ["民宿0", "民宿1", "民宿2"].map(|title| Some(title.to_owned())));
    let refused = world.stores.files.refused.lock().unwrap().clone();
    assert_eq!((refused.len(), refused[0].line, refused[0].errors[0].field.as_str()), (1, 5, "title"));
    assert!(world.stores.queue.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_step_without_time_stops_and_asks_for_the_next() {
    let world = World::with(format!("{HEADER}{}", rows(350)).into_bytes()).await;
    assert_eq!(world.deliver(first(), 1, false).await, BatchResponse::new());
    let begun = world.import().await;
    assert_eq!((begun.status, begun.figures.created), (ImportStatus::Running, 100));
    let next = ImportStep { import: id(), from: begun.position };
    assert_eq!(world.stores.queue.sent.lock().unwrap().iter().collect::<Vec<_>>(), [&next]);
    world.finish(false).await;
    let import = world.import().await;
    assert_eq!((import.status, import.figures.created, import.lines), (ImportStatus::Done, 350, 351));
    assert!(world.titles(350).await.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_message_that_comes_again_changes_nothing_and_finds_the_way() {
    let world = World::with(format!("{HEADER}{}", rows(150)).into_bytes()).await;
    world.stores.queue.fails.store(1, Ordering::Relaxed);
    let failed = world.deliver(first(), 1, false).await;
    assert_eq!(failed.failed().collect::<Vec<_>>(), ["m-0"], "the next step is not asked for");
    assert!(world.stores.queue.sent.lock().unwrap().is_empty());
    assert_eq!(world.deliver(first(), 2, false).await, BatchResponse::new());
    assert_eq!(world.stores.queue.sent.lock().unwrap().len(), 1);
    // A copy that the queue made by itself adds no second chain of steps.
    assert_eq!(world.deliver(first(), 1, false).await, BatchResponse::new());
    assert_eq!(world.stores.queue.sent.lock().unwrap().len(), 1);
    world.finish(true).await;
    let expected = ImportFigures { created: 150, ..ImportFigures::default() };
    assert_eq!(world.import().await.figures, expected);
    assert_eq!(world.deliver(first(), 2, true).await, BatchResponse::new());
    assert_eq!(world.import().await.figures, expected);
}

#[tokio::test]
async fn a_file_that_is_gone_or_poisoned_ends_the_import_and_not_the_queue() {
    let world = World::with(b"externalId,nonsense\n".to_vec()).await;
    assert_eq!(world.deliver(first(), 1, true).await, BatchResponse::new());
    let import = world.import().await;
    assert_eq!(import.status, ImportStatus::Failed);
    assert_eq!(import.failure.unwrap().column.as_deref(), Some("nonsense"));

    let world = World::with(rows(1).into_bytes()).await;
    world.stores.files.is_missing.store(true, Ordering::Relaxed);
    assert_eq!(world.deliver(first(), 1, true).await, BatchResponse::new());
    assert_eq!(world.import().await.status, ImportStatus::Failed);
}

#[tokio::test]
async fn what_nobody_can_do_is_reported() {
    let world = World::with(Vec::new()).await;
    let unknown = ImportStep { import: ImportId::from_parts(1, 1), from: 0 };
    assert_eq!(world.deliver(unknown, 1, true).await.failed().len(), 1);
    let event = testing::sqs_event(&["[]", "{\"import\": 1}", "x"]);
    let response = handler::handle(&world.stores, NOW, || true, event).await.unwrap();
    assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0", "m-1", "m-2"]);
}

#[tokio::test]
async fn an_outage_of_the_table_brings_the_message_again() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let homestays = HomestayTable::new(fault.client(), HOMESTAY_TABLE.into());
        let stores = Stores { homestays, files: Files::default(), queue: Queue::default() };
        let event = testing::sqs_event(&[serde_json::to_string(&first()).unwrap()]);
        let response = handler::handle(&stores, NOW, || true, event).await.unwrap();
        assert_eq!(response.failed().len(), 1, "{fault:?}");
    }
}
