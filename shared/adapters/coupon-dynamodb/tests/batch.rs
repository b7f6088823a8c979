//! Several claims in one transaction, on a real (embedded) table: conditions, cancellation reasons, units.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, error::TransactionCanceledException},
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use coupon_dynamodb::{CouponTable, Units};
use domain_coupon::{
    BatchClaimStore, BatchIssue, ClaimCoupon, ClaimError, ClaimKey, ClaimStore, Claimed, CodeUse, Coupon,
    CouponCode, CouponShelf, Issue, MAX_BATCH, RefillStore, SaleMemory, Shard, Source, Stock, Template,
    TemplateChange, TemplateShelf, TemplateStore, change_template, claim, claim_batch,
};
use domain_ids::{CodeBatchId, CouponId, GuestId, Nth};
use testing::{EmbeddedDynamoDb, stock};

const SHARD: Shard = Shard(0);

async fn selling(template: &Template) -> (EmbeddedDynamoDb, CouponTable) {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    table.insert(template).await.unwrap();
    table.consumed().take();
    (db, table)
}

fn sharded(total: u32, shards: u16) -> Template {
    Template { stock: stock(total, shards), ..testing::template(total) }
}

fn guest(number: u32) -> GuestId {
    format!("guest-{number}").parse().unwrap()
}

fn coupons(numbers: impl IntoIterator<Item = u32>) -> Vec<Coupon> {
    let sample = testing::coupon("ann", 1);
    let coupon = |number| Coupon {
        id: CouponId::new(&guest(number), sample.template(), Nth::MIN),
        guest: guest(number),
        code: CouponCode::from_random(number.into()),
        ..sample.clone()
    };
    numbers.into_iter().map(coupon).collect()
}

fn command(template: &Template, number: u32, request: u32) -> ClaimCoupon {
    let (guest, seed) = (guest(number), u64::from(request));
    ClaimCoupon {
        template: template.id,
        source: Source::Queue,
        campaign: None,
        exchange: None,
        key: Some(ClaimKey::new(&guest, template.id, &format!("queue:{number}"))),
        guest,
        code: CouponCode::from_random(
            u128::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835),
        ),
        at: template.starts_at,
        seed,
    }
}

/// Two units a coupon and two for the shard, 2.2 a coupon; and one a coupon for the index by expiry.
#[tokio::test]
async fn ten_coupons_cost_two_and_a_fifth_write_units_each_and_one_of_the_index() {
    let template = sharded(100, 4);
    let (_db, table) = selling(&template).await;
    let memory = SaleMemory::default();
    let ten: Vec<ClaimCoupon> = (0..10).map(|n| command(&template, n, n)).collect();
    let issued = claim_batch(&table, &memory, &ten).await;
    assert!(issued.iter().all(|claimed| claimed.as_ref().is_ok_and(|claimed| !claimed.replayed)));
    assert_eq!(table.consumed().take(), Units::whole(1, 22 + 10));
    assert_eq!(table.remaining(&template).await.unwrap(), Some(90));
    for (command, claimed) in ten.iter().zip(issued) {
        let coupon = claimed.unwrap().coupon;
        assert_eq!(
            (&coupon.guest, coupon.code, coupon.source),
            (&command.guest, command.code, Source::Queue)
        );
        assert_eq!(table.coupon(&coupon.guest, coupon.id).await.unwrap(), Some(coupon));
    }
}

#[tokio::test]
async fn one_of_the_guests_holds_a_coupon_and_nothing_is_written() {
    let template = sharded(100, 1);
    let (_db, table) = selling(&template).await;
    assert_eq!(table.issue(&coupons([3])[0], Some(SHARD), None).await.unwrap(), Issue::Issued);
    assert_eq!(table.issue(&coupons([7])[0], Some(SHARD), None).await.unwrap(), Issue::Issued);
    let held = table.issue_batch(&coupons(0..10), SHARD, 100).await.unwrap();
    assert_eq!(held, BatchIssue::Held(vec![3, 7]));
    assert_eq!(table.remaining(&template).await.unwrap(), Some(98));
    let free = coupons((0..10).filter(|n| ![3, 7].contains(n)));
    assert_eq!(table.issue_batch(&free, SHARD, 100).await.unwrap(), BatchIssue::Issued);
    assert_eq!(table.remaining(&template).await.unwrap(), Some(90));
}

