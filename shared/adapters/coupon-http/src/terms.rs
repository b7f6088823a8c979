use domain_coupon::{Benefit, Terms, Threshold};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kind of coupon (roadmap codes in order: 1 to 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CouponType {
    /// 满减: `amountFen` off from the threshold on.
    FullReduction,
    /// 折扣: `discountPercent` off, at most `discountCapFen`.
    Discount,
    /// 代金券: `amountFen` off.
    Cash,
    /// 礼品券: the thing `giftSku`.
    Gift,
}

/// Kind of threshold (roadmap codes in order: 1, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdType {
    /// 无门槛: any order.
    None,
    /// 金额门槛: orders from `amountFen` on.
    Amount,
}

/// What the order must amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThresholdView {
    /// Kind of threshold.
    #[serde(rename = "type")]
    pub kind: ThresholdType,
    /// Fen; with `amount` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub amount_fen: Option<i64>,
}

/// What a coupon is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TermsView {
    /// Shown to guests.
    pub name: String,
    /// Kind of coupon.
    #[serde(rename = "type")]
    pub kind: CouponType,
    /// Fen taken off; with `full_reduction` and `cash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_fen: Option<u64>,
    /// Percent taken off, 20 being 8折; with `discount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_percent: Option<u8>,
    /// Fen taken off at most; with `discount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_cap_fen: Option<u64>,
    /// Stock-keeping unit of the gift; with `gift`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_sku: Option<String>,
    /// What the order must amount to.
    pub threshold: ThresholdView,
}

impl From<&Terms> for TermsView {
    fn from(terms: &Terms) -> Self {
        let bare = Self {
            name: terms.name.clone(),
            kind: CouponType::Cash,
            amount_fen: None,
            discount_percent: None,
            discount_cap_fen: None,
            gift_sku: None,
            threshold: terms.threshold.into(),
        };
        match &terms.benefit {
            Benefit::FullReduction { amount } => {
                Self { kind: CouponType::FullReduction, amount_fen: Some(amount.get()), ..bare }
            }
            Benefit::Discount { percent, cap } => Self {
                kind: CouponType::Discount,
                discount_percent: Some(*percent),
                discount_cap_fen: cap.map(domain_money::Fen::get),
                ..bare
            },
            Benefit::Cash { amount } => Self { amount_fen: Some(amount.get()), ..bare },
            Benefit::Gift { sku } => Self { kind: CouponType::Gift, gift_sku: Some(sku.clone()), ..bare },
        }
    }
}

impl From<Threshold> for ThresholdView {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::None => Self { kind: ThresholdType::None, amount_fen: None },
            Threshold::Amount(from) => {
                Self { kind: ThresholdType::Amount, amount_fen: i64::try_from(from.get()).ok() }
            }
        }
    }
}
