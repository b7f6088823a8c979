//! Batches on a real (embedded) table, and what the SDK's errors become.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, CancellationReason, error::TransactionCanceledException},
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use domain_coupon::{Page, StoreError};
use domain_exchange::{Added, BatchSeed, CodeBatch, CodeBatchLookup, CodeBatchStore, CodeCount, Label};
use domain_ids::CodeBatchId;
use exchange_dynamodb::ExchangeTable;
use jiff::SignedDuration;
use testing::{EmbeddedDynamoDb, Fault, NOW, template_id};

fn batch(n: u32, count: u32) -> CodeBatch {
    CodeBatch {
        id: CodeBatchId::from_parts(1_794_000_000_000 + u64::from(n), n.into()),
        template: template_id(1),
        count: CodeCount::new(count).unwrap(),
        label: Label::new("双十一".into()).unwrap(),
        seed: BatchSeed::from_random(n.into()),
        created_at: NOW,
        exported_at: None,
        disabled_at: None,
    }
}

async fn table() -> ExchangeTable {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    ExchangeTable::new(db.client(), name)
}

#[tokio::test]
async fn a_batch_reads_back_in_each_of_its_states() {
    let table = table().await;
    let ordered = batch(1, 10);
    assert_eq!(table.add(&ordered, 10).await.unwrap(), Added::Added);
    let read = async || table.batch(ordered.serial()).await.unwrap().unwrap();
    assert_eq!(read().await, ordered);
    assert_eq!(table.batch(batch(2, 1).serial()).await.unwrap(), None);

    assert!(table.mark_exported(ordered.serial(), NOW).await.unwrap());
    let ready = CodeBatch { exported_at: Some(NOW), ..ordered.clone() };
    assert_eq!(read().await, ready);
    let disabled = CodeBatch { disabled_at: Some(NOW), ..ready };
    assert_eq!(table.disable(ordered.serial(), NOW).await.unwrap(), Some(disabled.clone()));
    let later = NOW + SignedDuration::from_secs(1);
    assert_eq!(table.disable(ordered.serial(), later).await.unwrap(), Some(disabled.clone()), "once");
    assert!(!table.mark_exported(ordered.serial(), later).await.unwrap());
    assert_eq!(read().await, disabled);
}

#[tokio::test]
async fn what_does_not_exist_is_not_changed_into_being() {
    let table = table().await;
    let serial = batch(1, 1).serial();
    assert!(!table.mark_exported(serial, NOW).await.unwrap());
    assert_eq!(table.disable(serial, NOW).await.unwrap(), None);
    assert_eq!(table.batch(serial).await.unwrap(), None);
}

#[tokio::test]
async fn a_serial_is_given_once() {
    let table = table().await;
    let first = batch(1, 10);
    table.add(&first, 100).await.unwrap();
    let rival = CodeBatch { template: template_id(2), seed: BatchSeed::from_random(9), ..first.clone() };
    for most in [100, 10] {
        assert_eq!(table.add(&rival, most).await.unwrap(), Added::SerialTaken(Box::new(first.clone())));
    }
    assert_eq!(table.batches(template_id(2), None, 10).await.unwrap().items, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_at_once_never_have_more_codes_than_the_template_allows() {
    let table = table().await;
    let mut orders = tokio::task::JoinSet::new();
    for n in 0..50 {
        let table = table.clone();
        orders.spawn(async move { table.add(&batch(n, 100), 1_050).await.unwrap() });
    }
    let outcomes = orders.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Added::Added).count(), 10);
    let refused = |outcome: &&Added| matches!(outcome, Added::TooMany { .. });
    assert_eq!(outcomes.iter().filter(refused).count(), 40);
    let more = async |count| table.add(&batch(99, count), 1_050).await.unwrap();
    assert_eq!(more(51).await, Added::TooMany { ordered: 1_000 });
    assert_eq!(more(2_000).await, Added::TooMany { ordered: 1_000 }, "more than there may be at all");
    assert_eq!(more(50).await, Added::Added);
}

#[tokio::test]
async fn the_batches_of_a_template_are_listed_newest_first() {
    let table = table().await;
    for n in 0..5 {
        table.add(&batch(n, 1), 100).await.unwrap();
    }
    let elsewhere = CodeBatch { template: template_id(2), ..batch(9, 1) };
    table.add(&elsewhere, 100).await.unwrap();
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let Page { items, next } = table.batches(template_id(1), after, 2).await.unwrap();
        listed.extend(items);
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, (0..5).rev().map(|n| batch(n, 1)).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_fault_is_an_error_and_no_answer() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = ExchangeTable::new(fault.client(), "coupons".into());
        let batch = batch(1, 1);
        let errors = [
            table.batch(batch.serial()).await.unwrap_err(),
            table.add(&batch, 1).await.unwrap_err(),
            table.add(&batch, 0).await.unwrap_err(),
            table.mark_exported(batch.serial(), NOW).await.unwrap_err(),
            table.disable(batch.serial(), NOW).await.unwrap_err(),
            table.batches(batch.template, None, 1).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(matches!(error, StoreError::Throttled(_)), fault == Fault::Throttling, "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_order_tells_why() {
    let add = async |codes: [&'static str; 3]| {
        let rule = mock!(Client::transact_write_items).then_error(move || {
            let reasons = codes.map(|code| CancellationReason::builder().code(code).build()).to_vec();
            let error = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons));
            TransactWriteItemsError::TransactionCanceledException(error.build())
        });
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rule]);
        ExchangeTable::new(client, "coupons".into()).add(&batch(1, 1), 1).await
    };
    assert_eq!(add(["None", "TransactionConflict", "None"]).await.unwrap(), Added::Conflict);
    let throttled = add(["None", "None", "ThrottlingError"]).await;
    assert!(matches!(throttled, Err(StoreError::Throttled(_))), "{throttled:?}");
    let unknown = add(["None", "ValidationError", "None"]).await;
    assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
    let nameless = add(["ConditionalCheckFailed", "None", "None"]).await;
    assert!(matches!(nameless, Err(StoreError::Corrupt(_))), "{nameless:?}");
}

#[tokio::test]
async fn an_item_of_other_hands_is_corrupt() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = ExchangeTable::new(db.client(), name.clone());
    let damage = async |n: u32, attribute: &str, value: AttributeValue| {
        table.add(&batch(n, 1), 100).await.unwrap();
        let serial = batch(n, 1).serial();
        db.client()
            .update_item()
            .table_name(&name)
            .key("pk", AttributeValue::S(format!("CODEBATCH#{serial}")))
            .key("sk", AttributeValue::S("CODEBATCH".into()))
            .update_expression("SET #a = :v")
            .expression_attribute_names("#a", attribute)
            .expression_attribute_values(":v", value)
            .send()
            .await
            .unwrap();
        table.batch(serial).await
    };
    let number = |n: u32| AttributeValue::N(n.to_string());
    let text = || AttributeValue::S("x".into());
    let damages =
        [("count", number(0)), ("count", number(1_000_001)), ("createdAt", text()), ("seed", text())];
    for (n, (attribute, value)) in (0..).zip(damages) {
        let read = damage(n, attribute, value).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{attribute}: {read:?}");
    }
}