#[tokio::test]
async fn a_shard_that_is_short_gives_nothing_to_a_batch_and_the_rest_to_single_claims() {
    let template = sharded(12, 1);
    let (_db, table) = selling(&template).await;
    assert_eq!(table.issue_batch(&coupons(0..10), SHARD, 12).await.unwrap(), BatchIssue::Issued);
    assert_eq!(table.issue_batch(&coupons(10..13), SHARD, 12).await.unwrap(), BatchIssue::ShardShort);
    assert_eq!(table.remaining(&template).await.unwrap(), Some(2));
    assert_eq!(table.issue_batch(&coupons(10..12), SHARD, 12).await.unwrap(), BatchIssue::Issued);
    assert_eq!(table.issue_batch(&coupons([12]), SHARD, 12).await.unwrap(), BatchIssue::ShardShort);
    assert_eq!(table.issue_batch(&coupons(0..10), SHARD, 9).await.unwrap(), BatchIssue::ShardShort);
    assert_eq!(table.issue_batch(&[], SHARD, 0).await.unwrap(), BatchIssue::Issued);
    assert_eq!(table.remaining(&template).await.unwrap(), Some(0));
}

/// Whoever has not seen a top-up yet takes the shard for smaller than it is; whoever has, for bigger while the shard
/// waits for its share.
#[tokio::test]
async fn what_a_batch_knows_of_the_capacity_may_be_old_but_not_too_new() {
    let template = sharded(10, 1);
    let (_db, table) = selling(&template).await;
    assert_eq!(table.issue_batch(&coupons(0..5), SHARD, 20).await.unwrap(), BatchIssue::ShardShort);
    assert_eq!(table.remaining(&template).await.unwrap(), Some(10));
    let more = TemplateChange { total_count: Some(20), ..TemplateChange::default() };
    let more = change_template(&table, template.id, 1, more, template.starts_at).await.unwrap();
    table.raise_shards(&more).await.unwrap();
    assert_eq!(table.issue_batch(&coupons(0..5), SHARD, 10).await.unwrap(), BatchIssue::Issued);
    assert_eq!(table.issue_batch(&coupons(5..15), SHARD, 20).await.unwrap(), BatchIssue::Issued);
    assert_eq!(table.remaining(&more).await.unwrap(), Some(5));
}

#[tokio::test]
async fn an_exchange_code_is_good_for_one_coupon() {
    let template = sharded(10, 1);
    let (_db, table) = selling(&template).await;
    let code = CodeUse { batch: CodeBatchId::from_parts(1, 1), index: 7 };
    let two = coupons(0..2);
    assert_eq!(table.issue(&two[0], Some(SHARD), Some(code)).await.unwrap(), Issue::Issued);
    assert_eq!(table.consumed().take(), Units::whole(0, 6 + 1), "and the index by expiry");
    assert_eq!(table.issue(&two[1], Some(SHARD), Some(code)).await.unwrap(), Issue::CodeUsed);
    assert_eq!(
        table.issue(&two[0], Some(SHARD), Some(code)).await.unwrap(),
        Issue::Held(Box::new(two[0].clone())),
        "a repeat by the same guest"
    );
    assert_eq!(table.issue(&two[1], None, Some(code)).await.unwrap(), Issue::CodeUsed, "unlimited stock");
    assert_eq!(table.remaining(&template).await.unwrap(), Some(9));
}

#[tokio::test]
async fn claims_on_unlimited_stock_are_issued_singly() {
    let template = Template { stock: Stock::Unlimited, ..testing::template(1) };
    let (_db, table) = selling(&template).await;
    let ten: Vec<ClaimCoupon> = (0..10).map(|n| command(&template, n, n)).collect();
    let issued = claim_batch(&table, &SaleMemory::default(), &ten).await;
    assert!(issued.iter().all(Result::is_ok));
    assert_eq!(table.consumed().take(), Units::whole(1, 2 * 10));
}

#[tokio::test]
async fn each_of_a_guest_s_claims_is_answered_as_if_it_came_alone() {
    let template = Template { per_user_limit: 2, ..sharded(10, 2) };
    let (_db, table) = selling(&template).await;
    let keyed = |key: &str, request| ClaimCoupon {
        key: Some(ClaimKey::new(&guest(1), template.id, key)),
        ..command(&template, 1, request)
    };
    let claims = [keyed("a", 1), command(&template, 2, 2), keyed("b", 3), keyed("a", 4), keyed("c", 5)];
    let answers = claim_batch(&table, &SaleMemory::default(), &claims).await;
    let coupon = |at: usize| answers[at].as_ref().unwrap();
    assert_eq!([coupon(0).coupon.nth().get(), coupon(2).coupon.nth().get()], [1, 2]);
    assert!(coupon(3).replayed && coupon(3).coupon == coupon(0).coupon);
    let held = [coupon(0).coupon.id, coupon(2).coupon.id];
    assert!(matches!(&answers[4], Err(ClaimError::LimitReached { held: told }) if *told == held));
    assert_eq!(table.remaining(&template).await.unwrap(), Some(7));
}

