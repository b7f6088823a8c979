//! Which queries are popular.
#![expect(clippy::float_arithmetic, reason = "scores are compared with each other, and go no further")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    Baseline, Baselines, HotSearch, HotSearches, Hour, Keyword, KeywordVotes, MAX_HOT, MAX_WITNESSES, Trend,
};

/// After how long a vote counts half: what was popular yesterday evening is still there in the morning, at half its weight.
pub const HALF_LIFE: SignedDuration = SignedDuration::from_hours(12);

/// How far votes are looked back at: six half-lives, after which one counts a sixty-fourth.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(72);

/// How old the list is, at least, that trends compare with: five minutes change little.
const TREND_OVER: SignedDuration = SignedDuration::from_hours(1);

/// The votes of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourVotes {
    /// Which.
    pub hour: Hour,
    /// By keyword.
    pub votes: Vec<KeywordVotes>,
}

/// What may become popular.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotRules {
    /// What is never shown: anything that contains one of these.
    pub blocked: Vec<Keyword>,
    /// How many different clients a keyword must have had on one day.
    pub min_clients: MinClients,
}

/// How many different clients a keyword needs: 1 to 10, the number that is kept; 5 unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinClients(u8);

/// The number is not 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 10")]
pub struct InvalidMinClients;

impl MinClients {
    /// So many.
    pub fn new(clients: u8) -> Result<Self, InvalidMinClients> {
        let is_known = (1..=MAX_WITNESSES).contains(&usize::from(clients));
        if is_known { Ok(Self(clients)) } else { Err(InvalidMinClients) }
    }
}

impl Default for MinClients {
    fn default() -> Self {
        Self(5)
    }
}

impl std::str::FromStr for MinClients {
    type Err = InvalidMinClients;

    fn from_str(text: &str) -> Result<Self, InvalidMinClients> {
        text.parse().map_err(|_| InvalidMinClients).and_then(Self::new)
    }
}

/// What is known of a keyword over several hours.
#[derive(Default)]
struct Standing {
    score: f64,
    /// The clients of a day: those of two days cannot be compared, since each day has its salt.
    witnesses: BTreeMap<Date, BTreeSet<u64>>,
}

/// The list at `now`. `hours` are those within [`HORIZON`], each once, in any order; `last` is the list before.
pub fn rank(hours: &[HourVotes], rules: &HotRules, last: Option<HotSearches>, now: Timestamp) -> HotSearches {
    // Sums of floats depend on their order.
    let mut hours: Vec<&HourVotes> = hours.iter().collect();
    hours.sort_by_key(|votes| votes.hour);
    let mut standings: BTreeMap<&Keyword, Standing> = BTreeMap::new();
    for HourVotes { hour, votes } in hours {
        let Some(weight) = weight(*hour, now) else { continue };
        for vote in votes {
            let standing = standings.entry(&vote.keyword).or_default();
            standing.score += weight * as_float(vote.votes);
            standing.witnesses.entry(hour.day()).or_default().extend(&vote.witnesses);
        }
    }
    standings.retain(|keyword, standing| {
        let clients = standing.witnesses.values().map(BTreeSet::len).max().unwrap_or_default();
        clients >= usize::from(rules.min_clients.0)
            && keyword.may_be_shown()
            && !keyword.contains_any(&rules.blocked)
    });
    let mut ranked: Vec<(&Keyword, f64)> =
        standings.iter().map(|(keyword, standing)| (*keyword, standing.score)).collect();
    // A stable sort: of two alike the first in the order of the keywords.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(MAX_HOT);

    let baseline = baselines(last, now);
    let before = baseline.as_ref().map(|baseline| &baseline.older);
    let items = ranked.iter().enumerate().map(|(place, (keyword, _))| HotSearch {
        keyword: (*keyword).clone(),
        trend: before.map(|before| trend(before, keyword, place)),
    });
    HotSearches { items: items.collect(), as_of: now, baseline }
}

