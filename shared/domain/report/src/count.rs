use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain_coupon::StoreError;
use domain_ids::TemplateId;
use fastrand::Rng;
use jiff::Timestamp;

use crate::{Counters, Fact, FactId, Hour};

/// Items that a store writes at once: what one transaction of `DynamoDB` may have.
pub const MAX_ITEMS: usize = 100;

/// Counters that an hour of a template has at most. A transaction holds its items for some 20 ms, so that one counter
/// takes some ten a second without many conflicts: these take 1,280, which is 120,000 facts.
pub const MAX_COUNTER_SHARDS: u16 = 128;

/// How many of them are used as long as nobody is in the way: what is not spread is read faster.
const FEW_COUNTER_SHARDS: u16 = 2;

/// Times that the same facts are tried while others are in the way. At first every other time may fail; the counters
/// in use double each time.
const MAX_TRIES: u32 = 10;

/// Longest wait before the second try, doubled each time.
const FIRST_WAIT_MS: u64 = 20;

/// Longest wait of all.
const MAX_WAIT_MS: u64 = 1_000;

/// Facts that are counted at once, and what they add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    facts: Vec<Fact>,
    counters: BTreeMap<(TemplateId, Hour), Counters>,
    returned: BTreeMap<TemplateId, u64>,
}

impl Tally {
    /// The facts, each once.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What is to be added, by template and hour.
    pub fn counters(&self) -> &BTreeMap<(TemplateId, Hour), Counters> {
        &self.counters
    }

    /// Units of stock that come back, by template.
    pub fn returned(&self) -> &BTreeMap<TemplateId, u64> {
        &self.returned
    }

    /// Items that it takes to write it: at most [`MAX_ITEMS`].
    pub fn items(&self) -> usize {
        self.facts.len() + self.counters.len() + self.returned.len()
    }

    fn add(&mut self, fact: Fact) {
        *self.counters.entry((fact.template(), fact.hour())).or_default() += &fact;
        if fact.returns_stock() {
            *self.returned.entry(fact.template()).or_default() += 1;
        }
        self.facts.push(fact);
    }

    /// Whether it can take one more fact, which needs at most a mark, a counter and a note of the stock.
    fn is_full(&self) -> bool {
        self.items() + 3 > MAX_ITEMS
    }

    fn without(self, known: &BTreeSet<FactId>) -> Self {
        self.facts.into_iter().filter(|fact| !known.contains(&fact.id)).fold(Self::default(), with)
    }
}

fn with(mut tally: Tally, fact: Fact) -> Tally {
    tally.add(fact);
    tally
}

/// The facts, each once, in as few tallies as their neighbourhood allows: those of one template, and of these those
/// that give stock back, stand together.
fn tallies(facts: Vec<Fact>) -> Vec<Tally> {
    let distinct: BTreeMap<FactId, Fact> = facts.into_iter().map(|fact| (fact.id, fact)).collect();
    let mut facts: Vec<Fact> = distinct.into_values().collect();
    facts.sort_by_key(|fact| (fact.template(), fact.returns_stock(), fact.hour()));
    let mut tallies: Vec<Tally> = Vec::new();
    for fact in facts {
        match tallies.last_mut() {
            Some(tally) if !tally.is_full() => tally.add(fact),
            _ => tallies.push(with(Tally::default(), fact)),
        }
    }
    tallies
}

/// Where facts are counted.
pub trait FactStore: Sync {
    /// Marks each fact of the tally and adds up its counters, those of the hours in the given shard: all or nothing.
    /// A mark must outlive `now` by longer than a fact may come again.
    fn write(
        &self,
        tally: &Tally,
        shard: u16,
        now: Timestamp,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Lets time pass.
    fn wait(&self, delay: Duration) -> impl Future<Output = ()> + Send;
}

/// What has come of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// All facts of the tally are counted.
    Counted,
    /// Nothing is written: these (at least one) were counted before.
    Known(BTreeSet<FactId>),
    /// Nothing is written: somebody else was writing to the same items.
    Conflict,
}

/// How many facts there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Counted now.
    pub counted: usize,
    /// Counted before.
    pub known: usize,
    /// Writes that others were in the way of.
    pub conflicts: u32,
}

/// Why facts were not counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// Others are in the way, or the store refuses more work: again and again.
    #[error("too much contention")]
    Busy,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Some facts may not be counted: give them again.
#[derive(Debug, thiserror::Error)]
#[error("not all facts are counted")]
pub struct NotCounted {
    /// Those not known to be counted. The others are.
    pub facts: BTreeSet<FactId>,
    /// Why.
    #[source]
    pub error: CountError,
}

