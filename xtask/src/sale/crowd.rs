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
use serde_json::Value;

use super::{Figures, Guest, Latency, Options, invariants::Promise};
use crate::{
    Answer, Api,
    step::{Progress, Step},
};

/// After so many tries a guest gives up.
pub(super) const MAX_TRIES: u32 = 20;

/// Without a word from the server.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

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
    pub(super) gave_up: u64,
    retried: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    latency: Histogram<u64>,
    /// From the 202 to the outcome.
    waited: Histogram<u64>,
}

/// What one request came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
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
pub(super) fn line_up(guests: usize, repeat_share: f64) -> Vec<usize> {
    let mut line: Vec<usize> = (0..guests).collect();
    fastrand::shuffle(&mut line);
    line.into_iter()
        .flat_map(|i| std::iter::repeat_n(i, 1 + usize::from(fastrand::f64() < repeat_share)))
        .collect()
}

/// Until there is an answer; a repeat has the same key, so that nothing is claimed twice.
async fn claim(api: &Api, template: &str, guest: &Guest, tally: &Mutex<Tally>, step: &Step) {
    let key = key(template, guest);
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
        pause(wait).await;
    }
    if let Ok(mut tally) = tally.lock() {
        tally.gave_up += 1;
    }
}

/// About so long.
pub(super) async fn pause(wait: Duration) {
    tokio::time::sleep(wait + Duration::from_millis(fastrand::u64(..MAX_JITTER_MS))).await;
}

/// The idempotency key of a guest's claim.
pub(super) fn key(template: &str, guest: &Guest) -> String {
    format!("{template}/{}", guest.token.subject)
}

fn judge(guest: &Guest, answer: reqwest::Result<Answer>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Outcome::Failed(kind_of(&error)),
    };
    match answer.status {
        StatusCode::CREATED => match promise(guest, &answer.body) {
            Some(promise) => {
                let replayed = answer.header("Idempotent-Replayed") == Some("true");
                Outcome::Promised { promise, replayed }
            }
            None => Outcome::Failed("201 without a coupon".to_owned()),
        },
        _ => judge_refusal(&answer),
    }
}

/// An answer that is not what was hoped for.
pub(super) fn judge_refusal(answer: &Answer) -> Outcome {
    let named = match answer.problem() {
        Some(problem) => format!("{} {problem}", answer.status.as_u16()),
        None => answer.status.as_u16().to_string(),
    };
    match answer.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Retry { reason: named, after: retry_after(answer) }
        }
        status if status.is_client_error() => Outcome::Refused(named),
        _ => Outcome::Failed(named),
    }
}

pub(super) fn promise(guest: &Guest, coupon: &Value) -> Option<Promise> {
    let text = |member: &str| Some(coupon.get(member)?.as_str()?.to_owned());
    Some(Promise { guest: guest.token.subject.clone(), id: text("id")?, code: text("code")? })
}

pub(super) fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer.header("Retry-After").and_then(|text| text.parse().ok());
    seconds.map_or(RETRY_AFTER, Duration::from_secs).min(MAX_WAIT)
}

/// In a few words that are the same for the same cause.
pub(super) fn kind_of(error: &reqwest::Error) -> String {
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
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            promises: Vec::new(),
            issued: BTreeSet::new(),
            replayed: 0,
            refused: BTreeMap::new(),
            gave_up: 0,
            retried: BTreeMap::new(),
            errors: BTreeMap::new(),
            latency: Histogram::new_with_max(LONGEST_US, DIGITS)?,
            waited: Histogram::new_with_max(LONGEST_US, DIGITS)?,
        })
    }

    pub(super) fn add(&mut self, outcome: Outcome, took: Duration) {
        self.add_answer(took);
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

    /// An answer that is no outcome.
    pub(super) fn add_answer(&mut self, took: Duration) {
        self.latency.saturating_record(micros(took));
    }

    /// An outcome came so long after the 202.
    pub(super) fn add_wait(&mut self, waited: Duration) {
        self.waited.saturating_record(micros(waited));
    }

    /// For the line of progress.
    pub(super) fn brief(&self) -> String {
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        let (refused, retried, errors) = (sum(&self.refused), sum(&self.retried), sum(&self.errors));
        format!("issued {}  refused {refused}  retried {retried}  errors {errors}", self.issued.len())
    }

    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2⁵³")]
    pub(super) fn figures(&self, elapsed: Duration) -> Figures {
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
            latency_ms: quantiles(&self.latency),
            waited_ms: (!self.waited.is_empty()).then(|| quantiles(&self.waited)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no latency comes near 2⁵³")]
fn quantiles(times: &Histogram<u64>) -> Latency {
    let ms = |micros: u64| micros as f64 / 1000.0;
    let quantile = |quantile| ms(times.value_at_quantile(quantile));
    Latency { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: ms(times.max()) }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn count(counts: &mut BTreeMap<String, u64>, what: String) {
    *counts.entry(what).or_default() += 1;
}
