use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::join_all;
use hdrhistogram::Histogram;
use reqwest::StatusCode;

use super::{Figures, Guest, Latency, Options, invariants::Promise};
use crate::{
    Answer, Api,
    step::{Progress, Step},
};

/// After so many tries a guest gives up.
const MAX_TRIES: u32 = 20;

/// Without a word from the server.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Nobody waits longer, whatever the server says.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Spreads the guests who were all told the same.
const MAX_JITTER_MS: u64 = 250;

/// Latency is kept in microseconds, to three digits, up to two minutes.
const LONGEST_US: u64 = 120_000_000;
const DIGITS: u8 = 3;

/// All that happened.
pub(super) struct Tally {
    pub(super) promises: Vec<Promise>,
    /// The ids of the coupons that were answered, however often.
    issued: BTreeSet<String>,
    replayed: u64,
    refused: BTreeMap<String, u64>,
    gave_up: u64,
    retried: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    latency: Histogram<u64>,
}

/// What one request came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// A coupon, and whether it is one the guest already had.
    Promised { promise: Promise, replayed: bool },
    /// No, for good; the problem's name.
    Refused(String),
    /// Not now.
    Retry { reason: String, after: Duration },
    /// Something no guest should see.
    Failed(String),
}

/// Every guest claims; some of them press twice.
pub(super) async fn storm(
    api: &Api,
    template: &str,
    guests: &[Guest],
    options: &Options,
    progress: &Progress,
) -> Result<Tally> {
    let claims = line_up(guests.len(), options.repeat_share);
    let step = progress.counted("claim", claims.len() as u64);
    let tally = Mutex::new(Tally::new()?);
    let next = AtomicUsize::new(0);
    let workers = (0..options.concurrency).map(|_| async {
        while let Some(guest) = claims.get(next.fetch_add(1, Ordering::Relaxed)).and_then(|&i| guests.get(i))
        {
            claim(api, template, guest, &tally, &step).await;
            step.advance();
        }
    });
    join_all(workers).await;
    step.done();
    Ok(tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// The guests by number in the order of their claims: who presses twice stands there twice in a row, so that both
/// requests are under way at once.
fn line_up(guests: usize, repeat_share: f64) -> Vec<usize> {
    let mut line: Vec<usize> = (0..guests).collect();
    fastrand::shuffle(&mut line);
    line.into_iter()
        .flat_map(|i| std::iter::repeat_n(i, 1 + usize::from(fastrand::f64() < repeat_share)))
        .collect()
}

/// Until there is an answer; a repeat has the same key, so that nothing is claimed twice.
async fn claim(api: &Api, template: &str, guest: &Guest, tally: &Mutex<Tally>, step: &Step) {
    let key = format!("{template}/{}", guest.token.subject);
    for _ in 0..MAX_TRIES {
        let started = Instant::now();
        let answer = api.claim(template, &guest.token.access_token, &key).await;
        let outcome = judge(guest, answer);
        let wait = match &outcome {
            Outcome::Promised { .. } | Outcome::Refused(_) => None,
            Outcome::Retry { after, .. } => Some(*after),
            Outcome::Failed(_) => Some(RETRY_AFTER),
        };
        if let Ok(mut tally) = tally.lock() {
            tally.add(outcome, started.elapsed());
            step.say(tally.brief());
        }
        let Some(wait) = wait else { return };
        tokio::time::sleep(wait + Duration::from_millis(fastrand::u64(..MAX_JITTER_MS))).await;
    }
    if let Ok(mut tally) = tally.lock() {
        tally.gave_up += 1;
    }
}

fn judge(guest: &Guest, answer: reqwest::Result<Answer>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Outcome::Failed(kind_of(&error)),
    };
    let named = || match answer.problem() {
        Some(problem) => format!("{} {problem}", answer.status.as_u16()),
        None => answer.status.as_u16().to_string(),
    };
    match answer.status {
        StatusCode::CREATED => match promise(guest, &answer) {
            Some(promise) => {
                let replayed = answer.header("Idempotent-Replayed") == Some("true");
                Outcome::Promised { promise, replayed }
            }
            None => Outcome::Failed("201 without a coupon".to_owned()),
        },
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Retry { reason: named(), after: retry_after(&answer) }
        }
        status if status.is_client_error() => Outcome::Refused(named()),
        _ => Outcome::Failed(named()),
    }
}

fn promise(guest: &Guest, answer: &Answer) -> Option<Promise> {
    Some(Promise {
        guest: guest.token.subject.clone(),
        id: answer.text("id")?.to_owned(),
        code: answer.text("code")?.to_owned(),
    })
}

fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer.header("Retry-After").and_then(|text| text.parse().ok());
    seconds.map_or(RETRY_AFTER, Duration::from_secs).min(MAX_WAIT)
}

/// In a few words that are the same for the same cause.
fn kind_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "time-out".to_owned();
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return error.kind().to_string();
        }
        source = cause.source();
        if source.is_none() {
            return cause.to_string();
        }
    }
    error.to_string()
}

impl Tally {
    fn new() -> Result<Self> {
        Ok(Self {
            promises: Vec::new(),
            issued: BTreeSet::new(),
            replayed: 0,
            refused: BTreeMap::new(),
            gave_up: 0,
            retried: BTreeMap::new(),
            errors: BTreeMap::new(),
            latency: Histogram::new_with_max(LONGEST_US, DIGITS)?,
        })
    }

    fn add(&mut self, outcome: Outcome, took: Duration) {
        self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match outcome {
            Outcome::Promised { promise, replayed } => {
                self.issued.insert(promise.id.clone());
                self.replayed += u64::from(replayed);
                self.promises.push(promise);
            }
            Outcome::Refused(problem) => count(&mut self.refused, problem),
            Outcome::Retry { reason, .. } => count(&mut self.retried, reason),
            Outcome::Failed(kind) => count(&mut self.errors, kind),
        }
    }

    /// For the line of progress.
    fn brief(&self) -> String {
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        let (refused, retried, errors) = (sum(&self.refused), sum(&self.retried), sum(&self.errors));
        format!("issued {}  refused {refused}  retried {retried}  errors {errors}", self.issued.len())
    }

    #[expect(clippy::cast_precision_loss, reason = "no count or latency comes near 2⁵³")]
    pub(super) fn figures(&self, elapsed: Duration) -> Figures {
        let ms = |micros: u64| micros as f64 / 1000.0;
        let quantile = |quantile| ms(self.latency.value_at_quantile(quantile));
        let seconds = elapsed.as_secs_f64();
        Figures {
            issued: self.issued.len() as u64,
            replayed: self.replayed,
            refused: self.refused.clone(),
            gave_up: self.gave_up,
            retried: self.retried.clone(),
            errors: self.errors.clone(),
            requests: self.latency.len(),
            seconds,
            requests_per_second: self.latency.len() as f64 / seconds,
            latency_ms: Latency {
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                max: ms(self.latency.max()),
            },
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: String) {
    *counts.entry(what).or_default() += 1;
}
