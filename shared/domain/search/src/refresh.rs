use std::collections::BTreeSet;

use domain_coupon::StoreError;
use jiff::{Timestamp, civil::Date};

use crate::{
    DaySummary, Fact, HORIZON, HotList, HotRules, HotSearches, Hour, HourSummary, HourTally, HourVotes, rank,
    recent_hours,
};

/// Facts of an hour that are read: some 1,100 a second for all of it, and a few hundred megabytes of memory. What is beyond
/// is not counted, and is said.
pub const MAX_FACTS_OF_AN_HOUR: usize = 4_000_000;

/// Hours counted again in one run because something came late for them. The others are for the next run.
pub const MAX_LATE_HOURS: usize = 24;

/// What has become of reading an hour's facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FactsRead {
    /// Facts that were not understood.
    pub unreadable: u64,
    /// Whether there are more than [`MAX_FACTS_OF_AN_HOUR`].
    pub cut_short: bool,
}

/// An hour that is to be counted again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateHour {
    /// Which.
    pub hour: Hour,
    /// What it was asked for with last.
    pub token: u64,
}

/// Where facts become counts.
pub trait Shelf: HotList {
    /// Hands over the facts of an hour, each once, in any order: at most `limit`.
    fn facts(
        &self,
        hour: Hour,
        limit: usize,
        take: impl FnMut(Fact) + Send,
    ) -> impl Future<Output = Result<FactsRead, StoreError>> + Send;

    /// Hours that are to be counted again, at most `limit`.
    fn late_hours(&self, limit: usize) -> impl Future<Output = Result<Vec<LateHour>, StoreError>> + Send;

    /// Forgets that an hour is to be counted again, unless it was asked for again since.
    fn done_with(&self, late: &LateHour) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores an hour, unless one of more facts is there.
    fn put_hour(&self, summary: &HourSummary) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The hours of a day that are stored.
    fn hours_of(&self, day: Date) -> impl Future<Output = Result<Vec<HourSummary>, StoreError>> + Send;

    /// Stores a day, unless one of more facts is there.
    fn put_day(&self, summary: &DaySummary) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The votes of the hours from `from` to `to`, both included.
    fn votes(&self, from: Hour, to: Hour) -> impl Future<Output = Result<Vec<HourVotes>, StoreError>> + Send;

    /// Stores the list of popular queries.
    fn put_hot(&self, list: &HotSearches) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Hours counted.
    pub hours: usize,
    /// Facts counted.
    pub facts: u64,
    /// Facts that were not understood.
    pub unreadable: u64,
    /// Hours with more facts than are read.
    pub cut_short: usize,
    /// Popular queries.
    pub hot: usize,
}

/// Counts the recent hours and those for which something came late, adds up their days, and makes the list of popular
/// queries.
///
/// Each of these is made from what is stored and replaces what was there, so that a run that dies has done no harm, and
/// one that is repeated does nothing else.
pub async fn refresh(store: &impl Shelf, rules: &HotRules, now: Timestamp) -> Result<Refreshed, StoreError> {
    let before = store.hot().await?;
    let late = store.late_hours(MAX_LATE_HOURS).await?;
    // The list is written last, so that its time is that of the last run that came to its end.
    let mut hours = recent_hours(before.as_ref().map(|list| list.as_of), now);
    let newest = hours.last().copied().unwrap_or(Hour::of(now));
    hours.extend(late.iter().map(|late| late.hour));
    let mut refreshed = Refreshed { hours: hours.len(), ..Refreshed::default() };
    let mut days: BTreeSet<Date> = BTreeSet::new();
    for hour in hours {
        let mut tally = HourTally::new(hour);
        let read = store.facts(hour, MAX_FACTS_OF_AN_HOUR, |fact| tally.add(fact)).await?;
        let summary = tally.finish();
        refreshed.facts = refreshed.facts.saturating_add(summary.facts);
        refreshed.unreadable = refreshed.unreadable.saturating_add(read.unreadable);
        refreshed.cut_short += usize::from(read.cut_short);
        if summary.facts > 0 {
            store.put_hour(&summary).await?;
            days.insert(hour.day());
        }
    }
    for day in days {
        store.put_day(&DaySummary::of(day, &store.hours_of(day).await?)).await?;
    }
    // Not before all that follows from them is stored: a run that dies is asked for them again.
    for late in &late {
        store.done_with(late).await?;
    }
    let from = Hour::of(now.saturating_sub(HORIZON).unwrap_or(Timestamp::MIN));
    let votes = store.votes(from, newest).await?;
    let list = rank(&votes, rules, before, now);
    store.put_hot(&list).await?;
    refreshed.hot = list.items.len();
    Ok(refreshed)
}
