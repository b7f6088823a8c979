//! What the figures have to be.

use std::fmt;

use serde::Serialize;

use crate::study::{BIG_QUEUED_SALE, CONFLICTS_MAX, Capacity, Study, mean_per_shard};

/// One goal, and whether it is met.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Goal {
    /// In words.
    pub what: &'static str,
    /// The most the figure may be.
    pub at_most: Figure,
    /// What it is.
    pub figure: Figure,
}

/// A figure and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// Part of 1, written in percent.
    Share(f64),
    /// A number of things.
    Count(u32),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{:.2} %", share * 100.0),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl Goal {
    /// Whether it is.
    pub fn is_met(&self) -> bool {
        self.figure <= self.at_most
    }
}

/// Each goal of the standard set.
pub fn goals(study: &Study) -> Vec<Goal> {
    let sold = || study.sales.iter().map(|(_, outcome)| outcome);
    let without_top_up = || sold().filter(|outcome| outcome.scenario.top_up.is_none());
    let share =
        |what, at_most, figure| Goal { what, at_most: Figure::Share(at_most), figure: Figure::Share(figure) };
    let none = |what, count| Goal { what, at_most: Figure::Count(0), figure: Figure::Count(count) };
    vec![
        share("25,000 claims/s, shards by the rule: conflicts", CONFLICTS_MAX, study.by_rule.conflict_share),
        share(
            "25,000 claims/s, shards by the rule: refused after retries",
            0.001,
            study.by_rule.refused_share,
        ),
        share("1,000 claims/s on 64 shards: conflicts", 0.15, study.small.conflict_share),
        share("1 to 2,048 shards: deviation from linear growth", 0.15, deviation(&study.capacity)),
        none("whole sales: units left over", sold().map(|outcome| outcome.stock.left_over).sum()),
        none(
            "whole sales: units issued twice or lost",
            sold().map(|outcome| outcome.stock.taken.abs_diff(outcome.stock.issued)).sum(),
        ),
        none(
            "whole sales: \"sold out\" said too early",
            without_top_up().map(|outcome| outcome.answers.sold_out_too_early).sum(),
        ),
        share(
            "whole sales: claims answered \"try again\"",
            0.1,
            sold().map(|outcome| outcome.refused_share).fold(0.0, f64::max),
        ),
        share(
            "200,000 queued claims/s, ten together on 2,048 shards: conflicts",
            CONFLICTS_MAX,
            study.queued.conflict_share,
        ),
        share(
            "200,000 queued claims/s: short of that rate",
            0.0,
            (1.0 - study.queued.claims_per_second / f64::from(BIG_QUEUED_SALE)).max(0.0),
        ),
        share("200,000 queued claims/s: tried again later", 0.001, study.queued.refused_share),
        Goal {
            what: "a quiet sale beside a crowd, fair queue: ms for 99 % of its claims",
            at_most: Figure::Count(1_000),
            figure: Figure::Count(quiet_p99_ms(study)),
        },
    ]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some milliseconds")]
fn quiet_p99_ms(study: &Study) -> u32 {
    let fair = study.side_by_side.iter().filter(|sales| sales.fair);
    fair.map(|sales| sales.quiet.latency.p99_ms.ceil() as u32).max().unwrap_or(u32::MAX)
}

/// How far what a shard is good for strays from its mean.
pub fn deviation(capacities: &[Capacity]) -> f64 {
    let mean = mean_per_shard(capacities);
    capacities.iter().map(|capacity| (capacity.per_shard() / mean - 1.0).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviation_is_that_of_the_worst() {
        let capacities = [(1, 18.0), (2, 40.0), (4, 88.0)]
            .map(|(shards, claims_per_second)| Capacity { shards, claims_per_second });
        assert!((deviation(&capacities) - 0.1).abs() < 1e-9);
    }
}
