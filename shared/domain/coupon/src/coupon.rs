use domain_ids::{CouponId, GuestId, Nth, OrderId, TemplateId};
use domain_money::Fen;
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
    /// Counts what has happened to it: 1 when issued, one more with each transition. Every transition compares it.
    pub revision: u32,
    /// How it reached the guest.
    pub source: Source,
    /// When it was issued.
    pub claimed_at: Timestamp,
    /// The moment of the last transition.
    pub changed_at: Timestamp,
    /// The first instant at which it can no longer be used, unless an order had locked it before.
    pub expires_at: Timestamp,
    /// Should it expire or be refunded, it goes back to sale.
    pub restock: bool,
    /// The request that issued it, where that request named itself.
    pub key: Option<ClaimKey>,
}

/// What has happened to a coupon, as far as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CouponState {
    /// Issued, or released again.
    Unused,
    /// Held for an order that is not paid yet.
    Locked(Lock),
    /// Redeemed with an order.
    Used(Use),
    /// Past its expiry, and recorded as such.
    Expired,
    /// The order it was used with was cancelled. The coupon does not come back to the guest.
    Refunded(Use),
}

/// A coupon held for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The order.
    pub order: OrderId,
    /// What the order saves by it.
    pub saved: Fen,
    /// The first instant at which another order may take it.
    pub until: Timestamp,
}

/// A coupon spent on an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The order.
    pub order: OrderId,
    /// What the order saved by it.
    pub saved: Fen,
    /// When it was redeemed.
    pub at: Timestamp,
}

/// What a guest sees (roadmap codes: 1 unused, 2 used, 3 expired; 4 locked, 5 refunded).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CouponStatus {
    /// Can be used.
    Unused,
    /// Held for an order.
    Locked,
    /// Was used.
    Used,
    /// Can no longer be used.
    Expired,
    /// Was used with an order that was cancelled.
    Refunded,
}

/// How a coupon reached its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The guest claimed it and waited for the answer.
    Claim,
    /// The guest claimed it through the queue.
    Queue,
    /// An operator granted it.
    Grant,
    /// A rule granted it.
    Auto,
    /// The guest entered an exchange code.
    Exchange,
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

    /// The status at `now`: past its end a lock is no more, and past its expiry an unused coupon is expired, even if
    /// nothing has recorded that yet.
    pub fn status(&self, now: Timestamp) -> CouponStatus {
        match &self.state {
            CouponState::Used(_) => CouponStatus::Used,
            CouponState::Refunded(_) => CouponStatus::Refunded,
            CouponState::Expired => CouponStatus::Expired,
            CouponState::Locked(lock) if now < lock.until => CouponStatus::Locked,
            CouponState::Locked(_) | CouponState::Unused if now >= self.expires_at => CouponStatus::Expired,
            CouponState::Locked(_) | CouponState::Unused => CouponStatus::Unused,
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
        coupon.state = CouponState::Used(Use {
            order: "order-1".parse().unwrap(),
            saved: Fen::new(1),
            at: coupon.claimed_at,
        });
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
