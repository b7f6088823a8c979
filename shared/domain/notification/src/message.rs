//! A message to one receiver, and what may happen to it.
//!
//! Each transition is a function from one message to the next, whose revision is one higher: a store that replaces a
//! message only while its revision is the one before lets one of several transitions happen.

use std::time::Duration;

use domain_channel::{Category, Channel, Priority};
use domain_ids::{BroadcastId, MessageId, ProviderName, TransactionId};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::{Accepted, Params, Receiver, TemplateRef};

/// How long whoever is about to call a provider has the message for itself: longer than any invocation lasts, so that
/// whoever finds it over knows that nobody is calling any more.
pub const LEASE: Duration = Duration::from_secs(90);

/// How long a message is kept after it was accepted, or after it is due: for questions, and for repeats of its key.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Characters of an error that are kept: as in the roadmap.
pub const MAX_ERROR_CHARS: usize = 500;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Made from what names it: see [`message_id`].
    pub id: MessageId,
    /// On which way.
    pub channel: Channel,
    /// How soon.
    pub priority: Priority,
    /// What it is about.
    pub category: Category,
    /// What it says, filled in with `params`.
    pub template: TemplateRef,
    /// What fills it in.
    pub params: Params,
    /// To whom.
    pub receiver: Receiver,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Not before, if it is not to be sent at once.
    pub scheduled_at: Option<Timestamp>,
    /// Not after, if it is of no use any more then.
    pub expires_at: Option<Timestamp>,
    /// What it belongs to.
    pub transaction: Option<TransactionId>,
    /// The broadcast it is part of.
    pub broadcast: Option<BroadcastId>,
    /// Tells requests under one key apart.
    pub fingerprint: u64,
    /// Whether it waits in the table for its time, from where a sweep takes it; others are woken by a queue or a schedule.
    pub waits: bool,
    /// Whether it bundles others.
    pub is_digest: bool,
    /// The digest it is part of.
    pub digest: Option<MessageId>,
    /// Rounds of calls to providers that have begun.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Changes with every transition, from 1.
    pub revision: u64,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It waits: for its turn, its time, or the next attempt.
    Pending,
    /// Somebody calls a provider, or has and died.
    Sending {
        /// Which provider.
        provider: ProviderName,
        /// Since when.
        since: Timestamp,
        /// From then on nobody calls any more.
        until: Timestamp,
    },
    /// The provider has it.
    Sent {
        /// Which provider.
        provider: ProviderName,
        /// What the provider calls it.
        reference: Option<String>,
        /// When it took it.
        at: Timestamp,
    },
    /// The provider says that it arrived.
    Delivered {
        /// Which provider.
        provider: ProviderName,
        /// What the provider calls it.
        reference: Option<String>,
        /// When the provider took it.
        sent_at: Timestamp,
        /// When it arrived.
        at: Timestamp,
    },
    /// It will not be sent; [`Message::error`] says why.
    Failed {
        /// The provider that had it last.
        provider: Option<ProviderName>,
        /// Since when.
        at: Timestamp,
        /// Whether another try may help: it has a dead letter.
        redrivable: bool,
    },
    /// Whoever wanted it has thought better of it.
    Cancelled {
        /// Since when.
        at: Timestamp,
    },
}

/// What a state is called in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 0 in the roadmap.
    Pending,
    /// 1 in the roadmap.
    Sending,
    /// 2 in the roadmap.
    Sent,
    /// 2 in the roadmap, which does not look further.
    Delivered,
    /// 3 in the roadmap.
    Failed,
    /// Not in the roadmap.
    Cancelled,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The transition does not begin in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is {}", .0.name())]
pub struct WrongState(pub Status);

