//! Rate limits that hold over all execution environments, in `DynamoDB`.
//!
//! | Kind | Admits | A check costs |
//! |---|---|---|
//! | fixed window | at most `limit` in each window (aligned to 1970), so at most twice that around a boundary | 1 write |
//! | sliding window | at most `limit` in each window, and at most `limit × (1 + x ÷ window)` in any interval of length `x ≤ window` | 1 write; 1 read per window for a subject this environment does not remember |
//! | token bucket | at most `capacity + x ÷ every` in any interval of length `x` | 1 write; 1 read for a subject this environment does not remember |
//!
//! A write is one write unit, also where its condition refuses it. A subject that is known to be over its limit is
//! refused from memory until the instant at which it might be admitted again, and costs nothing. Where two checks of
//! an idle token bucket race, the loser writes twice; there is no other repetition.
//!
//! To peek, which counts nothing, costs 1 read; for a sliding window a second one, per window, for a subject this
//! environment does not remember; and nothing for a subject known to be over its limit.
//!
//! # Items
//!
//! `pk` is `LIMIT#<rule>#<subject>#<start of the window, ms>` with the attribute `admitted`, or for a token bucket
//! `LIMIT#<rule>#<subject>` with the attribute `fullAt` (µs); `sk` is `LIMIT`; `ttl` is when the item means nothing any
//! more. A window has an item of its own, because then counting needs no look at what is there: the first and the
//! thousandth check of a window are the same conditional write, and nothing is ever reset.
//!
//! # Clocks
//!
//! The time is an argument, and environments may disagree about it. One that is behind counts in an earlier window,
//! which has its own limit, or finds the bucket emptier than it is. So a wrong clock may refuse, and can admit no more
//! than the windows it touches; nothing is ever given back because a clock was set back.
//!
//! # Failure
//!
//! A write that is repeated because its answer was lost may count twice: too strict by one, never too lax. Any other
//! failure is a [`StoreError`], and whether it admits or refuses is the caller's decision.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use platform_rate_limit::{Decision, Kind, Limit, RateLimiter, SubjectKey};
//!
//! # async fn example(client: aws_sdk_dynamodb::Client, now: jiff::Timestamp) -> Result<(), Box<dyn std::error::Error>> {
//! let limiter = RateLimiter::new(client, "coupons".into());
//! let key: SubjectKey = "0123456789abcdef0123456789abcdef".parse()?; // a secret
//! let limit = Limit::new("claims-per-guest", Kind::FixedWindow { limit: 30, window: Duration::from_mins(1) })?;
//! match limiter.check(&limit, key.guest("ann"), now).await? {
//!     Decision::Admitted { remaining } => println!("{remaining} more"),
//!     Decision::Refused { retry_after } => println!("again in {retry_after:?}"),
//! }
//! # Ok(())
//! # }
//! ```

mod arithmetic;
mod counter;
mod error;
mod limit;
mod limiter;
mod memory;
mod subject;

pub use error::StoreError;
pub use limit::{InvalidLimit, Kind, Limit, MAX_COUNT, MAX_PERIOD, MAX_RULE_CHARS, MIN_REFILL, MIN_WINDOW};
pub use limiter::{Decision, RateLimiter};
pub use subject::{InvalidSubjectKey, MIN_SECRET_BYTES, Subject, SubjectKey};