/// An environment that knows every shard to be empty begins no transaction, which would have met the coupon.
#[tokio::test]
async fn a_repeat_after_the_last_unit_returns_its_coupon_whatever_is_known_of_the_shards() {
    let template = sharded(1, 1);
    let (_db, table) = selling(&template).await;
    let first = command(&template, 1, 1);
    let coupon = claim(&table, &SaleMemory::default(), &first).await.unwrap().coupon;
    let memory = SaleMemory::default();
    let known = ClaimStore::template(&table, template.id).await.unwrap().map(Arc::new);
    memory.learn(template.id, known, template.starts_at);
    memory.learn_empty(&template, &[0].into_iter().collect());
    let repeat = claim(&table, &memory, &ClaimCoupon { seed: 2, ..first }).await.unwrap();
    assert_eq!((repeat.coupon, repeat.replayed), (coupon, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_and_single_claims_together_issue_exactly_the_stock() {
    const STOCK: u32 = 1_003;
    const GUESTS: u32 = 3_000;
    const WORKERS: u32 = 24;
    const ENVIRONMENTS: usize = 6;

    let template = Arc::new(sharded(STOCK, 16));
    let (_db, table) = selling(&template).await;
    let environments: Arc<[SaleMemory; ENVIRONMENTS]> =
        Arc::new(std::array::from_fn(|_| SaleMemory::default()));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let (table, template, environments) =
            (table.clone(), Arc::clone(&template), Arc::clone(&environments));
        workers.spawn(async move {
            // Every guest claims twice, with one key; each worker has batches of its own length, some of them of one.
            let mine: Vec<ClaimCoupon> = (worker..2 * GUESTS)
                .step_by(WORKERS as usize)
                .map(|n| command(&template, n % GUESTS, n))
                .collect();
            let memory = &environments[worker as usize % ENVIRONMENTS];
            let mut answers: Vec<Result<Claimed, ClaimError>> = Vec::new();
            for batch in mine.chunks(1 + worker as usize % (2 * MAX_BATCH)) {
                match batch {
                    [single] => answers.push(claim(&table, memory, single).await),
                    several => answers.extend(claim_batch(&table, memory, several).await),
                }
            }
            answers
        });
    }
    let mut coupons = BTreeSet::new();
    for answer in workers.join_all().await.into_iter().flatten() {
        match answer {
            Ok(claimed) => drop(coupons.insert(claimed.coupon.id)),
            Err(ClaimError::SoldOut) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(coupons.len(), STOCK as usize, "never one too many, never one too few");
    assert_eq!(table.remaining(&template).await.unwrap(), Some(0));
    let guests: BTreeSet<GuestId> = (0..GUESTS).map(guest).collect();
    let mut held = 0;
    for guest in &guests {
        held += table.held(guest, template.id).await.unwrap().len();
    }
    assert_eq!(held, STOCK as usize, "nobody twice");
}

/// The reasons of a cancelled transaction of two coupons and a shard.
async fn issue_when(reasons: [&'static str; 3]) -> BatchIssue {
    let reasons = reasons.map(|code| CancellationReason::builder().code(code).build()).to_vec();
    let rule = mock!(Client::transact_write_items).then_error(move || {
        let error = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons.clone()));
        TransactWriteItemsError::TransactionCanceledException(error.build())
    });
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rule]);
    CouponTable::new(client, "coupons".into()).issue_batch(&coupons(0..2), SHARD, 10).await.unwrap()
}

#[tokio::test]
async fn a_cancelled_batch_tells_why() {
    let (fine, failed, conflict, throttled) =
        ("None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError");
    assert_eq!(issue_when([fine, fine, failed]).await, BatchIssue::ShardShort);
    assert_eq!(issue_when([failed, fine, failed]).await, BatchIssue::Held(vec![0]));
    assert_eq!(issue_when([conflict, failed, fine]).await, BatchIssue::Held(vec![1]));
    assert_eq!(issue_when([fine, fine, conflict]).await, BatchIssue::Conflict);
    assert_eq!(issue_when([throttled, conflict, fine]).await, BatchIssue::Conflict);
    assert_eq!(issue_when([fine, throttled, fine]).await, BatchIssue::Throttled);
}
