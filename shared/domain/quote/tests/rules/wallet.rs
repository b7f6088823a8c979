//! Coupons and orders to try things out on, and the slow way to the best combination.

use std::cmp::Reverse;

use domain_coupon::{Benefit, Coupon, Scope, Stacking, Terms, Threshold, Usage};
use domain_ids::{CouponId, Nth, TemplateId};
use domain_money::Fen;
use domain_quote::{Applicable, Combination, Line, MAX_COMBINED, OrderDraft, combine};
use jiff::{SignedDuration, civil::date};

/// A line on homestay `h<n>` of host `o<n % 3>` in city `c<n % 2>`, from the 1st to the 3rd of December.
pub fn line(n: u8, amount: u64) -> Line {
    Line {
        homestay: format!("h{n}").parse().unwrap(),
        host: format!("o{}", n % 3).parse().unwrap(),
        city: format!("c{}", n % 2),
        check_in: date(2026, 12, 1),
        check_out: date(2026, 12, 3),
        amount: Fen::new(amount),
    }
}

/// One line for each amount, each on a homestay of its own.
pub fn draft(amounts: &[u64]) -> OrderDraft {
    let lines = (0..).zip(amounts).map(|(n, &amount)| line(n, amount)).collect();
    OrderDraft::new(None, false, lines).unwrap()
}

/// A coupon of the `n`th template, which has no threshold; each expires an hour after the one before.
pub fn coupon(n: u8, benefit: Benefit) -> Coupon {
    let coupon = testing::coupon("ann", 1);
    let template = TemplateId::from_parts(1_794_000_000_000, u128::from(n));
    Coupon {
        id: CouponId::new(&coupon.guest, template, Nth::MIN),
        terms: Terms { name: "x".into(), benefit, threshold: Threshold::None },
        expires_at: coupon.expires_at + SignedDuration::from_hours(n.into()),
        ..coupon
    }
}

pub fn cash(amount: u64) -> Benefit {
    Benefit::Cash { amount: Fen::new(amount) }
}

pub fn reduction(amount: u64) -> Benefit {
    Benefit::FullReduction { amount: Fen::new(amount) }
}

pub fn discount(percent: u8, cap: Option<u64>) -> Benefit {
    Benefit::Discount { percent, cap: cap.map(Fen::new) }
}

pub fn stackable() -> Usage {
    Usage { scope: Scope::default(), stacking: Stacking::Stackable }
}

/// Everything that can be combined, looked at: the best by the rule of `best_combination`.
pub fn naive(draft: &OrderDraft, coupons: &[Applicable]) -> Option<Combination> {
    let mut best: Option<(_, Combination)> = None;
    let limit = 1_usize << coupons.len();
    for set in (1..limit).filter(|set| set.count_ones() as usize <= MAX_COMBINED) {
        let chosen: Vec<&Applicable> =
            coupons.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, it)| it).collect();
        let Ok(combination) = combine(draft, &chosen) else { continue };
        let mut first: Vec<_> = chosen.iter().map(|it| (it.expires_at, it.coupon)).collect();
        first.sort();
        let key = (Reverse(combination.saved), chosen.len(), first);
        let is_better = best.as_ref().is_none_or(|(best, _)| key < *best);
        if combination.saved > Fen::new(0) && is_better {
            best = Some((key, combination));
        }
    }
    best.map(|(_, combination)| combination)
}
