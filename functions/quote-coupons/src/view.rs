use domain_coupon::Coupon;
use domain_ids::{CouponId, OrderId};
use domain_quote::{Applicable, OrderDraft, Quote, Reason};
use platform_http::Problem;
use quote_http::{CombinationView, DraftRequest, LineRequest, ReasonView, invalid_draft, reasons};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The order that coupons are quoted for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "orderId": "order-20261111-0001", "firstOrder": false,
    "lines": [{
        "homestayId": "h-1001", "hostId": "o-17", "city": "杭州",
        "checkIn": "2026-12-01", "checkOut": "2026-12-03", "amountFen": 68_000
    }]
}))]
pub struct QuoteRequest {
    /// The order, if it has an id yet: coupons that it holds count as free.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    order_id: Option<OrderId>,
    /// Whether the guest has ordered nothing before.
    #[serde(default)]
    first_order: bool,
    /// 1 to 50 stays.
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<LineRequest>,
}

impl QuoteRequest {
    /// The draft as the domain takes it, or 422.
    pub(crate) fn parse(self) -> Result<OrderDraft, Problem> {
        let draft = DraftRequest::new(self.first_order, self.lines);
        draft.parse(self.order_id).map_err(|error| invalid_draft(&error, ""))
    }
}

/// What a guest's coupons do for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuoteView {
    /// What the order costs without coupons, in fen.
    pub total_fen: u64,
    /// The guest's coupons, those of the newest template first.
    pub coupons: Vec<QuotedCouponView>,
    /// What the best coupon saves alone; absent where none saves anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_single: Option<CombinationView>,
    /// What the best coupons save together; absent where none saves anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_combination: Option<CombinationView>,
    /// Nothing saves more than `bestCombination`. False only where the search was broken off to answer in time.
    pub exact: bool,
    /// The guest holds more coupons than were looked at, which is 500.
    pub truncated: bool,
}

/// What one coupon does for an order by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotedCouponView {
    /// The coupon.
    #[schema(value_type = String)]
    pub id: CouponId,
    /// Whether it can be used on the order, by itself at least.
    pub applies: bool,
    /// Fen it takes off by itself; 0 for a gift and where it does not apply.
    pub saved_fen: u64,
    /// The stock-keeping unit of the gift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_sku: Option<String>,
    /// Every reason why it does not apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonView>,
}

impl QuoteView {
    pub(crate) fn new(quote: &Quote, draft: &OrderDraft) -> Self {
        Self {
            total_fen: draft.total().get(),
            coupons: quote.coupons.iter().map(QuotedCouponView::from).collect(),
            best_single: quote.best_single.as_ref().map(CombinationView::from),
            best_combination: quote.best.combination.as_ref().map(CombinationView::from),
            exact: quote.best.is_exact,
            truncated: quote.is_truncated,
        }
    }
}

impl From<&(Coupon, Result<Applicable, Vec<Reason>>)> for QuotedCouponView {
    fn from((coupon, outcome): &(Coupon, Result<Applicable, Vec<Reason>>)) -> Self {
        match outcome {
            Ok(applicable) => Self {
                id: coupon.id,
                applies: true,
                saved_fen: applicable.saved.get(),
                gift_sku: applicable.gift.clone(),
                reasons: Vec::new(),
            },
            Err(why_not) => Self {
                id: coupon.id,
                applies: false,
                saved_fen: 0,
                gift_sku: None,
                reasons: reasons(why_not),
            },
        }
    }
}
