//! Holding a coupon for an order, together with the coupons that the order holds already.

use std::{collections::BTreeMap, sync::Arc};

use domain_coupon::{
    Actor, Coupon, CouponState, CouponStatus, CouponStore, Refusal, StoreError, TemplateShelf, Transition,
    TransitionError, Usage, transition,
};
use domain_ids::{CouponId, GuestId, OrderId, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;

use crate::{
    Applicable, Clash, Combination, OrderDraft, Reason, UsageMemory, assess::fit, combine,
    quote::read_coupons,
};

/// Coupons among which those of the order are looked for. They have no index (`docs/decisions/0004-coupon-keys.md`), and
/// nobody holds as many; a lock of an order on a coupon beyond them would be overlooked.
const MAX_SEARCHED: usize = 2_000;

/// Times a lock starts over because somebody else changed the coupon.
const MAX_ROUNDS: u32 = 4;

/// A request to hold a coupon for an order.
#[derive(Debug, Clone)]
pub struct LockCoupon {
    /// Who asks.
    pub actor: Actor,
    /// Who holds the coupon.
    pub guest: GuestId,
    /// The coupon.
    pub coupon: CouponId,
    /// The order.
    pub order: OrderId,
    /// What the order is.
    pub draft: OrderDraft,
    /// Now.
    pub at: Timestamp,
}

/// A coupon that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The coupon, locked for the order.
    pub coupon: Coupon,
    /// What the order saves by all the coupons that it holds.
    pub combination: Combination,
}

/// Why a coupon is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The guest holds no such coupon.
    #[error("no such coupon")]
    NotFound,
    /// The coupon as it is does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It does not apply to the order, or not beside the coupons that the order holds.
    #[error("the coupon does not apply to the order")]
    NotApplicable(Vec<Reason>),
    /// Somebody changed the coupon, or the coupons of the order, at the same moment. This call holds nothing that it did
    /// not hold before; a repeat may succeed.
    #[error("too much contention")]
    Busy,
    /// The store failed. The coupon may be held; a repeat finds out.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<TransitionError> for LockError {
    fn from(error: TransitionError) -> Self {
        match error {
            TransitionError::NotFound => Self::NotFound,
            TransitionError::Refused(refusal) => Self::Refused(refusal),
            TransitionError::Busy => Self::Busy,
            TransitionError::Store(error) => Self::Store(error),
        }
    }
}

/// Holds a coupon for an order, and records what the order saves by it beside the coupons it holds already: after each
/// lock, the savings recorded on the coupons of an order add up to what they save together on the draft of that lock.
/// Whoever gives one back locks the rest again, each once, to put the record right.
///
/// The order's coupons are read again after the lock is written. If they are not those that the saving was worked out
/// with, somebody locked or gave back another one at the same moment: the coupon is given back, and a repeat works it
/// out anew. Of two locks at once at least one sees the other, because each writes before it reads again; so whoever is
/// told "held" is held within the rules.
pub async fn lock_coupon(
    store: &(impl CouponStore + TemplateShelf),
    memory: &UsageMemory,
    command: &LockCoupon,
) -> Result<Held, LockError> {
    let LockCoupon { actor, guest, coupon: id, order, at, .. } = command;
    let lock = |saved| Transition::Lock { order: order.clone(), saved };
    if !lock(Fen::new(0)).is_open_to(*actor) {
        return Err(Refusal::Forbidden.into());
    }
    for _ in 0..MAX_ROUNDS {
        let (coupon, others) = read(store, command).await?;
        // What the coupon has been through comes first: a used coupon is used, whatever the draft.
        coupon.after(&lock(Fen::new(0)), *at)?;
        let templates = others.iter().chain([&coupon]).map(Coupon::template);
        let usages = memory.recall(store, templates).await?;
        let is_held = belongs_to(&coupon, order, *at);
        let (saved, combination) = priced(&coupon, is_held, &others, &usages, &command.draft)?;
        let Some(next) = coupon.after(&lock(saved), *at)? else {
            return Ok(Held { coupon, combination });
        };
        if !store.replace(&next).await? {
            continue;
        }
        let (_, others_after) = read(store, command).await?;
        if savings(&others) == savings(&others_after) {
            return Ok(Held { coupon: next, combination });
        }
        if !is_held {
            transition(store, *actor, guest, *id, &Transition::Release { order: order.clone() }, *at).await?;
        }
        return Err(LockError::Busy);
    }
    Err(LockError::Busy)
}

