//! Checks on a real (embedded) table: what is admitted, and what it costs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{BeforeSerializationInterceptorContextMut, FinalizerInterceptorContextRef},
    },
    error::BoxError,
    operation::update_item::{UpdateItemError, UpdateItemInput, UpdateItemOutput},
    types::{AttributeValue, ReturnConsumedCapacity, error::ConditionalCheckFailedException},
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use platform_rate_limit::{Decision, Kind, Limit, RateLimiter, StoreError, Subject, SubjectKey};
use testing::{COUPON_TABLE, EmbeddedDynamoDb, Fault, NOW};

const MINUTE: Duration = Duration::from_mins(1);

fn limit(kind: Kind) -> Limit {
    Limit::new("test", kind).unwrap()
}

fn fixed(most: u32) -> Limit {
    limit(Kind::FixedWindow { limit: most, window: MINUTE })
}

fn sliding(most: u32) -> Limit {
    limit(Kind::SlidingWindow { limit: most, window: MINUTE })
}

/// A token every six seconds.
fn bucket(capacity: u32) -> Limit {
    limit(Kind::TokenBucket { capacity, every: MINUTE / 10 })
}

fn kinds(most: u32) -> [Limit; 3] {
    [fixed(most), sliding(most), bucket(most)]
}

fn guest(id: &str) -> Subject {
    "0123456789abcdef0123456789abcdef".parse::<SubjectKey>().unwrap().guest(id)
}

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn refused(seconds: u64) -> Decision {
    Decision::Refused { retry_after: Duration::from_secs(seconds) }
}

/// Counts what is sent and what DynamoDB charges for it.
#[derive(Debug, Clone, Default)]
struct Bill(Arc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    reads: AtomicU64,
    writes: AtomicU64,
    write_units: AtomicU64,
}

impl Bill {
    /// Reads, writes, and the units of writes that were not refused, since the last time.
    fn take(&self) -> (u64, u64, u64) {
        let take = |sum: &AtomicU64| sum.swap(0, Ordering::Relaxed);
        (take(&self.0.reads), take(&self.0.writes), take(&self.0.write_units))
    }
}

