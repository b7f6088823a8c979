//! Finds the coupons that are due by the list by expiry and records each as expired.
//!
//! There is no checkpoint: what has expired leaves the list, so that the next run begins where this one stopped.

use domain_coupon::{EXPIRY_SHARDS, Expiring, ExpiryStore, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

/// Coupons read at once. The list holds keys alone: a page of 100 is some 15 KB.
const PAGE: u16 = 100;

/// Parts of the list worked on at once.
const SHARDS_AT_ONCE: usize = 8;

/// Writes under way for one part: 128 in all, so that a function that waits 10 ms for each could write 12,800 a second.
const WRITES_AT_ONCE: usize = 16;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    expired: u64,
    passed_over: u64,
}

/// Expires what is due at `now`, as long as it `has_time`.
///
/// A part of the list that fails does not stop the others; the first failure is returned at the end.
pub async fn handle(
    store: &impl ExpiryStore,
    now: Timestamp,
    has_time: impl Fn() -> bool,
) -> Result<(), StoreError> {
    let has_time = &has_time;
    let results: Vec<(Tally, Result<(), StoreError>)> = stream::iter(0..EXPIRY_SHARDS)
        .map(|shard| sweep(store, shard, now, has_time))
        .buffer_unordered(SHARDS_AT_ONCE)
        .collect()
        .await;
    let expired: u64 = results.iter().map(|(tally, _)| tally.expired).sum();
    let passed_over: u64 = results.iter().map(|(tally, _)| tally.passed_over).sum();
    let failed = results.iter().filter(|(_, result)| result.is_err()).count();
    metrics::counter!("CouponsExpired").increment(expired);
    tracing::info!(
        coupons.expired = expired,
        coupons.passed_over = passed_over,
        shards.failed = failed,
        complete = has_time(),
        "expired coupons"
    );
    results.into_iter().try_for_each(|(_, result)| result)
}

async fn sweep(
    store: &impl ExpiryStore,
    shard: u16,
    now: Timestamp,
    has_time: &impl Fn() -> bool,
) -> (Tally, Result<(), StoreError>) {
    let mut tally = Tally::default();
    let mut after = None;
    while has_time() {
        match expire_page(store, shard, now, after.as_ref()).await {
            Ok((done, next)) => {
                tally.expired += done.expired;
                tally.passed_over += done.passed_over;
                after = next;
            }
            Err(error) => return (tally, Err(error)),
        }
        if after.is_none() {
            break;
        }
    }
    (tally, Ok(()))
}

async fn expire_page(
    store: &impl ExpiryStore,
    shard: u16,
    now: Timestamp,
    after: Option<&Expiring>,
) -> Result<(Tally, Option<Expiring>), StoreError> {
    // A coupon that expires at `now` is due: the list ends before the next millisecond.
    let until = now + jiff::SignedDuration::from_millis(1);
    let page = store.expiring(shard, Timestamp::UNIX_EPOCH, until, after, PAGE).await?;
    let tally = stream::iter(page.items)
        .map(|coupon| async move { store.expire(&coupon.guest, coupon.id, now).await })
        .buffer_unordered(WRITES_AT_ONCE)
        .try_fold(Tally::default(), async |tally, expired| {
            Ok(Tally {
                expired: tally.expired + u64::from(expired),
                passed_over: tally.passed_over + u64::from(!expired),
            })
        })
        .await?;
    Ok((tally, page.next))
}
