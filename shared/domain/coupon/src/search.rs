//! Which shard to try next, when to look at the stock, when to stop: the retry policy of a claim, without any I/O.
//!
//! The simulation (`tests/simulation`) drives this very code against a model of DynamoDB.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use domain_ids::GuestId;
use fixedbitset::FixedBitSet;

use crate::{Shard, Stock};

/// Transactions that may fail by conflict or throttling before the guest is asked to try again. With one in five
/// conflicting, six in a row happen to 6 claims of 100,000.
pub const MAX_CONFLICTS: u32 = 6;

/// Shards read by a claim that found one empty: reading so many costs about as much as failing once more.
pub const SAMPLE: usize = 16;

/// Transactions of one claim, whatever they failed on: the last units of a sale are fought over.
pub const MAX_TRANSACTIONS: u32 = 16;

/// Shards read at once: the limit of one `BatchGetItem`.
pub const SHARDS_PER_READ: usize = 100;

/// Of as many claims as there are shards, about so many read on to the end when they have found nothing. When a big
/// sale sells out, hundreds of environments find out at once; were each to read every shard, the table would throttle
/// their reads and nobody would know for seconds (`docs/performance/simulation.md`).
const SWEEPERS: usize = 5;

/// Longest wait after the first conflict; it doubles with each further one (full jitter, AWS Architecture Blog,
/// "Exponential Backoff And Jitter"). The next try goes to another shard, so that the wait need not outlast the
/// transaction that was in the way.
const FIRST_BACK_OFF: Duration = Duration::from_millis(4);
const MAX_BACK_OFF: Duration = Duration::from_millis(64);

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait for `after`, then try to issue from `shard` (none where the stock is unlimited).
    Try {
        /// The shard to take from.
        shard: Option<Shard>,
        /// How long to wait first.
        after: Duration,
    },
    /// Read how much these shards have left and say so by [`ShardSearch::read`].
    Read(Vec<Shard>),
    /// What was read had nothing left, and much is unread. One of many has to [read on](ShardSearch::sweep): this
    /// claim, if it was drawn by lot.
    Stalled {
        /// Whether it was.
        drawn: bool,
    },
    /// Every shard has been seen empty in this epoch.
    Exhausted,
    /// Enough was tried; stock may remain.
    GiveUp,
}

/// One claim's way through the shards.
#[derive(Debug)]
pub struct ShardSearch {
    rng: fastrand::Rng,
    preferred: Option<Shard>,
    empty: FixedBitSet,
    seen_open: Vec<Shard>,
    found_empty: bool,
    reads: u32,
    sweeps: bool,
    transactions: u32,
    conflicts: u32,
    back_off: Duration,
}

impl ShardSearch {
    /// Starts at the guest's own shard, or at another where that one is in `known_empty`, which must come from the
    /// same epoch of `stock`.
    pub fn new(stock: &Stock, guest: &GuestId, known_empty: FixedBitSet, seed: u64) -> Self {
        let shards = match stock {
            Stock::Unlimited => 0,
            Stock::Limited(stock) => stock.shards.get(),
        };
        let mut empty = known_empty;
        empty.grow(usize::from(shards));
        Self {
            rng: fastrand::Rng::with_seed(seed),
            preferred: home_shard(guest, shards),
            empty,
            seen_open: Vec::new(),
            found_empty: false,
            reads: 0,
            sweeps: false,
            transactions: 0,
            conflicts: 0,
            back_off: Duration::ZERO,
        }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        if self.preferred.is_some() && self.empty.is_full() {
            return Step::Exhausted;
        }
        if self.conflicts >= MAX_CONFLICTS || self.transactions >= MAX_TRANSACTIONS {
            return Step::GiveUp;
        }
        if self.found_empty && self.seen_open.is_empty() {
            return self.look();
        }
        let shard = self.choose();
        self.transactions += 1;
        Step::Try { shard, after: std::mem::take(&mut self.back_off) }
    }

    /// Another transaction held the shard, or the store was throttling: wait a little, try elsewhere.
    pub fn conflicted(&mut self) {
        let longest = FIRST_BACK_OFF.saturating_mul(1 << self.conflicts.min(8)).min(MAX_BACK_OFF);
        self.conflicts += 1;
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        self.back_off = Duration::from_micros(self.rng.u64(0..=micros));
    }

    /// The shard had nothing left.
    pub fn found_empty(&mut self, shard: Shard) {
        self.empty.insert(usize::from(shard.0));
        self.found_empty = true;
    }

    /// Of the shards `asked` for by [`Step::Read`], those in `open` had something left.
    pub fn read(&mut self, asked: &[Shard], open: &[Shard]) {
        for shard in asked.iter().filter(|shard| !open.contains(shard)) {
            self.empty.insert(usize::from(shard.0));
        }
        self.seen_open = open.to_vec();
    }

    /// Reads on to the end after [`Step::Stalled`].
    pub fn sweep(&mut self) {
        self.sweeps = true;
    }

    /// How many transactions conflicted or were throttled so far.
    pub fn conflicts(&self) -> u32 {
        self.conflicts
    }

    /// The shards known to be empty, for the claims that follow.
    pub fn known_empty(&self) -> &FixedBitSet {
        &self.empty
    }

    fn choose(&mut self) -> Option<Shard> {
        let home = self.preferred?;
        if !self.seen_open.is_empty() {
            let at = self.rng.usize(..self.seen_open.len());
            return Some(self.seen_open.swap_remove(at));
        }
        if self.transactions == 0 && !self.empty.contains(usize::from(home.0)) {
            return Some(home);
        }
        let unknown = self.empty.count_zeroes(..);
        self.empty.zeroes().nth(self.rng.usize(..unknown.max(1))).map(to_shard)
    }

