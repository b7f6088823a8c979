use std::time::Duration;

use aws_sdk_dynamodb::Client;
use domain_coupon::StoreError;
use domain_exchange::{Guesser, Guesses};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use platform_rate_limit::{Decision, InvalidLimit, Kind, Limit, RateLimiter, Subject, SubjectKey};

/// Codes that are not genuine a guest may try in an hour: somebody who mistypes is done long before.
pub const GUESSES_PER_GUEST: u32 = 10;

/// Codes that are not genuine that may come from an address in an hour: a hotel or an office shares one.
pub const GUESSES_PER_IP: u32 = 50;

/// The window, aligned to 1970.
const WINDOW: Duration = Duration::from_hours(1);

/// Counts codes that were not genuine, by guest and by address, as keyed digests.
///
/// A wrong code costs 1 or 2 write units, and nothing once its guest is known to be over the limit. A right one costs 2
/// reads and no write.
#[derive(Debug, Clone)]
pub struct GuessCounter {
    limiter: RateLimiter,
    key: SubjectKey,
    per_guest: Limit,
    per_ip: Limit,
}

impl GuessCounter {
    /// Counters in the table named `table`, reached through `client`, of subjects digested with `key`.
    pub fn new(client: Client, table: String, key: SubjectKey) -> Result<Self, InvalidLimit> {
        let limit = |rule, limit| Limit::new(rule, Kind::FixedWindow { limit, window: WINDOW });
        Ok(Self {
            limiter: RateLimiter::new(client, table),
            key,
            per_guest: limit("code-guesses-per-guest", GUESSES_PER_GUEST)?,
            per_ip: limit("code-guesses-per-ip", GUESSES_PER_IP)?,
        })
    }

    /// What counts a guesser. The guest comes first: a guest over the limit is no longer counted against the address,
    /// or one could shut out all others there.
    fn counters(&self, guesser: &Guesser) -> impl Iterator<Item = (&Limit, Subject)> {
        let guest = (&self.per_guest, self.key.guest(guesser.guest.as_str()));
        let ip = guesser.ip.map(|ip| (&self.per_ip, self.key.ip(ip)));
        [Some(guest), ip].into_iter().flatten()
    }
}

impl Guesses for GuessCounter {
    async fn barred(&self, guesser: &Guesser, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let peeks = self.counters(guesser).map(async |(limit, subject)| {
            self.limiter.peek(limit, subject, now).await.map_err(limiter_error)
        });
        Ok(try_join_all(peeks).await?.into_iter().flatten().max())
    }

    async fn count(&self, guesser: &Guesser, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        for (limit, subject) in self.counters(guesser) {
            match self.limiter.check(limit, subject, now).await.map_err(limiter_error)? {
                Decision::Admitted { .. } => {}
                Decision::Refused { retry_after } => return Ok(Some(retry_after)),
            }
        }
        Ok(None)
    }
}

fn limiter_error(error: platform_rate_limit::StoreError) -> StoreError {
    use platform_rate_limit::StoreError as Limiter;
    match error {
        Limiter::Unavailable(source) => StoreError::Unavailable(source),
        Limiter::Throttled(source) => StoreError::Throttled(source),
        Limiter::Corrupt(source) => StoreError::Corrupt(source),
    }
}
