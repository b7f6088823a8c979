//! Issuing by one transaction of two items.

use domain_coupon::{Coupon, Issue, Shard, StoreError};

use crate::world::World;

/// There, prepared, held, committed or cancelled, and back.
///
/// A cancelled transaction answers as late as a committed one, and holds the item it had prepared as long: the
/// less favourable reading of "Distributed Transactions at Scale in Amazon `DynamoDB`" (USENIX ATC 2023).
pub async fn issue(world: &World, coupon: &Coupon, shard: Shard) -> Result<Issue, StoreError> {
    world.travel().await;
    let transaction = world.table().prepare(world.clock.now(), coupon.clone(), shard);
    world.clock.sleep(world.hold).await;
    let issue = world.table().finish(world.clock.now(), transaction);
    world.travel().await;
    world.reply(issue)
}
