//! A store in memory whose every step can be interleaved with every other claim's, and can fail.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use domain_coupon::{
    BatchClaimStore, BatchIssue, ClaimStore, CodeUse, Coupon, Issue, RefillStore, Shard, Stock, StoreError,
    Template, TemplateStore,
};
use domain_ids::{CouponId, GuestId, TemplateId};
use jiff::Timestamp;

/// How often, in percent, a step goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The store fails and nothing is done.
    pub fails: u8,
    /// The store does its work, but the answer is lost.
    pub loses_answer: u8,
    /// A transaction is cancelled by another one.
    pub conflicts: u8,
}

#[derive(Debug)]
pub struct Model(Mutex<State>);

#[derive(Debug)]
pub struct State {
    pub template: Template,
    pub shards: BTreeMap<u16, ShardItem>,
    pub coupons: BTreeMap<CouponId, Coupon>,
    pub faults: Faults,
    pub calls: u32,
    rng: fastrand::Rng,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct ShardItem {
    pub capacity: u32,
    pub issued: u32,
}

impl Model {
    /// A store that holds `template` and its full shards.
    pub fn new(template: Template, faults: Faults, seed: u64) -> Self {
        let Stock::Limited(stock) = &template.stock else { panic!("the model counts stock") };
        let full = |shard| (shard, ShardItem { capacity: stock.capacity_of(Shard(shard)), issued: 0 });
        let shards = stock.shards().map(|shard| full(shard.0)).collect();
        let rng = fastrand::Rng::with_seed(seed);
        Self(Mutex::new(State { template, shards, coupons: BTreeMap::new(), faults, calls: 0, rng }))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets others run first, then does `work` in one step, unless a fault strikes before or after.
    async fn step<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut yielded = false;
        poll_fn(|_| if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        let mut state = self.state();
        state.calls += 1;
        if state.strikes(|faults| faults.fails) {
            return Err(StoreError::Unavailable("injected: failed".into()));
        }
        let done = work(&mut state);
        if state.strikes(|faults| faults.loses_answer) {
            return Err(StoreError::Unavailable("injected: answer lost".into()));
        }
        Ok(done)
    }
}

impl State {
    fn strikes(&mut self, percent: impl Fn(&Faults) -> u8) -> bool {
        self.rng.u8(..100) < percent(&self.faults)
    }

    /// What is left on all shards.
    pub fn left(&self) -> u32 {
        self.shards.values().map(|shard| shard.capacity - shard.issued).sum()
    }
}

impl RefillStore for Model {
    async fn raise_shards(&self, template: &Template) -> Result<(), StoreError> {
        let Stock::Limited(stock) = &template.stock else { return Ok(()) };
        for shard in stock.shards() {
            let share = stock.capacity_of(shard);
            self.step(|state| {
                let item = state.shards.entry(shard.0).or_default();
                item.capacity = item.capacity.max(share);
            })
            .await?;
        }
        Ok(())
    }

    async fn replace(&self, template: &Template, expected: u64) -> Result<bool, StoreError> {
        self.step(|state| {
            let matches = state.template.version == expected;
            if matches {
                state.template = template.clone();
            }
            matches
        })
        .await
    }
}

impl TemplateStore for Model {
    async fn insert(&self, _: &Template) -> Result<(), StoreError> {
        unreachable!("the model starts with its template")
    }

    async fn template(&self, _: TemplateId) -> Result<Option<Template>, StoreError> {
        self.step(|state| Some(state.template.clone())).await
    }
}

impl ClaimStore for Model {
    async fn template(&self, _: TemplateId) -> Result<Option<Template>, StoreError> {
        self.step(|state| Some(state.template.clone())).await
    }

    async fn held(&self, guest: &GuestId, template: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        self.step(|state| {
            let theirs = |coupon: &&Coupon| coupon.guest == *guest && coupon.template() == template;
            state.coupons.values().filter(theirs).cloned().collect()
        })
        .await
    }

    async fn issue(
        &self,
        coupon: &Coupon,
        shard: Option<Shard>,
        _: Option<CodeUse>,
    ) -> Result<Issue, StoreError> {
        self.step(|state| {
            if state.strikes(|faults| faults.conflicts) {
                return Issue::Conflict;
            }
            if let Some(held) = state.coupons.get(&coupon.id) {
                return Issue::Held(Box::new(held.clone()));
            }
            let item = state.shards.get_mut(&shard.unwrap().0).unwrap();
            if item.issued >= item.capacity {
                return Issue::ShardEmpty;
            }
            item.issued += 1;
            state.coupons.insert(coupon.id, coupon.clone());
            Issue::Issued
        })
        .await
    }

    async fn open_shards(&self, _: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        let mut open = Vec::new();
        for &shard in shards {
            let has_some = self.step(|state| state.shards[&shard.0].issued < state.shards[&shard.0].capacity);
            if has_some.await? {
                open.push(shard);
            }
        }
        Ok(open)
    }

    async fn mark_sold_out(&self, _: TemplateId, epoch: u64, at: Timestamp) -> Result<(), StoreError> {
        self.step(|state| {
            if let Stock::Limited(stock) = &mut state.template.stock
                && stock.epoch == epoch
                && !stock.refilling
            {
                stock.sold_out_at.get_or_insert(at);
            }
        })
        .await
    }

    async fn wait(&self, _: Duration) {}
}

impl BatchClaimStore for Model {
    async fn issue_batch(
        &self,
        coupons: &[Coupon],
        shard: Shard,
        capacity: u32,
    ) -> Result<BatchIssue, StoreError> {
        self.step(|state| {
            if state.strikes(|faults| faults.conflicts) {
                return BatchIssue::Conflict;
            }
            let taken = |(_, coupon): &(usize, &Coupon)| state.coupons.contains_key(&coupon.id);
            let held: Vec<usize> = coupons.iter().enumerate().filter(taken).map(|(at, _)| at).collect();
            if !held.is_empty() {
                return BatchIssue::Held(held);
            }
            let wanted = u32::try_from(coupons.len()).unwrap();
            let item = state.shards.get_mut(&shard.0).unwrap();
            if item.capacity < capacity || item.issued + wanted > capacity {
                return BatchIssue::ShardShort;
            }
            item.issued += wanted;
            state.coupons.extend(coupons.iter().map(|coupon| (coupon.id, coupon.clone())));
            BatchIssue::Issued
        })
        .await
    }
}

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Futures polled one step at a time, in an order drawn from a seed.
pub struct Interleaved<'a, T> {
    running: Vec<(usize, Running<'a, T>)>,
    rng: fastrand::Rng,
    started: usize,
}

impl<'a, T> Interleaved<'a, T> {
    pub fn new(seed: u64) -> Self {
        Self { running: Vec::new(), rng: fastrand::Rng::with_seed(seed), started: 0 }
    }

    pub fn start(&mut self, future: impl Future<Output = T> + 'a) {
        self.running.push((self.started, Box::pin(future)));
        self.started += 1;
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Abandons one of the running futures half-way, as a crash or a time-out does.
    pub fn crash_one(&mut self) {
        if !self.running.is_empty() {
            let at = self.rng.usize(..self.running.len());
            drop(self.running.swap_remove(at));
        }
    }

    /// Polls one future once; its number and result if that finished it.
    pub fn step(&mut self) -> Option<(usize, T)> {
        if self.running.is_empty() {
            return None;
        }
        let at = self.rng.usize(..self.running.len());
        let (number, future) = &mut self.running[at];
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => None,
            Poll::Ready(output) => {
                let number = *number;
                drop(self.running.swap_remove(at));
                Some((number, output))
            }
        }
    }
}
