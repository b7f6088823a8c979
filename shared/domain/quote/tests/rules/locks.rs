//! Locks for one order, each step of which can come between any two steps of another.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

use domain_coupon::{
    Actor, Coupon, CouponShelf, CouponState, CouponStatus, CouponStore, Page, Stacking, StoreError, Template,
    TemplatePosition, TemplateShelf, Usage,
};
use domain_ids::{CouponId, GuestId, TemplateId};
use domain_money::Fen;
use domain_quote::{
    Applicable, Clash, Held, LockCoupon, LockError, OrderDraft, Reason, UsageMemory, assess, combine,
    lock_coupon,
};
use jiff::Timestamp;
use proptest::prelude::*;
use testing::NOW;

use crate::wallet::{cash, coupon, discount, draft, stackable};

/// A guest's coupons and their templates, in memory. Others run between any two calls.
struct Store {
    coupons: Mutex<BTreeMap<CouponId, Coupon>>,
    usages: BTreeMap<TemplateId, Usage>,
}

impl Store {
    fn of(wallet: &[(Coupon, Usage)]) -> Self {
        Self {
            coupons: Mutex::new(wallet.iter().map(|(coupon, _)| (coupon.id, coupon.clone())).collect()),
            usages: wallet.iter().map(|(coupon, usage)| (coupon.template(), usage.clone())).collect(),
        }
    }

    async fn step<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<CouponId, Coupon>) -> T,
    ) -> Result<T, StoreError> {
        let mut yielded = false;
        poll_fn(|_| if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        Ok(work(&mut self.coupons.lock().unwrap()))
    }

    fn state(&self) -> Vec<Coupon> {
        self.coupons.lock().unwrap().values().cloned().collect()
    }
}

impl CouponShelf for Store {
    async fn coupons(
        &self,
        _: &GuestId,
        _: Option<CouponId>,
        _: u16,
    ) -> Result<Page<Coupon, CouponId>, StoreError> {
        let items = self.step(|coupons| coupons.values().cloned().collect()).await?;
        Ok(Page { items, next: None })
    }

    async fn coupon(&self, _: &GuestId, id: CouponId) -> Result<Option<Coupon>, StoreError> {
        self.step(|coupons| coupons.get(&id).cloned()).await
    }
}

impl CouponStore for Store {
    async fn replace(&self, next: &Coupon) -> Result<bool, StoreError> {
        self.step(|coupons| {
            let stored = coupons.get_mut(&next.id).unwrap();
            let fits = stored.revision + 1 == next.revision;
            if fits {
                *stored = next.clone();
            }
            fits
        })
        .await
    }
}

impl TemplateShelf for Store {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        let template = |usage: &Usage| Template { id, usage: usage.clone(), ..testing::template(1) };
        Ok(self.usages.get(&id).map(template))
    }

    async fn on_sale(
        &self,
        _: Timestamp,
        _: Option<TemplatePosition>,
        _: u16,
    ) -> Result<Page<Template, TemplatePosition>, StoreError> {
        unreachable!("locks read single templates")
    }

    async fn all(
        &self,
        _: Option<TemplatePosition>,
        _: u16,
    ) -> Result<Page<Template, TemplatePosition>, StoreError> {
        unreachable!("locks read single templates")
    }

    async fn remaining(&self, _: &Template) -> Result<Option<u32>, StoreError> {
        unreachable!("locks do not look at stock")
    }
}

fn command(id: CouponId, draft: &OrderDraft) -> LockCoupon {
    LockCoupon {
        actor: Actor::Service,
        guest: "ann".parse().unwrap(),
        coupon: id,
        order: "order-1".parse().unwrap(),
        draft: draft.clone(),
        at: NOW,
    }
}

/// Runs futures to their end, one step of one of them at a time.
fn interleaved<'a, T>(futures: Vec<Pin<Box<dyn Future<Output = T> + 'a>>>, seed: u64) -> Vec<T> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut running: Vec<_> = futures.into_iter().enumerate().collect();
    let mut done: Vec<(usize, T)> = Vec::new();
    while !running.is_empty() {
        let at = rng.usize(..running.len());
        let (number, future) = &mut running[at];
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            done.push((*number, output));
            drop(running.swap_remove(at));
        }
    }
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, output)| output).collect()
}

fn lock(store: &Store, id: CouponId, draft: &OrderDraft) -> Result<Held, LockError> {
    let (memory, command) = (UsageMemory::default(), command(id, draft));
    interleaved(vec![Box::pin(lock_coupon(store, &memory, &command))], 0).pop().unwrap()
}

fn recorded(coupons: &[Coupon]) -> Vec<u64> {
    let saved = |coupon: &Coupon| match &coupon.state {
        CouponState::Locked(lock) => Some(lock.saved.get()),
        _ => None,
    };
    coupons.iter().filter_map(saved).collect()
}

