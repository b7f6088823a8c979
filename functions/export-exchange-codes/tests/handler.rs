//! What becomes of a message, on an embedded table and with files that are kept in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use aws_sdk_dynamodb::Client;
use domain_coupon::StoreError;
use domain_exchange::{
    BatchSeed, CodeBatch, CodeBatchLookup, CodeBatchStatus, CodeBatchStore, CodeCount, CodeFiles, Label,
};
use domain_ids::CodeBatchId;
use exchange_dynamodb::ExchangeTable;
use export_exchange_codes::handler::{self, Press};
use serde_json::{Value, json};
use testing::{COUPON_TABLE, EmbeddedDynamoDb, Fault, NOW, sqs_event, template_id};

/// One file.
#[derive(Default)]
struct Desk {
    file: Mutex<Option<String>>,
    broken: AtomicBool,
}

impl CodeFiles for Desk {
    type Upload = Vec<u8>;

    const PART_BYTES: usize = 1_000;

    async fn begin(&self, _: &CodeBatch) -> Result<Vec<u8>, StoreError> {
        Ok(Vec::new())
    }

    async fn append(&self, upload: &mut Vec<u8>, part: Vec<u8>) -> Result<(), StoreError> {
        upload.extend(part);
        Ok(())
    }

    async fn finish(&self, upload: &mut Vec<u8>) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("the desk is gone".into()));
        }
        *self.file.lock().unwrap() = Some(String::from_utf8(upload.clone()).unwrap());
        Ok(())
    }

    async fn abandon(&self, _: Vec<u8>) {}
}

fn batch() -> CodeBatch {
    CodeBatch {
        id: "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap(),
        template: template_id(1),
        count: CodeCount::new(100).unwrap(),
        label: Label::new("双十一".into()).unwrap(),
        seed: BatchSeed::from_random(1),
        created_at: NOW,
        exported_at: None,
        disabled_at: None,
    }
}

fn press(client: Client) -> Press<ExchangeTable, Desk> {
    Press {
        batches: ExchangeTable::new(client, COUPON_TABLE.into()),
        files: Desk::default(),
        key: "0123456789abcdef0123456789abcdef".parse().unwrap(),
    }
}

async fn open() -> Press<ExchangeTable, Desk> {
    let press = press(EmbeddedDynamoDb::with_coupon_table().await.0.client());
    press.batches.add(&batch(), 100).await.unwrap();
    press
}

/// The messages that are reported.
async fn failed(press: &Press<ExchangeTable, Desk>, bodies: &[String]) -> Vec<String> {
    let response = handler::handle(press, NOW, sqs_event(bodies)).await.unwrap();
    response.failed().map(Into::into).collect()
}

fn asking_for(id: CodeBatchId) -> String {
    json!({ "batch": id }).to_string()
}

async fn status(press: &Press<ExchangeTable, Desk>) -> CodeBatchStatus {
    press.batches.batch(batch().serial()).await.unwrap().unwrap().status()
}

#[tokio::test]
async fn the_sample_event_exports_a_batch() {
    let press = open().await;
    let event = serde_json::from_value(testing::event("sqs/export-exchange-codes.json")).unwrap();
    let response = handler::handle(&press, NOW, event).await.unwrap();
    assert_eq!(response.failed().len(), 0);
    assert_eq!(status(&press).await, CodeBatchStatus::Ready);
    let file = press.files.file.lock().unwrap().clone().unwrap();
    assert!(file.starts_with("code\r\nCP1B0-00011-9XG8G-7VKQ4\r\n"), "{}", &file[..40]);
    assert_eq!(file.lines().count(), 101);
}

#[tokio::test]
async fn a_message_that_comes_twice_writes_the_same_file() {
    let press = open().await;
    assert!(failed(&press, &[asking_for(batch().id)]).await.is_empty());
    let first = press.files.file.lock().unwrap().take().unwrap();
    assert!(failed(&press, &[asking_for(batch().id)]).await.is_empty());
    assert_eq!(press.files.file.lock().unwrap().as_ref(), Some(&first));
}

#[tokio::test]
async fn an_export_that_fails_is_delivered_again() {
    let press = open().await;
    press.files.broken.store(true, Ordering::Relaxed);
    assert_eq!(failed(&press, &[asking_for(batch().id)]).await, ["m-0"]);
    assert_eq!(status(&press).await, CodeBatchStatus::Exporting);
    press.files.broken.store(false, Ordering::Relaxed);
    assert!(failed(&press, &[asking_for(batch().id)]).await.is_empty());
    assert_eq!(status(&press).await, CodeBatchStatus::Ready);
}

#[tokio::test]
async fn a_batch_that_was_revoked_is_done_without_a_file() {
    let press = open().await;
    press.batches.disable(batch().serial(), NOW).await.unwrap();
    assert!(failed(&press, &[asking_for(batch().id)]).await.is_empty());
    assert_eq!(press.files.file.lock().unwrap().as_ref(), None);
}

#[tokio::test]
async fn what_nobody_can_export_is_reported_and_stops_no_other() {
    let press = open().await;
    let bodies = [
        "",
        "{}",
        "[]",
        r#"{"batch": 7}"#,
        r#"{"batch": "01ka3z5qj8m4t2r7v9x1c6b0ng"}"#,
        &asking_for(CodeBatchId::from_parts(1, 1)),
        &asking_for(batch().id),
    ];
    let bodies = bodies.map(str::to_owned);
    assert_eq!(failed(&press, &bodies).await, ["m-0", "m-1", "m-2", "m-3", "m-4", "m-5"]);
    assert_eq!(status(&press).await, CodeBatchStatus::Ready);
}

#[tokio::test]
async fn a_table_that_fails_reports_the_message() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let press = press(fault.client());
        let response = handler::handle(&press, NOW, sqs_event(&[asking_for(batch().id)])).await.unwrap();
        let answer: Value = json!(response);
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-0" }] }), "{fault:?}");
    }
}
