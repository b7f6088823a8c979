//! Which provider a message goes to: weights, tiers, and who is left alone for now.
//!
//! The circuit breakers are our own: the crates there are (`failsafe`, `recloser`) read the clock themselves, so that
//! neither a test nor a simulation could say what time it is, and half-open they let everybody through at once.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain_ids::{MessageId, ProviderName};
use jiff::Timestamp;

use crate::{
    BreakerConfig, ChannelConfig, ProviderConfig, Verdict,
    message::{digest, first},
};

/// What this execution environment knows of how providers fare. Each learns by itself: sharing it would cost a write
/// per call, and a provider that is down is found out after a handful of calls.
#[derive(Debug, Default)]
pub struct Health(Mutex<HashMap<ProviderName, Breaker>>);

/// A circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaker {
    /// Calls go through; so many in a row have failed.
    Closed { failures: u32 },
    /// No calls before then; then one, whose outcome decides.
    Open { until: Timestamp },
    /// No calls before then, because the provider asked for patience; then all, for it is not down.
    Patient { until: Timestamp },
}

/// How long a provider that asks for patience is left alone, where it does not say: others may serve meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

impl Health {
    /// Whether `provider` may be called now. Where it was left alone for long enough, the first who asks may, and the
    /// others wait for another `open_seconds` to see what comes of it.
    pub fn admits(&self, provider: &ProviderName, config: BreakerConfig, now: Timestamp) -> bool {
        let mut breakers = self.breakers();
        match breakers.get(provider) {
            None | Some(Breaker::Closed { .. }) => true,
            Some(Breaker::Open { until }) if *until <= now => {
                breakers.insert(provider.clone(), opened(now, config));
                true
            }
            Some(Breaker::Patient { until }) if *until <= now => {
                breakers.remove(provider);
                true
            }
            Some(Breaker::Open { .. } | Breaker::Patient { .. }) => false,
        }
    }

    /// When a provider that is left alone may be called again; none for one that may be called now.
    pub fn closed_until(&self, provider: &ProviderName, now: Timestamp) -> Option<Timestamp> {
        match self.breakers().get(provider) {
            Some(Breaker::Open { until } | Breaker::Patient { until }) if *until > now => Some(*until),
            None | Some(Breaker::Open { .. } | Breaker::Patient { .. } | Breaker::Closed { .. }) => None,
        }
    }

    /// The provider has answered as it should, whatever it thinks of the message.
    pub fn succeeded(&self, provider: &ProviderName) {
        let mut breakers = self.breakers();
        // The answer to a call that was under way when the provider asked for patience takes nothing back.
        if !matches!(breakers.get(provider), Some(Breaker::Patient { .. })) {
            breakers.remove(provider);
        }
    }

    /// The provider has not taken a message. Says whether it is left alone from now on that was not before.
    pub fn failed(
        &self,
        provider: &ProviderName,
        verdict: Verdict,
        retry_after: Option<Duration>,
        config: BreakerConfig,
        now: Timestamp,
    ) -> bool {
        match verdict {
            Verdict::Skip => false,
            Verdict::GiveUp | Verdict::Suppress => {
                self.succeeded(provider);
                false
            }
            Verdict::Retry => {
                let until = after(now, retry_after.unwrap_or(PATIENCE));
                self.breakers().insert(provider.clone(), Breaker::Patient { until });
                false
            }
            Verdict::FailOver | Verdict::Unknown => {
                let mut breakers = self.breakers();
                let failures = match breakers.get(provider) {
                    None => 1,
                    Some(Breaker::Closed { failures }) => failures.saturating_add(1),
                    // The one call that was let through.
                    Some(Breaker::Open { .. }) => config.failures,
                    // A call that was under way when the provider asked for patience.
                    Some(Breaker::Patient { .. }) => return false,
                };
                let opens = failures >= config.failures;
                let next = if opens { opened(now, config) } else { Breaker::Closed { failures } };
                breakers.insert(provider.clone(), next);
                opens
            }
        }
    }

