//! Everything random in a run, from one seed.

use std::{f64::consts::TAU, time::Duration};

/// A stream of random values.
#[derive(Debug)]
pub struct Chance(fastrand::Rng);

impl Chance {
    /// The same seed, the same values.
    pub fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// The time between two arrivals of a Poisson process of `rate` a second (exponential, by inversion).
    pub fn gap(&mut self, rate: f64) -> Duration {
        whole_micros(-self.positive().ln() / rate)
    }

    /// Log-normal: half of the values are below `median`; the logarithm has standard deviation `sigma`.
    pub fn log_normal(&mut self, median: Duration, sigma: f64) -> Duration {
        let normal = (-2.0 * self.positive().ln()).sqrt() * (TAU * self.0.f64()).cos(); // Box and Muller
        whole_micros(median.as_secs_f64() * (sigma * normal).exp())
    }

    /// Evenly from zero to `longest`.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        whole_micros(longest.as_secs_f64() * self.0.f64())
    }

    /// True in `share` of the cases.
    pub fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.0.f64() < share
    }

    /// Any number from 0 to 1.
    pub fn share(&mut self) -> f64 {
        self.0.f64()
    }

    /// Any number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.usize(..end) }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// Above 0, at most 1: has a logarithm.
    fn positive(&mut self) -> f64 {
        1.0 - self.0.f64()
    }
}

fn whole_micros(seconds: f64) -> Duration {
    let exact = Duration::from_secs_f64(seconds);
    Duration::new(exact.as_secs(), exact.subsec_micros() * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(mut value: impl FnMut() -> Duration) -> f64 {
        (0..20_000).map(|_| value().as_secs_f64()).sum::<f64>() / 20_000.0
    }

    #[test]
    fn gaps_have_the_mean_of_their_rate() {
        let mut chance = Chance::seeded(1);
        let mean = mean(|| chance.gap(1_000.0));
        assert!((0.000_97..0.001_03).contains(&mean), "{mean}");
    }

    #[test]
    fn latency_has_its_median() {
        let mut chance = Chance::seeded(2);
        let median = Duration::from_millis(4);
        let below = (0..20_000).filter(|_| chance.log_normal(median, 0.4) < median).count();
        assert!((9_700..10_300).contains(&below), "{below}");
    }
}
