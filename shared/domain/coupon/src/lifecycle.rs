//! What may happen to a coupon after it was issued: `unused → locked → used → refunded`, `locked → unused`,
//! `unused → expired`.
//!
//! | transition | the guest who holds it | the order service | the clock |
//! |---|---|---|---|
//! | lock | yes | yes | |
//! | redeem | yes | yes | |
//! | release | yes | yes | |
//! | refund | | yes | |
//! | expire | | | yes |
//!
//! Each transition is a function of the coupon as it is, and is stored by comparing its revision: of several at once,
//! one happens, and the others see what it left. Each may be repeated.

use domain_ids::{CouponId, GuestId, OrderId};
use domain_money::Fen;
use jiff::{SignedDuration, Timestamp};

use crate::{Coupon, CouponShelf, CouponState, Lock, StoreError, Use};

/// How long an order holds a coupon without being paid: the time Chinese travel sites give a guest to pay.
pub const LOCKED_FOR: SignedDuration = SignedDuration::from_mins(30);

/// Times a transition starts over because another one came first. A coupon has one owner: more than two at once is no
/// honest use.
const MAX_ROUNDS: u32 = 4;

/// Something that may happen to a coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// Holds it for an order, for [`LOCKED_FOR`].
    Lock {
        /// The order.
        order: OrderId,
        /// What the order saves by it.
        saved: Fen,
    },
    /// Spends it on the order that holds it. After the lock's end it succeeds if nobody else has taken the coupon and
    /// it has not expired.
    Redeem {
        /// The order.
        order: OrderId,
    },
    /// Gives it up, if the order holds it. Afterwards the order does not hold it, whoever else may.
    Release {
        /// The order.
        order: OrderId,
    },
    /// Takes note that the order it was used with was cancelled.
    Refund {
        /// The order.
        order: OrderId,
    },
    /// Takes note that its time is over.
    Expire,
}

/// Who brings a transition about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The guest who holds the coupon.
    Guest,
    /// The order service, on behalf of the guest.
    Service,
    /// The passing of time.
    Clock,
}

/// Why a transition does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An order holds it.
    #[error("an order holds the coupon")]
    Locked {
        /// When that order's lock ends.
        until: Timestamp,
    },
    /// The order does not hold it: lock it first.
    #[error("the order does not hold the coupon")]
    NotLocked,
    /// It was used.
    #[error("the coupon was used")]
    Used,
    /// Its time is over.
    #[error("the coupon has expired")]
    Expired,
    /// The order it was used with was cancelled.
    #[error("the coupon was refunded")]
    Refunded,
    /// Only a used coupon can be refunded.
    #[error("the order has not used the coupon")]
    NotUsed,
    /// Not this actor's to do.
    #[error("not allowed")]
    Forbidden,
    /// Its time is not over.
    #[error("the coupon has not expired")]
    NotDue,
}

impl Transition {
    /// Whether `actor` may bring it about: the table at the head of this module.
    pub fn is_open_to(&self, actor: Actor) -> bool {
        match self {
            Self::Lock { .. } | Self::Redeem { .. } | Self::Release { .. } => {
                matches!(actor, Actor::Guest | Actor::Service)
            }
            Self::Refund { .. } => actor == Actor::Service,
            Self::Expire => actor == Actor::Clock,
        }
    }
}

impl Coupon {
    /// The coupon after `transition`, or `None` where that has happened before and nothing is left to do.
    pub fn after(&self, transition: &Transition, now: Timestamp) -> Result<Option<Self>, Refusal> {
        let state = match transition {
            Transition::Lock { order, saved } => self.locked(order, *saved, now)?,
            Transition::Redeem { order } => self.redeemed(order, now)?,
            Transition::Release { order } => self.released(order)?,
            Transition::Refund { order } => self.refunded(order)?,
            Transition::Expire => self.expired(now)?,
        };
        Ok(state.map(|state| Self {
            state,
            revision: self.revision.saturating_add(1),
            changed_at: now,
            ..self.clone()
        }))
    }

    fn locked(&self, order: &OrderId, saved: Fen, now: Timestamp) -> Result<Option<CouponState>, Refusal> {
        match &self.state {
            CouponState::Locked(lock) if now < lock.until && lock.order != *order => {
                Err(Refusal::Locked { until: lock.until })
            }
            CouponState::Locked(lock) if now < lock.until && lock.saved == saved => Ok(None),
            // An order that changes its draft keeps its lock, also past the coupon's expiry.
            CouponState::Locked(lock) if now < lock.until => {
                Ok(Some(CouponState::Locked(Lock { saved, ..lock.clone() })))
            }
            CouponState::Locked(_) | CouponState::Unused if now >= self.expires_at => Err(Refusal::Expired),
            CouponState::Locked(_) | CouponState::Unused => {
                let until = now.checked_add(LOCKED_FOR).unwrap_or(Timestamp::MAX);
                Ok(Some(CouponState::Locked(Lock { order: order.clone(), saved, until })))
            }
            CouponState::Used(_) => Err(Refusal::Used),
            CouponState::Expired => Err(Refusal::Expired),
            CouponState::Refunded(_) => Err(Refusal::Refunded),
        }
    }

