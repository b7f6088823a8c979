//! The rules of reports: which facts there are about coupons, how each is counted exactly once, and what the counts
//! say.
//!
//! No AWS, no HTTP, no clock, no randomness. Facts come at least once and in any order; [`count`] is idempotent, and
//! the counters are sums, so that neither matters.

mod count;
mod counters;
mod fact;
mod hour;
mod report;
mod store;

pub use count::{
    CountError, FactStore, MAX_COUNTER_SHARDS, MAX_ITEMS, NotCounted, Summary, Tally, Written, count,
};
pub use counters::Counters;
pub use fact::{Event, Fact, FactId};
pub use hour::{Hour, InvalidHour};
pub use report::{Granularity, InvalidPeriod, Period, Report, Slot};
pub use store::ReportShelf;
