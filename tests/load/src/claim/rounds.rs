//! Rounds of two sides, in turn.

use std::{
    pin::Pin,
    process,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{clock, progress};

/// Requests of a round, unless its side says otherwise: some tenths of a second, so that a busy moment of the machine
/// spoils few rounds of many.
const REQUESTS: usize = 1_000;

/// Requests of a round that come before those that count.
const WARM_UP: usize = 50;

/// A median of fewer is none.
const MIN_PAIRS: usize = 4;

type Answered = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// One of two ways to do a thing: what its requests are, and how each is answered.
pub struct Side<R> {
    requests: Arc<dyn Fn(usize) -> R + Send + Sync>,
    requests_a_round: usize,
    call: Arc<dyn Fn(R) -> Answered + Send + Sync>,
}

impl<R> Side<R> {
    /// Makes the `n`th request with `requests`, outside the time that counts, and answers one with `call`.
    pub fn new<F>(
        requests: impl Fn(usize) -> R + Send + Sync + 'static,
        call: impl Fn(R) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            requests: Arc::new(requests),
            requests_a_round: REQUESTS,
            call: Arc::new(move |request| Box::pin(call(request))),
        }
    }

    /// With so many times as many requests in each round, where they take that much less time.
    #[must_use]
    pub fn times(mut self, factor: usize) -> Self {
        self.requests_a_round *= factor;
        self
    }

    /// The `n`th request.
    pub fn request(&self, n: usize) -> R {
        (self.requests)(n)
    }

    /// Answers a request.
    pub fn call(&self, request: R) -> Answered {
        (self.call)(request)
    }
}

/// The rounds, pair by pair.
#[derive(Debug, Default, Serialize)]
pub struct Compared {
    /// The first side.
    pub ours: Vec<Round>,
    /// The second side.
    pub theirs: Vec<Round>,
}

/// How fast a round was.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// Requests answered a second.
    pub per_second: f64,
    /// Processor time of a request, the database's included. It hardly depends on what else the machine does.
    pub cpu_us: f64,
}

/// Runs rounds of both sides for about `duration`, `concurrency` requests at once. Which side goes first alternates,
/// so that a machine that gets slower all the time is unfair to neither. Each round is of a side made for it: the
/// embedded database looks through every transaction of the last ten minutes with each new one, and would soon be all
/// that is measured.
pub async fn alternate<A: Send + 'static, B: Send + 'static>(
    concurrency: usize,
    duration: Duration,
    ours: impl AsyncFn() -> Result<Side<A>>,
    theirs: impl AsyncFn() -> Result<Side<B>>,
) -> Result<Compared> {
    let progress = progress::bar("rounds", duration.as_secs());
    let started_at = Instant::now();
    let mut compared = Compared::default();
    for pair in 0.. {
        if pair >= MIN_PAIRS && started_at.elapsed() >= duration {
            break;
        }
        if pair % 2 == 0 {
            compared.ours.push(round(concurrency, &ours().await?).await?);
            compared.theirs.push(round(concurrency, &theirs().await?).await?);
        } else {
            compared.theirs.push(round(concurrency, &theirs().await?).await?);
            compared.ours.push(round(concurrency, &ours().await?).await?);
        }
        progress.set_position(started_at.elapsed().as_secs());
    }
    progress.finish_and_clear();
    Ok(compared)
}

/// Answers the requests of one round.
async fn round<R: Send + 'static>(concurrency: usize, side: &Side<R>) -> Result<Round> {
    for n in 0..WARM_UP {
        side.call(side.request(n)).await?;
    }
    let requests: Vec<R> = (WARM_UP..WARM_UP + side.requests_a_round).map(|n| side.request(n)).collect();
    let queue = Arc::new(Mutex::new(requests.into_iter()));
    let mut clients = JoinSet::new();
    let (cpu_before, started_at) = (clock::of_process(process::id())?, Instant::now());
    for _ in 0..concurrency {
        let (queue, call) = (Arc::clone(&queue), Arc::clone(&side.call));
        clients.spawn(async move {
            while let Some(request) = next(&queue) {
                call(request).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let took = started_at.elapsed();
    let cpu = clock::of_process(process::id())?.saturating_sub(cpu_before);
    let requests = side.requests_a_round as f64;
    Ok(Round { per_second: requests / took.as_secs_f64(), cpu_us: cpu.as_secs_f64() * 1e6 / requests })
}

fn next<R>(queue: &Mutex<std::vec::IntoIter<R>>) -> Option<R> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_request_of_a_round_is_answered_once() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, sides) = (Arc::clone(&seen), Arc::new(Mutex::new(0)));
        let ours = async || {
            *sides.lock().unwrap() += 1;
            let log = Arc::clone(&log);
            let answer = move |n: usize| {
                log.lock().unwrap().push(n);
                async { Ok(()) }
            };
            Ok(Side::new(|n| n, answer).times(2))
        };
        let theirs = async || Ok(Side::new(|_| (), |()| async { Ok(()) }));
        let compared = alternate(3, Duration::ZERO, ours, theirs).await.unwrap();
        assert_eq!((compared.ours.len(), compared.theirs.len()), (MIN_PAIRS, MIN_PAIRS));
        assert_eq!(*sides.lock().unwrap(), MIN_PAIRS, "each round is of a fresh side");
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        let expected = (0..WARM_UP + 2 * REQUESTS).flat_map(|n| [n; MIN_PAIRS]);
        assert!(seen.into_iter().eq(expected));
    }

    #[tokio::test]
    async fn a_failure_ends_the_run() {
        let fine = async || Ok(Side::new(|n| n, |_| async { Ok(()) }));
        let failing = async || Ok(Side::new(|n| n, |_| async { anyhow::bail!("500") }));
        assert!(alternate(2, Duration::ZERO, fine, failing).await.is_err());
    }
}
