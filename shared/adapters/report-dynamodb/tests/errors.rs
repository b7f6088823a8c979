//! What the SDK's errors become: an embedded table has no conflicts, no throttling and no outage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput},
    types::{
        CancellationReason,
        error::{TransactionCanceledException, TransactionInProgressException},
    },
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use domain_coupon::StoreError;
use domain_ids::{CouponId, Nth};
use domain_report::{CountError, Event, Fact, FactId, NotCounted, ReportShelf, Summary, count};
use report_dynamodb::ReportTable;
use testing::{Fault, NOW, template_id};

fn facts() -> Vec<Fact> {
    let fact = |guest: &str| {
        let coupon = CouponId::new(&guest.parse().unwrap(), template_id(1), Nth::MIN);
        Fact { id: FactId { coupon, revision: 2 }, event: Event::Locked, at: NOW, restock: false }
    };
    vec![fact("ann"), fact("bob")]
}

/// The first try is cancelled with these reasons, for two marks and a counter; the next one succeeds.
fn cancelled(codes: [&str; 3]) -> Rule {
    let reasons = codes.map(|code| CancellationReason::builder().code(code).build()).to_vec();
    mock!(Client::transact_write_items)
        .sequence()
        .error(move || {
            let error = TransactionCanceledException::builder();
            let error = error.set_cancellation_reasons(Some(reasons.clone()));
            TransactWriteItemsError::TransactionCanceledException(error.build())
        })
        .output(|| TransactWriteItemsOutput::builder().build())
        .build()
}

async fn counted(rule: &Rule) -> Result<Summary, NotCounted> {
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [rule]);
    count(&ReportTable::new(client, "coupons".into()), facts(), NOW, 1).await
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_transaction_tells_what_to_do_next() {
    let (known, conflicts) = (1, 1);
    let table = [
        (["None", "ConditionalCheckFailed", "None"], Summary { counted: 1, known, conflicts: 0 }),
        (
            ["ConditionalCheckFailed", "None", "TransactionConflict"],
            Summary { counted: 1, known, conflicts: 0 },
        ),
        (["None", "None", "TransactionConflict"], Summary { counted: 2, known: 0, conflicts }),
        (["TransactionConflict", "None", "ThrottlingError"], Summary { counted: 2, known: 0, conflicts }),
        (["None", "None", "ThrottlingError"], Summary { counted: 2, known: 0, conflicts: 0 }),
        (["ProvisionedThroughputExceeded", "None", "None"], Summary { counted: 2, known: 0, conflicts: 0 }),
    ];
    for (codes, summary) in table {
        let rule = cancelled(codes);
        assert_eq!(counted(&rule).await.unwrap(), summary, "{codes:?}");
        assert_eq!(rule.num_calls(), 2, "{codes:?}");
    }
    let all = cancelled(["ConditionalCheckFailed", "ConditionalCheckFailed", "None"]);
    assert_eq!(counted(&all).await.unwrap(), Summary { counted: 0, known: 2, conflicts: 0 });
    assert_eq!(all.num_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_still_under_way_is_waited_for() {
    let rule = mock!(Client::transact_write_items)
        .sequence()
        .error(|| {
            let error = TransactionInProgressException::builder();
            TransactWriteItemsError::TransactionInProgressException(error.build())
        })
        .output(|| TransactWriteItemsOutput::builder().build())
        .build();
    assert_eq!(counted(&rule).await.unwrap(), Summary { counted: 2, known: 0, conflicts: 1 });
}

#[tokio::test]
async fn a_reason_nobody_knows_is_an_outage_and_nothing_passes_for_counted() {
    let left = counted(&cancelled(["None", "None", "ValidationError"])).await.unwrap_err();
    assert!(matches!(left.error, CountError::Store(StoreError::Unavailable(_))));
    assert_eq!(left.facts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn throttling_is_told_from_an_outage() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let table = ReportTable::new(fault.client(), "coupons".into());
        let throttled = fault == Fault::Throttling;
        let left = count(&table, facts(), NOW, 1).await.unwrap_err();
        assert_eq!(matches!(left.error, CountError::Busy), throttled, "{left:?}");
        let hours = table.hours(template_id(1)).await.unwrap_err();
        assert_eq!(matches!(hours, StoreError::Throttled(_)), throttled, "{hours:?}");
        let template = table.has_template(template_id(1)).await.unwrap_err();
        assert_eq!(matches!(template, StoreError::Throttled(_)), throttled, "{template:?}");
    }
}
