//! What a provider is to us: it takes a message, or says why not.

use std::{fmt, time::Duration};

use domain_channel::Category;
use domain_ids::MessageId;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::{Address, Rendered};

/// Characters of a provider's error code, and of its reference, that are kept.
pub const MAX_CODE_CHARS: usize = 128;

/// One message on its way to one address, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The message: what a provider is given to recognise a repeat by, and to name in its delivery reports.
    pub id: MessageId,
    /// Where to.
    pub address: Address,
    /// What it says.
    pub rendered: Rendered,
    /// What it is about.
    pub category: Category,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it was to be sent: the place in an inbox, which is the same however late and often it is dispatched.
    pub due_at: Timestamp,
}

/// The provider has taken the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// What the provider calls it, if it calls it anything: at most [`MAX_CODE_CHARS`].
    pub reference: Option<String>,
    /// Addresses among several that turned out to be dead: devices whose app is gone.
    pub dead: Vec<String>,
}

/// What to do about a message that a provider did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was not taken, and may be if it comes later: the provider asks for patience.
    Retry,
    /// It was not taken, and will not be by this provider for now: it is down, out of credit, or set up wrongly.
    FailOver,
    /// It was not taken, because this provider has no text or address for it, or serves another channel. Others may take it,
    /// and nothing is said of how this one fares.
    Skip,
    /// It was not taken, and no provider will: the message itself is at fault.
    GiveUp,
    /// It was not taken, and nothing to this address will be: the address is dead, or its owner wants nothing.
    Suppress,
    /// Nobody knows: the request was sent, and no answer came.
    Unknown,
}

/// A provider did not take the message, as far as is known.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Failure {
    /// What to do about it.
    pub verdict: Verdict,
    /// The provider's code for it, or ours in lower case: at most [`MAX_CODE_CHARS`] visible ASCII characters. Never the
    /// provider's prose, which repeats addresses and texts.
    pub code: String,
    /// How long the provider wants to be left alone, if it says so.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// With the code cut to what is kept.
    pub fn new(verdict: Verdict, code: impl AsRef<str>) -> Self {
        let visible = code.as_ref().chars().filter(char::is_ascii_graphic);
        Self { verdict, code: visible.take(MAX_CODE_CHARS).collect(), retry_after: None }
    }

    /// With the time the provider wants to be left alone.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.verdict, self.code)
    }
}

/// What a provider says became of a message that it was sent and whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took it.
    Accepted(Accepted),
    /// It never got it, or refused it: it may be sent again.
    NotAccepted,
    /// It cannot tell, or has no way to be asked.
    Unknown,
}

/// Somebody who delivers messages. One value is one configured account.
pub trait Provider: Send + Sync {
    /// Hands over one message. Ends within the provider's time-out; once the request may have reached the provider,
    /// whatever goes wrong is [`Verdict::Unknown`].
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>>;

    /// What became of a message handed over at about `sent_at`, for a provider that can be asked.
    fn outcome<'a>(&'a self, outgoing: &'a Outgoing, sent_at: Timestamp) -> BoxFuture<'a, Outcome> {
        let _ = (outgoing, sent_at);
        Box::pin(async { Outcome::Unknown })
    }

    /// Whether, at `now`, the provider still recognises a message that it got at about `sent_at`, by its id, and delivers it
    /// once: then an unknown outcome is resolved by sending again.
    fn recognises(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        let _ = (sent_at, now);
        false
    }
}
