//! Grants on an embedded table, and errors that it does not have.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use aws_sdk_dynamodb::{
    Client,
    error::ErrorMetadata,
    operation::{
        transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput},
        update_item::{UpdateItemError, UpdateItemOutput},
    },
    types::{
        AttributeValue, CancellationReason,
        error::{TransactionCanceledException, TransactionConflictException, TransactionInProgressException},
    },
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use domain_coupon::StoreError;
use domain_grant::{
    Chunk, Failure, Figures, Grant, GrantBook, GrantDesk, GrantKey, GrantShelf, ListFile, Outcome, Part,
    Reason, Recipients, Secret, Segment,
};
use domain_ids::GrantId;
use grant_dynamodb::GrantTable;
use jiff::SignedDuration;
use testing::{COUPON_TABLE, EmbeddedDynamoDb, NOW, template_id};

async fn table() -> (EmbeddedDynamoDb, GrantTable) {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = GrantTable::new(db.client(), name);
    (db, table)
}

fn id(n: u128) -> GrantId {
    GrantId::from_parts(1_794_326_400_000, n)
}

fn grant(n: u128, recipients: Recipients) -> Grant {
    Grant {
        id: id(n),
        template: template_id(1),
        recipients,
        secret: Secret::from_random([7; 16]),
        chunks: 0,
        planned: false,
        listed_to: None,
        paused: false,
        failure: None,
        done_chunks: 0,
        figures: Figures::default(),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn everyone(n: u128) -> Grant {
    grant(n, Recipients::Segment(Segment::All))
}

fn part(n: u32) -> Part {
    Part { file: format!("grants/x/part-{n}"), bytes: 74 }
}

fn outcome(issued: u64, refused: &[(Reason, u64)]) -> Outcome {
    let figures = Figures { issued, refused: refused.iter().copied().collect() };
    Outcome { lines: 9, figures, report: (!refused.is_empty()).then(|| "grants/x/chunk-0".into()) }
}

#[tokio::test]
async fn a_grant_reads_back() {
    let (_db, table) = table().await;
    let list = ListFile { key: "uploads/x.csv".into(), bytes: 4_711, tag: "\"t\"".into() };
    let group = Segment::Group("金卡".parse().unwrap());
    let grants = [
        everyone(1),
        Grant { chunks: 1, ..grant(2, Recipients::List(list)) },
        Grant {
            listed_to: Some("token".into()),
            failure: Some(Failure::SegmentUnreadable),
            paused: true,
            planned: true,
            done_chunks: 3,
            figures: outcome(7, &[(Reason::Duplicate, 2)]).figures,
            updated_at: NOW + SignedDuration::from_secs(1),
            ..grant(3, Recipients::Segment(group))
        },
    ];
    for grant in grants {
        assert!(table.create(&grant, None).await.unwrap());
        assert_eq!(table.grant(grant.id).await.unwrap(), Some(grant));
    }
    assert_eq!(table.grant(id(9)).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_orders_one_grant() {
    let (_db, table) = table().await;
    let key = GrantKey::new("eve", "k-1");
    assert_eq!(table.ordered(key).await.unwrap(), None);
    assert!(table.create(&everyone(1), Some(key)).await.unwrap());
    assert!(!table.create(&everyone(2), Some(key)).await.unwrap());
    assert_eq!(table.ordered(key).await.unwrap(), Some(id(1)));
    assert_eq!(table.grant(id(2)).await.unwrap(), None);
    assert_eq!(table.newest(None, 10).await.unwrap().items.len(), 1);
    assert!(table.create(&everyone(3), Some(GrantKey::new("mia", "k-1"))).await.unwrap());
}

#[tokio::test]
async fn a_part_is_added_by_one_of_those_who_list_it() {
    let (db, table) = table().await;
    table.create(&everyone(1), None).await.unwrap();
    assert!(table.add_part(id(1), 0, &part(0), Some("t-1"), NOW).await.unwrap());
    let other = Part { file: "grants/x/other".into(), bytes: 1 };
    assert!(!table.add_part(id(1), 0, &other, Some("t-9"), NOW).await.unwrap());
    assert!(!table.add_part(id(1), 2, &part(2), None, NOW).await.unwrap(), "a part is left out");
    let grant = table.grant(id(1)).await.unwrap().unwrap();
    assert_eq!((grant.chunks, grant.listed_to.as_deref(), grant.planned), (1, Some("t-1"), false));
    assert!(table.add_part(id(1), 1, &part(1), None, NOW).await.unwrap());
    let grant = table.grant(id(1)).await.unwrap().unwrap();
    assert_eq!((grant.chunks, grant.listed_to, grant.planned), (2, None, true));
    assert!(!table.add_part(id(1), 2, &part(2), None, NOW).await.unwrap(), "the listing has ended");
    let chunk = |number| Chunk { number, part: Some(part(number)), outcome: None };
    assert_eq!(table.chunks(id(1)).await.unwrap(), [chunk(0), chunk(1)]);
    assert_eq!(table.chunk(id(1), 1).await.unwrap(), Some(chunk(1)));
    assert_eq!(table.chunk(id(1), 2).await.unwrap(), None);
    let item = db.client().get_item().table_name(COUPON_TABLE);
    let item = item
        .key("pk", AttributeValue::S(format!("GRANT#{}", id(1))))
        .key("sk", AttributeValue::S("CHUNK#000000".into()))
        .send()
        .await
        .unwrap();
    let kept = (NOW + SignedDuration::from_hours(35 * 24)).as_second().to_string();
    assert_eq!(item.item().unwrap()["ttl"], AttributeValue::N(kept));
}

#[tokio::test]
async fn a_chunk_is_counted_once() {
    let (_db, table) = table().await;
    table.create(&everyone(1), None).await.unwrap();
    table.add_part(id(1), 0, &part(0), None, NOW).await.unwrap();
    let first = outcome(5, &[(Reason::Duplicate, 2), (Reason::CouponSoldOut, 1)]);
    let second = outcome(1, &[(Reason::Duplicate, 1)]);
    let later = NOW + SignedDuration::from_secs(5);
    assert!(table.finish(id(1), 0, &first, later).await.unwrap());
    assert!(!table.finish(id(1), 0, &second, NOW).await.unwrap());
    assert!(table.finish(id(1), 7, &second, later).await.unwrap());
    let grant = table.grant(id(1)).await.unwrap().unwrap();
    let figures = outcome(6, &[(Reason::Duplicate, 3), (Reason::CouponSoldOut, 1)]).figures;
    assert_eq!((grant.figures, grant.done_chunks, grant.updated_at), (figures, 2, later));
    let chunks = [
        Chunk { number: 0, part: Some(part(0)), outcome: Some(first) },
        Chunk { number: 7, part: None, outcome: Some(second) },
    ];
    assert_eq!(table.chunks(id(1)).await.unwrap(), chunks);
}

#[tokio::test]
async fn chunks_are_in_the_order_of_the_list_over_all_pages() {
    let (_db, table) = table().await;
    let long = |number: u32| Part { file: "x".repeat(20_000), bytes: u64::from(number) + 1 };
    table.create(&everyone(1), None).await.unwrap();
    // More than the megabyte of one page.
    for number in 0..60 {
        assert!(table.add_part(id(1), number, &long(number), Some("t"), NOW).await.unwrap());
    }
    let numbers: Vec<u32> = table.chunks(id(1)).await.unwrap().iter().map(|chunk| chunk.number).collect();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_is_noted_of_a_grant_that_is_not_there() {
    let (_db, table) = table().await;
    table.planned(id(1), NOW).await.unwrap();
    table.fail(id(1), Failure::ListMissing, NOW).await.unwrap();
    assert_eq!(table.set_paused(id(1), true, NOW).await.unwrap(), None);
    assert!(!table.add_part(id(1), 0, &part(0), None, NOW).await.unwrap());
    assert!(!table.finish(id(1), 0, &outcome(1, &[]), NOW).await.unwrap());
    assert_eq!((table.grant(id(1)).await.unwrap(), table.chunks(id(1)).await.unwrap()), (None, vec![]));
}

#[tokio::test]
async fn a_grant_is_planned_paused_and_failed() {
    let (_db, table) = table().await;
    table.create(&everyone(1), None).await.unwrap();
    for paused in [true, true, false] {
        assert_eq!(table.set_paused(id(1), paused, NOW).await.unwrap().unwrap().paused, paused);
    }
    table.planned(id(1), NOW).await.unwrap();
    table.planned(id(1), NOW).await.unwrap();
    table.fail(id(1), Failure::ListChanged, NOW).await.unwrap();
    table.fail(id(1), Failure::ListMissing, NOW).await.unwrap();
    let grant = table.grant(id(1)).await.unwrap().unwrap();
    assert_eq!((grant.planned, grant.failure), (true, Some(Failure::ListChanged)));
}

#[tokio::test]
async fn the_newest_grants_come_first() {
    let (_db, table) = table().await;
    for n in 1..=5 {
        table.create(&everyone(n), None).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = table.newest(after, 2).await.unwrap();
        seen.extend(page.items.into_iter().map(|grant| grant.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1].map(id));
}

fn mocked(rule: &Rule) -> GrantTable {
    GrantTable::new(mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [rule]), "coupons".into())
}

fn cancelled(codes: &[&str]) -> TransactWriteItemsError {
    let reasons = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
    TransactWriteItemsError::TransactionCanceledException(
        TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons)).build(),
    )
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_is_waited_for() {
    let rule = mock!(Client::transact_write_items)
        .sequence()
        .error(|| cancelled(&["None", "TransactionConflict"]))
        .times(3)
        .output(|| TransactWriteItemsOutput::builder().build())
        .build();
    assert!(mocked(&rule).finish(id(1), 0, &outcome(1, &[]), NOW).await.unwrap());
    assert_eq!(rule.num_calls(), 4);

    let conflict = || {
        let code = ErrorMetadata::builder().code("TransactionConflictException").build();
        let error = TransactionConflictException::builder().meta(code).build();
        UpdateItemError::TransactionConflictException(error)
    };
    let rule = mock!(Client::update_item)
        .sequence()
        .error(conflict)
        .times(3)
        .output(|| UpdateItemOutput::builder().build())
        .build();
    mocked(&rule).planned(id(1), NOW).await.unwrap();
    assert_eq!(rule.num_calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_told_from_what_passes() {
    let finish = async |codes: &'static [&str]| {
        let rule = mock!(Client::transact_write_items).then_error(|| cancelled(codes));
        mocked(&rule).finish(id(1), 0, &outcome(1, &[]), NOW).await
    };
    assert!(!finish(&["ConditionalCheckFailed", "None"]).await.unwrap());
    assert!(!finish(&["TransactionConflict", "ConditionalCheckFailed"]).await.unwrap());
    assert!(matches!(finish(&["None", "TransactionConflict"]).await, Err(StoreError::Throttled(_))));
    assert!(matches!(finish(&["None", "ThrottlingError"]).await, Err(StoreError::Throttled(_))));
    assert!(matches!(finish(&["None", "ValidationError"]).await, Err(StoreError::Unavailable(_))));
}

/// Sent again, it would be refused by what it has itself written.
#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_still_under_way_is_not_sent_again() {
    let rule = mock!(Client::transact_write_items).then_error(|| {
        let error = TransactionInProgressException::builder().build();
        TransactWriteItemsError::TransactionInProgressException(error)
    });
    let finished = mocked(&rule).finish(id(1), 0, &outcome(1, &[]), NOW).await;
    assert!(matches!(finished, Err(StoreError::Unavailable(_))), "{finished:?}");
    assert_eq!(rule.num_calls(), 1);
}