#[test]
fn each_lock_records_what_it_adds_to_what_the_order_saves() {
    let wallet = [(coupon(0, cash(5_000)), stackable()), (coupon(1, discount(50, None)), stackable())];
    let (store, draft) = (Store::of(&wallet), draft(&[6_000]));
    let first = lock(&store, wallet[0].0.id, &draft).unwrap();
    assert_eq!(first.combination.saved, Fen::new(5_000));
    let both = lock(&store, wallet[1].0.id, &draft).unwrap();
    // Half of 60 yuan, and cash for what is left of them.
    assert_eq!(both.combination.saved, Fen::new(6_000));
    assert_eq!(recorded(&store.state()), [5_000, 1_000]);
    let again = lock(&store, wallet[1].0.id, &draft).unwrap();
    assert_eq!(again.coupon.revision, both.coupon.revision, "a repeat changes nothing");
}

#[test]
fn an_order_that_changes_locks_its_coupons_again() {
    let wallet = [(coupon(0, cash(500)), stackable()), (coupon(1, discount(50, None)), stackable())];
    let store = Store::of(&wallet);
    for draft in [draft(&[6_000]), draft(&[2_000]), draft(&[9_000, 100])] {
        for (coupon, _) in &wallet {
            lock(&store, coupon.id, &draft).unwrap();
        }
        let whole = draft.total().get();
        assert_eq!(recorded(&store.state()).iter().sum::<u64>(), whole / 2 + 500);
    }
}

#[test]
fn a_coupon_joins_only_what_it_goes_with() {
    let alone = Usage { stacking: Stacking::Exclusive, ..stackable() };
    let far = {
        let mut usage = stackable();
        usage.scope.homestays.insert("h1".parse().unwrap());
        usage
    };
    let wallet = [
        (coupon(0, cash(500)), stackable()),
        (coupon(1, cash(500)), alone),
        (coupon(2, cash(500)), far),
        (coupon(3, cash(9_000)), stackable()),
    ];
    let store = Store::of(&wallet);
    let refused = |at: usize, draft: &OrderDraft| match lock(&store, wallet[at].0.id, draft).unwrap_err() {
        LockError::NotApplicable(reasons) => reasons,
        other => panic!("{other:?}"),
    };
    let (one, two) = (draft(&[600]), draft(&[600, 600]));
    lock(&store, wallet[0].0.id, &two).unwrap();
    assert_eq!(refused(1, &two), [Clash::Exclusive.into()]);
    lock(&store, wallet[2].0.id, &two).unwrap();
    assert_eq!(refused(0, &one), [Clash::HeldDoesNotApply.into()]);
    let full = draft(&[500, 500]);
    assert_eq!(refused(3, &full), [Reason::NothingLeft]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whoever is told "held" is held together with all others within the rules, however the steps of the locks come.
    /// Of those that were told to try again none is left held, and locking the rest again puts the record right.
    #[test]
    fn locks_at_once_keep_to_the_rules(
        rules in prop::collection::vec((0_u8..4, 1_u64..700, any::<bool>()), 2..5), seed: u64,
    ) {
        let wallet: Vec<(Coupon, Usage)> = (0..).zip(&rules).map(|(n, &(rule, amount, is_share))| {
            let stacking = match rule {
                0 => Stacking::Exclusive,
                1 => Stacking::Group("a".into()),
                _ => Stacking::Stackable,
            };
            let benefit = if is_share { discount(u8::try_from(amount % 90).unwrap() + 10, None) } else { cash(amount) };
            (coupon(n, benefit), Usage { stacking, ..stackable() })
        }).collect();
        let (store, draft, memory) = (Store::of(&wallet), draft(&[400, 300]), UsageMemory::default());
        let commands: Vec<LockCoupon> = wallet.iter().map(|(coupon, _)| command(coupon.id, &draft)).collect();
        let locks = commands.iter().map(|command| Box::pin(lock_coupon(&store, &memory, command)) as Pin<Box<_>>);
        let answers: Vec<Result<Held, LockError>> = interleaved(locks.collect(), seed);

        let state = store.state();
        let held: Vec<&Coupon> =
            state.iter().filter(|coupon| coupon.status(NOW) == CouponStatus::Locked).collect();
        for (coupon, answer) in state.iter().zip(&answers) {
            prop_assert_eq!(answer.is_ok(), coupon.status(NOW) == CouponStatus::Locked);
        }
        let usage = |coupon: &Coupon| store.usages[&coupon.template()].clone();
        let of_order = draft.of_order("order-1".parse().unwrap());
        let coupons: Vec<Applicable> =
            held.iter().map(|coupon| assess(coupon, &usage(coupon), &of_order, NOW).unwrap()).collect();
        let together = combine(&of_order, &coupons.iter().collect::<Vec<_>>());
        prop_assert!(together.is_ok(), "{:?}", together);
        let saved = together.unwrap().saved.get();
        for coupon in &held {
            lock(&store, coupon.id, &of_order).unwrap();
        }
        prop_assert_eq!(recorded(&store.state()).iter().sum::<u64>(), saved);
    }
}
