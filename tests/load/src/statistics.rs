//! Medians, ratios of rounds that ran side by side, and percentiles.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

/// The middle value, or the mean of the two in the middle. None of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let lower = sorted.len().checked_sub(1)? / 2;
    Some(f64::midpoint(*sorted.get(lower)?, *sorted.get(upper)?))
}

/// The largest value. None of nothing.
pub fn max(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

/// What each round of one side came to, of the round of the other that ran next to it: a machine that is busy for a
/// while slows both, and hardly moves their ratio.
pub fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

/// What takes longer has failed: every wait of this tool has a shorter limit.
const LONGEST_US: u64 = 60_000_000;

/// How long things took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of them at most.
    pub p50: f64,
    /// Nine of ten at most.
    pub p90: f64,
    /// All but one in a hundred at most.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Latency {
    /// Of all these.
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Result<Self> {
        let mut histogram =
            Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3).context("a range of three digits")?;
        for duration in durations {
            histogram.saturating_record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        }
        let ms = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1_000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        Ok(Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: ms(histogram.max()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 5.0, 7.0]), Some(6.0));
        assert_eq!(max(&[1.0, 9.0, 5.0]), Some(9.0));
        assert_eq!(max(&[]), None);
    }

    #[test]
    fn rounds_are_compared_with_their_neighbours() {
        // The second half of the run is twice as slow for both.
        let ratios = ratios(&[90.0, 88.0, 45.0, 44.0], &[100.0, 100.0, 50.0, 50.0]);
        assert_eq!(median(&ratios), Some(0.89));
    }

    #[test]
    fn percentiles_are_those_of_the_durations() {
        let latency = Latency::of((1..=1_000).map(Duration::from_millis)).unwrap();
        let near = |figure: f64, expected: f64| (figure - expected).abs() < expected / 100.0;
        assert!(near(latency.p50, 500.0) && near(latency.p90, 900.0), "{latency:?}");
        assert!(near(latency.p99, 990.0) && near(latency.max, 1_000.0), "{latency:?}");
    }
}
