//! What the SDK's errors become: an embedded table has no conflicts, no throttling and no outage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::{
    Client,
    operation::{
        batch_get_item::BatchGetItemOutput,
        get_item::GetItemError,
        transact_write_items::TransactWriteItemsError,
        update_item::{UpdateItemError, UpdateItemOutput},
    },
    types::{
        AttributeValue, CancellationReason, KeysAndAttributes,
        error::{
            ProvisionedThroughputExceededException, TransactionCanceledException,
            TransactionConflictException,
        },
    },
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use coupon_dynamodb::CouponTable;
use domain_coupon::{ClaimStore, CouponShelf, Issue, RefillStore, Shard, StoreError, TemplateShelf};

fn table(rules: &[&Rule]) -> CouponTable {
    CouponTable::new(mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules), "coupons".into())
}

fn cancelled(codes: [&str; 2]) -> Rule {
    let reasons = codes.map(|code| CancellationReason::builder().code(code).build()).to_vec();
    mock!(Client::transact_write_items).then_error(move || {
        let error = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons.clone()));
        TransactWriteItemsError::TransactionCanceledException(error.build())
    })
}

async fn issue(rule: Rule) -> Result<Issue, StoreError> {
    table(&[&rule]).issue(&testing::coupon("ann", 1), Some(Shard(0)), None).await
}

#[tokio::test]
async fn a_cancelled_transaction_tells_why() {
    let outcomes = [
        (["None", "ConditionalCheckFailed"], Issue::ShardEmpty),
        (["None", "TransactionConflict"], Issue::Conflict),
        (["TransactionConflict", "ConditionalCheckFailed"], Issue::Conflict),
        (["None", "ThrottlingError"], Issue::Throttled),
        (["ProvisionedThroughputExceeded", "None"], Issue::Throttled),
    ];
    for (codes, expected) in outcomes {
        assert_eq!(issue(cancelled(codes)).await.unwrap(), expected, "{codes:?}");
    }
}

#[tokio::test]
async fn a_reason_nobody_knows_is_an_outage_and_never_sold_out() {
    let outcome = issue(cancelled(["None", "ValidationError"])).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

#[tokio::test]
async fn throttling_is_told_from_an_outage() {
    let throttled = mock!(Client::get_item).then_error(|| {
        let error = ProvisionedThroughputExceededException::builder();
        let metadata = aws_smithy_types::error::ErrorMetadata::builder()
            .code("ProvisionedThroughputExceededException")
            .build();
        GetItemError::ProvisionedThroughputExceededException(error.meta(metadata).build())
    });
    let id = testing::template(1).id;
    let read = TemplateShelf::template(&table(&[&throttled]), id).await;
    assert!(matches!(read, Err(StoreError::Throttled(_))), "{read:?}");

    let down = mock!(Client::get_item).sequence().http_status(500, None).repeatedly().build();
    let read = TemplateShelf::template(&table(&[&down]), id).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_top_up_waits_for_the_claims_in_its_way() {
    let busy = mock!(Client::update_item)
        .sequence()
        .error(|| {
            let metadata = aws_smithy_types::error::ErrorMetadata::builder()
                .code("TransactionConflictException")
                .build();
            UpdateItemError::TransactionConflictException(
                TransactionConflictException::builder().meta(metadata).build(),
            )
        })
        .times(6)
        .output(|| UpdateItemOutput::builder().build())
        .build();
    let template = testing::template(1);
    table(&[&busy]).raise_shards(&template).await.unwrap();
    assert_eq!(busy.num_calls(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_not_read_never_passes_for_empty() {
    let unread = mock!(Client::batch_get_item)
        .sequence()
        .output(|| {
            let keys = KeysAndAttributes::builder()
                .keys([("pk".into(), AttributeValue::S("x".into()))].into())
                .build()
                .unwrap();
            BatchGetItemOutput::builder().unprocessed_keys("coupons", keys).build()
        })
        .repeatedly()
        .build();
    let read = table(&[&unread]).open_shards(testing::template(1).id, &[Shard(0)]).await;
    assert!(matches!(read, Err(StoreError::Throttled(_))), "{read:?}");
    assert_eq!(unread.num_calls(), 4);
}

#[tokio::test]
async fn an_item_of_other_hands_is_corrupt_and_no_panic() {
    let odd = mock!(Client::get_item).then_output(|| {
        let item = [("code".to_owned(), AttributeValue::Bool(true))].into();
        aws_sdk_dynamodb::operation::get_item::GetItemOutput::builder().set_item(Some(item)).build()
    });
    let coupon = testing::coupon("ann", 1);
    let read = table(&[&odd]).coupon(&coupon.guest, coupon.id).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
}
