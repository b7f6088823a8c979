//! `remind-expiring-coupons` on an embedded table.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use contracts::PlatformEvent;
use coupon_dynamodb::CouponTable;
use domain_coupon::{Actor, ClaimStore, Coupon, Issue, Transition, transition};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};
use remind_expiring_coupons::{
    handler::{RemindError, handle},
    queue::{EventOutbox, SendError},
};
use testing::{EmbeddedDynamoDb, at};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Default)]
struct Outbox {
    sent: Mutex<Vec<PlatformEvent>>,
    fails: AtomicBool,
}

impl Outbox {
    fn take(&self) -> Vec<String> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap());
        let text = |event: &PlatformEvent| {
            format!("{} {}", event.detail["guestId"].as_str().unwrap(), event.detail["days"])
        };
        let mut sent: Vec<String> = sent.iter().map(text).collect();
        sent.sort();
        sent
    }
}

impl EventOutbox for Outbox {
    async fn send(&self, events: &[PlatformEvent]) -> Result<(), SendError> {
        self.sent.lock().unwrap().extend_from_slice(events);
        if self.fails.load(Ordering::Relaxed) {
            return Err(SendError::Partial { sent: events.len(), taken: 0 });
        }
        Ok(())
    }
}

struct House {
    _db: EmbeddedDynamoDb,
    table: CouponTable,
    outbox: Outbox,
}

impl House {
    async fn new() -> Self {
        let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
        Self { table: CouponTable::new(db.client(), name), _db: db, outbox: Outbox::default() }
    }

    async fn holds(&self, guest: &str, expires_at: Timestamp) -> Coupon {
        let coupon = Coupon { expires_at, claimed_at: expires_at - DAY * 30, ..testing::coupon(guest, 1) };
        assert_eq!(self.table.issue(&coupon, None, None).await.unwrap(), Issue::Issued);
        coupon
    }

    async fn run(&self, now: Timestamp) -> Vec<String> {
        handle(&self.table, &self.outbox, now).await.unwrap();
        self.outbox.take()
    }
}

fn noon() -> Timestamp {
    at("2026-12-01T12:00:00+08:00")
}

#[tokio::test]
async fn a_guest_is_reminded_three_days_and_one_day_before_and_once_each() {
    let house = House::new().await;
    house.holds("ann", noon() + DAY * 3 + HOUR).await;
    assert!(house.run(noon()).await.is_empty());
    assert_eq!(house.run(noon() + HOUR * 2).await, ["ann 3"]);
    assert!(house.run(noon() + HOUR * 3).await.is_empty());
    assert!(house.run(noon() + DAY).await.is_empty());
    assert_eq!(house.run(noon() + DAY * 2 + HOUR * 2).await, ["ann 1"]);
    assert!(house.run(noon() + DAY * 3).await.is_empty());
}

#[tokio::test]
async fn what_is_told_is_the_contract() {
    let sample = testing::event("contracts/coupon-expiring.json");
    let house = House::new().await;
    let text = |member: &str| sample["detail"][member].as_str().unwrap();
    let id = text("couponId").parse().unwrap();
    let mut coupon =
        Coupon { id, expires_at: at("2026-12-10T16:00:00Z"), ..testing::coupon(text("guestId"), 1) };
    coupon.terms.name = text("couponName").into();
    house.table.issue(&coupon, None, None).await.unwrap();
    handle(&house.table, &house.outbox, coupon.expires_at - DAY * 3 + HOUR * 10).await.unwrap();
    let sent = house.outbox.sent.lock().unwrap();
    assert_eq!(serde_json::to_value(&sent[..]).unwrap(), serde_json::json!([sample]));
}

#[tokio::test]
async fn nobody_is_woken_and_the_night_is_made_up_for() {
    let house = House::new().await;
    let evening = at("2026-12-01T20:50:00+08:00");
    house.run(evening).await;
    house.holds("ann", evening + DAY + HOUR * 3).await;
    for night in ["2026-12-01T21:00:00+08:00", "2026-12-02T00:00:00+08:00", "2026-12-02T08:59:59+08:00"] {
        assert!(house.run(at(night)).await.is_empty(), "{night}");
    }
    assert_eq!(house.run(at("2026-12-02T09:00:00+08:00")).await, ["ann 1"]);
}

#[tokio::test]
async fn what_is_used_locked_or_short_lived_is_not_worth_a_reminder() {
    let house = House::new().await;
    let expires_at = noon() + DAY - HOUR;
    let locked = house.holds("ann", expires_at).await;
    let lock = Transition::Lock { order: "a".parse().unwrap(), saved: Fen::new(1) };
    transition(&house.table, Actor::Guest, &locked.guest, locked.id, &lock, noon()).await.unwrap();
    let short = Coupon { expires_at, claimed_at: noon() - HOUR, ..testing::coupon("bob", 1) };
    house.table.issue(&short, None, None).await.unwrap();
    house.holds("cat", expires_at).await;
    assert_eq!(house.run(noon()).await, ["cat 1"]);
}

#[tokio::test]
async fn a_run_that_failed_is_repeated_with_the_same_events() {
    let house = House::new().await;
    house.holds("ann", noon() + DAY * 3 - HOUR).await;
    house.outbox.fails.store(true, Ordering::Relaxed);
    let failed = handle(&house.table, &house.outbox, noon()).await;
    assert!(matches!(failed, Err(RemindError::Queue(SendError::Partial { .. }))));
    house.outbox.fails.store(false, Ordering::Relaxed);
    handle(&house.table, &house.outbox, noon()).await.unwrap();
    let sent = house.outbox.sent.lock().unwrap();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn after_an_outage_nobody_is_told_three_days_of_what_expires_tomorrow() {
    let house = House::new().await;
    house.run(noon()).await;
    house.holds("ann", noon() + DAY * 3 + HOUR).await;
    let back = noon() + DAY * 2 + HOUR * 2;
    assert_eq!(house.run(back).await, ["ann 1"]);
}

#[tokio::test]
async fn every_guest_of_a_big_day_is_reminded() {
    let house = House::new().await;
    for number in 0..300 {
        house.holds(&format!("guest-{number}"), noon() + DAY * 3 - HOUR).await;
    }
    assert_eq!(house.run(noon()).await.len(), 300);
}
