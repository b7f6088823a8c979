use domain_coupon::{Coupon, CouponState, CouponStatus, Source};
use domain_ids::{CouponId, OrderId, TemplateId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::TermsView;

/// A coupon as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-JRRFGR2VKZHEGU2V",
    "code": "7K3M-QX4T-9F2K-M3QB",
    "templateId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG",
    "name": "满100减20", "type": "full_reduction", "amountFen": 2000,
    "threshold": {"type": "amount", "amountFen": 10000},
    "status": "unused", "source": "claim",
    "claimTime": "2026-11-11T00:00:01.234Z", "expireTime": "2026-12-11T00:00:01.234Z"
}))]
pub struct CouponView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: CouponId,
    /// What the guest types in. Case, `-` and spaces do not matter; `O` is read as 0, `I` and `L` as 1.
    pub code: String,
    /// The template it was issued from.
    #[schema(value_type = String)]
    pub template_id: TemplateId,
    /// What it is good for.
    #[serde(flatten)]
    pub terms: TermsView,
    /// Status now: `unused`, `locked`, `used`, `expired` or `refunded`. Past `expireTime` an unused coupon is expired;
    /// past `lockedUntil` a locked one is unused.
    #[schema(value_type = String, example = "unused")]
    pub status: CouponStatus,
    /// How it reached the guest: `claim`, `queue`, `grant`, `auto` or `exchange`.
    #[schema(value_type = String, example = "claim")]
    pub source: Source,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub claim_time: Timestamp,
    /// The first instant at which it can no longer be used.
    #[schema(value_type = String, format = DateTime)]
    pub expire_time: Timestamp,
    /// The order that holds it, or that it was used with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub order_id: Option<OrderId>,
    /// Fen that order saves by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_fen: Option<u64>,
    /// The first instant at which another order may take it; while locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub locked_until: Option<Timestamp>,
    /// When it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_time: Option<Timestamp>,
}

impl CouponView {
    /// The coupon as it is at `now`.
    pub fn new(coupon: &Coupon, now: Timestamp) -> Self {
        let unused = Self {
            id: coupon.id,
            code: coupon.code.to_string(),
            template_id: coupon.template(),
            terms: TermsView::from(&coupon.terms),
            status: coupon.status(now),
            source: coupon.source,
            claim_time: coupon.claimed_at,
            expire_time: coupon.expires_at,
            order_id: None,
            saved_fen: None,
            locked_until: None,
            used_time: None,
        };
        match &coupon.state {
            CouponState::Locked(lock) if now < lock.until => Self {
                order_id: Some(lock.order.clone()),
                saved_fen: Some(lock.saved.get()),
                locked_until: Some(lock.until),
                ..unused
            },
            CouponState::Used(spent) | CouponState::Refunded(spent) => Self {
                order_id: Some(spent.order.clone()),
                saved_fen: Some(spent.saved.get()),
                used_time: Some(spent.at),
                ..unused
            },
            CouponState::Unused | CouponState::Locked(_) | CouponState::Expired => unused,
        }
    }
}

/// Part of a guest's coupons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CouponList {
    /// The coupons, those of the newest template first. May be fewer than `limit` although more follow.
    pub items: Vec<CouponView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