/// What a vote of the hour counts; none if it is beyond the horizon.
fn weight(hour: Hour, now: Timestamp) -> Option<f64> {
    let age = now.duration_since(hour.end()).max(SignedDuration::ZERO);
    (age < HORIZON).then(|| 0.5_f64.powf(age.as_secs_f64() / HALF_LIFE.as_secs_f64()))
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2⁵³ votes")]
fn as_float(votes: u64) -> f64 {
    votes as f64
}

/// The lists to compare with, now and later: the older one is one to two hours old once there have been lists for so long.
fn baselines(last: Option<HotSearches>, now: Timestamp) -> Option<Baselines> {
    let HotSearches { items, as_of, baseline } = last?;
    let last = || Baseline { at: as_of, keywords: items.into_iter().map(|item| item.keyword).collect() };
    match baseline {
        None => Some(Baselines { older: last(), newer: None }),
        Some(Baselines { older, newer }) => {
            let newest = newer.as_ref().unwrap_or(&older);
            if now.duration_since(newest.at) < TREND_OVER {
                return Some(Baselines { older, newer });
            }
            Some(Baselines { older: newer.unwrap_or(older), newer: Some(last()) })
        }
    }
}

fn trend(before: &Baseline, keyword: &Keyword, place: usize) -> Trend {
    match before.keywords.iter().position(|other| other == keyword) {
        None => Trend::New,
        Some(then) if place < then => Trend::Up,
        Some(then) if place > then => Trend::Down,
        Some(_) => Trend::Same,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Timestamp = Timestamp::constant(1_794_326_400, 0);

    fn keyword(text: &str) -> Keyword {
        Keyword::fold(text).unwrap()
    }

    fn hour(ago: i64) -> Hour {
        Hour::of(NOON - SignedDuration::from_hours(ago))
    }

    fn votes(text: &str, clients: std::ops::Range<u64>) -> KeywordVotes {
        KeywordVotes {
            keyword: keyword(text),
            votes: clients.end - clients.start,
            witnesses: clients.take(MAX_WITNESSES).collect(),
        }
    }

    fn rules(min_clients: u8) -> HotRules {
        HotRules { blocked: Vec::new(), min_clients: MinClients::new(min_clients).unwrap() }
    }

    fn texts(list: &HotSearches) -> Vec<&str> {
        list.items.iter().map(|item| item.keyword.as_str()).collect()
    }

    #[test]
    fn what_is_searched_for_now_is_above_what_was_searched_for_as_often_yesterday() {
        let hours = [
            HourVotes { hour: hour(24), votes: vec![votes("昨天", 0..20)] },
            HourVotes { hour: hour(0), votes: vec![votes("今天", 0..20), votes("少", 0..6)] },
            HourVotes { hour: hour(100), votes: vec![votes("上周", 0..1_000)] },
        ];
        assert_eq!(texts(&rank(&hours, &rules(5), None, NOON)), ["今天", "少", "昨天"]);
    }

    #[test]
    fn a_keyword_needs_several_clients_on_one_day() {
        let alone = |ago| HourVotes { hour: hour(ago), votes: vec![votes("刷", 7..8)] };
        let flood: Vec<HourVotes> = (0..70).map(alone).collect();
        assert_eq!(rank(&flood, &rules(2), None, NOON).items, [], "one client in many hours is one");
        let two = [
            HourVotes { hour: hour(1), votes: vec![votes("真", 7..8)] },
            HourVotes { hour: hour(2), votes: vec![votes("真", 8..9)] },
        ];
        assert_eq!(texts(&rank(&two, &rules(2), None, NOON)), ["真"], "hours of one day add up");
    }

    #[test]
    fn what_is_blocked_or_looks_private_is_not_listed() {
        let all = vec![
            votes("a bad word", 0..20),
            votes("13800138000", 0..20),
            votes("ann@example.com", 0..20),
            votes("good", 0..20),
        ];
        let rules = HotRules { blocked: vec![keyword("BAD")], ..rules(5) };
        let list = rank(&[HourVotes { hour: hour(0), votes: all }], &rules, None, NOON);
        assert_eq!(texts(&list), ["good"]);
    }

    #[test]
    fn a_trend_compares_with_an_hour_ago_and_not_with_the_last_run() {
        let five_min = SignedDuration::from_mins(5);
        let of =
            |a: u64, b: u64| [HourVotes { hour: hour(0), votes: vec![votes("a", 0..a), votes("b", 0..b)] }];
        let trends = |list: &HotSearches| -> Vec<(String, Option<Trend>)> {
            list.items.iter().map(|item| (item.keyword.as_str().to_owned(), item.trend)).collect()
        };
        let mut now = NOON;
        let mut list = rank(&of(9, 8), &rules(5), None, now);
        assert_eq!(trends(&list), [("a".into(), None), ("b".into(), None)]);
        // b overtakes, and has overtaken for an hour.
        for _ in 0..12 {
            now += five_min;
            list = rank(&of(9, 30), &rules(5), Some(list), now);
            assert_eq!(trends(&list), [("b".into(), Some(Trend::Up)), ("a".into(), Some(Trend::Down))]);
        }
        for _ in 0..24 {
            now += five_min;
            list = rank(&of(9, 30), &rules(5), Some(list), now);
        }
        assert_eq!(trends(&list), [("b".into(), Some(Trend::Same)), ("a".into(), Some(Trend::Same))]);
        let hours = [HourVotes { hour: hour(0), votes: vec![votes("c", 0..9)] }];
        let list = rank(&hours, &rules(5), Some(list), now + five_min);
        assert_eq!(trends(&list), [("c".into(), Some(Trend::New))]);
    }

    #[test]
    fn a_number_of_clients_is_one_that_is_kept() {
        assert_eq!("0".parse::<MinClients>(), Err(InvalidMinClients));
        assert_eq!("11".parse::<MinClients>(), Err(InvalidMinClients));
        assert_eq!("1".parse(), MinClients::new(1));
        assert_eq!(MinClients::default(), MinClients::new(5).unwrap());
    }

    proptest! {
        #[test]
        fn a_vote_loses_weight_and_never_gains(ago in 0..80_i64, a in 0..300_000_i64, b in 0..300_000_i64) {
            let at = |seconds| weight(hour(ago), NOON + SignedDuration::from_secs(seconds)).unwrap_or(0.0);
            let (sooner, later) = (at(a.min(b)), at(a.max(b)));
            prop_assert!(later <= sooner && sooner <= 1.0 && later >= 0.0);
        }

        #[test]
        fn the_list_does_not_depend_on_the_order_of_the_hours(
            counts in proptest::collection::vec((0..80_i64, 0..6_usize, 1..40_u64), 0..40),
            seed: u64,
        ) {
            let mut hours: BTreeMap<Hour, Vec<KeywordVotes>> = BTreeMap::new();
            for (ago, text, clients) in counts {
                let text = ["甲", "乙", "丙", "丁", "戊", "己"][text];
                let votes_of = hours.entry(hour(ago)).or_default();
                if !votes_of.iter().any(|vote| vote.keyword.as_str() == text) {
                    votes_of.push(votes(text, 0..clients));
                }
            }
            let mut hours: Vec<HourVotes> =
                hours.into_iter().map(|(hour, votes)| HourVotes { hour, votes }).collect();
            let list = rank(&hours, &rules(5), None, NOON);
            fastrand::Rng::with_seed(seed).shuffle(&mut hours);
            prop_assert_eq!(rank(&hours, &rules(5), None, NOON), list);
        }
    }
}
