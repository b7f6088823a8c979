use std::collections::BTreeMap;

use domain_coupon::StoreError;
use jiff::{Span, civil::Date};

use crate::{
    Counters, DaySummary, KeywordCount,
    counters::{merged, top},
};

/// Days that a report has, at most: a quarter of a year. A day's summary has some 30 KB.
pub const MAX_DAYS: i64 = 92;

/// Keywords that a report has, at most, of each kind.
pub const MAX_REPORTED: usize = 100;

/// Days of business, both ends included: at most [`MAX_DAYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    first: Date,
    last: Date,
}

/// The days are no period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeriod {
    /// It ends before it begins.
    #[error("it ends before it begins")]
    Backwards,
    /// It has more than [`MAX_DAYS`] days.
    #[error("it has too many days")]
    TooLong,
}

impl Period {
    /// The days from `first` to `last`.
    pub fn new(first: Date, last: Date) -> Result<Self, InvalidPeriod> {
        if last < first {
            return Err(InvalidPeriod::Backwards);
        }
        let is_short = first.duration_until(last).as_hours() < MAX_DAYS * 24;
        if is_short { Ok(Self { first, last }) } else { Err(InvalidPeriod::TooLong) }
    }

    /// The first day.
    pub fn first(&self) -> Date {
        self.first
    }

    /// The last day.
    pub fn last(&self) -> Date {
        self.last
    }

    fn days(&self) -> impl Iterator<Item = Date> {
        self.first.series(Span::new().days(1)).take_while(|day| *day <= self.last)
    }
}

/// Where reports are read.
pub trait ReportShelf {
    /// The summaries of the days of a period, as far as there are any.
    fn days(&self, period: &Period) -> impl Future<Output = Result<Vec<DaySummary>, StoreError>> + Send;
}

/// What was searched for, what was not found and what was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of the whole period.
    pub totals: Counters,
    /// Of each day, without gaps, in order.
    pub days: Vec<(Date, Counters)>,
    /// The keywords searched for most, at most [`MAX_REPORTED`]. A keyword's numbers are those of the days on which it was
    /// among the most frequent ones.
    pub keywords: Vec<KeywordCount>,
    /// The keywords that most often found nothing, at most [`MAX_REPORTED`].
    pub zero_result_keywords: Vec<KeywordCount>,
}

impl Report {
    /// The report of a period from the summaries of its days.
    pub fn new(period: &Period, summaries: &[DaySummary]) -> Self {
        let known: BTreeMap<Date, &DaySummary> =
            summaries.iter().map(|summary| (summary.day, summary)).collect();
        let mut totals = Counters::default();
        let days = period.days().map(|day| {
            let counters = known.get(&day).map(|summary| summary.totals).unwrap_or_default();
            totals += &counters;
            (day, counters)
        });
        let days = days.collect();
        let within = || known.range(period.first..=period.last).map(|(_, summary)| *summary);
        let keywords = merged(within().flat_map(|summary| &summary.keywords));
        let zero_result_keywords = merged(within().flat_map(|summary| &summary.zero_result_keywords));
        Self {
            totals,
            days,
            keywords: top(keywords, MAX_REPORTED, |count| count.searches),
            zero_result_keywords: top(zero_result_keywords, MAX_REPORTED, |count| count.zero_result_searches),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::Keyword;

    fn count(text: &str, searches: u64, zero_result_searches: u64) -> KeywordCount {
        KeywordCount { keyword: Keyword::fold(text).unwrap(), searches, zero_result_searches, clicks: 0 }
    }

    fn day(day: i8, searches: u64, keywords: Vec<KeywordCount>) -> DaySummary {
        DaySummary {
            day: date(2026, 11, day),
            facts: searches,
            totals: Counters { searches, ..Counters::default() },
            zero_result_keywords: keywords
                .iter()
                .filter(|count| count.zero_result_searches > 0)
                .cloned()
                .collect(),
            keywords,
        }
    }

    #[test]
    fn a_period_has_a_quarter_of_a_year_at_most() {
        let first = date(2026, 1, 1);
        let last = |days: i64| first.checked_add(Span::new().days(days - 1)).unwrap();
        assert_eq!(Period::new(first, last(92)).unwrap().days().count(), 92);
        assert_eq!(Period::new(first, last(1)).unwrap().days().count(), 1);
        assert_eq!(Period::new(first, last(93)), Err(InvalidPeriod::TooLong));
        assert_eq!(Period::new(first, last(0)), Err(InvalidPeriod::Backwards));
        for (first, last) in [(Date::MIN, Date::MIN), (Date::MAX, Date::MAX)] {
            assert_eq!(Period::new(first, last).unwrap().days().count(), 1);
        }
        assert_eq!(Period::new(Date::MIN, Date::MAX), Err(InvalidPeriod::TooLong));
    }

    #[test]
    fn a_report_adds_its_days_up() {
        let days = [
            day(3, 5, vec![count("b", 3, 3), count("a", 2, 0)]),
            day(1, 7, vec![count("a", 4, 1)]),
            day(9, 99, vec![count("c", 99, 99)]),
        ];
        let report = Report::new(&Period::new(date(2026, 11, 1), date(2026, 11, 3)).unwrap(), &days);
        let searches: Vec<u64> = report.days.iter().map(|(_, counters)| counters.searches).collect();
        assert_eq!((report.totals.searches, searches), (12, vec![7, 0, 5]));
        assert_eq!(report.keywords, [count("a", 6, 1), count("b", 3, 3)]);
        assert_eq!(report.zero_result_keywords, [count("b", 3, 3), count("a", 4, 1)]);
    }
}
