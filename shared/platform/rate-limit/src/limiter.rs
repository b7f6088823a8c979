use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;

use crate::{
    Kind, Limit, StoreError, Subject,
    arithmetic::{Bucket, Micros, Sliding, Take, Window, micros},
    counter::{Counters, Written},
    memory::{Fact, Known, Memory},
};

/// Writes of one check of a token bucket. For a given `now`, others can only move a bucket from full to in use and from
/// in use to empty; so that what the second finds can be refused by no third.
const MAX_WRITES: usize = 3;

/// Checks limits against the counters of one table. Clones share what they remember.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    counters: Counters,
    memory: Arc<Memory>,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It was counted.
    Admitted {
        /// As many more would be admitted now, if nobody else comes.
        remaining: u32,
    },
    /// It was not counted.
    Refused {
        /// Nothing is admitted before this time has passed, and perhaps not then.
        retry_after: Duration,
    },
}

/// A decision, and what was learnt with it.
struct Checked {
    remaining: Option<u32>,
    known: Known,
}

impl RateLimiter {
    /// Counters in the table named `table` (text keys `pk` and `sk`, time to live `ttl`), reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { counters: Counters { client, table }, memory: Arc::default() }
    }

    /// Counts one more of `subject` under `limit`, unless that would exceed it.
    ///
    /// What it costs is said in the crate's documentation. On an error it may have been counted.
    pub async fn check(
        &self,
        limit: &Limit,
        subject: Subject,
        now: Timestamp,
    ) -> Result<Decision, StoreError> {
        let now = now.as_microsecond();
        let known = self.memory.recall(limit, subject);
        if let Some(until) = known.and_then(|known| known.refuses_at(now)) {
            return Ok(Decision::Refused { retry_after: wait(until, now) });
        }
        let fact = known.map_or(Fact::None, |known| known.fact);
        let checked = match limit.kind() {
            Kind::FixedWindow { limit: most, window } => {
                self.fixed(limit, subject, most, Window::at(now, window)).await?
            }
            Kind::SlidingWindow { limit: most, window } => {
                self.sliding(limit, subject, most, Window::at(now, window), fact, now).await?
            }
            Kind::TokenBucket { capacity, every } => {
                let bucket = Bucket { capacity, every: micros(every) };
                self.bucket(limit, subject, bucket, fact, now).await?
            }
        };
        self.memory.learn(limit, subject, checked.known, now);
        Ok(match checked.remaining {
            Some(remaining) => Decision::Admitted { remaining },
            None => Decision::Refused { retry_after: wait(checked.known.refused_until.unwrap_or(now), now) },
        })
    }

    /// Whether `subject` is over `limit`: if so, nothing is admitted before this time has passed, and perhaps not then.
    ///
    /// Nothing is counted, so that a check may still be refused a moment later. What it costs is said in the crate's
    /// documentation.
    pub async fn peek(
        &self,
        limit: &Limit,
        subject: Subject,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let now = now.as_microsecond();
        let known = self.memory.recall(limit, subject);
        if let Some(until) = known.and_then(|known| known.refuses_at(now)) {
            return Ok(Some(wait(until, now)));
        }
        let fact = known.map_or(Fact::None, |known| known.fact);
        let seen = match limit.kind() {
            Kind::FixedWindow { limit: most, window } => {
                let window = Window::at(now, window);
                let full = self.counters.counted(limit, subject, window).await? >= most;
                Known { refused_until: full.then(|| window.end()), fact: Fact::None }
            }
            Kind::SlidingWindow { limit: most, window } => {
                let window = Window::at(now, window);
                let before = self.admitted_before(limit, subject, window, fact).await?;
                let sliding = Sliding { limit: most, window, before };
                let allowed = sliding.allowed(now);
                let count =
                    if allowed == 0 { 0 } else { self.counters.counted(limit, subject, window).await? };
                sliding_known(sliding, count, allowed)
            }
            Kind::TokenBucket { capacity, every } => {
                let full_at = self.counters.full_at(limit, subject).await?;
                let refused_until = match (Bucket { capacity, every: micros(every) }).take(full_at, now) {
                    Take::Empty { until } => Some(until),
                    Take::FromFull { .. } | Take::FromRest { .. } => None,
                };
                Known { refused_until, fact: full_at.map_or(Fact::None, Fact::FullAt) }
            }
        };
        self.memory.learn(limit, subject, seen, now);
        Ok(seen.refused_until.map(|until| wait(until, now)))
    }

    /// One write.
    async fn fixed(
        &self,
        limit: &Limit,
        subject: Subject,
        most: u32,
        window: Window,
    ) -> Result<Checked, StoreError> {
        let written = self.counters.count(limit, subject, window, most, window.end()).await?;
        let (remaining, full) = match written {
            Written::Done(count) => (Some(most.saturating_sub(count)), count >= most),
            Written::Refused(_) => (None, true),
        };
        Ok(Checked {
            remaining,
            known: Known { refused_until: full.then(|| window.end()), fact: Fact::None },
        })
    }

    /// One write, and a read of the window before unless it is remembered.
    async fn sliding(
        &self,
        limit: &Limit,
        subject: Subject,
        most: u32,
        window: Window,
        fact: Fact,
        now: Micros,
    ) -> Result<Checked, StoreError> {
        let before = self.admitted_before(limit, subject, window, fact).await?;
        let sliding = Sliding { limit: most, window, before };
        let allowed = sliding.allowed(now);
        let written = if allowed == 0 {
            Written::Refused(None)
        } else {
            // It still counts while the next window lasts.
            let meaningful_until = window.end().saturating_add(window.length);
            self.counters.count(limit, subject, window, allowed, meaningful_until).await?
        };
        let (remaining, count) = match written {
            Written::Done(count) => (Some(allowed.saturating_sub(count)), count),
            Written::Refused(count) => (None, count.unwrap_or(0)),
        };
        Ok(Checked { remaining, known: sliding_known(sliding, count, allowed) })
    }

    /// What the window before `window` has admitted: a read, unless it is remembered.
    async fn admitted_before(
        &self,
        limit: &Limit,
        subject: Subject,
        window: Window,
        fact: Fact,
    ) -> Result<u32, StoreError> {
        let over = window.previous();
        match fact {
            Fact::Window { over: known, admitted } if known == over => Ok(admitted),
            Fact::Window { .. } | Fact::FullAt(_) | Fact::None => {
                self.counters.counted(limit, subject, over).await
            }
        }
    }

    /// One write, and a read unless the bucket is remembered; one or two more writes where others come in between.
    async fn bucket(
        &self,
        limit: &Limit,
        subject: Subject,
        bucket: Bucket,
        fact: Fact,
        now: Micros,
    ) -> Result<Checked, StoreError> {
        let mut full_at = match fact {
            Fact::FullAt(at) => Some(at),
            Fact::Window { .. } | Fact::None => self.counters.full_at(limit, subject).await?,
        };
        for _ in 0..MAX_WRITES {
            let take = bucket.take(full_at, now);
            if let (Take::Empty { until }, Some(full_at)) = (take, full_at) {
                let known = Known { refused_until: Some(until), fact: Fact::FullAt(full_at) };
                return Ok(Checked { remaining: None, known });
            }
            let fills_by = bucket.fills_by(now);
            match self.counters.take(limit, subject, take, now, bucket.every, fills_by).await? {
                Written::Done(full_at) => {
                    let remaining = bucket.remaining(full_at, now);
                    let refused_until = (remaining == 0).then(|| bucket.refuses_until(full_at));
                    let known = Known { refused_until, fact: Fact::FullAt(full_at) };
                    return Ok(Checked { remaining: Some(remaining), known });
                }
                Written::Refused(actual) => full_at = actual,
            }
        }
        Err(StoreError::Throttled("others were faster each time".into()))
    }
}

/// What is known of a window that has admitted `count` of the `allowed`.
fn sliding_known(sliding: Sliding, count: u32, allowed: u32) -> Known {
    Known {
        refused_until: (count >= allowed).then(|| sliding.refuses_until(count)),
        fact: Fact::Window { over: sliding.window.previous(), admitted: sliding.before },
    }
}

fn wait(until: Micros, now: Micros) -> Duration {
    Duration::from_micros(until.saturating_sub(now).max(0).unsigned_abs())
}
