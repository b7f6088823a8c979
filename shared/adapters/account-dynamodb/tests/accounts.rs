//! Accounts on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use account_dynamodb::Accounts;
use coupon_dynamodb::CouponTable;
use domain_coupon::CouponShelf;
use jiff::SignedDuration;
use testing::{EmbeddedDynamoDb, NOW};

#[tokio::test]
async fn the_earliest_moment_stays_in_whatever_order_they_come() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let accounts = Accounts::new(db.client(), name);
    let ann = "ann".parse().unwrap();
    assert_eq!(accounts.since(&ann).await.unwrap(), None);
    let day = SignedDuration::from_hours(24);
    for (told, kept) in [(NOW, NOW), (NOW + day, NOW), (NOW - day, NOW - day), (NOW - day, NOW - day)] {
        accounts.note(&ann, told).await.unwrap();
        assert_eq!(accounts.since(&ann).await.unwrap(), Some(kept));
    }
}

#[tokio::test]
async fn an_account_is_no_coupon() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let (accounts, coupons) = (Accounts::new(db.client(), name.clone()), CouponTable::new(db.client(), name));
    let ann = "ann".parse().unwrap();
    accounts.note(&ann, NOW).await.unwrap();
    assert!(coupons.coupons(&ann, None, 10).await.unwrap().items.is_empty());
}
