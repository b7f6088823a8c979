use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use domain_coupon::StoreError;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{Fact, Hour, NotCounted, Salt, SearchEvent, check, fact::CLOCKS_APART, searched_at};

/// Facts kept in one call: what one request of the store takes.
pub const MAX_KEPT_AT_ONCE: usize = 25;

/// Calls under way at once.
const CONCURRENCY: usize = 8;

/// How long after its end an hour is counted again without being asked for. What comes for an older one asks for it.
/// Those who count go a quarter of an hour further back ([`recent_hours`]), so that what is under way is not missed.
const RECENT: SignedDuration = SignedDuration::from_mins(60);
const RECENT_AND_UNDER_WAY: SignedDuration = SignedDuration::from_mins(75);

/// How far a run that has been missed is made up for: as far as facts are sure to be whole.
const MAX_HOURS_BACK: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Days whose salts one execution environment remembers: events come at most two days late.
const MAX_SALTS: usize = 4;

/// Where facts are kept.
pub trait FactStore {
    /// The salt of a day of business: `fresh`, if it has none yet.
    fn salt(&self, day: Date, fresh: Salt) -> impl Future<Output = Result<Salt, StoreError>> + Send;

    /// Keeps these facts, at most [`MAX_KEPT_AT_ONCE`] different ones. Those that are kept already are kept once. If it fails,
    /// some may be kept.
    fn keep(&self, facts: &[Fact]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Asks for an hour to be counted again. `token` is another one each time.
    fn ask_for(&self, hour: Hour, token: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What one execution environment remembers of the salts.
#[derive(Debug, Default)]
pub struct Salts(Mutex<BTreeMap<Date, Salt>>);

impl Salts {
    fn recall(&self, day: Date) -> Option<Salt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&day).copied()
    }

    fn learn(&self, day: Date, salt: Salt) {
        let mut salts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        salts.insert(day, salt);
        while salts.len() > MAX_SALTS {
            salts.pop_first();
        }
    }

    async fn of(&self, store: &impl FactStore, day: Date, fresh: Salt) -> Result<Salt, StoreError> {
        if let Some(salt) = self.recall(day) {
            return Ok(salt);
        }
        let salt = store.salt(day, fresh).await?;
        self.learn(day, salt);
        Ok(salt)
    }
}

/// What keeping cannot compute: the time, and random bits.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now.
    pub at: Timestamp,
    /// Becomes the salt of a day that has none: from a cryptographic source.
    pub salt: Salt,
    /// Tells one call from another.
    pub token: u64,
}

