use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use coupon_dynamodb::{corrupt, store_error};
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
    client: Client,
    table: String,
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
            limiter: RateLimiter::new(client.clone(), table.clone()),
            client,
            table,
            key,
            per_guest: limit("code-guesses-per-guest", GUESSES_PER_GUEST)?,
            per_ip: limit("code-guesses-per-ip", GUESSES_PER_IP)?,
        })
    }

    /// What counts a guesser. The guest comes first: a guest over the limit is no longer counted against the address,
    /// or one could shut out all others there.
    fn counters(&self, guesser: &Guesser) -> impl Iterator<Item = (&Limit, u32, Subject)> {
        let guest = (&self.per_guest, GUESSES_PER_GUEST, self.key.guest(guesser.guest.as_str()));
        let ip = guesser.ip.map(|ip| (&self.per_ip, GUESSES_PER_IP, self.key.ip(ip)));
        [Some(guest), ip].into_iter().flatten()
    }

    /// What the present window has counted, from the item that `platform-rate-limit` documents.
    async fn counted(&self, limit: &Limit, subject: Subject, window: i64) -> Result<u32, StoreError> {
        let pk = format!("LIMIT#{}#{subject}#{window}", limit.rule());
        let key = [("pk", pk), ("sk", "LIMIT".to_owned())];
        let key: HashMap<_, _> =
            key.into_iter().map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).collect();
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        let Some(counted) = output.item().and_then(|item| item.get("admitted")) else { return Ok(0) };
        let number = counted.as_n().ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| corrupt("the count of guesses is no number"))
    }
}

impl Guesses for GuessCounter {
    async fn barred(&self, guesser: &Guesser, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let length = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
        let since = now.as_millisecond().rem_euclid(length);
        let counters = self.counters(guesser).map(async |(limit, most, subject)| {
            let counted = self.counted(limit, subject, now.as_millisecond() - since).await?;
            Ok::<_, StoreError>(counted >= most)
        });
        let barred = try_join_all(counters).await?.contains(&true);
        Ok(barred.then(|| Duration::from_millis((length - since).unsigned_abs())))
    }

    async fn count(&self, guesser: &Guesser, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        for (limit, _, subject) in self.counters(guesser) {
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
