use domain_coupon::{Benefit, Terms, Threshold};
use domain_money::Fen;
use serde::{Deserialize, Serialize};

/// What a coupon is good for, as attributes of a template or a coupon.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TermsItem {
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount_fen: Option<Fen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    discount_percent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    discount_cap_fen: Option<Fen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gift_sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold_fen: Option<Fen>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    FullReduction,
    Discount,
    Cash,
    Gift,
}

impl From<&Terms> for TermsItem {
    fn from(terms: &Terms) -> Self {
        let bare = Self {
            name: terms.name.clone(),
            kind: Kind::Cash,
            amount_fen: None,
            discount_percent: None,
            discount_cap_fen: None,
            gift_sku: None,
            threshold_fen: match terms.threshold {
                Threshold::None => None,
                Threshold::Amount(from) => Some(from),
            },
        };
        match &terms.benefit {
            Benefit::FullReduction { amount } => {
                Self { kind: Kind::FullReduction, amount_fen: Some(*amount), ..bare }
            }
            Benefit::Discount { percent, cap } => Self {
                kind: Kind::Discount,
                discount_percent: Some(*percent),
                discount_cap_fen: *cap,
                ..bare
            },
            Benefit::Cash { amount } => Self { kind: Kind::Cash, amount_fen: Some(*amount), ..bare },
            Benefit::Gift { sku } => Self { kind: Kind::Gift, gift_sku: Some(sku.clone()), ..bare },
        }
    }
}

impl TryFrom<TermsItem> for Terms {
    type Error = &'static str;

    fn try_from(item: TermsItem) -> Result<Self, Self::Error> {
        let amount = || item.amount_fen.ok_or("amountFen is missing");
        let benefit = match item.kind {
            Kind::FullReduction => Benefit::FullReduction { amount: amount()? },
            Kind::Cash => Benefit::Cash { amount: amount()? },
            Kind::Discount => Benefit::Discount {
                percent: item.discount_percent.ok_or("discountPercent is missing")?,
                cap: item.discount_cap_fen,
            },
            Kind::Gift => Benefit::Gift { sku: item.gift_sku.ok_or("giftSku is missing")? },
        };
        let threshold = item.threshold_fen.map_or(Threshold::None, Threshold::Amount);
        Ok(Self { name: item.name, benefit, threshold })
    }
}
