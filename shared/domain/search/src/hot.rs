use std::sync::{Arc, Mutex, PoisonError};

use domain_coupon::StoreError;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Keyword;

/// Popular queries that are kept: more than any page shows.
pub const MAX_HOT: usize = 50;

/// How old the remembered list may be. It is made every few minutes; whoever completes queries looks at it with every
/// keystroke.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_secs(30);

/// For how long the remembered list stands in for one that cannot be read.
pub const STALE_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What many search for at the moment, the most popular first: at most [`MAX_HOT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotSearches {
    /// The queries.
    pub items: Vec<HotSearch>,
    /// When the list was made.
    pub as_of: Timestamp,
    /// What the trends compare with, once there has been a list before.
    pub baseline: Option<Baselines>,
}

/// A popular query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotSearch {
    /// What is searched for: it may be shown to everybody.
    pub keyword: Keyword,
    /// Where it goes, if there is an earlier list to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
}

/// Where a query stands compared with one to two hours ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// It was not on the list.
    New,
    /// It has risen.
    Up,
    /// It has fallen.
    Down,
    /// It stands where it stood.
    Same,
}

/// Two earlier lists, an hour or more apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baselines {
    /// Trends compare with this one.
    pub older: Baseline,
    /// This one takes its place when it is an hour old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<Baseline>,
}

/// An earlier list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// When it was made.
    pub at: Timestamp,
    /// Its queries, the most popular first.
    pub keywords: Vec<Keyword>,
}

/// Where the list of popular queries is read.
pub trait HotList {
    /// The current list; none before there was a first.
    fn hot(&self) -> impl Future<Output = Result<Option<HotSearches>, StoreError>> + Send;
}

/// What one execution environment remembers of the list.
#[derive(Debug, Default)]
pub struct HotMemory(Mutex<Option<Remembered>>);

#[derive(Debug, Clone)]
struct Remembered {
    list: Option<Arc<HotSearches>>,
    read_at: Timestamp,
}

impl HotMemory {
    /// The list, at most [`FRESH_FOR`] old; none before there was a first. If it cannot be read, one that was read within
    /// [`STALE_FOR`].
    pub async fn current(
        &self,
        store: &impl HotList,
        now: Timestamp,
    ) -> Result<Option<Arc<HotSearches>>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = &known
            && is_within(known.read_at, now, FRESH_FOR)
        {
            return Ok(known.list.clone());
        }
        match (store.hot().await, known) {
            (Ok(list), _) => {
                let list = list.map(Arc::new);
                let remembered = Remembered { list: list.clone(), read_at: now };
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(remembered);
                Ok(list)
            }
            (Err(_), Some(known)) if is_within(known.read_at, now, STALE_FOR) => Ok(known.list),
            (Err(error), _) => Err(error),
        }
    }
}

/// A clock that was set back makes nothing last for ever.
fn is_within(then: Timestamp, now: Timestamp, at_most: SignedDuration) -> bool {
    let age = now.duration_since(then);
    !age.is_negative() && age < at_most
}