/// Why an event is not kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeepError {
    /// It is none to be counted.
    #[error(transparent)]
    NotCounted(#[from] NotCounted),
    /// The store failed. It may be kept; a repeat is the same fact.
    #[error("the store failed")]
    Store(#[source] Arc<StoreError>),
}

impl From<StoreError> for KeepError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// Keeps what these events tell, and has hours counted again that were thought to be complete. The outcomes are in the order
/// of the events.
///
/// First the facts, then the hours: whoever dies in between leaves events that come again.
pub async fn keep(
    store: &impl FactStore,
    salts: &Salts,
    events: &[SearchEvent],
    chance: Chance,
) -> Vec<Result<(), KeepError>> {
    let days: BTreeSet<Date> =
        events.iter().filter(|event| check(event, chance.at).is_ok()).map(day).collect();
    let mut known: BTreeMap<Date, Result<Salt, KeepError>> = BTreeMap::new();
    for day in days {
        known.insert(day, salts.of(store, day, chance.salt).await.map_err(KeepError::from));
    }
    let facts: Vec<Result<Fact, KeepError>> = events
        .iter()
        .map(|event| {
            check(event, chance.at)?;
            let salt = known.get(&day(event)).cloned().unwrap_or(Ok(chance.salt))?;
            Ok(Fact::of(event, &salt))
        })
        .collect();

    let distinct: BTreeSet<&Fact> = facts.iter().flatten().collect();
    let distinct: Vec<Fact> = distinct.into_iter().cloned().collect();
    let chunks: Vec<Vec<Fact>> = distinct.chunks(MAX_KEPT_AT_ONCE).map(<[Fact]>::to_vec).collect();
    let failed: BTreeMap<Fact, KeepError> = stream::iter(chunks)
        .map(|chunk| async move {
            let kept = store.keep(&chunk).await;
            (chunk, kept)
        })
        .buffer_unordered(CONCURRENCY)
        .filter_map(async |(chunk, kept)| Some((chunk, KeepError::from(kept.err()?))))
        .fold(BTreeMap::new(), async |mut failed, (chunk, error)| {
            failed.extend(chunk.into_iter().map(|fact| (fact, error.clone())));
            failed
        })
        .await;

    let late: BTreeSet<Hour> =
        distinct.iter().map(Fact::hour).filter(|hour| !is_recent(*hour, chance.at)).collect();
    let mut unasked: BTreeMap<Hour, KeepError> = BTreeMap::new();
    for hour in late {
        if let Err(error) = store.ask_for(hour, chance.token).await {
            unasked.insert(hour, error.into());
        }
    }

    let outcome = |fact: Result<Fact, KeepError>| {
        let fact = fact?;
        let error = failed.get(&fact).or_else(|| unasked.get(&fact.hour()));
        error.cloned().map_or(Ok(()), Err)
    };
    facts.into_iter().map(outcome).collect()
}

fn day(event: &SearchEvent) -> Date {
    Hour::of(searched_at(event.search())).day()
}

fn is_recent(hour: Hour, now: Timestamp) -> bool {
    now.duration_since(hour.end()) < RECENT
}

/// The hours that a run counts again: those that something may have come for since the last run that came to its end, at
/// `last`. Whatever comes for them from now on is seen by the next one. Not further back than events count.
pub fn recent_hours(last: Option<Timestamp>, now: Timestamp) -> BTreeSet<Hour> {
    let earliest = now.saturating_sub(MAX_HOURS_BACK).unwrap_or(Timestamp::MIN);
    let since = last.unwrap_or(now).min(now).saturating_sub(RECENT_AND_UNDER_WAY).unwrap_or(Timestamp::MIN);
    // The clocks of others may be ahead of ours.
    let until = Hour::of(now.saturating_add(CLOCKS_APART).unwrap_or(Timestamp::MAX));
    let mut hours = BTreeSet::new();
    let mut hour = Hour::of(since.max(earliest));
    while hour <= until && hours.insert(hour) {
        hour = Hour::of(hour.end());
    }
    hours.retain(|hour| hour.end() > since);
    hours
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_asks_for_nothing_is_seen_by_runs_of_the_next_quarter_of_an_hour(
            now in 1_794_326_400_i64..1_794_340_800,
            searched in -170_000_i64..300,
            later in 0..900_i64,
        ) {
            let now = Timestamp::from_second(now).unwrap();
            let hour = Hour::of(now + SignedDuration::from_secs(searched));
            if is_recent(hour, now) {
                prop_assert!(recent_hours(None, now + SignedDuration::from_secs(later)).contains(&hour));
            }
        }
    }

    #[test]
    fn few_hours_are_counted_again() {
        let at = |minutes: i64| Timestamp::constant(1_794_326_400, 0) + SignedDuration::from_mins(minutes);
        for (minutes, number) in [(1, 3), (20, 2), (57, 3)] {
            assert_eq!(recent_hours(Some(at(minutes - 5)), at(minutes)).len(), number, "{minutes}");
        }
        assert_eq!(recent_hours(Some(at(-600)), at(20)).len(), 13, "after an outage of ten hours");
        assert_eq!(recent_hours(Some(at(-60_000)), at(20)).len(), 73, "after one of weeks");
        assert_eq!(
            recent_hours(Some(at(600)), at(20)),
            recent_hours(None, at(20)),
            "a clock that was set back"
        );
    }
}