/// Counts each fact exactly once, however often and in whatever company it is given, also when an earlier call was
/// broken off: its mark and its counters are written together. `seed` chooses counters and waits.
///
/// It stops at the first failure.
pub async fn count(
    store: &impl FactStore,
    facts: Vec<Fact>,
    now: Timestamp,
    seed: u64,
) -> Result<Summary, NotCounted> {
    let mut counting = Counting {
        store,
        now,
        rng: Rng::with_seed(seed),
        shards: FEW_COUNTER_SHARDS,
        summary: Summary::default(),
    };
    let mut tallies = tallies(facts).into_iter();
    while let Some(tally) = tallies.next() {
        let ids: Vec<FactId> = tally.facts.iter().map(|fact| fact.id).collect();
        if let Err(error) = counting.write(tally).await {
            let behind = tallies.flat_map(|tally| tally.facts).map(|fact| fact.id);
            return Err(NotCounted { facts: ids.into_iter().chain(behind).collect(), error });
        }
    }
    Ok(counting.summary)
}

/// What is learned on the way from tally to tally.
struct Counting<'a, S> {
    store: &'a S,
    now: Timestamp,
    rng: Rng,
    /// Counters in use.
    shards: u16,
    summary: Summary,
}

impl<S: FactStore> Counting<'_, S> {
    async fn write(&mut self, mut tally: Tally) -> Result<(), CountError> {
        let mut tries = 0;
        while !tally.facts.is_empty() {
            let shard = self.rng.u16(0..self.shards);
            match self.store.write(&tally, shard, self.now).await {
                Ok(Written::Counted) => {
                    self.summary.counted += tally.facts.len();
                    return Ok(());
                }
                Ok(Written::Known(known)) => {
                    let before = tally.facts.len();
                    tally = tally.without(&known);
                    let found = before - tally.facts.len();
                    self.summary.known += found;
                    if found > 0 {
                        // There are fewer each time: it ends.
                        continue;
                    }
                }
                Ok(Written::Conflict) => {
                    self.summary.conflicts += 1;
                    self.shards = (self.shards * 2).min(MAX_COUNTER_SHARDS);
                }
                Err(StoreError::Throttled(_)) => {}
                Err(error) => return Err(error.into()),
            }
            tries += 1;
            if tries == MAX_TRIES {
                return Err(CountError::Busy);
            }
            let longest = (FIRST_WAIT_MS << tries).min(MAX_WAIT_MS);
            self.store.wait(Duration::from_millis(self.rng.u64(0..=longest))).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain_coupon::Source;
    use domain_ids::{CouponId, Nth};
    use domain_money::Fen;
    use proptest::prelude::*;

    use super::*;
    use crate::Event;

    fn any_fact() -> impl Strategy<Value = Fact> {
        let event = prop_oneof![
            Just(Event::Issued(Source::Claim)),
            Just(Event::Locked),
            Just(Event::Used { saved: Fen::new(7) }),
            Just(Event::Expired),
            Just(Event::Refunded { saved: Fen::new(7) }),
        ];
        (0..20_u128, 0..60_u32, 1..4_u32, event, 0..400_i64, any::<bool>()).prop_map(
            |(template, guest, revision, event, minute, restock)| {
                let template = TemplateId::from_parts(1_794_326_400_000, template);
                let guest = format!("guest-{guest}").parse().unwrap();
                let id = FactId { coupon: CouponId::new(&guest, template, Nth::MIN), revision };
                Fact { id, event, at: Timestamp::from_second(minute * 60).unwrap(), restock }
            },
        )
    }

    proptest! {
        #[test]
        fn every_fact_is_in_one_tally_that_fits_and_adds_up(
            facts in proptest::collection::vec(any_fact(), 0..400),
        ) {
            let mut expected: BTreeMap<FactId, Fact> = BTreeMap::new();
            expected.extend(facts.iter().map(|fact| (fact.id, *fact)));
            let tallies = tallies(facts);
            for tally in &tallies {
                prop_assert!((1..=MAX_ITEMS).contains(&tally.items()));
                let again = tally.facts().iter().copied().fold(Tally::default(), with);
                prop_assert_eq!(tally, &again);
                for fact in tally.facts() {
                    prop_assert_eq!(expected.remove(&fact.id), Some(*fact));
                }
            }
            prop_assert!(expected.is_empty());
            prop_assert!(tallies.iter().rev().skip(1).all(Tally::is_full));
        }
    }
}
