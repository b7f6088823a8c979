//! An open loop: requests arrive when they arrive, whether the ones before are answered or not.

use std::time::Duration;

use anyhow::Result;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::rounds::Side;
use crate::{progress, statistics::Latency};

/// Arrivals of a run are random, but the same in every run.
const SEED: u64 = 2;

/// Offers `rate` requests a second, at random moments, independent of each other, as guests are. A request's time counts from
/// the moment it was due: one that has to wait because others are slow has waited.
pub async fn offer<R: Send + 'static>(rate: u32, duration: Duration, side: &Side<R>) -> Result<Latency> {
    // The connections, threads and memory of the first claims are not what is measured.
    side.call(side.request(0)).await?;
    let due: Vec<(Duration, R)> = schedule(rate, duration).zip((1..).map(|n| side.request(n))).collect();
    let progress = progress::bar("offered load", due.len() as u64);
    let started_at = Instant::now();
    let mut answers = JoinSet::new();
    for (after, request) in due {
        let due_at = started_at + after;
        sleep_until(due_at).await;
        let answered = side.call(request);
        answers.spawn(async move { answered.await.map(|()| due_at.elapsed()) });
        progress.inc(1);
    }
    let mut durations = Vec::new();
    while let Some(answer) = answers.join_next().await {
        durations.push(answer??);
    }
    progress.finish_and_clear();
    Latency::of(durations)
}

/// A Poisson process: the pauses are exponential.
fn schedule(rate: u32, duration: Duration) -> impl Iterator<Item = Duration> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut at = Duration::ZERO;
    std::iter::from_fn(move || {
        at += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / f64::from(rate));
        Some(at)
    })
    .take_while(move |&at| at < duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_arrive_as_are_offered() {
        let arrivals: Vec<Duration> = schedule(1_000, Duration::from_secs(10)).collect();
        assert!(arrivals.is_sorted());
        assert!((9_700..=10_300).contains(&arrivals.len()), "{}", arrivals.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_late_has_waited() {
        // Every one of them takes 50 ms, whenever it begins.
        let slow = Side::new(
            |n| n,
            |_| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(())
            },
        );
        let latency = offer(100, Duration::from_secs(1), &slow).await.unwrap();
        assert!(latency.p50 >= 50.0 && latency.max < 53.0, "{latency:?}");
    }
}
