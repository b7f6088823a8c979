//! Three days and one day before a coupon expires, in the daytime, its guest is told.
//!
//! Each run deals with the coupons that came within three days (one day) of their expiry since the last run, and then
//! notes how far it came. A run that dies is repeated whole: the queue gets the same event again, of which
//! `notify-on-event` makes no second message.

use contracts::PlatformEvent;
use domain_coupon::{Coupon, CouponStatus, EXPIRY_SHARDS, Expiring, ReminderStore, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{
    SignedDuration, Timestamp,
    tz::{Offset, TimeZone},
};

use serde_json::json;

use crate::queue::{EventOutbox, SendError};

/// How many days before. Longest first: a coupon is reminded of in this order.
const DAYS_BEFORE: [u8; 2] = [3, 1];

/// Hours of Asia/Shanghai in which a phone may ring for marketing.
const DAYTIME: std::ops::Range<i8> = 9..21;

/// China has had one offset and no summer time since 1991.
const SHANGHAI: Offset = Offset::constant(8);

/// Coupons read at once: the limit of a `BatchGetItem`.
const PAGE: u16 = 100;

/// Parts of the list worked on at once.
const SHARDS_AT_ONCE: usize = 8;

/// Why a run failed. The next run repeats it.
#[derive(Debug, thiserror::Error)]
pub enum RemindError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error("the notification event queue failed")]
    Queue(#[from] SendError),
}

/// Tells of the coupons whose guests are to be reminded at `now`, if it is daytime.
pub async fn handle(
    store: &impl ReminderStore,
    outbox: &impl EventOutbox,
    now: Timestamp,
) -> Result<(), RemindError> {
    if !DAYTIME.contains(&now.to_zoned(TimeZone::fixed(SHANGHAI)).hour()) {
        tracing::info!("night");
        return Ok(());
    }
    for days in DAYS_BEFORE {
        let until = now + before_expiry(days);
        let from = match store.reminded_until(days).await? {
            // After an outage nobody is told "three days" of what expires tomorrow.
            Some(until) => until.max(now + before_expiry(days - 1)),
            None => now + before_expiry(days - 1),
        };
        let reminded: u64 = stream::iter(0..EXPIRY_SHARDS)
            .map(|shard| remind(store, outbox, shard, days, from, until, now))
            .buffer_unordered(SHARDS_AT_ONCE)
            .try_fold(0, async |sum, reminded| Ok(sum + reminded))
            .await?;
        store.set_reminded_until(days, until).await?;
        metrics::counter!("CouponReminders", "days" => days.to_string()).increment(reminded);
        tracing::info!(reminder.days = days, reminder.count = reminded, "told of expiring coupons");
    }
    Ok(())
}

fn before_expiry(days: u8) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

async fn remind(
    store: &impl ReminderStore,
    outbox: &impl EventOutbox,
    shard: u16,
    days: u8,
    from: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> Result<u64, RemindError> {
    let (mut reminded, mut after): (u64, Option<Expiring>) = (0, None);
    loop {
        let page = store.expiring(shard, from, until, after.as_ref(), PAGE).await?;
        if !page.items.is_empty() {
            let coupons = store.look_up(&page.items).await?;
            let wanted = coupons.iter().filter(|coupon| is_worth_a_reminder(coupon, days, now));
            let events: Vec<PlatformEvent> = wanted.map(|coupon| expiring(coupon, days)).collect();
            outbox.send(&events).await?;
            reminded += u64::try_from(events.len()).unwrap_or_default();
        }
        after = page.next;
        if after.is_none() {
            return Ok(reminded);
        }
    }
}

/// Not what an order holds just now, and not what was issued for so short a time that the guest knows.
fn is_worth_a_reminder(coupon: &Coupon, days: u8, now: Timestamp) -> bool {
    let lifetime = coupon.expires_at.duration_since(coupon.claimed_at);
    coupon.status(now) == CouponStatus::Unused && lifetime > before_expiry(days)
}

fn expiring(coupon: &Coupon, days: u8) -> PlatformEvent {
    let detail = json!({
        "guestId": coupon.guest,
        "couponId": coupon.id,
        "couponName": coupon.terms.name,
        "days": days,
        "expiresAt": coupon.expires_at,
    });
    PlatformEvent { detail_type: "coupon.expiring".into(), detail }
}
