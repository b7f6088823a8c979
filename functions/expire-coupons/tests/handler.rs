//! `expire-coupons` on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{cell::Cell, sync::Arc};

use coupon_dynamodb::CouponTable;
use domain_coupon::{
    Actor, ClaimStore, Coupon, CouponShelf, CouponState, CouponStore, EXPIRY_SHARDS, Expiring, ExpiryList,
    ExpiryStore, Issue, LOCKED_FOR, Page, StoreError, Transition, transition,
};
use domain_ids::{CouponId, GuestId};
use domain_money::Fen;
use expire_coupons::handler::handle;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use testing::{EmbeddedDynamoDb, NOW};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Issues a coupon to `guest` that expires at `at`.
async fn issue(table: &CouponTable, guest: &str, at: Timestamp) -> Coupon {
    let coupon = Coupon { expires_at: at, ..testing::coupon(guest, 1) };
    assert_eq!(table.issue(&coupon, None, None).await.unwrap(), Issue::Issued);
    coupon
}

async fn stored(table: &CouponTable, coupon: &Coupon) -> Coupon {
    table.coupon(&coupon.guest, coupon.id).await.unwrap().unwrap()
}

/// How many coupons the list by expiry holds.
async fn listed(table: &CouponTable) -> usize {
    let mut count = 0;
    for shard in 0..EXPIRY_SHARDS {
        let page = table.expiring(shard, Timestamp::UNIX_EPOCH, Timestamp::MAX, None, 100).await.unwrap();
        count += page.items.len();
    }
    count
}

fn lock(order: &str) -> Transition {
    Transition::Lock { order: order.parse().unwrap(), saved: Fen::new(100) }
}

#[tokio::test]
async fn what_is_due_expires_and_nothing_else() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    let due = issue(&table, "ann", NOW + DAY).await;
    let later = issue(&table, "bob", NOW + DAY + SignedDuration::from_millis(1)).await;
    handle(&table, NOW + DAY, || true).await.unwrap();
    let expired = stored(&table, &due).await;
    assert_eq!(expired, due.after(&Transition::Expire, NOW + DAY).unwrap().unwrap());
    assert_eq!(stored(&table, &later).await, later);
    assert_eq!(listed(&table).await, 1, "what has expired leaves the list");
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    let coupon = issue(&table, "ann", NOW).await;
    handle(&table, NOW, || true).await.unwrap();
    let first = stored(&table, &coupon).await;
    handle(&table, NOW + DAY, || true).await.unwrap();
    assert_eq!(stored(&table, &coupon).await, first);
    assert_eq!(first.revision, 2);
}

#[tokio::test]
async fn a_locked_coupon_waits_for_its_order() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    let coupon = issue(&table, "ann", NOW + DAY).await;
    let locked_at = NOW + DAY - SignedDuration::from_mins(1);
    transition(&table, Actor::Guest, &coupon.guest, coupon.id, &lock("a"), locked_at).await.unwrap();
    handle(&table, NOW + DAY, || true).await.unwrap();
    assert!(matches!(stored(&table, &coupon).await.state, CouponState::Locked(_)));
    handle(&table, locked_at + LOCKED_FOR, || true).await.unwrap();
    let expired = stored(&table, &coupon).await;
    assert_eq!((expired.state, expired.revision), (CouponState::Expired, 3));
}

#[tokio::test]
async fn a_run_without_time_leaves_the_rest_to_the_next() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    for guest in 0..40 {
        issue(&table, &format!("guest-{guest}"), NOW).await;
    }
    let looks = Cell::new(0);
    let has_time = || {
        looks.set(looks.get() + 1);
        looks.get() < i32::from(EXPIRY_SHARDS / 2)
    };
    handle(&table, NOW, has_time).await.unwrap();
    let left = listed(&table).await;
    assert!((1..40).contains(&left), "{left}");
    handle(&table, NOW, || true).await.unwrap();
    assert_eq!(listed(&table).await, 0);
}

/// Fails for one guest's coupon.
struct Fails(CouponTable, &'static str);

impl ExpiryList for Fails {
    async fn expiring(
        &self,
        shard: u16,
        from: Timestamp,
        until: Timestamp,
        after: Option<&Expiring>,
        limit: u16,
    ) -> Result<Page<Expiring, Expiring>, StoreError> {
        self.0.expiring(shard, from, until, after, limit).await
    }
}

impl ExpiryStore for Fails {
    async fn expire(&self, guest: &GuestId, id: CouponId, now: Timestamp) -> Result<bool, StoreError> {
        if guest.as_str() == self.1 {
            return Err(StoreError::Unavailable("injected".into()));
        }
        self.0.expire(guest, id, now).await
    }
}

#[tokio::test]
async fn a_failure_does_not_stop_the_others_and_is_reported() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(db.client(), name);
    for guest in ["ann", "bob", "cat", "dan"] {
        issue(&table, guest, NOW).await;
    }
    let failed = handle(&Fails(table.clone(), "bob"), NOW, || true).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    assert_eq!(listed(&table).await, 1);
}

#[tokio::test]
async fn of_a_redemption_and_the_expiry_one_wins() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = Arc::new(CouponTable::new(db.client(), name));
    let redeem = Transition::Redeem { order: "a".parse().unwrap() };
    for round in 0..30 {
        let coupon = issue(&table, &format!("guest-{round}"), NOW + LOCKED_FOR).await;
        transition(&*table, Actor::Guest, &coupon.guest, coupon.id, &lock("a"), NOW).await.unwrap();
        // A millisecond early by the clock of the one, due by that of the other.
        let late = coupon.expires_at - SignedDuration::from_millis(1);
        let redeemed = transition(&*table, Actor::Guest, &coupon.guest, coupon.id, &redeem, late);
        let expired = table.expire(&coupon.guest, coupon.id, coupon.expires_at);
        let (redeemed, expired) = tokio::join!(redeemed, expired);
        assert_ne!(redeemed.is_ok(), expired.unwrap());
        assert_eq!(stored(&table, &coupon).await.revision, 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The condition of the write says what the domain says, whatever the coupon went through before.
    #[test]
    fn the_write_agrees_with_the_domain(
        steps in prop::collection::vec((0_u8..4, 0_i64..30), 0..5), hours in 0_i64..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
            let table = CouponTable::new(db.client(), name);
            let mut coupon = issue(&table, "ann", NOW + DAY).await;
            let order = || "a".parse().unwrap();
            let mut now = NOW;
            for (step, hours) in steps {
                now += SignedDuration::from_hours(hours);
                let step = match step {
                    0 => lock("a"),
                    1 => Transition::Redeem { order: order() },
                    2 => Transition::Release { order: order() },
                    _ => Transition::Refund { order: order() },
                };
                if let Ok(Some(next)) = coupon.after(&step, now) {
                    assert!(table.replace(&next).await.unwrap());
                    coupon = next;
                }
            }
            now += SignedDuration::from_hours(hours);
            let expected = coupon.after(&Transition::Expire, now).ok().flatten();
            assert_eq!(table.expire(&coupon.guest, coupon.id, now).await.unwrap(), expected.is_some());
            assert_eq!(stored(&table, &coupon).await, expected.unwrap_or(coupon));
        });
    }
}
