use std::num::NonZeroU16;

use domain_coupon::StoreError;
use domain_ids::{HomestayId, SearchId};
use jiff::{SignedDuration, Timestamp};

use crate::{Client, Keyword};

/// What somebody did in the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchEvent {
    /// They searched and saw the first page.
    Searched(Searched),
    /// They opened one of the results.
    Clicked(Clicked),
}

/// A search whose first page was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched {
    /// Which search. Its time is the search's: it says to which hour the search belongs.
    pub search: SearchId,
    /// When.
    pub at: Timestamp,
    /// For what, if for anything.
    pub keyword: Option<Keyword>,
    /// How many homestays were found.
    pub total: u64,
    /// Who.
    pub client: Client,
}

/// A result that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clicked {
    /// Of which search.
    pub search: SearchId,
    /// When.
    pub at: Timestamp,
    /// For what the search was, if for anything.
    pub keyword: Option<Keyword>,
    /// What was opened.
    pub homestay: HomestayId,
    /// Where it stood.
    pub position: ClickPosition,
    /// Who.
    pub client: Client,
}

impl SearchEvent {
    /// The search that it is about.
    pub fn search(&self) -> SearchId {
        match self {
            Self::Searched(event) => event.search,
            Self::Clicked(event) => event.search,
        }
    }
}

/// Takes note of what people do in the search, for others to count.
pub trait SearchLog {
    /// Takes note of an event. A repeat is the same event.
    fn record(&self, event: SearchEvent) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Where a result stood in the list, from 1 to [`ClickPosition::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClickPosition(NonZeroU16);

impl ClickPosition {
    /// Nobody turns pages for longer; and the search itself ends there.
    pub const MAX: u16 = 10_000;

    /// The place `position`, if there is such a place.
    pub fn new(position: u32) -> Option<Self> {
        let position = u16::try_from(position).ok().filter(|position| *position <= Self::MAX)?;
        NonZeroU16::new(position).map(Self)
    }

    /// The place as a number from 1.
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// 1 / place, in millionths, rounded down.
    pub fn reciprocal_millionths(self) -> u64 {
        1_000_000 / u64::from(self.get())
    }
}

/// When a search was made, by its id.
pub fn searched_at(search: SearchId) -> Timestamp {
    let ms = i64::try_from(search.created_ms()).ok();
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

/// How long after its search a click still tells something about it: a page that was left open over night.
pub const CLICKS_COUNT_FOR: SignedDuration = SignedDuration::from_hours(24);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_is_within_the_list() {
        for (number, place) in
            [(0, None), (1, Some(1)), (10_000, Some(10_000)), (10_001, None), (u32::MAX, None)]
        {
            assert_eq!(ClickPosition::new(number).map(ClickPosition::get), place);
        }
        let reciprocal = |place| ClickPosition::new(place).unwrap().reciprocal_millionths();
        assert_eq!((reciprocal(1), reciprocal(3), reciprocal(10_000)), (1_000_000, 333_333, 100));
    }

    proptest! {
        #[test]
        fn a_search_knows_its_time(ms in 0..253_402_200_000_000_u64, random: u128) {
            let id = SearchId::from_parts(ms, random);
            prop_assert_eq!(searched_at(id).as_millisecond(), i64::try_from(ms).unwrap());
        }

        #[test]
        fn no_id_panics(ms: u64, random: u128) {
            searched_at(SearchId::from_parts(ms, random));
        }
    }
}
