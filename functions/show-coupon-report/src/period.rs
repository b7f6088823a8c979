use std::str::FromStr;

use domain_report::{Granularity, Hour, InvalidPeriod, Period};
use jiff::{Span, Timestamp, civil::Date};
use platform_http::{Problem, Request, StatusCode, query};

/// Days before the last one that a report shows, unless the caller wants others: a week.
const DEFAULT_DAYS_BEFORE: i64 = 6;

/// The period of `from`, `to` and `granularity`: days of business, both included. Without `to` it ends today, without
/// `from` it is a week, without `granularity` it is by the day. Anything else is 400 `invalid-parameter`.
pub(crate) fn period(request: &Request, now: Timestamp) -> Result<Period, Problem> {
    let granularity = query::<ByWhat>(request, "granularity")?.map_or(Granularity::Day, |by| by.0);
    let from = query::<Day>(request, "from")?;
    let to = query::<Day>(request, "to")?;
    let last = to.map_or_else(|| Hour::of(now).day(), |day| day.0);
    let first = from.map_or_else(|| last.saturating_sub(Span::new().days(DEFAULT_DAYS_BEFORE)), |day| day.0);
    Period::new(first, last, granularity).map_err(to_problem)
}

fn to_problem(error: InvalidPeriod) -> Problem {
    let (field, must) = match error {
        InvalidPeriod::Backwards => ("to", "must not be before from".to_owned()),
        InvalidPeriod::TooLong { max_days } => {
            ("from", format!("must be at most {max_days} days from to, both included"))
        }
        InvalidPeriod::OutOfCalendar => ("from", "must be within the calendar, as must to".to_owned()),
    };
    Problem::new(StatusCode::BAD_REQUEST, "invalid-parameter", "A query parameter is not valid")
        .field(field, &must)
}

/// `2026-11-11`, and nothing that a date can also be read from.
struct Day(Date);

impl FromStr for Day {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().ok().filter(|day: &Date| day.to_string() == text).map(Self).ok_or(())
    }
}

struct ByWhat(Granularity);

impl FromStr for ByWhat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "hour" => Ok(Self(Granularity::Hour)),
            "day" => Ok(Self(Granularity::Day)),
            _ => Err(()),
        }
    }
}
