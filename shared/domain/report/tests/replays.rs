//! Whatever is given again, broken off, or in the way: each fact is counted once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Mutex,
    time::Duration,
};

use domain_coupon::{Source, StoreError};
use domain_ids::{CouponId, Nth, TemplateId};
use domain_money::Fen;
use domain_report::{CountError, Counters, Event, Fact, FactId, FactStore, Hour, Tally, Written, count};
use jiff::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// A store in memory. Its next calls fail as `faults` says, and then it works.
#[derive(Default)]
struct Model {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    marks: BTreeSet<FactId>,
    counters: BTreeMap<(TemplateId, Hour, u16), Counters>,
    returned: BTreeMap<TemplateId, u64>,
    faults: VecDeque<Fault>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Conflict,
    Throttled,
    /// Fails before it has written.
    Lost,
    /// Fails after it has written: the answer is lost.
    Cut,
}

impl FactStore for Model {
    async fn write(&self, tally: &Tally, shard: u16, _: Timestamp) -> Result<Written, StoreError> {
        let mut state = self.state.lock().unwrap();
        let fault = state.faults.pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::Conflict => return Ok(Written::Conflict),
            Fault::Throttled => return Err(StoreError::Throttled("full".into())),
            Fault::Lost => return Err(StoreError::Unavailable("lost".into())),
            Fault::None | Fault::Cut => {}
        }
        let ids: BTreeSet<FactId> = tally.facts().iter().map(|fact| fact.id).collect();
        let known: BTreeSet<FactId> = ids.intersection(&state.marks).copied().collect();
        if !known.is_empty() {
            return Ok(Written::Known(known));
        }
        state.marks.extend(ids);
        for ((template, hour), counters) in tally.counters() {
            *state.counters.entry((*template, *hour, shard)).or_default() += counters;
        }
        for (template, count) in tally.returned() {
            *state.returned.entry(*template).or_default() += count;
        }
        if matches!(fault, Fault::Cut) {
            Err(StoreError::Unavailable("cut".into()))
        } else {
            Ok(Written::Counted)
        }
    }

    async fn wait(&self, _: Duration) {}
}

impl Model {
    fn after(faults: impl IntoIterator<Item = Fault>) -> Self {
        let state = State { faults: faults.into_iter().collect(), ..State::default() };
        Self { state: Mutex::new(state) }
    }

    fn counted(&self) -> (BTreeMap<(TemplateId, Hour), Counters>, BTreeMap<TemplateId, u64>) {
        let state = self.state.lock().unwrap();
        let mut sums: BTreeMap<_, Counters> = BTreeMap::new();
        for ((template, hour, _), counters) in &state.counters {
            *sums.entry((*template, *hour)).or_default() += counters;
        }
        (sums, state.returned.clone())
    }

