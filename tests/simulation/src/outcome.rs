//! What a run comes to.

use std::time::Duration;

use serde::Serialize;

use crate::{
    dynamodb::Work,
    scenario::{Scenario, as_millis},
};

/// Answers to claims, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    /// A coupon (201).
    pub issued: u32,
    /// The coupon of an earlier request (201).
    pub replayed: u32,
    /// "Sold out" (409).
    pub sold_out: u32,
    /// "Sold out" while a unit was free or on its way back; must not happen.
    pub sold_out_too_early: u32,
    /// "Try again" after too many conflicts, or during a top-up (503).
    pub busy: u32,
    /// "Try again" because the table was throttling (429 or 503).
    pub throttled: u32,
    /// No answer: the reply to a write was lost.
    pub lost: u32,
    /// Anything else; must not happen.
    pub unexpected: u32,
}

impl Answers {
    /// All of them.
    pub fn total(&self) -> u32 {
        self.issued + self.replayed + self.sold_out + self.refused() + self.lost + self.unexpected
    }

    /// These and `more`.
    pub fn add(&mut self, more: Self) {
        self.each(more, |sum, more| sum + more);
    }

    /// Those that came after `earlier`.
    #[must_use]
    pub fn since(mut self, earlier: Self) -> Self {
        self.each(earlier, |now, then| now - then);
        self
    }

    fn each(&mut self, other: Self, combine: impl Fn(u32, u32) -> u32) {
        let Self { issued, replayed, sold_out, sold_out_too_early, busy, throttled, lost, unexpected } = self;
        *issued = combine(*issued, other.issued);
        *replayed = combine(*replayed, other.replayed);
        *sold_out = combine(*sold_out, other.sold_out);
        *sold_out_too_early = combine(*sold_out_too_early, other.sold_out_too_early);
        *busy = combine(*busy, other.busy);
        *throttled = combine(*throttled, other.throttled);
        *lost = combine(*lost, other.lost);
        *unexpected = combine(*unexpected, other.unexpected);
    }

    /// Those that ask the guest to try again.
    pub fn refused(&self) -> u32 {
        self.busy + self.throttled
    }
}

/// How long claims took that issued a coupon, in milliseconds inside the function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Half of them took at most this.
    pub p50_ms: f64,
    /// 99 % of them took at most this.
    pub p99_ms: f64,
    /// None took longer.
    pub max_ms: f64,
}

impl Latency {
    /// Of these claims.
    pub fn of(mut claims: Vec<Duration>) -> Self {
        claims.sort_unstable();
        let rank = |percent: usize| {
            let at = (claims.len() * percent).div_ceil(100).saturating_sub(1);
            claims.get(at).copied().map_or(0.0, as_millis)
        };
        Self { p50_ms: rank(50), p99_ms: rank(99), max_ms: rank(100) }
    }
}

/// How the stock ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockEnd {
    /// Coupons stored.
    pub issued: u32,
    /// Units no coupon was ever issued for.
    pub left_over: u32,
    /// Units the shards count as taken; the same as `issued` unless units were lost.
    pub taken: u32,
    /// When the last coupon was stored.
    pub last_coupon_ms: f64,
    /// From the last coupon to the first "sold out".
    pub first_sold_out_after_ms: Option<f64>,
    /// From the last coupon until no claim writes to or reads a shard any more: every environment knows.
    pub quiet_after_ms: f64,
    /// Write units spent after the last coupon.
    pub write_units_after: u32,
    /// Read units spent after the last coupon.
    pub read_units_after: u32,
    /// Tickets drawn in vain that became free after somebody had been told "sold out".
    pub freed_too_late: u32,
}

/// One interval of a sale.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The end of the interval.
    pub at_ms: f64,
    /// Units no coupon stands for.
    pub left: u32,
    /// Answers within the interval.
    pub answers: Answers,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What was simulated.
    pub scenario: Scenario,
    /// Shards the stock was split over.
    pub shards: u16,
    /// Partitions of the table.
    pub partitions: u32,
    /// Execution environments needed at most.
    pub environments: u32,
    /// Answers to the claims that were counted.
    pub answers: Answers,
    /// Coupons issued per second, while guests were arriving.
    pub claims_per_second: f64,
    /// Share of transactions cancelled by a conflict.
    pub conflict_share: f64,
    /// Transactions per claim beyond the first.
    pub retries_per_claim: f64,
    /// Share of claims that ended in "try again".
    pub refused_share: f64,
    /// Write units per coupon, failed writes included.
    pub write_units_per_coupon: f64,
    /// How long it took.
    pub latency: Latency,
    /// What was asked of the table.
    pub work: Work,
    /// How the stock ended.
    pub stock: StockEnd,
    /// The course of the sale.
    pub timeline: Vec<Sample>,
}

/// `part` of `whole`; nothing of nothing is 0.
pub(crate) fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(latency, Latency { p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 });
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
