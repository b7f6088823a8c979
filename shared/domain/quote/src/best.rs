use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use domain_coupon::Stacking;

use crate::{
    Applicable, Combination, MAX_COMBINED, OrderDraft, combine,
    effect::Effect,
    search::{self, Class},
};

/// The best that a guest's coupons can do for a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// The coupons to use together; `None` where none saves anything.
    pub combination: Option<Combination>,
    /// Nothing saves more. Not so in the rare case that the search took too long and was broken off.
    pub is_exact: bool,
}

/// The coupon that saves most by itself; of equals the one that expires first, then the first by id. Gifts save no
/// money and are never the best: a guest chooses one for its own sake.
pub fn best_single(coupons: &[Applicable]) -> Option<&Applicable> {
    let saving = coupons.iter().filter(|coupon| coupon.saved.get() > 0);
    saving.min_by_key(|coupon| (Reverse(coupon.saved), coupon.expires_at, coupon.coupon))
}

/// The combination that saves most; of equals the one of fewest coupons, then the one whose coupons expire first (that
/// is, whose first differing coupon by expiry and id comes first).
///
/// It depends neither on the order of the coupons nor on that of the lines.
pub fn best_combination(draft: &OrderDraft, coupons: &[Applicable]) -> Best {
    let mut ranked: Vec<&Applicable> = coupons.iter().filter(|coupon| coupon.saved.get() > 0).collect();
    ranked.sort_by_key(|coupon| (coupon.expires_at, coupon.coupon));
    let found = search::best(&classes(&ranked), &draft.amounts());
    let at = |rank: &usize| ranked.get(*rank).copied();
    let together: Vec<&Applicable> = found.ranks.iter().filter_map(at).collect();
    let alone = ranked.iter().filter(|coupon| coupon.stacking == Stacking::Exclusive);
    let alone = alone.min_by_key(|coupon| (Reverse(coupon.saved), coupon.expires_at, coupon.coupon));
    let key = |coupons: &[&Applicable], saved: u64| {
        let expiries: Vec<_> = coupons.iter().map(|coupon| (coupon.expires_at, coupon.coupon)).collect();
        (Reverse(saved), coupons.len(), expiries)
    };
    let chosen = match alone {
        Some(&alone) if key(&[alone], alone.saved.get()) < key(&together, found.saved) => vec![alone],
        Some(_) | None => together,
    };
    let combination = if chosen.is_empty() { None } else { combine(draft, &chosen).ok() };
    Best { combination, is_exact: found.is_exact }
}

/// The coupons that can be combined, those of one effect and one rule together, in the order in which they are applied.
fn classes(ranked: &[&Applicable]) -> Vec<Class> {
    let groups: BTreeSet<&str> = ranked.iter().filter_map(|coupon| group(&coupon.stacking)).collect();
    let number = |name| groups.iter().position(|&group| group == name);
    let mut classes: BTreeMap<(Effect, Option<usize>), Vec<usize>> = BTreeMap::new();
    for (rank, coupon) in ranked.iter().enumerate() {
        let group = match &coupon.stacking {
            Stacking::Exclusive => continue,
            Stacking::Stackable => None,
            Stacking::Group(name) => number(name.as_str()),
        };
        let ranks = classes.entry((coupon.effect, group)).or_default();
        if ranks.len() < if group.is_some() { 1 } else { MAX_COMBINED } {
            ranks.push(rank);
        }
    }
    classes.into_iter().map(|((effect, group), ranks)| Class { effect, group, ranks }).collect()
}

fn group(stacking: &Stacking) -> Option<&str> {
    match stacking {
        Stacking::Group(name) => Some(name),
        Stacking::Exclusive | Stacking::Stackable => None,
    }
}