    fn redeemed(&self, order: &OrderId, now: Timestamp) -> Result<Option<CouponState>, Refusal> {
        match &self.state {
            CouponState::Locked(lock) if lock.order != *order => {
                Err(if now < lock.until { Refusal::Locked { until: lock.until } } else { Refusal::NotLocked })
            }
            CouponState::Locked(lock) if now < lock.until || now < self.expires_at => {
                Ok(Some(CouponState::Used(Use { order: order.clone(), saved: lock.saved, at: now })))
            }
            CouponState::Used(used) if used.order == *order => Ok(None),
            CouponState::Used(_) => Err(Refusal::Used),
            CouponState::Unused if now < self.expires_at => Err(Refusal::NotLocked),
            CouponState::Unused | CouponState::Locked(_) | CouponState::Expired => Err(Refusal::Expired),
            CouponState::Refunded(_) => Err(Refusal::Refunded),
        }
    }

    fn released(&self, order: &OrderId) -> Result<Option<CouponState>, Refusal> {
        match &self.state {
            CouponState::Locked(lock) if lock.order == *order => Ok(Some(CouponState::Unused)),
            CouponState::Used(used) if used.order == *order => Err(Refusal::Used),
            CouponState::Unused
            | CouponState::Locked(_)
            | CouponState::Used(_)
            | CouponState::Expired
            | CouponState::Refunded(_) => Ok(None),
        }
    }

    fn refunded(&self, order: &OrderId) -> Result<Option<CouponState>, Refusal> {
        match &self.state {
            CouponState::Used(used) if used.order == *order => Ok(Some(CouponState::Refunded(used.clone()))),
            CouponState::Refunded(used) if used.order == *order => Ok(None),
            CouponState::Unused
            | CouponState::Locked(_)
            | CouponState::Used(_)
            | CouponState::Expired
            | CouponState::Refunded(_) => Err(Refusal::NotUsed),
        }
    }

    fn expired(&self, now: Timestamp) -> Result<Option<CouponState>, Refusal> {
        match &self.state {
            CouponState::Locked(lock) if now < lock.until => Err(Refusal::Locked { until: lock.until }),
            CouponState::Locked(_) | CouponState::Unused if now >= self.expires_at => {
                Ok(Some(CouponState::Expired))
            }
            CouponState::Locked(_) | CouponState::Unused => Err(Refusal::NotDue),
            CouponState::Used(_) => Err(Refusal::Used),
            CouponState::Expired => Ok(None),
            CouponState::Refunded(_) => Err(Refusal::Refunded),
        }
    }
}

/// Where coupons change.
pub trait CouponStore: CouponShelf {
    /// Writes what a transition changed, if the stored coupon still has the revision before that of `next`; says
    /// whether it did.
    fn replace(&self, next: &Coupon) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Why a coupon was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// The guest holds no such coupon.
    #[error("no such coupon")]
    NotFound,
    /// The coupon as it is does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Others changed the coupon again and again. Nothing happened; a repeat may succeed.
    #[error("too much contention")]
    Busy,
    /// The store failed. The transition may have happened; a repeat finds out.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Brings a transition about and returns the coupon as it is afterwards, also where that was so before.
pub async fn transition(
    store: &impl CouponStore,
    actor: Actor,
    guest: &GuestId,
    id: CouponId,
    transition: &Transition,
    now: Timestamp,
) -> Result<Coupon, TransitionError> {
    if !transition.is_open_to(actor) {
        return Err(Refusal::Forbidden.into());
    }
    for _ in 0..MAX_ROUNDS {
        let coupon = store.coupon(guest, id).await?.ok_or(TransitionError::NotFound)?;
        let Some(next) = coupon.after(transition, now)? else { return Ok(coupon) };
        if store.replace(&next).await? {
            return Ok(next);
        }
    }
    Err(TransitionError::Busy)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CouponStatus, fixtures, fixtures::NOW};

    const FEN: Fen = Fen::new(2_000);

    fn order(name: &str) -> OrderId {
        name.parse().unwrap()
    }

    fn lock(name: &str) -> Transition {
        Transition::Lock { order: order(name), saved: FEN }
    }

    fn redeem(name: &str) -> Transition {
        Transition::Redeem { order: order(name) }
    }

    fn release(name: &str) -> Transition {
        Transition::Release { order: order(name) }
    }

    fn refund(name: &str) -> Transition {
        Transition::Refund { order: order(name) }
    }

    /// The coupon after each of `steps` in turn, all of which must happen.
    fn after(steps: &[Transition], now: Timestamp) -> Coupon {
        steps
            .iter()
            .fold(fixtures::coupon("ann", 1), |coupon, step| coupon.after(step, now).unwrap().unwrap())
    }

    #[test]
    fn an_order_locks_redeems_and_is_cancelled() {
        let coupon = after(&[lock("a"), redeem("a"), refund("a")], NOW);
        assert_eq!(coupon.state, CouponState::Refunded(Use { order: order("a"), saved: FEN, at: NOW }));
        assert_eq!(coupon.revision, 4);
    }

