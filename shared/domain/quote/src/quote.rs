use domain_coupon::{Coupon, CouponShelf, StoreError, TemplateShelf};
use domain_ids::GuestId;
use jiff::Timestamp;

use crate::{
    Applicable, Best, Combination, OrderDraft, Reason, UsageMemory, assess, best_combination, best_single,
    combine,
};

/// Coupons that are looked at for a quote, those of the newest templates first: far more than a guest scrolls through,
/// and some 300 KB to read.
pub const MAX_QUOTED: usize = 500;

/// Coupons read at once.
const PAGE: u16 = 100;

/// What a guest's coupons do for a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Each coupon: what it does by itself, or why it does not apply.
    pub coupons: Vec<(Coupon, Result<Applicable, Vec<Reason>>)>,
    /// What the best coupon saves alone.
    pub best_single: Option<Combination>,
    /// The coupons to use together.
    pub best: Best,
    /// The guest holds more than [`MAX_QUOTED`] coupons: the rest were not looked at.
    pub is_truncated: bool,
}

/// Quotes a guest's coupons for a draft.
pub async fn quote_coupons(
    store: &(impl CouponShelf + TemplateShelf),
    memory: &UsageMemory,
    guest: &GuestId,
    draft: &OrderDraft,
    now: Timestamp,
) -> Result<Quote, StoreError> {
    let (coupons, is_truncated) = read_coupons(store, guest, MAX_QUOTED).await?;
    let usages = memory.recall(store, coupons.iter().map(Coupon::template)).await?;
    let assessed = |coupon: Coupon| {
        let outcome = match usages.get(&coupon.template()) {
            Some(usage) => assess(&coupon, usage, draft, now),
            None => Err(vec![Reason::TemplateGone]),
        };
        (coupon, outcome)
    };
    let coupons: Vec<_> = coupons.into_iter().map(assessed).collect();
    let applicable: Vec<Applicable> =
        coupons.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()).cloned().collect();
    Ok(Quote {
        best_single: best_single(&applicable).and_then(|best| combine(draft, &[best]).ok()),
        best: best_combination(draft, &applicable),
        coupons,
        is_truncated,
    })
}

/// Up to `max` coupons of a guest, and whether there are more.
pub(crate) async fn read_coupons(
    store: &impl CouponShelf,
    guest: &GuestId,
    max: usize,
) -> Result<(Vec<Coupon>, bool), StoreError> {
    let (mut coupons, mut after) = (Vec::new(), None);
    loop {
        let page = store.coupons(guest, after, PAGE).await?;
        coupons.extend(page.items);
        after = page.next;
        let is_truncated = coupons.len() > max || coupons.len() == max && after.is_some();
        if is_truncated || after.is_none() {
            coupons.truncate(max);
            return Ok((coupons, is_truncated));
        }
    }
}
