//! Issuing by one transaction: of a coupon and a shard, or of several coupons and a shard.

use domain_coupon::{BatchIssue, Coupon, Issue, Shard, StoreError};

use crate::{dynamodb::End, world::World};

/// One coupon.
pub async fn issue(world: &World, coupon: &Coupon, shard: Shard) -> Result<Issue, StoreError> {
    let issue = match transact(world, vec![coupon.clone()], shard, None).await {
        End::Committed => Issue::Issued,
        End::Held(held) => match held.into_iter().next() {
            Some((_, coupon)) => Issue::Held(Box::new(coupon)),
            None => return Err(StoreError::Corrupt("the coupon in the way is not there".into())),
        },
        End::ShardShort => Issue::ShardEmpty,
        End::Conflict => Issue::Conflict,
        End::Throttled => Issue::Throttled,
    };
    world.reply(issue)
}

/// Several coupons, from a shard of this capacity.
pub async fn issue_batch(
    world: &World,
    coupons: &[Coupon],
    shard: Shard,
    capacity: u32,
) -> Result<BatchIssue, StoreError> {
    let issue = match transact(world, coupons.to_vec(), shard, Some(capacity)).await {
        End::Committed => BatchIssue::Issued,
        End::Held(held) => BatchIssue::Held(held.into_iter().map(|(at, _)| at).collect()),
        End::ShardShort => BatchIssue::ShardShort,
        End::Conflict => BatchIssue::Conflict,
        End::Throttled => BatchIssue::Throttled,
    };
    world.reply(issue)
}

/// There, prepared, held, committed or cancelled, and back.
///
/// A cancelled transaction answers as late as a committed one, and holds the item it had prepared as long: the
/// less favourable reading of "Distributed Transactions at Scale in Amazon `DynamoDB`" (USENIX ATC 2023).
async fn transact(world: &World, coupons: Vec<Coupon>, shard: Shard, capacity: Option<u32>) -> End {
    world.travel().await;
    let transaction = world.table().prepare(world.clock.now(), coupons, shard, capacity);
    world.clock.sleep(world.hold).await;
    let end = world.table().finish(world.clock.now(), transaction);
    world.travel().await;
    end
}