    #[test]
    fn a_repeat_changes_nothing() {
        for steps in
            [vec![lock("a")], vec![lock("a"), redeem("a")], vec![lock("a"), redeem("a"), refund("a")]]
        {
            let coupon = after(&steps, NOW);
            assert_eq!(coupon.after(steps.last().unwrap(), NOW), Ok(None));
        }
        assert_eq!(after(&[lock("a"), release("a")], NOW).after(&release("a"), NOW), Ok(None));
    }

    #[test]
    fn a_lock_keeps_other_orders_away_until_it_ends() {
        let coupon = after(&[lock("a")], NOW);
        let until = NOW + LOCKED_FOR;
        let moment = SignedDuration::from_millis(1);
        assert_eq!(coupon.after(&lock("b"), until - moment), Err(Refusal::Locked { until }));
        assert_eq!(coupon.after(&redeem("b"), until - moment), Err(Refusal::Locked { until }));
        let taken = coupon.after(&lock("b"), until).unwrap().unwrap();
        assert_eq!(taken.after(&redeem("a"), until), Err(Refusal::Locked { until: until + LOCKED_FOR }));
    }

    #[test]
    fn a_late_payment_succeeds_only_if_the_coupon_is_still_there() {
        let coupon = after(&[lock("a")], NOW);
        let late = NOW + LOCKED_FOR;
        assert_eq!(coupon.after(&redeem("a"), late).unwrap().unwrap().status(late), CouponStatus::Used);
        assert_eq!(coupon.after(&redeem("a"), coupon.expires_at), Err(Refusal::Expired));
        let released = coupon.after(&release("a"), NOW).unwrap().unwrap();
        assert_eq!(released.after(&redeem("a"), NOW), Err(Refusal::NotLocked));
    }

    #[test]
    fn a_lock_outlives_the_expiry() {
        let issued = fixtures::coupon("ann", 1);
        let last = issued.expires_at - SignedDuration::from_secs(1);
        let locked = issued.after(&lock("a"), last).unwrap().unwrap();
        let until = last + LOCKED_FOR;
        assert_eq!(locked.status(issued.expires_at), CouponStatus::Locked);
        assert_eq!(locked.after(&Transition::Expire, issued.expires_at), Err(Refusal::Locked { until }));
        assert!(locked.after(&redeem("a"), issued.expires_at).unwrap().is_some());
        assert_eq!(locked.after(&Transition::Expire, until).unwrap().unwrap().state, CouponState::Expired);
    }

    #[test]
    fn a_release_that_comes_first_or_late_does_no_harm() {
        assert_eq!(fixtures::coupon("ann", 1).after(&release("a"), NOW), Ok(None));
        assert_eq!(after(&[lock("b")], NOW).after(&release("a"), NOW), Ok(None));
        assert_eq!(after(&[lock("a"), redeem("a")], NOW).after(&release("a"), NOW), Err(Refusal::Used));
    }

    #[test]
    fn each_actor_may_do_its_own() {
        let table = [
            (lock("a"), [true, true, false]),
            (redeem("a"), [true, true, false]),
            (release("a"), [true, true, false]),
            (refund("a"), [false, true, false]),
            (Transition::Expire, [false, false, true]),
        ];
        for (step, allowed) in table {
            let open = [Actor::Guest, Actor::Service, Actor::Clock].map(|actor| step.is_open_to(actor));
            assert_eq!(open, allowed, "{step:?}");
        }
    }

    fn any_transition() -> impl Strategy<Value = Transition> {
        let name = prop::sample::select(vec!["a", "b", "c"]);
        prop_oneof![
            name.clone().prop_map(lock),
            name.clone().prop_map(redeem),
            name.clone().prop_map(release),
            name.prop_map(refund),
            Just(Transition::Expire),
        ]
    }

    proptest! {
        #[test]
        fn what_is_final_stays_and_one_order_at_most_uses_it(
            steps in prop::collection::vec((any_transition(), 0_i64..72 * 60), 0..40),
        ) {
            let mut coupon = Coupon { expires_at: NOW + SignedDuration::from_hours(24), ..fixtures::coupon("ann", 1) };
            let mut now = NOW;
            let mut users: Vec<OrderId> = Vec::new();
            for (step, minutes) in steps {
                now += SignedDuration::from_mins(minutes / 8);
                let before = coupon.clone();
                if let Ok(Some(next)) = coupon.after(&step, now) {
                    prop_assert_eq!(next.revision, before.revision + 1);
                    prop_assert_eq!(next.changed_at, now);
                    prop_assert!(!matches!(before.state, CouponState::Expired | CouponState::Refunded(_)));
                    prop_assert!(
                        !matches!(before.state, CouponState::Used(_)) || matches!(next.state, CouponState::Refunded(_))
                    );
                    if let CouponState::Used(used) = &next.state {
                        users.push(used.order.clone());
                    }
                    prop_assert_eq!(next.after(&step, now), Ok(None), "a repeat");
                    coupon = next;
                }
            }
            prop_assert!(users.len() <= 1);
        }
    }
}
