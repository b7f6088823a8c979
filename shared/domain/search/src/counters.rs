use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::Keyword;

/// How often each thing has happened. Sums: they stop at the largest number rather than wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counters {
    /// Searches whose first page was shown.
    pub searches: u64,
    /// Of these, those with a keyword.
    pub keyword_searches: u64,
    /// Of all, those that found nothing.
    pub zero_result_searches: u64,
    /// Of all, those of which a result was opened.
    pub clicked_searches: u64,
    /// Results that were opened; one that is opened again of the same search is one.
    pub clicks: u64,
    /// The sum of 1 / place of the result that was opened first, over the clicked searches, in millionths.
    pub reciprocal_ranks_millionths: u64,
}

impl Counters {
    /// Of 10,000 searches, those that found nothing, rounded down; 0 where there are none.
    pub fn zero_result_basis_points(&self) -> u64 {
        ratio(self.zero_result_searches, 10_000, self.searches)
    }

    /// Of 10,000 searches, those of which a result was opened, rounded down; 0 where there are none.
    pub fn click_through_basis_points(&self) -> u64 {
        ratio(self.clicked_searches, 10_000, self.searches)
    }

    /// The mean of 1 / place of what was opened first, over the searches of which a result was opened, in millionths,
    /// rounded down; 0 where there are none.
    pub fn mean_reciprocal_rank_millionths(&self) -> u64 {
        ratio(self.reciprocal_ranks_millionths, 1, self.clicked_searches)
    }
}

fn ratio(part: u64, of: u64, whole: u64) -> u64 {
    let ratio = (u128::from(part) * u128::from(of)).checked_div(u128::from(whole));
    ratio.map_or(0, |ratio| ratio.try_into().unwrap_or(u64::MAX))
}

impl AddAssign<&Counters> for Counters {
    fn add_assign(&mut self, other: &Counters) {
        let sum = |a: u64, b: u64| a.saturating_add(b);
        *self = Self {
            searches: sum(self.searches, other.searches),
            keyword_searches: sum(self.keyword_searches, other.keyword_searches),
            zero_result_searches: sum(self.zero_result_searches, other.zero_result_searches),
            clicked_searches: sum(self.clicked_searches, other.clicked_searches),
            clicks: sum(self.clicks, other.clicks),
            reciprocal_ranks_millionths: sum(
                self.reciprocal_ranks_millionths,
                other.reciprocal_ranks_millionths,
            ),
        };
    }
}

/// How often a keyword was searched for. Stored in a row, not by name: there are thousands of them in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeywordCount {
    /// The keyword.
    pub keyword: Keyword,
    /// Searches for it.
    pub searches: u64,
    /// Of these, those that found nothing.
    pub zero_result_searches: u64,
    /// Results of these that were opened.
    pub clicks: u64,
}

impl Serialize for KeywordCount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.keyword, self.searches, self.zero_result_searches, self.clicks).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeywordCount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (keyword, searches, zero_result_searches, clicks) = Deserialize::deserialize(deserializer)?;
        Ok(Self { keyword, searches, zero_result_searches, clicks })
    }
}

/// The sums over several lists, in the order of the keywords.
pub(crate) fn merged<'a>(lists: impl IntoIterator<Item = &'a KeywordCount>) -> Vec<KeywordCount> {
    let mut sums: std::collections::BTreeMap<&Keyword, KeywordCount> = std::collections::BTreeMap::new();
    for count in lists {
        sums.entry(&count.keyword)
            .and_modify(|sum| {
                sum.searches = sum.searches.saturating_add(count.searches);
                sum.zero_result_searches =
                    sum.zero_result_searches.saturating_add(count.zero_result_searches);
                sum.clicks = sum.clicks.saturating_add(count.clicks);
            })
            .or_insert_with(|| count.clone());
    }
    sums.into_values().collect()
}

/// Those with the greatest number other than 0, at most `limit`, the greatest first; of two alike the first in the order of
/// the keywords.
pub(crate) fn top(
    mut counts: Vec<KeywordCount>,
    limit: usize,
    number: impl Fn(&KeywordCount) -> u64,
) -> Vec<KeywordCount> {
    counts.retain(|count| number(count) > 0);
    counts.sort_by(|a, b| number(b).cmp(&number(a)).then_with(|| a.keyword.cmp(&b.keyword)));
    counts.truncate(limit);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_what_there_is() {
        let none = Counters::default();
        assert_eq!((none.zero_result_basis_points(), none.mean_reciprocal_rank_millionths()), (0, 0));
        let some = Counters {
            searches: 3,
            zero_result_searches: 1,
            clicked_searches: 2,
            reciprocal_ranks_millionths: 1_333_333,
            ..none
        };
        assert_eq!(some.zero_result_basis_points(), 3_333);
        assert_eq!(some.click_through_basis_points(), 6_666);
        assert_eq!(some.mean_reciprocal_rank_millionths(), 666_666);
    }
}
