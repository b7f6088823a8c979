use domain_coupon::{Benefit, Coupon, CouponState, CouponStatus, Scope, Stacking, Threshold, Usage};
use domain_ids::{CouponId, OrderId};
use domain_money::Fen;
use jiff::Timestamp;

use crate::{Line, OrderDraft, Reason, ScopePart, draft::LineSet, effect::Effect};

/// A coupon that applies to a draft, at least by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicable {
    /// The coupon.
    pub coupon: CouponId,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
    /// What the order saves by it alone: more than nothing, unless it is a gift.
    pub saved: Fen,
    /// The stock-keeping unit that the guest gets with a gift coupon.
    pub gift: Option<String>,
    pub(crate) stacking: Stacking,
    pub(crate) effect: Effect,
}

/// Whether a coupon applies to a draft by itself, and what the order then saves; otherwise every reason why not.
///
/// The threshold is held against what the lines within its scope cost without coupons.
pub fn assess(
    coupon: &Coupon,
    usage: &Usage,
    draft: &OrderDraft,
    now: Timestamp,
) -> Result<Applicable, Vec<Reason>> {
    let standing = standing(coupon, draft.order(), now);
    match (standing, fit(coupon, usage, draft)) {
        (None, fit) => fit,
        (Some(reason), Ok(_)) => Err(vec![reason]),
        (Some(reason), Err(reasons)) => Err([vec![reason], reasons].concat()),
    }
}

/// Why the coupon is not free for `order`.
fn standing(coupon: &Coupon, order: Option<&OrderId>, now: Timestamp) -> Option<Reason> {
    match (coupon.status(now), &coupon.state) {
        (CouponStatus::Locked, CouponState::Locked(lock)) if order != Some(&lock.order) => {
            Some(Reason::Locked { until: lock.until })
        }
        (CouponStatus::Unused | CouponStatus::Locked, _) => None,
        (CouponStatus::Used, _) => Some(Reason::Used),
        (CouponStatus::Expired, _) => Some(Reason::Expired),
        (CouponStatus::Refunded, _) => Some(Reason::Refunded),
    }
}

/// Whether the coupon's terms fit the draft, whatever has happened to the coupon.
pub(crate) fn fit(coupon: &Coupon, usage: &Usage, draft: &OrderDraft) -> Result<Applicable, Vec<Reason>> {
    let scope = &usage.scope;
    let mut reasons = Vec::new();
    if scope.first_order_only && !draft.is_first_order() {
        reasons.push(Reason::FirstOrderOnly);
    }
    let lines = LineSet::of(draft.lines(), |line| PARTS.iter().all(|(_, admits)| admits(scope, line)));
    if lines.is_empty() {
        reasons.extend(outside(scope, draft.lines()));
        return Err(reasons);
    }
    let amounts = draft.amounts();
    let benefit = &coupon.terms.benefit;
    let effect = Effect::new(benefit, lines, &amounts);
    let gift = match benefit {
        Benefit::Gift { sku } => Some(sku.clone()),
        Benefit::FullReduction { .. } | Benefit::Discount { .. } | Benefit::Cash { .. } => None,
    };
    let saved = effect.takes(&amounts);
    match coupon.terms.threshold {
        Threshold::Amount(from) if effect.base() < from.get() => {
            reasons.push(Reason::BelowThreshold { missing: Fen::new(from.get() - effect.base()) });
        }
        Threshold::Amount(_) | Threshold::None if saved == 0 && gift.is_none() => {
            reasons.push(Reason::NothingLeft);
        }
        Threshold::Amount(_) | Threshold::None => {}
    }
    if !reasons.is_empty() {
        return Err(reasons);
    }
    Ok(Applicable {
        coupon: coupon.id,
        expires_at: coupon.expires_at,
        saved: Fen::new(saved),
        gift,
        stacking: usage.stacking.clone(),
        effect,
    })
}

type Admits = fn(&Scope, &Line) -> bool;

/// What a line must be, part by part, and the reason where it is not.
const PARTS: [(Reason, Admits); 4] = [
    (Reason::OutOfScope(ScopePart::Homestay), |scope, line| {
        scope.homestays.is_empty() || scope.homestays.contains(&line.homestay)
    }),
    (Reason::OutOfScope(ScopePart::Host), |scope, line| {
        scope.hosts.is_empty() || scope.hosts.contains(&line.host)
    }),
    (Reason::OutOfScope(ScopePart::City), |scope, line| {
        scope.cities.is_empty() || scope.cities.contains(&line.city)
    }),
    (Reason::StayOutsideDates, |scope, line| {
        scope.stay.is_none_or(|stay| stay.from <= line.check_in && line.check_out <= stay.to)
    }),
];

/// Why no line is within the scope: the parts that not one line meets; where there is a line for each part, but none
/// for all of them, the parts that some line does not meet.
fn outside(scope: &Scope, lines: &[Line]) -> Vec<Reason> {
    let failed = |is_failed: &dyn Fn(Admits) -> bool| -> Vec<Reason> {
        PARTS.iter().filter(|(_, admits)| is_failed(*admits)).map(|(reason, _)| *reason).collect()
    };
    let by_all = failed(&|admits| !lines.iter().any(|line| admits(scope, line)));
    let by_some = || failed(&|admits| !lines.iter().all(|line| admits(scope, line)));
    if by_all.is_empty() { by_some() } else { by_all }
}
