use domain_ids::{CouponId, GuestId, Nth, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{CouponCode, Terms};

/// A coupon that a guest holds. The terms are those of the moment it was issued: a later change of the template
/// does not touch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupon {
    /// Owner, template and ordinal in one.
    pub id: CouponId,
    /// Who holds it.
    pub guest: GuestId,
    /// What the guest types in.
    pub code: CouponCode,
    /// What it is good for.
    pub terms: Terms,
    /// What has happened to it.
    pub state: CouponState,
    /// When it was issued.
    pub claimed_at: Timestamp,
    /// The first instant at which it can no longer be used.
    pub expires_at: Timestamp,
    /// The request that issued it, where that request named itself.
    pub key: Option<ClaimKey>,
}

/// What has happened to a coupon, as far as it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CouponState {
    /// Issued, nothing since.
    Unused,
    /// Redeemed with an order.
    Used {
        /// When.
        at: Timestamp,
    },
    /// Past its expiry, and recorded as such.
    Expired,
}

/// What a guest sees (roadmap codes: 1 unused, 2 used, 3 expired).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CouponStatus {
    /// Can be used.
    Unused,
    /// Was used.
    Used,
    /// Can no longer be used.
    Expired,
}

impl Coupon {
    /// The template it was issued from.
    pub fn template(&self) -> TemplateId {
        self.id.template()
    }

    /// Which of the guest's coupons of that template it is.
    pub fn nth(&self) -> Nth {
        self.id.nth()
    }

    /// The status at `now`: past its expiry an unused coupon is expired, even if nothing has recorded that yet.
    pub fn status(&self, now: Timestamp) -> CouponStatus {
        match self.state {
            CouponState::Used { .. } => CouponStatus::Used,
            CouponState::Expired => CouponStatus::Expired,
            CouponState::Unused if now >= self.expires_at => CouponStatus::Expired,
            CouponState::Unused => CouponStatus::Unused,
        }
    }
}

/// Recognises a repeat of a claim: a digest of the guest, the template and the caller's idempotency key. What the
/// caller sent is not kept, since clients are known to put personal data into such keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimKey([u8; 16]);

impl ClaimKey {
    /// The digest of `idempotency_key` for a claim by `guest` on `template`.
    pub fn new(guest: &GuestId, template: TemplateId, idempotency_key: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [guest.as_str(), "#", &template.to_string(), "#", idempotency_key] {
            digest.update(part);
        }
        let digest = digest.finalize();
        Self(std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default()))
    }

    /// The digest as bytes, for storage.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The digest as it was stored.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn an_unused_coupon_expires_by_itself() {
        let coupon = fixtures::coupon("ann", 1);
        let before = coupon.expires_at - jiff::SignedDuration::from_secs(1);
        assert_eq!(coupon.status(before), CouponStatus::Unused);
        assert_eq!(coupon.status(coupon.expires_at), CouponStatus::Expired);
    }

    #[test]
    fn a_used_coupon_stays_used_after_its_expiry() {
        let mut coupon = fixtures::coupon("ann", 1);
        coupon.state = CouponState::Used { at: coupon.claimed_at };
        assert_eq!(coupon.status(coupon.expires_at), CouponStatus::Used);
    }

    #[test]
    fn a_claim_key_belongs_to_one_guest_and_one_template() {
        let (ann, bob) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        let (a, b) = (fixtures::template_id(1), fixtures::template_id(2));
        let key = ClaimKey::new(&ann, a, "retry-1");
        assert_eq!(key, ClaimKey::new(&ann, a, "retry-1"));
        assert_ne!(key, ClaimKey::new(&bob, a, "retry-1"));
        assert_ne!(key, ClaimKey::new(&ann, b, "retry-1"));
        assert_ne!(key, ClaimKey::new(&ann, a, "retry-2"));
    }
}
