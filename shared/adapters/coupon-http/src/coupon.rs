use domain_coupon::{Coupon, CouponState, CouponStatus};
use domain_ids::{CouponId, TemplateId};
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
    "status": "unused",
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
    /// Status now; past `expireTime` an unused coupon is expired.
    #[schema(value_type = String, example = "unused")]
    pub status: CouponStatus,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub claim_time: Timestamp,
    /// The first instant at which it can no longer be used.
    #[schema(value_type = String, format = DateTime)]
    pub expire_time: Timestamp,
    /// When it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_time: Option<Timestamp>,
}

impl CouponView {
    /// The coupon as it is at `now`.
    pub fn new(coupon: &Coupon, now: Timestamp) -> Self {
        Self {
            id: coupon.id,
            code: coupon.code.to_string(),
            template_id: coupon.template(),
            terms: TermsView::from(&coupon.terms),
            status: coupon.status(now),
            claim_time: coupon.claimed_at,
            expire_time: coupon.expires_at,
            used_time: match coupon.state {
                CouponState::Used { at } => Some(at),
                CouponState::Unused | CouponState::Expired => None,
            },
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
