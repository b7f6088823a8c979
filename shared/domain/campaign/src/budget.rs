use domain_coupon::{Benefit, Stock, Template};
use domain_money::Fen;

/// What the house pays at most for the coupons of a template that are on sale: as many as there are in total, times what
/// one of them takes off at most. `None` where that is not bounded: a gift, a discount without a cap, unlimited stock.
///
/// Coupons that came back and are on sale again are not counted twice: only one that can no longer be used comes back.
pub fn commitment(template: &Template) -> Option<Fen> {
    let Stock::Limited(stock) = &template.stock else { return None };
    let liability = match template.terms.benefit {
        Benefit::FullReduction { amount } | Benefit::Cash { amount } => amount,
        Benefit::Discount { cap, .. } => cap?,
        Benefit::Gift { .. } => return None,
    };
    u64::from(stock.total).checked_mul(liability.get()).map(Fen::new)
}

/// What a budget lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// The budget.
    pub budget: Fen,
    /// What the other templates of the campaign have committed of it.
    pub committed: Fen,
    /// What this one needs.
    pub needed: Fen,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_commitment_is_the_most_that_can_have_to_be_paid() {
        let of = |benefit| {
            let mut template = fixtures::template(1, 100);
            template.terms.benefit = benefit;
            commitment(&template).map(Fen::get)
        };
        let amount = Fen::new(2_000);
        assert_eq!(of(Benefit::FullReduction { amount }), Some(200_000));
        assert_eq!(of(Benefit::Cash { amount }), Some(200_000));
        assert_eq!(of(Benefit::Discount { percent: 20, cap: Some(amount) }), Some(200_000));
        assert_eq!(of(Benefit::Discount { percent: 20, cap: None }), None);
        assert_eq!(of(Benefit::Gift { sku: "TEA".into() }), None);
        let unlimited = Template { stock: Stock::Unlimited, ..fixtures::template(1, 1) };
        assert_eq!(commitment(&unlimited), None);
    }

    #[test]
    fn coupons_that_came_back_are_not_counted_twice() {
        let template = Template { restock: true, ..fixtures::template(1, 100) };
        let restocked = template.restocked(40, fixtures::NOW).unwrap();
        assert_eq!(commitment(&restocked), commitment(&template));
    }
}
