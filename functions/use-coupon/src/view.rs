use coupon_http::CouponView;
use domain_ids::OrderId;
use domain_quote::Held;
use jiff::Timestamp;
use quote_http::{CombinationView, DraftRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The order to hold a coupon for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "orderId": "order-20261111-0001",
    "draft": { "firstOrder": false, "lines": [{
        "homestayId": "h-1001", "hostId": "o-17", "city": "杭州",
        "checkIn": "2026-12-01", "checkOut": "2026-12-03", "amountFen": 68_000
    }] }
}))]
pub struct LockRequest {
    /// The order: 1 to 64 of `A-Z a-z 0-9 - _`.
    #[schema(value_type = String)]
    pub(crate) order_id: OrderId,
    /// What the order is.
    pub(crate) draft: DraftRequest,
}

/// The order that has locked or used a coupon.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"orderId": "order-20261111-0001"}))]
pub struct OrderRequest {
    /// The order: 1 to 64 of `A-Z a-z 0-9 - _`.
    #[schema(value_type = String)]
    pub(crate) order_id: OrderId,
}

/// A coupon that an order holds, and what all the coupons that it holds do for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LockView {
    /// The coupon.
    #[serde(flatten)]
    pub coupon: CouponView,
    /// What the order saves by this coupon and all others that it holds or has used: what to charge the guest by.
    pub order: CombinationView,
}

impl LockView {
    pub(crate) fn new(held: &Held, now: Timestamp) -> Self {
        Self { coupon: CouponView::new(&held.coupon, now), order: CombinationView::from(&held.combination) }
    }
}