impl Message {
    /// Its status.
    pub fn status(&self) -> Status {
        match self.state {
            State::Pending => Status::Pending,
            State::Sending { .. } => Status::Sending,
            State::Sent { .. } => Status::Sent,
            State::Delivered { .. } => Status::Delivered,
            State::Failed { .. } => Status::Failed,
            State::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// The provider that has it, or had it last.
    pub fn provider(&self) -> Option<&ProviderName> {
        match &self.state {
            State::Pending | State::Cancelled { .. } => None,
            State::Failed { provider, .. } => provider.as_ref(),
            State::Sending { provider, .. }
            | State::Sent { provider, .. }
            | State::Delivered { provider, .. } => Some(provider),
        }
    }

    /// When it may be sent.
    pub fn due_at(&self) -> Timestamp {
        self.scheduled_at.unwrap_or(self.accepted_at)
    }

    /// When it is forgotten.
    pub fn forgotten_at(&self) -> Timestamp {
        let from = self.due_at().max(self.accepted_at);
        from.checked_add(KEPT_FOR).unwrap_or(Timestamp::MAX)
    }

    fn next(&self, state: State) -> Self {
        Self { state, revision: self.revision.saturating_add(1), ..self.clone() }
    }

    fn wrong<T>(&self) -> Result<T, WrongState> {
        Err(WrongState(self.status()))
    }

    /// Somebody is going to call `provider`. From pending it is a new attempt, from a call that failed the same one.
    pub fn lease(&self, provider: &ProviderName, now: Timestamp) -> Result<Self, WrongState> {
        let attempts = match self.state {
            State::Pending => self.attempts.saturating_add(1),
            State::Sending { .. } => self.attempts,
            _ => return self.wrong(),
        };
        let until = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
        let leased = self.next(State::Sending { provider: provider.clone(), since: now, until });
        Ok(Self { attempts, waits: false, ..leased })
    }

    /// A provider has taken it. From pending for a provider that needs no lease.
    pub fn sent(&self, by: &ProviderName, accepted: &Accepted, at: Timestamp) -> Result<Self, WrongState> {
        let attempts = match self.state {
            State::Pending => self.attempts.saturating_add(1),
            State::Sending { .. } => self.attempts,
            _ => return self.wrong(),
        };
        let state = State::Sent { provider: by.clone(), reference: accepted.reference.clone(), at };
        Ok(Self { attempts, error: None, waits: false, ..self.next(state) })
    }

    /// The attempt has failed, and another one follows. From pending it was one that took no lease.
    pub fn again(&self, error: &str) -> Result<Self, WrongState> {
        let attempts = match self.state {
            State::Pending => self.attempts.saturating_add(1),
            State::Sending { .. } => self.attempts,
            _ => return self.wrong(),
        };
        Ok(Self { attempts, error: Some(kept(error)), ..self.next(State::Pending) })
    }

    /// It will not be sent.
    pub fn failed(&self, error: &str, redrivable: bool, at: Timestamp) -> Result<Self, WrongState> {
        let provider = match &self.state {
            State::Pending => None,
            State::Sending { provider, .. } => Some(provider.clone()),
            _ => return self.wrong(),
        };
        let failed = self.next(State::Failed { provider, at, redrivable });
        Ok(Self { error: Some(kept(error)), waits: false, ..failed })
    }

    /// It is not wanted any more.
    pub fn cancelled(&self, at: Timestamp) -> Result<Self, WrongState> {
        match self.state {
            State::Pending => Ok(Self { waits: false, ..self.next(State::Cancelled { at }) }),
            _ => self.wrong(),
        }
    }

    /// It is sent later than was asked for, and waits in the table.
    pub fn deferred(&self, to: Timestamp) -> Result<Self, WrongState> {
        match self.state {
            State::Pending => Ok(Self { scheduled_at: Some(to), waits: true, ..self.next(State::Pending) }),
            _ => self.wrong(),
        }
    }

    /// The sweep has queued it.
    pub fn queued(&self) -> Result<Self, WrongState> {
        match self.state {
            State::Pending => Ok(Self { waits: false, ..self.next(State::Pending) }),
            _ => self.wrong(),
        }
    }

    /// It is part of a digest.
    pub fn bundled(&self, digest: MessageId) -> Result<Self, WrongState> {
        match self.state {
            State::Pending => Ok(Self { digest: Some(digest), waits: false, ..self.next(State::Pending) }),
            _ => self.wrong(),
        }
    }

    /// It is to be tried again from the beginning, after somebody has repaired something.
    pub fn redriven(&self) -> Result<Self, WrongState> {
        match self.state {
            State::Failed { redrivable: true, .. } => {
                Ok(Self { attempts: 0, error: None, ..self.next(State::Pending) })
            }
            _ => self.wrong(),
        }
    }

    /// The provider says that it arrived.
    pub fn delivered(&self, at: Timestamp) -> Result<Self, WrongState> {
        match &self.state {
            State::Sent { provider, reference, at: sent_at } => Ok(self.next(State::Delivered {
                provider: provider.clone(),
                reference: reference.clone(),
                sent_at: *sent_at,
                at,
            })),
            // The report was faster than the record of the call.
            State::Sending { provider, since, .. } => Ok(self.next(State::Delivered {
                provider: provider.clone(),
                reference: None,
                sent_at: *since,
                at,
            })),
            _ => self.wrong(),
        }
    }

    /// The provider says that it did not arrive after all.
    pub fn bounced(&self, error: &str, at: Timestamp) -> Result<Self, WrongState> {
        let provider = match &self.state {
            State::Sending { provider, .. } | State::Sent { provider, .. } => provider.clone(),
            _ => return self.wrong(),
        };
        let failed = self.next(State::Failed { provider: Some(provider), at, redrivable: false });
        Ok(Self { error: Some(kept(error)), ..failed })
    }
}

fn kept(error: &str) -> String {
    error.chars().take(MAX_ERROR_CHARS).collect()
}

/// What names a message: who asks, under which key, and to whom. The same three are the same message.
pub fn message_id(scope: &str, key: &str, receiver: &Receiver) -> MessageId {
    let digest = digest(&["message", scope, key, &receiver.to_string()]);
    let (head, tail) = (u64::from_be_bytes(first(&digest)), u128::from_be_bytes(last(&digest)));
    MessageId::from_parts(head >> 16, tail)
}

/// SHA-256 of texts, each with its length, so that no two lists of texts are the same bytes.
pub(crate) fn digest(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

/// The first eight bytes.
pub(crate) fn first(digest: &[u8; 32]) -> [u8; 8] {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes
}

fn last(digest: &[u8; 32]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().rev().zip(digest.iter().rev()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{at, message};

    #[test]
    fn the_same_request_is_the_same_message_and_no_other_is() {
        let ann: Receiver = "ann".parse().unwrap();
        let id = message_id("orders", "o-1", &ann);
        assert_eq!(id, message_id("orders", "o-1", &ann));
        for other in [
            message_id("payments", "o-1", &ann),
            message_id("orders", "o-2", &ann),
            message_id("orderso", "-1", &ann),
            message_id("orders", "o-1", &"bob".parse().unwrap()),
        ] {
            assert_ne!(id, other);
        }
        assert_eq!(id.to_string().parse(), Ok(id), "it is an id like any other");
    }

    #[test]
    fn a_message_that_is_done_stays_done() {
        let provider: ProviderName = "aliyun".parse().unwrap();
        let leased = message().lease(&provider, at(1)).unwrap();
        let sent = leased.sent(&provider, &Accepted::default(), at(2)).unwrap();
        let delivered = sent.delivered(at(3)).unwrap();
        let cancelled = message().cancelled(at(1)).unwrap();
        for done in [&sent, &delivered, &cancelled] {
            assert!(done.lease(&provider, at(4)).is_err());
            assert!(done.cancelled(at(4)).is_err());
            assert!(done.deferred(at(4)).is_err());
            assert!(done.redriven().is_err());
        }
        assert!(delivered.bounced("x", at(4)).is_err(), "what arrived has arrived");
        assert!(leased.cancelled(at(1)).is_err(), "somebody is calling");
    }

    #[test]
    fn an_attempt_is_counted_once_however_many_providers_it_takes() {
        let [a, b] = ["a", "b"].map(|name| name.parse::<ProviderName>().unwrap());
        let second = message().lease(&a, at(1)).unwrap().lease(&b, at(2)).unwrap();
        assert_eq!(second.attempts, 1);
        let third = second.again("down").unwrap().lease(&a, at(3)).unwrap();
        assert_eq!((third.attempts, third.revision), (2, 5));
    }

    #[test]
    fn what_may_be_tried_again_begins_anew() {
        let provider: ProviderName = "a".parse().unwrap();
        let leased = message().lease(&provider, at(1)).unwrap();
        let failed = leased.failed("provider down", true, at(2)).unwrap();
        let again = failed.redriven().unwrap();
        assert_eq!((again.status(), again.attempts, again.error), (Status::Pending, 0, None));
        assert!(leased.failed("bad number", false, at(2)).unwrap().redriven().is_err());
    }

    proptest! {
        #[test]
        fn every_transition_raises_the_revision_by_one(steps in proptest::collection::vec(0..9_u8, 0..30)) {
            let provider: ProviderName = "a".parse().unwrap();
            let mut now = message();
            for step in steps {
                let next = match step {
                    0 => now.lease(&provider, at(1)),
                    1 => now.sent(&provider, &Accepted::default(), at(1)),
                    2 => now.again("x"),
                    3 => now.failed("x", true, at(1)),
                    4 => now.cancelled(at(1)),
                    5 => now.deferred(at(1)),
                    6 => now.redriven(),
                    7 => now.delivered(at(1)),
                    _ => now.bounced("x", at(1)),
                };
                if let Ok(next) = next {
                    prop_assert_eq!(next.revision, now.revision + 1);
                    prop_assert!(!next.waits || next.status() == Status::Pending);
                    now = next;
                }
            }
        }
    }
}
