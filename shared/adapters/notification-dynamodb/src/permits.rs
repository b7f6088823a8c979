//! Calls of a provider, counted over all execution environments: so many in each second. An environment takes several
//! permits at once, so that a message does not cost a write of its own.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain_coupon::StoreError;
use domain_ids::ProviderName;
use jiff::{SignedDuration, Timestamp};

use crate::NotificationTable;

/// Permits taken at once, at most: a batch of messages.
const BLOCK: u32 = 10;

/// How long a second's counter is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The permits that this execution environment holds.
#[derive(Debug, Default)]
pub struct Permits(Mutex<HashMap<ProviderName, Held>>);

#[derive(Debug, Clone, Copy)]
struct Held {
    /// The second they are good for, since 1970.
    second: i64,
    left: u32,
    /// Whether there are no more of that second for anybody.
    is_used_up: bool,
}

/// What the permits that are held say.
enum Take {
    Granted,
    UsedUp,
    Ask,
}

impl Permits {
    /// Takes a permit for one call of `provider`, of which `rate_per_second` are given out; where there is none, after how
    /// long to ask again. One write for up to ten permits.
    ///
    /// Permits that an environment did not use are lost: fewer calls than allowed, never more.
    pub async fn take(
        &self,
        table: &NotificationTable,
        provider: &ProviderName,
        rate_per_second: u32,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let second = now.as_second();
        match self.take_held(provider, second) {
            Take::Granted => return Ok(None),
            Take::UsedUp => return Ok(Some(until_next_second(now))),
            Take::Ask => {}
        }
        // A block is at most a tenth of a second's permits, so that one environment does not starve the others.
        let mut block = (rate_per_second / 10).clamp(1, BLOCK);
        let rule = format!("provider-{provider}#{second}");
        loop {
            if table.count(&rule, block, rate_per_second, now + KEPT_FOR).await? {
                self.hold(provider, Held { second, left: block - 1, is_used_up: false });
                return Ok(None);
            }
            if block == 1 {
                self.hold(provider, Held { second, left: 0, is_used_up: true });
                return Ok(Some(until_next_second(now)));
            }
            block = 1;
        }
    }

    fn take_held(&self, provider: &ProviderName, second: i64) -> Take {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(provider).filter(|of| of.second == second) {
            Some(of) if of.left > 0 => {
                of.left -= 1;
                Take::Granted
            }
            Some(of) if of.is_used_up => Take::UsedUp,
            Some(_) | None => Take::Ask,
        }
    }

    fn hold(&self, provider: &ProviderName, taken: Held) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two calls of this environment may have taken a block each.
        let before = held.get(provider).filter(|of| of.second == taken.second).map_or(0, |of| of.left);
        held.insert(provider.clone(), Held { left: before + taken.left, ..taken });
    }
}

fn until_next_second(now: Timestamp) -> Duration {
    let into = u64::try_from(now.as_millisecond().rem_euclid(1_000)).unwrap_or_default();
    Duration::from_millis(1_000 - into)
}