    /// Counts a batch as Lambda would: again and again until it is counted.
    fn deliver(&self, batch: &[Fact]) {
        for seed in 0.. {
            assert!(seed < 1_000, "it must come to an end");
            if run(count(self, batch.to_vec(), NOW, seed)).is_ok() {
                return;
            }
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// What becomes of one coupon: facts that follow from each other.
fn life(template: u128, guest: u32, start_min: i64, restock: bool, course: u8) -> Vec<Fact> {
    let template = TemplateId::from_parts(1_794_326_400_000, template);
    let guest = format!("guest-{guest}").parse().unwrap();
    let coupon = CouponId::new(&guest, template, Nth::MIN);
    let saved = Fen::new(2_000);
    let source = [Source::Claim, Source::Queue, Source::Grant, Source::Auto, Source::Exchange];
    let issued = Event::Issued(source[usize::from(course) % source.len()]);
    let events = match course % 5 {
        0 => vec![issued],
        1 => vec![issued, Event::Expired],
        2 => vec![issued, Event::Locked, Event::Released, Event::Expired],
        3 => vec![issued, Event::Locked, Event::Used { saved }],
        _ => vec![issued, Event::Locked, Event::Used { saved }, Event::Refunded { saved }],
    };
    let fact = |(event, revision): (Event, u32)| Fact {
        id: FactId { coupon, revision },
        event,
        at: Timestamp::from_second((start_min + 45 * i64::from(revision)) * 60).unwrap(),
        restock,
    };
    events.into_iter().zip(1..).map(fact).collect()
}

fn lives() -> impl Strategy<Value = Vec<Fact>> {
    let one = (0..3_u128, 0..100_000_u32, 0..300_i64, any::<bool>(), 0..25_u8);
    proptest::collection::vec(one, 0..80).prop_map(|lives| {
        let lives =
            lives.into_iter().enumerate().flat_map(|(n, (template, guest, start, restock, course))| {
                life(template, guest * 100 + u32::try_from(n).unwrap(), start, restock, course)
            });
        lives.collect()
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        2 => Just(Fault::Conflict),
        1 => Just(Fault::Throttled),
        1 => Just(Fault::Lost),
        2 => Just(Fault::Cut),
    ]
}

proptest! {
    #[test]
    fn however_a_stream_is_replayed_split_and_broken_off_the_counts_are_the_same(
        facts in lives(),
        faults in proptest::collection::vec(fault(), 0..60),
        cuts in proptest::collection::vec((0..400_usize, 0..150_usize), 0..20),
        order in any::<u64>(),
    ) {
        let undisturbed = Model::default();
        undisturbed.deliver(&facts);

        let disturbed = Model::after(faults);
        // Any parts of the stream, some of them several times, in any order …
        for (from, length) in cuts {
            let from = from.min(facts.len());
            disturbed.deliver(&facts[from..(from + length).min(facts.len())]);
        }
        // … and then all of it, a part of it twice within one batch.
        let mut all: Vec<Fact> = facts.iter().chain(facts.iter().take(30)).copied().collect();
        fastrand::Rng::with_seed(order).shuffle(&mut all);
        for batch in all.chunks(70) {
            disturbed.deliver(batch);
        }
        prop_assert_eq!(disturbed.counted(), undisturbed.counted());
    }

    #[test]
    fn the_counts_are_those_of_the_facts(facts in lives()) {
        let model = Model::default();
        model.deliver(&facts);
        let (hours, returned) = model.counted();
        let mut totals = Counters::default();
        for counters in hours.values() {
            totals += counters;
        }
        let of = |wanted: fn(&Event) -> bool| facts.iter().filter(|fact| wanted(&fact.event)).count() as u64;
        prop_assert_eq!(totals.issued, of(|event| matches!(event, Event::Issued(_))));
        prop_assert_eq!(totals.issued, totals.claimed + totals.granted + totals.auto + totals.exchanged);
        prop_assert_eq!(totals.used, of(|event| matches!(event, Event::Used { .. })));
        prop_assert_eq!(totals.cost_fen(), (totals.used - totals.refunded) * 2_000);
        let back = facts.iter().filter(|fact| fact.returns_stock()).count() as u64;
        prop_assert_eq!(returned.values().sum::<u64>(), back);
    }
}

#[test]
fn a_call_says_what_it_has_done_and_what_not() {
    let facts: Vec<Fact> = (0..150).flat_map(|guest| life(1, guest, 0, false, 0)).collect();
    let model = Model::after([Fault::Conflict, Fault::None, Fault::Lost]);
    let left = run(count(&model, facts.clone(), NOW, 1)).unwrap_err();
    assert!(matches!(left.error, CountError::Store(StoreError::Unavailable(_))));
    let marked = model.state.lock().unwrap().marks.clone();
    assert_eq!(left.facts.len() + marked.len(), 150);
    assert!(left.facts.is_disjoint(&marked));

    let summary = run(count(&model, facts, NOW, 2)).unwrap();
    assert_eq!((summary.counted, summary.known, summary.conflicts), (left.facts.len(), marked.len(), 0));
}

#[test]
fn who_is_always_in_the_way_is_told_of() {
    for fault in [Fault::Conflict, Fault::Throttled] {
        let model = Model::after([fault; 100]);
        let left = run(count(&model, life(1, 1, 0, false, 0), NOW, 1)).unwrap_err();
        assert!(matches!(left.error, CountError::Busy));
        assert_eq!(model.state.lock().unwrap().faults.len(), 90, "so many tries and no more");
    }
}
