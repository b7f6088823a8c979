//! Whatever comes again, out of order, or is broken off: the same events make the same counts. And whoever floods the search
//! moves nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Mutex,
};

use domain_coupon::StoreError;
use domain_ids::SearchId;
use domain_search::{
    Chance, ClickPosition, Clicked, Client, Counters, DaySummary, Fact, FactStore, FactsRead, HotList,
    HotRules, HotSearches, Hour, HourSummary, HourVotes, Keyword, LateHour, MAX_VOTES_OF_A_CLIENT,
    MinClients, Salt, Salts, SearchEvent, Searched, Shelf, keep, refresh,
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use proptest::prelude::*;

/// Midnight in Shanghai.
const START: Timestamp = Timestamp::constant(1_794_326_400, 0);

/// A store in memory. Its next writes fail as `faults` says, and then it works.
#[derive(Default)]
struct Model(Mutex<State>);

#[derive(Default)]
struct State {
    salts: BTreeMap<Date, Salt>,
    facts: BTreeSet<Fact>,
    late: BTreeMap<Hour, u64>,
    hours: BTreeMap<Hour, HourSummary>,
    days: BTreeMap<Date, DaySummary>,
    hot: Option<HotSearches>,
    faults: VecDeque<Fault>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// Fails before it has written.
    Lost,
    /// Writes a part and fails.
    Part,
    /// Fails after it has written: the answer is lost.
    Cut,
}

impl State {
    fn write(&mut self, writes: impl FnOnce(&mut Self, bool)) -> Result<(), StoreError> {
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::Lost => {}
            Fault::Part => writes(self, false),
            Fault::Cut | Fault::None => writes(self, true),
        }
        if matches!(fault, Fault::None) { Ok(()) } else { Err(StoreError::Unavailable("injected".into())) }
    }
}

impl FactStore for Model {
    async fn salt(&self, day: Date, fresh: Salt) -> Result<Salt, StoreError> {
        Ok(*self.0.lock().unwrap().salts.entry(day).or_insert(fresh))
    }

    async fn keep(&self, facts: &[Fact]) -> Result<(), StoreError> {
        assert!(facts.len() <= 25);
        self.0.lock().unwrap().write(|state, whole| {
            let number = if whole { facts.len() } else { facts.len() / 2 };
            state.facts.extend(facts.iter().take(number).cloned());
        })
    }

    async fn ask_for(&self, hour: Hour, token: u64) -> Result<(), StoreError> {
        self.0.lock().unwrap().write(|state, whole| {
            if whole {
                state.late.insert(hour, token);
            }
        })
    }
}

impl HotList for Model {
    async fn hot(&self) -> Result<Option<HotSearches>, StoreError> {
        Ok(self.0.lock().unwrap().hot.clone())
    }
}

impl Shelf for Model {
    async fn facts(
        &self,
        hour: Hour,
        limit: usize,
        take: impl FnMut(Fact) + Send,
    ) -> Result<FactsRead, StoreError> {
        let facts: Vec<Fact> =
            self.0.lock().unwrap().facts.iter().filter(|fact| fact.hour() == hour).cloned().collect();
        facts.into_iter().take(limit).for_each(take);
        Ok(FactsRead::default())
    }

    async fn late_hours(&self, limit: usize) -> Result<Vec<LateHour>, StoreError> {
        let late = self.0.lock().unwrap().late.clone();
        Ok(late.into_iter().take(limit).map(|(hour, token)| LateHour { hour, token }).collect())
    }

    async fn done_with(&self, late: &LateHour) -> Result<(), StoreError> {
        self.0.lock().unwrap().write(|state, whole| {
            if whole && state.late.get(&late.hour) == Some(&late.token) {
                state.late.remove(&late.hour);
            }
        })
    }

    async fn put_hour(&self, summary: &HourSummary) -> Result<(), StoreError> {
        self.0.lock().unwrap().write(|state, whole| {
            if whole && state.hours.get(&summary.hour).is_none_or(|known| known.facts <= summary.facts) {
                state.hours.insert(summary.hour, summary.clone());
            }
        })
    }

    async fn hours_of(&self, day: Date) -> Result<Vec<HourSummary>, StoreError> {
        let state = self.0.lock().unwrap();
        Ok(state.hours.values().filter(|summary| summary.hour.day() == day).cloned().collect())
    }

    async fn put_day(&self, summary: &DaySummary) -> Result<(), StoreError> {
        self.0.lock().unwrap().write(|state, whole| {
            if whole && state.days.get(&summary.day).is_none_or(|known| known.facts <= summary.facts) {
                state.days.insert(summary.day, summary.clone());
            }
        })
    }

