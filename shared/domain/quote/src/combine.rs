use std::collections::BTreeSet;

use domain_coupon::Stacking;
use domain_ids::CouponId;
use domain_money::Fen;

use crate::{Applicable, Clash, OrderDraft};

/// Coupons on one order. Shops that combine coupons stop at a handful, which a guest can still follow; and the search
/// for the best combination takes time with the power of this number.
pub const MAX_COMBINED: usize = 5;

/// What an order saves by some coupons together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// Each coupon and what it takes, in the order in which they are applied.
    pub coupons: Vec<Taken>,
    /// What is taken off each line, in the caller's order of lines. A line that is cancelled costs the guest its
    /// amount less this.
    pub lines: Vec<Fen>,
    /// What is taken in all: the sum of the coupons', and of the lines'.
    pub saved: Fen,
    /// What is left to pay.
    pub payable: Fen,
}

/// What one coupon takes beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The coupon.
    pub coupon: CouponId,
    /// What it takes.
    pub saved: Fen,
}

/// What the order saves by all these coupons together, if they go together. Each is applied to what those before it
/// have left: discounts, then full reductions, then cash, then gifts; within a kind those whose lines cost less first,
/// then those worth less; of equals those that expire first.
pub fn combine(draft: &OrderDraft, coupons: &[&Applicable]) -> Result<Combination, Clash> {
    check_stacking(coupons.iter().map(|coupon| &coupon.stacking))?;
    let mut coupons = coupons.to_vec();
    coupons.sort_by_key(|coupon| (coupon.effect, coupon.expires_at, coupon.coupon));
    let amounts = draft.amounts();
    let mut left = amounts.clone();
    let mut apply = |coupon: &&Applicable| Taken {
        coupon: coupon.coupon,
        saved: Fen::new(coupon.effect.apply(&mut left)),
    };
    let coupons: Vec<Taken> = coupons.iter().map(&mut apply).collect();
    let payable = left.iter().sum();
    Ok(Combination {
        coupons,
        saved: Fen::new(draft.total().get() - payable),
        payable: Fen::new(payable),
        lines: draft.in_callers_order(amounts.iter().zip(&left).map(|(amount, left)| amount - left)),
    })
}

/// Whether coupons with these rules go together.
fn check_stacking<'a>(rules: impl ExactSizeIterator<Item = &'a Stacking>) -> Result<(), Clash> {
    let count = rules.len();
    let mut groups = BTreeSet::new();
    for rule in rules {
        match rule {
            Stacking::Exclusive if count > 1 => return Err(Clash::Exclusive),
            Stacking::Group(name) if !groups.insert(name) => return Err(Clash::SameGroup),
            Stacking::Exclusive | Stacking::Stackable | Stacking::Group(_) => {}
        }
    }
    if count > MAX_COMBINED { Err(Clash::TooMany) } else { Ok(()) }
}