    fn breakers(&self) -> MutexGuard<'_, HashMap<ProviderName, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened(now: Timestamp, config: BreakerConfig) -> Breaker {
    Breaker::Open { until: after(now, Duration::from_secs(config.open_seconds.into())) }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// The providers of a channel in the order in which `message` tries them: tier by tier; within a tier by weight, always in
/// the same order for the same message, so that a repeat asks the same provider first.
///
/// Weighted rendezvous hashing (Thaler and Ravishankar 1998; the weights as in Schindelhain and Schomaker 2005): each
/// provider is first for its share of all messages, and where one is added or taken away, only its share moves.
pub fn order(channel: &ChannelConfig, message: MessageId) -> Vec<&ProviderConfig> {
    let mut ranked: Vec<(u8, u64, &ProviderConfig)> =
        channel.providers.iter().map(|it| (it.tier, rank(it, message), it)).collect();
    ranked.sort_by_key(|&(tier, rank, _)| (tier, rank));
    ranked.into_iter().map(|(_, _, provider)| provider).collect()
}

/// Lower is earlier: -ln(uniform) / weight, an exponential variable of the rate `weight`, of several of which each is
/// the lowest in proportion to its weight.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of messages, no money; equal on every machine with IEEE 754"
)]
fn rank(provider: &ProviderConfig, message: MessageId) -> u64 {
    if provider.weight == 0 {
        return u64::MAX;
    }
    let hash = u64::from_be_bytes(first(&digest(&["route", provider.name.as_str(), &message.to_string()])));
    // 53 bits of it, in (0, 1].
    let uniform = ((hash >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-uniform.ln() / f64::from(provider.weight) * 1e12) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Channels, fixtures::at, message_id};
    use domain_channel::Channel;

    const CONFIG: BreakerConfig = BreakerConfig { failures: 3, open_seconds: 30 };

    fn name(text: &str) -> ProviderName {
        text.parse().unwrap()
    }

    fn fail(health: &Health, verdict: Verdict, seconds: i64) -> bool {
        health.failed(&name("a"), verdict, None, CONFIG, at(seconds))
    }

    #[test]
    fn a_provider_that_fails_in_a_row_is_left_alone_and_then_probed_by_one() {
        let (health, a) = (Health::default(), name("a"));
        assert!(!fail(&health, Verdict::FailOver, 0));
        assert!(!fail(&health, Verdict::Unknown, 0));
        assert!(health.admits(&a, CONFIG, at(0)));
        assert!(fail(&health, Verdict::FailOver, 0));
        assert!(!health.admits(&a, CONFIG, at(29)));
        assert_eq!(health.closed_until(&a, at(29)), Some(at(30)));
        assert!(health.admits(&a, CONFIG, at(30)), "one probe");
        assert!(!health.admits(&a, CONFIG, at(30)), "and one alone");
        assert!(fail(&health, Verdict::FailOver, 31), "which fails");
        assert!(!health.admits(&a, CONFIG, at(60)));
        assert!(health.admits(&a, CONFIG, at(61)));
        health.succeeded(&a);
        assert!((0..3).all(|_| health.admits(&a, CONFIG, at(61))));
    }

    #[test]
    fn a_success_or_a_message_at_fault_ends_the_row() {
        let (health, a) = (Health::default(), name("a"));
        for verdict in [Verdict::GiveUp, Verdict::Suppress] {
            fail(&health, Verdict::FailOver, 0);
            fail(&health, Verdict::FailOver, 0);
            assert!(!fail(&health, verdict, 0));
            assert!(!fail(&health, Verdict::FailOver, 0));
            health.succeeded(&a);
        }
    }

    #[test]
    fn a_provider_that_asks_for_patience_gets_it() {
        let (health, a) = (Health::default(), name("a"));
        let wait = Some(Duration::from_secs(7));
        assert!(!health.failed(&a, Verdict::Retry, wait, CONFIG, at(0)));
        health.succeeded(&a);
        assert!(!fail(&health, Verdict::Unknown, 1), "what was under way before");
        assert!(!health.admits(&a, CONFIG, at(6)));
        assert_eq!(health.closed_until(&a, at(6)), Some(at(7)));
        assert!((0..3).all(|_| health.admits(&a, CONFIG, at(7))), "all: it is not down, and needs no probe");
    }

    fn channels(providers: &str) -> Channels {
        format!(r#"{{"channels": {{"sms": {{"delivery": "at_most_once", "providers": [{providers}]}}}}}}"#)
            .parse()
            .unwrap()
    }

    #[test]
    fn messages_are_split_by_weight_and_the_next_tier_stands_by() {
        let channels = channels(
            r#"{"name": "a", "kind": "aliyun", "weight": 70}, {"name": "b", "kind": "tencent", "weight": 30},
               {"name": "c", "kind": "sns_sms", "tier": 2}, {"name": "d", "kind": "sns_sms", "weight": 0}"#,
        );
        let sms = channels.channel(Channel::Sms).unwrap();
        let mut firsts = HashMap::<&str, u32>::new();
        for n in 0..10_000 {
            let message = message_id("test", &n.to_string(), &"ann".parse().unwrap());
            let order = order(sms, message);
            let names: Vec<&str> = order.iter().map(|it| it.name.as_str()).collect();
            *firsts.entry(names[0]).or_default() += 1;
            assert_eq!(&names[2..], ["d", "c"], "weight 0 after the others, the second tier last");
        }
        assert!((6_800..7_200).contains(&firsts["a"]), "{firsts:?}");
    }

    proptest! {
        #[test]
        fn one_provider_less_moves_its_messages_alone(n: u64) {
            let message = message_id("test", &n.to_string(), &"ann".parse().unwrap());
            let three = channels(
                r#"{"name": "a", "kind": "aliyun"}, {"name": "b", "kind": "tencent"}, {"name": "c", "kind": "sns_sms"}"#,
            );
            let two = channels(r#"{"name": "a", "kind": "aliyun"}, {"name": "b", "kind": "tencent"}"#);
            let names = |channels: &Channels| -> Vec<String> {
                let sms = channels.channel(Channel::Sms).unwrap();
                order(sms, message).iter().map(|it| it.name.to_string()).collect()
            };
            let rest: Vec<String> = names(&three).into_iter().filter(|name| name != "c").collect();
            prop_assert_eq!(rest, names(&two));
        }
    }
}
