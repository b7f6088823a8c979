//! What people searched for: their own history, what is popular, what it tells about the search.
//!
//! Every event becomes a [`Fact`], which is stored under a key made of itself, so that an event that comes again changes
//! nothing ([`keep`]). Counts are made from the facts of an hour, again and again while it lasts ([`refresh`]): the same
//! facts make the same counts, in whatever order and however often they came. What is popular is made from the counts
//! ([`rank`]); who searched is known for a day at most, and only as one of many ([`Client`]).
//!
//! No AWS, no HTTP, no clock, no randomness.

mod client;
mod counters;
mod event;
mod fact;
mod history;
mod hot;
mod hour;
mod keep;
mod keyword;
mod rank;
mod refresh;
mod report;
mod tally;

pub use client::{Client, ClientDigest, Salt};
pub use counters::{Counters, KeywordCount};
pub use event::{CLICKS_COUNT_FOR, ClickPosition, Clicked, SearchEvent, SearchLog, Searched, searched_at};
pub use fact::{EVENTS_COUNT_FOR, Fact, NotCounted, Noted, What, check};
pub use history::{
    HISTORY_KEPT_FOR, HistoryEntry, HistoryId, InvalidHistoryId, InvalidTyped, MAX_HISTORY, SearchHistory,
    Typed, forget, recall, remember,
};
pub use hot::{
    Baseline, Baselines, FRESH_FOR, HotList, HotMemory, HotSearch, HotSearches, MAX_HOT, STALE_FOR, Trend,
};
pub use hour::{Hour, InvalidHour};
pub use keep::{Chance, FactStore, KeepError, MAX_KEPT_AT_ONCE, Salts, keep, recent_hours};
pub use keyword::{Keyword, MAX_KEYWORD_CHARS, MAX_SHOWN_CHARS};
pub use rank::{HALF_LIFE, HORIZON, HotRules, HourVotes, InvalidMinClients, MinClients, rank};
pub use refresh::{FactsRead, LateHour, MAX_FACTS_OF_AN_HOUR, MAX_LATE_HOURS, Refreshed, Shelf, refresh};
pub use report::{InvalidPeriod, MAX_DAYS, MAX_REPORTED, Period, Report, ReportShelf};
pub use tally::{
    DaySummary, HourSummary, HourTally, KeywordVotes, MAX_CLICKS_OF_A_SEARCH, MAX_KEYWORDS_OF_A_DAY,
    MAX_KEYWORDS_OF_AN_HOUR, MAX_VOTED_OF_AN_HOUR, MAX_VOTES_OF_A_CLIENT, MAX_WITNESSES,
};