    /// First a sample; then, if that had nothing, the rest at once or by one of many.
    fn look(&mut self) -> Step {
        let unknown: Vec<usize> = self.empty.zeroes().collect();
        let fruitless = self.reads > 0;
        if fruitless && unknown.len() > SHARDS_PER_READ && !self.sweeps {
            let drawn = self.rng.usize(..self.empty.len().max(1)) < SWEEPERS;
            return Step::Stalled { drawn };
        }
        let want = if fruitless { SHARDS_PER_READ } else { SAMPLE };
        self.reads += 1;
        // From a random place on, so that claims at the same moment spread.
        let from = self.rng.usize(..unknown.len().max(1));
        let (tail, head) = (unknown.iter().skip(from), unknown.iter().take(from));
        Step::Read(tail.chain(head).take(want).copied().map(to_shard).collect())
    }
}

fn to_shard(at: usize) -> Shard {
    Shard(u16::try_from(at).unwrap_or(u16::MAX))
}

/// A guest's claims start at one shard, so that a repeat meets its own first try and not a third party's.
fn home_shard(guest: &GuestId, shards: u16) -> Option<Shard> {
    let mut hasher = DefaultHasher::new();
    guest.hash(&mut hasher);
    let at = hasher.finish().checked_rem(u64::from(shards))?;
    u16::try_from(at).ok().map(Shard)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    fn search(shards: u16, seed: u64) -> ShardSearch {
        let stock = fixtures::stock(u32::from(shards) * 10, shards);
        ShardSearch::new(&stock, &"ann".parse().unwrap(), FixedBitSet::new(), seed)
    }

    fn shard_of(step: &Step) -> Shard {
        match step {
            Step::Try { shard: Some(shard), .. } => *shard,
            step => panic!("expected a try, got {step:?}"),
        }
    }

    proptest! {
        /// Whatever the stock looks like: one alone on it finds the last unit, and "exhausted" is only ever said
        /// when nothing is left.
        #[test]
        fn a_lone_claim_finds_the_last_unit(shards in 1_u16..=2048, open in prop::collection::btree_set(0_u16..2048, 0..4), seed: u64) {
            let mut left: BTreeMap<u16, u32> = open.into_iter().filter(|&shard| shard < shards).map(|shard| (shard, 1)).collect();
            let mut search = search(shards, seed);
            loop {
                match search.step() {
                    Step::Try { shard: Some(shard), .. } => match left.remove(&shard.0) {
                        Some(_) => break,
                        None => search.found_empty(shard),
                    },
                    Step::Read(asked) => {
                        prop_assert!(!asked.is_empty() && asked.len() <= SHARDS_PER_READ);
                        let open: Vec<Shard> = asked.iter().copied().filter(|shard| left.contains_key(&shard.0)).collect();
                        search.read(&asked, &open);
                    }
                    Step::Stalled { .. } => search.sweep(),
                    Step::Exhausted => {
                        prop_assert!(left.is_empty());
                        break;
                    }
                    step => prop_assert!(false, "{:?}", step),
                }
            }
        }

        /// A shard that is known to be empty is never tried again, and every claim ends.
        #[test]
        fn a_claim_under_fire_ends(shards in 1_u16..200, events in prop::collection::vec(0_u8..3, 200), seed: u64) {
            let mut search = search(shards, seed);
            let mut transactions = 0;
            for event in events {
                match search.step() {
                    Step::Try { shard, after } => {
                        transactions += 1;
                        prop_assert!(after <= MAX_BACK_OFF);
                        let shard = shard.unwrap();
                        prop_assert!(!search.known_empty().contains(usize::from(shard.0)));
                        if event == 0 { search.found_empty(shard) } else { search.conflicted() }
                    }
                    Step::Read(asked) => {
                        let open: Vec<Shard> = asked.iter().copied().filter(|shard| event == 2 && shard.0 % 2 == 0).collect();
                        search.read(&asked, &open);
                    }
                    Step::Stalled { .. } if event == 1 => search.sweep(),
                    Step::Stalled { .. } | Step::Exhausted | Step::GiveUp => {
                        prop_assert!(transactions <= MAX_TRANSACTIONS);
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "did not end");
        }
    }

    #[test]
    fn a_guest_starts_at_the_same_shard_each_time() {
        assert_eq!(search(64, 1).step(), search(64, 2).step());
    }

    #[test]
    fn after_a_conflict_the_next_try_waits_and_goes_elsewhere() {
        let elsewhere = (0..50).filter(|&seed| {
            let mut search = search(64, seed);
            let first = shard_of(&search.step());
            search.conflicted();
            let second = search.step();
            assert!(matches!(second, Step::Try { after, .. } if after <= FIRST_BACK_OFF));
            shard_of(&second) != first
        });
        assert!(elsewhere.count() > 40);
    }

    #[test]
    fn of_the_claims_that_find_nothing_few_read_every_shard() {
        let drawn = (0..2_000).filter(|&seed| {
            let mut search = search(1_000, seed);
            let shard = shard_of(&search.step());
            search.found_empty(shard);
            let Step::Read(sample) = search.step() else { panic!("reads a sample first") };
            assert_eq!(sample.len(), SAMPLE);
            search.read(&sample, &[]);
            matches!(search.step(), Step::Stalled { drawn: true })
        });
        assert!((1..=30).contains(&drawn.count()), "about 5 of 1,000");
    }

    #[test]
    fn unlimited_stock_needs_no_shard() {
        let mut search = ShardSearch::new(&Stock::Unlimited, &"ann".parse().unwrap(), FixedBitSet::new(), 1);
        assert_eq!(search.step(), Step::Try { shard: None, after: Duration::ZERO });
    }
}
