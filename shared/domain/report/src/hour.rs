use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::{self, Offset},
};

/// Asia/Shanghai, which has had no summer time since 1991.
const SHANGHAI: Offset = tz::offset(8);

const SECONDS: i64 = 3_600;

/// An hour of business, as clocks in Asia/Shanghai show it: `2026-11-11T00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(Timestamp);

/// The text is no hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an hour")]
pub struct InvalidHour;

impl Hour {
    /// The hour that `at` is in.
    pub fn of(at: Timestamp) -> Self {
        let start = at.as_second().div_euclid(SECONDS) * SECONDS;
        Self(Timestamp::from_second(start).unwrap_or(Timestamp::MIN))
    }

    /// The first hour of a day of business, if the calendar reaches that far.
    pub fn first_of(day: Date) -> Option<Self> {
        Self::at(day.at(0, 0, 0, 0))
    }

    /// The day of business that it belongs to.
    pub fn day(self) -> Date {
        self.shown().date()
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        self.0
    }

    /// The hour so many hours later; the last one of the calendar at the latest.
    #[must_use]
    pub fn later(self, hours: u16) -> Self {
        let start = self.0.checked_add(SignedDuration::from_hours(hours.into()));
        Self::of(start.unwrap_or(Timestamp::MAX))
    }

    fn at(shown: DateTime) -> Option<Self> {
        SHANGHAI.to_timestamp(shown).ok().map(Self::of)
    }

    fn shown(self) -> DateTime {
        SHANGHAI.to_datetime(self.0)
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown();
        write!(f, "{}T{:02}", shown.date(), shown.hour())
    }
}

impl FromStr for Hour {
    type Err = InvalidHour;

    fn from_str(text: &str) -> Result<Self, InvalidHour> {
        let parse = || {
            let (day, hour) = text.split_once('T')?;
            let time = jiff::civil::Time::new(hour.parse().ok()?, 0, 0, 0).ok()?;
            Self::at(day.parse::<Date>().ok()?.to_datetime(time))
        };
        // One spelling only.
        parse().filter(|hour: &Self| hour.to_string() == text).ok_or(InvalidHour)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Hour {
        Hour::of(text.parse().unwrap())
    }

    #[test]
    fn a_day_of_business_begins_at_midnight_in_shanghai() {
        let midnight = of("2026-11-10T16:00:00Z");
        assert_eq!(midnight.to_string(), "2026-11-11T00");
        assert_eq!(midnight, Hour::first_of(date(2026, 11, 11)).unwrap());
        assert_eq!(midnight.day(), date(2026, 11, 11));
        assert_eq!(of("2026-11-10T15:59:59.999Z").to_string(), "2026-11-10T23");
        assert_eq!(midnight.later(25).to_string(), "2026-11-12T01");
        assert_eq!(midnight.start(), "2026-11-11T00:00:00+08:00".parse().unwrap());
    }

    #[test]
    fn other_spellings_of_an_hour_are_refused() {
        for text in
            ["", "T", "2026-11-11", "2026-11-11T24", "2026-11-11T7", "2026-11-11T07:00", "20261111T07"]
        {
            assert_eq!(text.parse::<Hour>(), Err(InvalidHour), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_text_form_round_trips(at in 0..4_102_444_800_000_i64) {
            let at = Timestamp::from_millisecond(at).unwrap();
            let hour = Hour::of(at);
            prop_assert_eq!(hour.to_string().parse(), Ok(hour));
            prop_assert!(hour.start() <= at && at < hour.later(1).start());
        }

        #[test]
        fn no_text_and_no_moment_panics(
            text in ".{0,20}",
            at in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
            hours: u16,
        ) {
            let _ = text.parse::<Hour>();
            let hour = Hour::of(Timestamp::from_second(at).unwrap()).later(hours);
            let _ = (hour.day(), hour.to_string());
        }
    }
}
