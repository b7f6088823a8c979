use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::{self, Offset},
};

/// Asia/Shanghai, which has had no summer time since 1991.
const SHANGHAI: Offset = tz::offset(8);

const SECONDS: i64 = 3_600;

/// An hour of business, as clocks in Asia/Shanghai show it: `2026-11-11T00`. In text they sort by time.
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

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        self.0
    }

    /// The first moment after it; the last one of the calendar at the latest.
    pub fn end(self) -> Timestamp {
        self.0.checked_add(SignedDuration::from_secs(SECONDS)).unwrap_or(Timestamp::MAX)
    }

    /// The day of business that it belongs to.
    pub fn day(self) -> Date {
        SHANGHAI.to_datetime(self.0).date()
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = SHANGHAI.to_datetime(self.0);
        write!(f, "{}T{:02}", shown.date(), shown.hour())
    }
}

impl FromStr for Hour {
    type Err = InvalidHour;

    fn from_str(text: &str) -> Result<Self, InvalidHour> {
        let parse = || {
            let (day, hour) = text.split_once('T')?;
            let time = Time::new(hour.parse().ok()?, 0, 0, 0).ok()?;
            SHANGHAI.to_timestamp(day.parse::<Date>().ok()?.to_datetime(time)).ok().map(Self::of)
        };
        // One spelling only.
        parse().filter(|hour| hour.to_string() == text).ok_or(InvalidHour)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_day_of_business_begins_at_midnight_in_shanghai() {
        let of = |text: &str| Hour::of(text.parse().unwrap());
        assert_eq!(of("2026-11-10T16:00:00Z").to_string(), "2026-11-11T00");
        assert_eq!(of("2026-11-10T15:59:59.999Z").to_string(), "2026-11-10T23");
        assert_eq!(of("2026-11-10T15:59:59.999Z").end(), of("2026-11-10T16:00:00Z").start());
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
            prop_assert!(hour.start() <= at && at < hour.end());
        }

        #[test]
        fn no_moment_panics(at in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(), text in ".{0,20}") {
            let hour = Hour::of(Timestamp::from_second(at).unwrap());
            let _ = (hour.day(), hour.to_string(), hour.end(), text.parse::<Hour>());
        }
    }
}
