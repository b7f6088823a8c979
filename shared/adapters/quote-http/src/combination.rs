use domain_ids::CouponId;
use domain_quote::Combination;
use serde::Serialize;
use utoipa::ToSchema;

/// What an order saves by some coupons together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CombinationView {
    /// The coupons, in the order in which they are applied.
    #[schema(value_type = Vec<String>)]
    pub coupon_ids: Vec<CouponId>,
    /// Fen taken off in all.
    pub saved_fen: u64,
    /// Fen left to pay.
    pub payable_fen: u64,
    /// What is taken off each line; the sum is `savedFen`. A line that is cancelled costs its amount less this.
    pub lines: Vec<LineSavingView>,
}

/// What is taken off a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineSavingView {
    /// Which line of the request, counted from 0.
    pub index: usize,
    /// Fen taken off it.
    pub saved_fen: u64,
}

impl From<&Combination> for CombinationView {
    fn from(combination: &Combination) -> Self {
        let line =
            |(index, saved): (usize, &domain_money::Fen)| LineSavingView { index, saved_fen: saved.get() };
        Self {
            coupon_ids: combination.coupons.iter().map(|taken| taken.coupon).collect(),
            saved_fen: combination.saved.get(),
            payable_fen: combination.payable.get(),
            lines: combination.lines.iter().enumerate().map(line).collect(),
        }
    }
}
