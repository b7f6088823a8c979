//! What happens to coupons by the passing of time: they expire, and those that may go back to sale do.

use domain_ids::{CouponId, GuestId, TemplateId};
use jiff::Timestamp;

use crate::{Coupon, Page, StoreError};

/// Parts of the list of coupons by expiry that can be read on their own.
pub const EXPIRY_SHARDS: u16 = 512;

/// A coupon that may still expire, as the list by expiry names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// The coupon.
    pub id: CouponId,
    /// Who holds it.
    pub guest: GuestId,
    /// When it can no longer be used.
    pub at: Timestamp,
}

/// Where coupons are found by the moment they expire.
pub trait ExpiryList: Sync {
    /// Up to `limit` coupons of one of the [`EXPIRY_SHARDS`] parts that are unused or locked and expire at `from` or
    /// later but before `until`, the first to expire first, from behind `after` on. A change may take a moment to
    /// show.
    fn expiring(
        &self,
        shard: u16,
        from: Timestamp,
        until: Timestamp,
        after: Option<&Expiring>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Expiring, Expiring>, StoreError>> + Send;
}

/// Where coupons expire.
pub trait ExpiryStore: ExpiryList {
    /// What [`Coupon::after`] does with [`crate::Transition::Expire`], without reading the coupon first; says whether
    /// it happened now. Not so where the coupon was used, is locked, or has expired before.
    fn expire(
        &self,
        guest: &GuestId,
        id: CouponId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Where coupons that expire soon are looked up, to remind their guests.
pub trait ReminderStore: ExpiryList {
    /// Those of `coupons` (at most 100) that still exist, in any order.
    fn look_up(&self, coupons: &[Expiring]) -> impl Future<Output = Result<Vec<Coupon>, StoreError>> + Send;

    /// Guests whose coupons expire before this were reminded `days` before; `None` at the beginning.
    fn reminded_until(&self, days: u8) -> impl Future<Output = Result<Option<Timestamp>, StoreError>> + Send;

    /// Notes that guests whose coupons expire before `until` were reminded `days` before. Never goes back.
    fn set_reminded_until(
        &self,
        days: u8,
        until: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Where coupons that came back are counted.
pub trait ReturnedCount: Sync {
    /// How many of a template's coupons came back over its whole life.
    fn returned(&self, template: TemplateId) -> impl Future<Output = Result<u32, StoreError>> + Send;
}
