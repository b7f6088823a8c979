//! The standard set of runs: what `simulate claim` does when it is not asked for anything in particular.

use std::time::Duration;

use domain_coupon::MAX_SHARDS;
use serde::Serialize;

use crate::{
    outcome::Outcome,
    sale,
    scenario::{Issuing, LANES_PER_ENVIRONMENT, Queue, Scenario, TopUp},
    ticket::{Ending, LOST_AFTER},
};

/// The share of conflicts up to which a sale runs well: what "capacity" means here.
pub const CONFLICTS_MAX: f64 = 0.20;

/// The rate of the biggest sale the direct path is built for, in claims per second.
pub const BIG_SALE: u32 = 25_000;

/// The rate of the biggest sale that the queue is built for, in claims per second.
pub const BIG_QUEUED_SALE: u32 = 200_000;

/// Claims per second of a sale that the queue is too small for, and of a quiet one beside it.
const CROWD: u32 = 20_000;
const QUIET: u32 = 500;

/// Loads at which a number of shards is measured, in percent of the time a shard is held.
const LOADS_PERCENT: [u32; 5] = [8, 12, 16, 20, 24];

/// Claims counted at least where a share is read off.
const CLAIMS_COUNTED: u32 = 20_000;

/// Claims in one transaction.
const TOGETHER: [u32; 4] = [1, 2, 5, 10];

const FAIRNESS: [bool; 2] = [true, false];

/// All runs of the standard set.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Study {
    /// 25,000 claims a second on as many shards as the rule gives.
    pub by_rule: Outcome,
    /// The same on 1 to 2,048 shards, the rule's number among them.
    pub by_shards: Vec<Outcome>,
    /// 1,000 claims a second on 64 shards.
    pub small: Outcome,
    /// What 1 to 2,048 shards are good for.
    pub capacity: Vec<Capacity>,
    /// 25,000 claims a second by the rule, and what a shard is good for, at other holds.
    pub by_hold: Vec<(Outcome, Capacity)>,
    /// 25,000 claims a second by the rule, at other warm throughputs.
    pub by_warm_throughput: Vec<Outcome>,
    /// Whole sales, each with its name.
    pub sales: Vec<(&'static str, Outcome)>,
    /// 25,000 tickets a second on few shards.
    pub tickets: Vec<Outcome>,
    /// One sale with repeats and lost replies, by each protocol.
    pub faulty: Vec<(&'static str, Outcome)>,
    /// 200,000 queued claims a second on the most shards there are.
    pub queued: Outcome,
    /// 100,000 queued claims a second, with 1 to 10 of them in one transaction.
    pub by_together: Vec<Outcome>,
    /// A crowd and a quiet sale behind one queue that is too small for the crowd.
    pub side_by_side: Vec<SideBySide>,
}

/// Two sales behind one queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideBySide {
    /// Whether the sales take turns.
    pub fair: bool,
    /// The sale that everybody wants.
    pub crowd: Outcome,
    /// The other.
    pub quiet: Outcome,
}

/// What a number of shards is good for.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// How many.
    pub shards: u16,
    /// Claims per second at [`CONFLICTS_MAX`].
    pub claims_per_second: f64,
}

impl Capacity {
    /// Claims per second that each of the shards takes.
    pub fn per_shard(&self) -> f64 {
        self.claims_per_second / f64::from(self.shards)
    }
}

/// Claims per second that a shard is good for, on average over `capacities`.
pub fn mean_per_shard(capacities: &[Capacity]) -> f64 {
    let count: f64 = capacities.iter().map(|_| 1.0).sum();
    capacities.iter().map(Capacity::per_shard).sum::<f64>() / count
}

/// Makes the runs, and tells `progress` after each.
#[derive(Debug)]
pub struct Runner<P> {
    /// Seeds every run.
    pub seed: u64,
    /// Called after each run.
    pub progress: P,
}

impl<P: FnMut()> Runner<P> {
    /// Makes one run.
    pub fn run(&mut self, scenario: &Scenario) -> Outcome {
        let outcome = sale::run(&Scenario { seed: self.seed, ..scenario.clone() });
        (self.progress)();
        outcome
    }

    /// The scenario on 1, 2, 4, … 2,048 shards and on as many as the rule gives.
    pub fn by_shards(&mut self, scenario: &Scenario) -> Vec<Outcome> {
        let rule = Scenario { shards: None, ..scenario.clone() }.shard_count();
        let mut counts: Vec<u16> = powers_of_two().chain([rule]).collect();
        counts.sort_unstable();
        let on = |shards| Scenario { shards: Some(shards), ..scenario.clone() };
        let mut outcomes: Vec<Outcome> = counts.into_iter().map(|shards| self.run(&on(shards))).collect();
        outcomes.dedup_by_key(|outcome| outcome.shards);
        outcomes
    }

    /// The load at which conflicts reach their limit, read off between the two nearest loads that were run.
    pub fn capacity(&mut self, shards: u16, hold: Duration) -> Capacity {
        let mut below = (0.0, 0.0);
        let mut found = None;
        for percent in LOADS_PERCENT {
            let per_second = f64::from(percent) / 100.0 / hold.as_secs_f64() * f64::from(shards);
            let outcome = self.run(&counting(rounded(per_second), shards, hold));
            let here = (outcome.conflict_share, outcome.claims_per_second);
            if found.is_none() && here.0 >= CONFLICTS_MAX {
                found = Some(between(below, here));
            }
            below = here;
        }
        Capacity { shards, claims_per_second: found.unwrap_or(below.1) }
    }