    async fn votes(&self, from: Hour, to: Hour) -> Result<Vec<HourVotes>, StoreError> {
        let state = self.0.lock().unwrap();
        let votes = |summary: &HourSummary| HourVotes { hour: summary.hour, votes: summary.votes.clone() };
        Ok(state.hours.range(from..=to).map(|(_, summary)| votes(summary)).collect())
    }

    async fn put_hot(&self, list: &HotSearches) -> Result<(), StoreError> {
        self.0.lock().unwrap().write(|state, whole| {
            if whole {
                state.hot = Some(list.clone());
            }
        })
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn rules() -> HotRules {
    HotRules { blocked: Vec::new(), min_clients: MinClients::default() }
}

impl Model {
    fn after(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self(Mutex::new(State { faults: faults.into_iter().collect(), ..State::default() }))
    }

    /// Delivers a batch as Lambda would: what failed comes again, until nothing fails.
    fn deliver(&self, events: &[SearchEvent], now: Timestamp) {
        let salts = Salts::default();
        let mut left = events.to_vec();
        for token in 0..1_000 {
            let chance = Chance { at: now, salt: Salt([7; 32]), token };
            let outcomes = run(keep(self, &salts, &left, chance));
            let events = std::mem::take(&mut left);
            left = events
                .into_iter()
                .zip(outcomes)
                .filter(|(_, it)| it.is_err())
                .map(|(event, _)| event)
                .collect();
            if left.is_empty() {
                return;
            }
        }
        panic!("it must come to an end");
    }

    /// Counts, until a run succeeds.
    fn refresh(&self, now: Timestamp) {
        for _ in 0..1_000 {
            if run(refresh(self, &rules(), now)).is_ok() {
                return;
            }
        }
        panic!("it must come to an end");
    }

    fn counts(&self) -> (BTreeMap<Hour, HourSummary>, BTreeMap<Date, DaySummary>) {
        let state = self.0.lock().unwrap();
        (state.hours.clone(), state.days.clone())
    }

    fn hot(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let list = state.hot.as_ref().unwrap();
        list.items.iter().map(|item| item.keyword.as_str().to_owned()).collect()
    }
}

fn at(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

fn search_id(seconds: i64, random: u128) -> SearchId {
    SearchId::from_parts(at(seconds).as_millisecond().unsigned_abs(), random)
}

fn searched(seconds: i64, random: u128, keyword: &str, total: u64, client: &str) -> SearchEvent {
    SearchEvent::Searched(Searched {
        search: search_id(seconds, random),
        at: at(seconds),
        keyword: Keyword::fold(keyword),
        total,
        client: Client::at(client),
    })
}

fn clicked(search: &SearchEvent, after: i64, homestay: &str, position: u32) -> SearchEvent {
    let SearchEvent::Searched(searched) = search else { panic!("a click is of a search") };
    SearchEvent::Clicked(Clicked {
        search: searched.search,
        at: searched.at + SignedDuration::from_secs(after),
        keyword: searched.keyword.clone(),
        homestay: homestay.parse().unwrap(),
        position: ClickPosition::new(position).unwrap(),
        client: searched.client.clone(),
    })
}

fn events() -> impl Strategy<Value = Vec<SearchEvent>> {
    let click = (0..9_000_i64, 0..4_u8, 1..30_u32);
    let one = (0..20_000_i64, 0..8_usize, 0..3_u64, 0..12_u8, proptest::collection::vec(click, 0..4));
    proptest::collection::vec(one, 0..80).prop_map(|searches| {
        let keywords = ["", "三里屯", "大床房", "13800138000", "Loft", "ｌｏｆｔ ", "国贸", "西湖"];
        let event =
            |(n, (seconds, keyword, total, client, clicks)): (usize, (i64, usize, u64, u8, Vec<_>))| {
                let search =
                    searched(seconds, n as u128, keywords[keyword], total, &format!("192.0.2.{client}"));
                let clicks: Vec<SearchEvent> = clicks
                    .into_iter()
                    .map(|(after, homestay, position)| {
                        clicked(&search, after, &format!("h-{homestay}"), position)
                    })
                    .collect();
                std::iter::once(search).chain(clicks)
            };
        searches.into_iter().enumerate().flat_map(event).collect()
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::Lost), 1 => Just(Fault::Part), 2 => Just(Fault::Cut)]
}

/// After all events: what comes then is late for some hours and not for others.
const AFTER: i64 = 30_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_events_come_and_whatever_is_broken_off_the_counts_are_the_same(
        events in events(),
        faults in proptest::collection::vec(fault(), 0..60),
        again in proptest::collection::vec((0..300_usize, 0..60_usize), 0..6),
        order: u64,
        runs in 1..8_i64,
    ) {
        let undisturbed = Model::default();
        undisturbed.deliver(&events, at(AFTER));
        undisturbed.refresh(at(AFTER));

        let disturbed = Model::after(faults);
        let mut all = events.clone();
        for (from, length) in again {
            let from = from.min(events.len());
            all.extend_from_slice(&events[from..(from + length).min(events.len())]);
        }
        fastrand::Rng::with_seed(order).shuffle(&mut all);
        // In some batches, with runs in between, each a while later than the last.
        for (n, batch) in (1..).zip(all.chunks(40.max(all.len() / 5))) {
            disturbed.deliver(batch, at(AFTER + n * 600));
            if n <= runs {
                disturbed.refresh(at(AFTER + n * 600 + 60));
            }
        }
        disturbed.refresh(at(AFTER + 9_000));
        prop_assert_eq!(disturbed.counts(), undisturbed.counts());
        prop_assert!(disturbed.0.lock().unwrap().late.is_empty());
    }

    #[test]
    fn the_counts_are_those_of_the_events(events in events()) {
        let model = Model::default();
        model.deliver(&events, at(AFTER));
        model.refresh(at(AFTER));
        let mut totals = Counters::default();
        for day in model.counts().1.values() {
            totals += &day.totals;
        }
        let of = |wanted: fn(&Searched) -> bool| {
            let searches = events.iter().filter(|event| matches!(event, SearchEvent::Searched(it) if wanted(it)));
            searches.count() as u64
        };
        prop_assert_eq!(totals.searches, of(|_| true));
        prop_assert_eq!(totals.keyword_searches, of(|search| search.keyword.is_some()));
        prop_assert_eq!(totals.zero_result_searches, of(|search| search.total == 0));
        let clicks: BTreeMap<SearchId, Vec<&Clicked>> = events.iter().fold(BTreeMap::new(), |mut clicks, event| {
            if let SearchEvent::Clicked(click) = event {
                clicks.entry(click.search).or_insert_with(Vec::new).push(click);
            }
            clicks
        });
        prop_assert_eq!(totals.clicked_searches, clicks.len() as u64);
        let opened: u64 = clicks.values().map(|clicks| {
            clicks.iter().map(|click| &click.homestay).collect::<BTreeSet<_>>().len() as u64
        }).sum();
        prop_assert_eq!(totals.clicks, opened);
        let ranks: u64 = clicks.values().map(|clicks| {
            let first = clicks.iter().min_by_key(|click| (click.at, click.position)).unwrap();
            first.position.reciprocal_millionths()
        }).sum();
        prop_assert_eq!(totals.reciprocal_ranks_millionths, ranks);
    }

    #[test]
    fn a_flood_by_one_client_moves_nothing(
        flood in proptest::collection::vec((0..7_200_i64, 0..3_usize), 0..300),
        honest in proptest::collection::vec((0..7_200_i64, 0..2_usize, 1..30_u8), 0..60),
    ) {
        let keywords = ["三里屯", "大床房", "买粉"];
        let honest: Vec<SearchEvent> = honest.iter().enumerate().map(|(n, (seconds, keyword, client))| {
            searched(*seconds, n as u128, keywords[*keyword], 5, &format!("192.0.2.{client}"))
        }).collect();
        // One who has a whole network of IPv6, a different address for each search.
        let flood: Vec<SearchEvent> = flood.iter().enumerate().map(|(n, (seconds, keyword))| {
            searched(*seconds, 1_000 + n as u128, keywords[*keyword], 5, &format!("2001:db8:1:2::{n:x}"))
        }).collect();
        let score = |events: &[SearchEvent]| {
            let model = Model::default();
            model.deliver(events, at(7_200));
            model.refresh(at(7_200));
            let votes: BTreeMap<(Hour, String), u64> = model.counts().0.values().flat_map(|summary| {
                summary.votes.iter().map(|vote| ((summary.hour, vote.keyword.as_str().to_owned()), vote.votes))
            }).collect();
            (model.hot(), votes)
        };
        let (_, before) = score(&honest);
        let all: Vec<SearchEvent> = honest.into_iter().chain(flood).collect();
        let (hot, after) = score(&all);
        for (key, votes) in &after {
            let without = before.get(key).copied().unwrap_or_default();
            prop_assert!(*votes <= without + 1, "one client is one vote an hour");
        }
        prop_assert!(!hot.contains(&"买粉".to_owned()), "{hot:?}");
    }
}

#[test]
fn a_client_votes_for_so_many_keywords_an_hour() {
    let model = Model::default();
    let chars: Vec<char> = ('一'..).take(MAX_VOTES_OF_A_CLIENT + 30).collect();
    let events: Vec<SearchEvent> = chars
        .iter()
        .zip(0_u16..)
        .map(|(ch, n)| searched(i64::from(n), n.into(), &format!("{ch}园"), 1, "192.0.2.1"))
        .collect();
    model.deliver(&events, at(3_000));
    model.refresh(at(3_000));
    let (hours, _) = model.counts();
    let summary = &hours[&Hour::of(START)];
    assert_eq!(summary.votes.len(), MAX_VOTES_OF_A_CLIENT);
    assert_eq!(summary.keywords.len(), chars.len(), "they are counted all the same");
    assert!(
        summary
            .votes
            .iter()
            .all(|vote| chars[..MAX_VOTES_OF_A_CLIENT]
                .contains(&vote.keyword.as_str().chars().next().unwrap()))
    );
}

#[test]
fn what_finds_nothing_or_looks_private_is_not_popular_and_the_latter_is_not_even_kept() {
    let model = Model::default();
    let events: Vec<SearchEvent> = (0..30_u16)
        .flat_map(|n| {
            let client = format!("192.0.2.{n}");
            let of = |which: u128, keyword, total| {
                searched(n.into(), u128::from(n) * 10 + which, keyword, total, &client)
            };
            [of(0, "西湖", 3), of(1, "不存在", 0), of(2, "13800138000", 3), of(3, "ann@example.com", 3)]
        })
        .collect();
    model.deliver(&events, at(600));
    model.refresh(at(600));
    assert_eq!(model.hot(), ["西湖"]);
    let (_, days) = model.counts();
    let day = days.values().next().unwrap();
    assert_eq!(
        (day.totals.searches, day.totals.keyword_searches, day.totals.zero_result_searches),
        (120, 120, 30)
    );
    let kept: Vec<&str> = day.keywords.iter().map(|count| count.keyword.as_str()).collect();
    assert_eq!(kept, ["不存在", "西湖"]);
    assert_eq!(day.zero_result_keywords.len(), 1);
}

#[test]
fn a_click_counts_with_its_search_and_alone_not_at_all() {
    let model = Model::default();
    let search = searched(3_500, 1, "西湖", 9, "192.0.2.1");
    let of_nothing = searched(3_500, 2, "西湖", 9, "192.0.2.1");
    let clicks = [
        clicked(&search, 9_000, "h-1", 4),
        clicked(&search, 20, "h-2", 2),
        clicked(&search, 30, "h-2", 2),
        clicked(&of_nothing, 5, "h-9", 1),
    ];
    model.deliver(&clicks, at(13_000));
    model.deliver(&[search], at(13_000));
    model.refresh(at(13_000));
    let (hours, days) = model.counts();
    assert_eq!(hours.keys().copied().collect::<Vec<_>>(), [Hour::of(START)], "that of the search");
    let expected = Counters {
        searches: 1,
        keyword_searches: 1,
        zero_result_searches: 0,
        clicked_searches: 1,
        clicks: 2,
        reciprocal_ranks_millionths: 500_000,
    };
    assert_eq!(days.values().next().unwrap().totals, expected);
}

#[test]
fn what_is_too_old_yet_to_come_or_astray_is_not_kept() {
    let model = Model::default();
    let search = searched(0, 1, "西湖", 9, "192.0.2.1");
    let hours = |hours: i64| hours * 3_600;
    for (event, now, is_kept) in [
        (search.clone(), hours(48), true),
        (search.clone(), hours(48) + 1, false),
        (search.clone(), -300, true),
        (search.clone(), -301, false),
        (clicked(&search, hours(24), "h-1", 1), hours(24), true),
        (clicked(&search, hours(24) + 1, "h-1", 1), hours(25), false),
        (clicked(&search, -301, "h-1", 1), 0, false),
    ] {
        let chance = Chance { at: at(now), salt: Salt([0; 32]), token: 1 };
        let outcomes = run(keep(&model, &Salts::default(), std::slice::from_ref(&event), chance));
        assert_eq!(outcomes[0].is_ok(), is_kept, "{now} {outcomes:?}");
    }
}

#[test]
fn the_first_run_after_an_outage_makes_up_for_it() {
    let model = Model::default();
    model.refresh(at(0));
    for hour in 1..=30 {
        let search = searched(hour * 3_600, 1, "西湖", 9, "192.0.2.1");
        model.deliver(&[search], at(hour * 3_600 + 1));
    }
    model.refresh(at(60 * 3_600));
    let (hours, days) = model.counts();
    assert_eq!((hours.len(), days.values().map(|day| day.totals.searches).sum::<u64>()), (30, 30));
}

#[test]
fn a_slow_run_does_not_undo_what_a_later_one_has_counted() {
    let model = Model::default();
    let summary = |facts| HourSummary {
        hour: Hour::of(START),
        facts,
        totals: Counters::default(),
        keywords: Vec::new(),
        votes: Vec::new(),
    };
    run(model.put_hour(&summary(7))).unwrap();
    run(model.put_hour(&summary(5))).unwrap();
    assert_eq!(model.counts().0[&Hour::of(START)].facts, 7);
}