/// The coupon, and the others of its order.
async fn read(store: &impl CouponStore, command: &LockCoupon) -> Result<(Coupon, Vec<Coupon>), LockError> {
    let (coupons, _) = read_coupons(store, &command.guest, MAX_SEARCHED).await?;
    let (mut this, others): (Vec<Coupon>, Vec<Coupon>) =
        coupons.into_iter().partition(|coupon| coupon.id == command.coupon);
    let coupon = match this.pop() {
        Some(coupon) => coupon,
        None => store.coupon(&command.guest, command.coupon).await?.ok_or(LockError::NotFound)?,
    };
    let of_order = |coupon: &Coupon| belongs_to(coupon, &command.order, command.at);
    Ok((coupon, others.into_iter().filter(of_order).collect()))
}

/// Whether the order holds the coupon now, or has used it.
fn belongs_to(coupon: &Coupon, order: &OrderId, now: Timestamp) -> bool {
    match &coupon.state {
        CouponState::Locked(lock) => lock.order == *order && coupon.status(now) == CouponStatus::Locked,
        CouponState::Used(spent) => spent.order == *order,
        CouponState::Unused | CouponState::Expired | CouponState::Refunded(_) => false,
    }
}

/// What each coupon is recorded to save.
fn savings(coupons: &[Coupon]) -> BTreeMap<CouponId, Fen> {
    let saved = |coupon: &Coupon| match &coupon.state {
        CouponState::Locked(lock) => lock.saved,
        CouponState::Used(spent) => spent.saved,
        CouponState::Unused | CouponState::Expired | CouponState::Refunded(_) => Fen::new(0),
    };
    coupons.iter().map(|coupon| (coupon.id, saved(coupon))).collect()
}

/// What to record for the coupon, and what the order saves in all.
fn priced(
    coupon: &Coupon,
    is_held: bool,
    others: &[Coupon],
    usages: &BTreeMap<TemplateId, Arc<Usage>>,
    draft: &OrderDraft,
) -> Result<(Fen, Combination), LockError> {
    let fitting = |coupon: &Coupon| -> Result<Applicable, Vec<Reason>> {
        let usage = usages.get(&coupon.template()).ok_or_else(|| vec![Reason::TemplateGone])?;
        fit(coupon, usage, draft)
    };
    let clash = |clash: Clash| LockError::NotApplicable(vec![clash.into()]);
    let this = fitting(coupon).map_err(LockError::NotApplicable)?;
    let others_fitting: Vec<Applicable> =
        others.iter().map(fitting).collect::<Result<_, _>>().map_err(|_| clash(Clash::HeldDoesNotApply))?;
    let all: Vec<&Applicable> = others_fitting.iter().chain([&this]).collect();
    let combination = combine(draft, &all).map_err(clash)?;
    let takes = combination.coupons.iter().find(|taken| taken.coupon == coupon.id);
    // One that is held already and has been left with nothing stays held, until it is released.
    if !is_held && this.gift.is_none() && takes.is_none_or(|taken| taken.saved.get() == 0) {
        return Err(LockError::NotApplicable(vec![Reason::NothingLeft]));
    }
    let others: u64 = savings(others).values().map(|saved| saved.get()).sum();
    Ok((Fen::new(combination.saved.get().saturating_sub(others)), combination))
}