impl Intercept for Bill {
    fn name(&self) -> &'static str {
        "Bill"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.input_mut().downcast_mut::<UpdateItemInput>() {
            Some(update) => {
                update.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
                self.0.writes.fetch_add(1, Ordering::Relaxed);
            }
            None => _ = self.0.reads.fetch_add(1, Ordering::Relaxed),
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole numbers")]
    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Ok(output)) = context.output_or_error()
            && let Some(updated) = output.downcast_ref::<UpdateItemOutput>()
        {
            let units = updated.consumed_capacity().unwrap().capacity_units().unwrap();
            self.0.write_units.fetch_add(units as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A table, and limiters that share nothing else: each is an execution environment.
struct Table {
    client: Client,
    bill: Bill,
}

impl Table {
    async fn new() -> Self {
        let (database, _) = EmbeddedDynamoDb::with_coupon_table().await;
        let bill = Bill::default();
        let config = database.client().config().to_builder().interceptor(bill.clone()).build();
        Self { client: Client::from_conf(config), bill }
    }

    fn environment(&self) -> RateLimiter {
        RateLimiter::new(self.client.clone(), COUPON_TABLE.into())
    }
}

#[tokio::test]
async fn a_limit_admits_as_many_as_it_says_and_says_when_it_admits_again() {
    for (limit, retry_after) in kinds(3).into_iter().zip([60, 80, 6]) {
        let table = Table::new().await;
        let limiter = table.environment();
        for remaining in [2, 1, 0] {
            let decision = limiter.check(&limit, guest("ann"), NOW).await.unwrap();
            assert_eq!(decision, Decision::Admitted { remaining }, "{limit:?}");
        }
        let decision = limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(decision, refused(retry_after), "{limit:?}");
        let again = table.environment().check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(again, decision, "another environment finds the same: {limit:?}");
        let other = limiter.check(&limit, guest("bob"), NOW).await.unwrap();
        assert_eq!(other, Decision::Admitted { remaining: 2 }, "another subject");

        let just_before = after(i64::try_from(retry_after).unwrap()) - SignedDuration::from_millis(1);
        for limiter in [&limiter, &table.environment()] {
            let decision = limiter.check(&limit, guest("ann"), just_before).await.unwrap();
            assert!(matches!(decision, Decision::Refused { .. }), "{limit:?} {decision:?}");
        }
        let then = after(i64::try_from(retry_after).unwrap());
        let decision = limiter.check(&limit, guest("ann"), then).await.unwrap();
        assert!(matches!(decision, Decision::Admitted { .. }), "{limit:?} {decision:?}");
    }
}

#[tokio::test]
async fn limits_of_different_rules_do_not_meet() {
    let limiter = Table::new().await.environment();
    for rule in ["per-guest:claim", "per-guest:exchange"] {
        let limit = Limit::new(rule, fixed(1).kind()).unwrap();
        let decision = limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(decision, Decision::Admitted { remaining: 0 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_in_many_environments_is_admitted_to_the_last_unit_and_no_further() {
    const LIMIT: u32 = 50;
    for limit in kinds(LIMIT) {
        let table = Table::new().await;
        let checks = (0..400).map(|_| {
            let (limiter, limit) = (table.environment(), &limit);
            async move { limiter.check(limit, guest("ann"), NOW).await.unwrap() }
        });
        let admitted = join_all(checks).await;
        let admitted =
            admitted.iter().filter(|decision| matches!(decision, Decision::Admitted { .. })).count();
        assert_eq!(admitted, LIMIT as usize, "{limit:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_around_the_turn_of_a_window_gets_what_each_window_has() {
    let table = Table::new().await;
    let limit = fixed(20);
    let checks = (0..200).map(|n| {
        let (limiter, limit) = (table.environment(), &limit);
        async move {
            let now = after(if n % 2 == 0 { 59 } else { 60 });
            matches!(limiter.check(limit, guest("ann"), now).await.unwrap(), Decision::Admitted { .. })
        }
    });
    assert_eq!(join_all(checks).await.into_iter().filter(|admitted| *admitted).count(), 2 * 20);
}

#[tokio::test]
async fn a_check_costs_one_write_unit() {
    for (limit, reads) in kinds(5).into_iter().zip([0, 1, 1]) {
        let table = Table::new().await;
        let limiter = table.environment();
        limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (reads, 1, 1), "the first: {limit:?}");
        limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (0, 1, 1), "the second, remembered: {limit:?}");
        table.environment().check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (reads, 1, 1), "in another environment: {limit:?}");
    }
}

#[tokio::test]
async fn a_refusal_costs_one_refused_write_at_most_and_is_remembered() {
    for (limit, (reads, writes)) in kinds(2).into_iter().zip([(0, 1), (1, 1), (1, 0)]) {
        let table = Table::new().await;
        let limiter = table.environment();
        for _ in 0..2 {
            limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        }
        table.bill.take();
        for _ in 0..100 {
            limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        }
        assert_eq!(table.bill.take(), (0, 0, 0), "who took the last unit knows: {limit:?}");

        let elsewhere = table.environment();
        elsewhere.check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (reads, writes, 0), "{limit:?}");
        elsewhere.check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (0, 0, 0), "remembered: {limit:?}");
    }
}

#[tokio::test]
async fn a_peek_sees_what_a_check_would_find_and_counts_nothing() {
    for (limit, retry_after) in kinds(3).into_iter().zip([60, 80, 6]) {
        let table = Table::new().await;
        let limiter = table.environment();
        let both = [&limiter, &table.environment()];
        for remaining in [2, 1, 0] {
            for limiter in both {
                assert_eq!(limiter.peek(&limit, guest("ann"), NOW).await.unwrap(), None, "{limit:?}");
            }
            let decision = limiter.check(&limit, guest("ann"), NOW).await.unwrap();
            assert_eq!(decision, Decision::Admitted { remaining }, "{limit:?}");
        }
        for limiter in both {
            let over = limiter.peek(&limit, guest("ann"), NOW).await.unwrap();
            assert_eq!(over, Some(Duration::from_secs(retry_after)), "{limit:?}");
            assert_eq!(limiter.peek(&limit, guest("bob"), NOW).await.unwrap(), None, "another subject");
        }
        let then = after(i64::try_from(retry_after).unwrap());
        let just_before = then - SignedDuration::from_millis(1);
        for limiter in [both[0], both[1], &table.environment()] {
            let over = limiter.peek(&limit, guest("ann"), just_before).await.unwrap();
            assert_eq!(over, Some(Duration::from_millis(1)), "{limit:?}");
            assert_eq!(limiter.peek(&limit, guest("ann"), then).await.unwrap(), None, "{limit:?}");
        }
    }
}

#[tokio::test]
async fn a_peek_weighs_the_window_before_too() {
    let table = Table::new().await;
    for _ in 0..10 {
        table.environment().check(&sliding(10), guest("ann"), after(30)).await.unwrap();
    }
    let limiter = table.environment();
    let peek = async |seconds| limiter.peek(&sliding(10), guest("ann"), after(seconds)).await.unwrap();
    assert_eq!(peek(60).await, Some(Duration::from_secs(6)));
    assert_eq!(peek(66).await, None);
    table.environment().check(&sliding(10), guest("ann"), after(66)).await.unwrap();
    assert_eq!(peek(66).await, Some(Duration::from_secs(6)));
    assert_eq!(peek(500).await, None, "long after");
}

#[tokio::test]
async fn a_peek_costs_a_read_and_nothing_where_a_refusal_is_remembered() {
    for (limit, first) in kinds(2).into_iter().zip([1, 2, 1]) {
        let table = Table::new().await;
        let limiter = table.environment();
        limiter.peek(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (first, 0, 0), "the first: {limit:?}");
        limiter.peek(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (1, 0, 0), "the second: {limit:?}");
        for _ in 0..2 {
            limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        }
        table.bill.take();
        limiter.peek(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (0, 0, 0), "who took the last unit knows: {limit:?}");

        let elsewhere = table.environment();
        elsewhere.peek(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (first, 0, 0), "{limit:?}");
        elsewhere.peek(&limit, guest("ann"), NOW).await.unwrap();
        elsewhere.check(&limit, guest("ann"), NOW).await.unwrap();
        assert_eq!(table.bill.take(), (0, 0, 0), "remembered, by a check as well: {limit:?}");
    }
}

#[tokio::test]
async fn an_idle_bucket_that_others_used_meanwhile_costs_a_second_write() {
    let table = Table::new().await;
    let (limiter, other) = (table.environment(), table.environment());
    limiter.check(&bucket(5), guest("ann"), NOW).await.unwrap();
    // Full in a second, as far as this one knows; but the other has just taken two.
    for _ in 0..2 {
        other.check(&bucket(5), guest("ann"), after(5)).await.unwrap();
    }
    table.bill.take();
    let decision = limiter.check(&bucket(5), guest("ann"), after(7)).await.unwrap();
    assert_eq!(decision, Decision::Admitted { remaining: 2 });
    assert_eq!(table.bill.take(), (0, 2, 1));
}

#[tokio::test]
async fn what_slides_is_weighed_with_the_window_before() {
    let table = Table::new().await;
    let limiter = table.environment();
    let limit = sliding(10);
    for _ in 0..10 {
        limiter.check(&limit, guest("ann"), after(30)).await.unwrap();
    }
    for (seconds, expected) in [
        (60, refused(6)),
        (66, Decision::Admitted { remaining: 0 }),
        (66, refused(6)),
        (119, Decision::Admitted { remaining: 7 }),
    ] {
        let decision = limiter.check(&limit, guest("ann"), after(seconds)).await.unwrap();
        assert_eq!(decision, expected, "after {seconds} s");
    }
    let decision = limiter.check(&limit, guest("ann"), after(500)).await.unwrap();
    assert_eq!(decision, Decision::Admitted { remaining: 9 }, "long after");
}

#[tokio::test]
async fn items_say_when_they_may_go_and_name_nobody() {
    for (limit, meaningful_for) in kinds(3).into_iter().zip([60, 120, 18]) {
        let table = Table::new().await;
        table.environment().check(&limit, guest("ann"), NOW).await.unwrap();
        let items = table.client.scan().table_name(COUPON_TABLE).send().await.unwrap().items.unwrap();
        let [item] = items.as_slice() else { panic!("{items:?}") };
        let ttl = (NOW.as_second() + meaningful_for + 60).to_string();
        assert_eq!(item["ttl"], AttributeValue::N(ttl), "{limit:?}");
        assert_eq!(item["sk"], AttributeValue::S("LIMIT".into()));
        let pk = item["pk"].as_s().unwrap();
        assert!(pk.starts_with(&format!("LIMIT#test#{}", guest("ann"))), "{pk}");
        assert!(!format!("{item:?}").contains("ann"), "{item:?}");
    }
}

#[tokio::test]
async fn a_clock_set_back_gives_nothing_back() {
    for limit in kinds(3) {
        let table = Table::new().await;
        let limiter = table.environment();
        for _ in 0..3 {
            limiter.check(&limit, guest("ann"), NOW).await.unwrap();
        }
        let mut admitted = 0;
        for seconds in (1..=3).flat_map(|second| [-second; 10]) {
            for limiter in [&limiter, &table.environment()] {
                let decision = limiter.check(&limit, guest("ann"), after(seconds)).await.unwrap();
                admitted += usize::from(matches!(decision, Decision::Admitted { .. }));
            }
        }
        // The window before has a limit of its own; a bucket is emptier for those who are behind.
        let most = if matches!(limit.kind(), Kind::TokenBucket { .. }) { 0 } else { 3 };
        assert!(admitted <= most, "{admitted}: {limit:?}");
    }
    let limiter = Table::new().await.environment();
    for at in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
        for limit in kinds(1) {
            limiter.peek(&limit, guest("ann"), at).await.unwrap();
            limiter.check(&limit, guest("ann"), at).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_bucket_gives_up_where_others_are_always_faster() {
    let moving = mock!(Client::update_item).then_error(|| {
        let item = [("fullAt".to_owned(), AttributeValue::N(NOW.as_microsecond().to_string()))];
        UpdateItemError::ConditionalCheckFailedException(
            ConditionalCheckFailedException::builder().set_item(Some(item.into())).build(),
        )
    });
    let empty = mock!(Client::get_item)
        .then_output(|| aws_sdk_dynamodb::operation::get_item::GetItemOutput::builder().build());
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&moving, &empty]);
    let checked = RateLimiter::new(client, COUPON_TABLE.into()).check(&bucket(5), guest("ann"), NOW).await;
    assert!(matches!(checked, Err(StoreError::Throttled(_))), "{checked:?}");
    assert_eq!(moving.num_calls(), 3);
}

#[tokio::test]
async fn a_store_that_fails_is_told_from_a_refusal() {
    for limit in kinds(1) {
        for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
            let limiter = RateLimiter::new(fault.client(), COUPON_TABLE.into());
            let errors = [
                limiter.check(&limit, guest("ann"), NOW).await.unwrap_err(),
                limiter.peek(&limit, guest("ann"), NOW).await.unwrap_err(),
            ];
            for error in errors {
                assert!(error.is_retryable(), "{error:?}");
                let throttled = matches!(error, StoreError::Throttled(_));
                assert_eq!(throttled, fault == Fault::Throttling, "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_item_of_other_hands_is_an_error_and_no_panic() {
    let odd = mock!(Client::get_item).then_output(|| {
        let item = [("fullAt".to_owned(), AttributeValue::S("soon".into()))];
        aws_sdk_dynamodb::operation::get_item::GetItemOutput::builder().set_item(Some(item.into())).build()
    });
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&odd]);
    let limiter = RateLimiter::new(client, COUPON_TABLE.into());
    let checked = limiter.check(&bucket(1), guest("ann"), NOW).await;
    assert!(matches!(checked, Err(StoreError::Corrupt(_))), "{checked:?}");
    let peeked = limiter.peek(&bucket(1), guest("ann"), NOW).await;
    assert!(matches!(peeked, Err(StoreError::Corrupt(_))), "{peeked:?}");
}
