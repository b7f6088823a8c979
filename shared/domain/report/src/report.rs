use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use crate::{Counters, Hour};

const HOURS_A_DAY: u16 = 24;

/// What the counts of a template, or of several, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Since ever.
    pub totals: Counters,
    /// For the period asked for, without gaps, in the order of time.
    pub series: Vec<Slot>,
}

/// A part of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its first moment.
    pub start: Timestamp,
    /// What happened in it.
    pub counters: Counters,
}

/// How long a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// An hour.
    Hour,
    /// A day of business.
    Day,
}

impl Granularity {
    /// Days that a period may have: bounds the slots of an answer, to 744 hours or 366 days.
    pub fn max_days(self) -> u16 {
        match self {
            Self::Hour => 31,
            Self::Day => 366,
        }
    }

    fn hours(self) -> u16 {
        match self {
            Self::Hour => 1,
            Self::Day => HOURS_A_DAY,
        }
    }
}

/// Days of business, in slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    start: Hour,
    end: Hour,
    granularity: Granularity,
}

/// No period for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeriod {
    /// Its end is before its beginning.
    #[error("the end is before the beginning")]
    Backwards,
    /// It has more days than [`Granularity::max_days`].
    #[error("more than {max_days} days")]
    TooLong {
        /// As many as it may have.
        max_days: u16,
    },
    /// It begins or ends where the calendar does.
    #[error("out of the calendar")]
    OutOfCalendar,
}

impl Period {
    /// From the day `first` to the day `last`, both included.
    pub fn new(first: Date, last: Date, granularity: Granularity) -> Result<Self, InvalidPeriod> {
        let of = |day: Result<Date, jiff::Error>| day.ok().and_then(Hour::first_of);
        let start = of(Ok(first)).ok_or(InvalidPeriod::OutOfCalendar)?;
        let end = of(last.tomorrow()).ok_or(InvalidPeriod::OutOfCalendar)?;
        let max_days = granularity.max_days();
        if end <= start {
            Err(InvalidPeriod::Backwards)
        } else if end > start.later(max_days * HOURS_A_DAY) {
            Err(InvalidPeriod::TooLong { max_days })
        } else {
            Ok(Self { start, end, granularity })
        }
    }

    fn slots(&self) -> impl Iterator<Item = (Hour, Hour)> {
        let (end, hours) = (self.end, self.granularity.hours());
        let next = move |start: &Hour| Some(start.later(hours)).filter(|next| *next < end);
        std::iter::successors(Some(self.start), next).map(move |start| (start, start.later(hours)))
    }
}

impl Report {
    /// The report on what was counted by the hour.
    pub fn new(hours: &BTreeMap<Hour, Counters>, period: &Period) -> Self {
        let slot = |(start, end): (Hour, Hour)| Slot {
            start: start.start(),
            counters: sum(hours.range(start..end).map(|(_, counters)| counters)),
        };
        Self { totals: sum(hours.values()), series: period.slots().map(slot).collect() }
    }
}

fn sum<'a>(all: impl Iterator<Item = &'a Counters>) -> Counters {
    all.fold(Counters::default(), |mut sum, counters| {
        sum += counters;
        sum
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn issued(issued: u64) -> Counters {
        Counters { issued, ..Counters::default() }
    }

    fn first_of(day: Date) -> Hour {
        Hour::first_of(day).unwrap()
    }

    #[test]
    fn a_series_has_no_gaps_and_the_totals_are_of_all_time() {
        let day = date(2026, 11, 11);
        let hours = [
            (first_of(date(2026, 1, 1)), issued(1)),
            (first_of(day), issued(2)),
            (first_of(day).later(23), issued(4)),
            (first_of(date(2026, 11, 13)), issued(8)),
            (first_of(date(2026, 11, 14)), issued(16)),
        ];
        let period = Period::new(day, date(2026, 11, 13), Granularity::Day).unwrap();
        let report = Report::new(&hours.into(), &period);
        assert_eq!(report.totals, issued(31));
        let series: Vec<(String, u64)> =
            report.series.iter().map(|slot| (slot.start.to_string(), slot.counters.issued)).collect();
        let expected =
            [("2026-11-10T16:00:00Z", 6), ("2026-11-11T16:00:00Z", 0), ("2026-11-12T16:00:00Z", 8)];
        assert_eq!(series, expected.map(|(start, issued)| (start.to_owned(), issued)));
    }

    #[test]
    fn a_day_has_24_hours() {
        let day = date(2026, 11, 11);
        let period = Period::new(day, day, Granularity::Hour).unwrap();
        let report = Report::new(&[(first_of(day).later(23), issued(4))].into(), &period);
        assert_eq!(report.series.len(), 24);
        assert_eq!(report.series[23], Slot { start: first_of(day).later(23).start(), counters: issued(4) });
    }

    #[test]
    fn a_period_has_bounds() {
        let day = date(2026, 11, 11);
        let last = |days: i64| day.checked_add(jiff::Span::new().days(days - 1)).unwrap();
        let hourly =
            |days| Period::new(day, last(days), Granularity::Hour).map(|period| period.slots().count());
        let daily =
            |days| Period::new(day, last(days), Granularity::Day).map(|period| period.slots().count());
        assert_eq!((hourly(31), hourly(32)), (Ok(744), Err(InvalidPeriod::TooLong { max_days: 31 })));
        assert_eq!((daily(366), daily(367)), (Ok(366), Err(InvalidPeriod::TooLong { max_days: 366 })));
        assert_eq!(hourly(0), Err(InvalidPeriod::Backwards));
        for (first, last) in [(Date::MIN, Date::MIN), (Date::MAX, Date::MAX)] {
            assert_eq!(Period::new(first, last, Granularity::Day), Err(InvalidPeriod::OutOfCalendar));
        }
    }

    proptest! {
        #[test]
        fn a_series_adds_up_to_what_was_counted_in_its_period(
            counts in proptest::collection::btree_map(0_u16..2_000, 0_u64..1_000, 0..50),
            first in 0_u16..80,
            days in 1_u16..31,
        ) {
            let origin = first_of(date(2026, 11, 11));
            let hours: BTreeMap<Hour, Counters> =
                counts.into_iter().map(|(at, count)| (origin.later(at), issued(count))).collect();
            let day = |n: u16| origin.later(n * HOURS_A_DAY).day();
            let within = sum(hours.range(first_of(day(first))..first_of(day(first + days))).map(|(_, c)| c));
            for granularity in [Granularity::Hour, Granularity::Day] {
                let period = Period::new(day(first), day(first + days - 1), granularity).unwrap();
                let report = Report::new(&hours, &period);
                prop_assert_eq!(sum(report.series.iter().map(|slot| &slot.counters)), within);
                prop_assert!(report.series.is_sorted_by_key(|slot| slot.start));
            }
        }
    }
}