    /// Everything.
    pub fn study(&mut self) -> Study {
        let big = Scenario::steady(BIG_SALE, None);
        // Long enough for what partitions have saved up to be spent.
        let longer =
            Scenario { duration: Duration::from_secs(10), warm_up: Duration::from_secs(3), ..big.clone() };
        Study {
            by_rule: self.run(&big),
            by_shards: self.by_shards(&big),
            small: self
                .run(&Scenario { duration: Duration::from_secs(20), ..Scenario::steady(1_000, Some(64)) }),
            capacity: powers_of_two().map(|shards| self.capacity(shards, big.hold)).collect(),
            by_hold: [3, 5, 8, 10]
                .map(Duration::from_millis)
                .map(|hold| (self.run(&Scenario { hold, ..big.clone() }), self.capacity(64, hold)))
                .into(),
            by_warm_throughput: [1.0, 1.5, 2.0, 3.0]
                .map(|warm_throughput| self.run(&Scenario { warm_throughput, ..longer.clone() }))
                .into(),
            sales: sales().map(|(name, scenario)| (name, self.run(&scenario))).into(),
            tickets: [16, 32, 64, 128]
                .map(|shards| Scenario {
                    protocol: Issuing::Ticket(Ending::Forgotten),
                    shards: Some(shards),
                    ..big.clone()
                })
                .map(|scenario| self.run(&scenario))
                .into(),
            faulty: faulty().map(|(name, scenario)| (name, self.run(&scenario))).into(),
            queued: self.run(&Scenario::queued(BIG_QUEUED_SALE, None)),
            by_together: TOGETHER
                .map(|together| Queue { together, ..Queue::LARGEST })
                .map(|queue| Scenario { queue: Some(queue), ..Scenario::queued(BIG_QUEUED_SALE / 2, None) })
                .map(|scenario| self.run(&scenario))
                .into(),
            side_by_side: FAIRNESS.into_iter().filter_map(|fair| self.side_by_side(fair)).collect(),
        }
    }

    fn side_by_side(&mut self, fair: bool) -> Option<SideBySide> {
        // One environment is good for about 6,000 claims a second.
        let queue = Queue { lanes: 2 * LANES_PER_ENVIRONMENT, fair, ..Queue::LARGEST };
        let sale = |rate| {
            let scenario = Scenario { queue: Some(queue), ..Scenario::queued(rate, None) };
            Scenario { seed: self.seed, ..scenario }
        };
        let outcomes = sale::run_together(&[sale(CROWD), sale(QUIET)], queue);
        (self.progress)();
        let [crowd, quiet] = outcomes.try_into().ok()?;
        Some(SideBySide { fair, crowd, quiet })
    }
}

/// How many runs [`Runner::study`] makes.
pub fn runs() -> usize {
    let capacities = (powers_of_two().count() + 4) * LOADS_PERCENT.len();
    let queued = 1 + TOGETHER.len() + FAIRNESS.len();
    1 + runs_by_shards() + 1 + capacities + 4 + 4 + sales().len() + 4 + faulty().len() + queued
}

/// How many runs [`Runner::by_shards`] makes.
pub fn runs_by_shards() -> usize {
    powers_of_two().count() + 1
}

fn powers_of_two() -> impl Iterator<Item = u16> {
    (0..=MAX_SHARDS.ilog2()).map(|exponent| 1 << exponent)
}

/// Whole sales to their end, and what is special about each.
fn sales() -> [(&'static str, Scenario); 6] {
    let top_up = TopUp { at: Duration::from_secs(3), total: 6_000 };
    [
        ("a big sale", Scenario::sale(BIG_SALE, None, 100_000)),
        ("a common sale", Scenario::sale(1_000, None, 10_000)),
        ("few coupons, many guests", Scenario::sale(BIG_SALE, None, 5_000)),
        ("3 coupons on 64 shards", Scenario::sale(2_000, Some(64), 3)),
        (
            "a top-up while it runs",
            Scenario {
                top_up: Some(top_up),
                duration: Duration::from_secs(12),
                ..Scenario::sale(1_000, None, 4_000)
            },
        ),
        (
            "a big sale through the queue",
            Scenario { queue: Some(Queue::LARGEST), ..Scenario::sale(2 * BIG_SALE, None, 100_000) },
        ),
    ]
}

/// A sale in which one guest in twenty clicks twice and two writes in a thousand lose their reply.
fn faulty() -> [(&'static str, Scenario); 4] {
    let mut sale = Scenario::sale(1_000, None, 5_000);
    sale.duration += 2 * LOST_AFTER;
    sale.repeats = 0.05;
    sale.lost_replies = 0.002;
    let tickets = |ending| Scenario { protocol: Issuing::Ticket(ending), ..sale.clone() };
    [
        ("transaction", sale.clone()),
        ("tickets, gaps forgotten", tickets(Ending::Forgotten)),
        ("tickets, gaps swept", tickets(Ending::Swept)),
        ("tickets, gaps awaited", tickets(Ending::Awaited)),
    ]
}

/// A steady load that lasts until enough claims are counted.
fn counting(rate: u32, shards: u16, hold: Duration) -> Scenario {
    let scenario = Scenario::steady(rate, Some(shards));
    let enough = Duration::from_secs_f64(f64::from(CLAIMS_COUNTED) / f64::from(rate));
    let counted = enough.max(Duration::from_secs(1));
    Scenario { hold, duration: scenario.warm_up + counted, ..scenario }
}

/// Where the line from `below` to `above` crosses the limit of conflicts.
fn between(below: (f64, f64), above: (f64, f64)) -> f64 {
    let way = (CONFLICTS_MAX - below.0) / (above.0 - below.0);
    below.1 + way * (above.1 - below.1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small and positive")]
fn rounded(rate: f64) -> u32 {
    (rate.round() as u32).max(1)
}
