//! Thinking better of a message.

use domain_channel::{Category, Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::MessageId;
use jiff::Timestamp;

use crate::{Added, Message, MessageStore, Params, Receiver, State, Status, TemplateRef, message_id};

/// Tries to cancel, while others write too.
const TRIES: usize = 4;

/// The fingerprint of a message that was cancelled before anybody asked for it, whatever it would have said:
/// [`accept`](crate::accept()) takes the request that comes after all for a repeat. A request has it by chance once in 2^64.
pub(crate) const CANCELLED_AHEAD: u64 = 0;

/// The message is not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such message.
    #[error("there is no such message")]
    NotFound,
    /// It is too late.
    #[error("the message is {}", .0.name())]
    TooLate(Status),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Others were faster each time.
    #[error("others were faster each time")]
    Busy,
}

/// Cancels a message that is pending. One that is cancelled already is returned as it is.
pub async fn cancel(
    store: &impl MessageStore,
    id: MessageId,
    now: Timestamp,
) -> Result<Message, CancelError> {
    for _ in 0..TRIES {
        let message = store.message(id).await?.ok_or(CancelError::NotFound)?;
        if message.status() == Status::Cancelled {
            return Ok(message);
        }
        let next = message.cancelled(now).map_err(|wrong| CancelError::TooLate(wrong.0))?;
        if store.replace(&next).await? {
            return Ok(next);
        }
    }
    Err(CancelError::Busy)
}

/// A message that is not wanted, whether or not somebody has asked for it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwanted {
    /// Who asks for it.
    pub scope: String,
    /// Under which key.
    pub key: String,
    /// To whom.
    pub receiver: Receiver,
    /// On which way it would go.
    pub channel: Channel,
    /// How soon.
    pub priority: Priority,
    /// What it would be about.
    pub category: Category,
    /// What it would say.
    pub template: TemplateRef,
}

/// Cancels a message that is pending, or that nobody has asked for yet: who cancels may be faster than who asks, where both
/// are told by events. What is cancelled ahead is kept as a cancelled message under the same id, so that the request finds it.
pub async fn cancel_ahead(
    store: &impl MessageStore,
    unwanted: &Unwanted,
    now: Timestamp,
) -> Result<Message, CancelError> {
    let ahead = unwanted.cancelled_ahead(now);
    match cancel(store, ahead.id, now).await {
        Err(CancelError::NotFound) => {}
        known => return known,
    }
    match store.add(&ahead).await? {
        Added::New => Ok(ahead),
        // Somebody has asked for it meanwhile.
        Added::Known(_) => cancel(store, ahead.id, now).await,
    }
}

impl Unwanted {
    fn cancelled_ahead(&self, now: Timestamp) -> Message {
        Message {
            id: message_id(&self.scope, &self.key, &self.receiver),
            channel: self.channel,
            priority: self.priority,
            category: self.category,
            template: self.template.clone(),
            params: Params::default(),
            receiver: self.receiver.clone(),
            accepted_at: now,
            scheduled_at: None,
            expires_at: None,
            transaction: None,
            broadcast: None,
            fingerprint: CANCELLED_AHEAD,
            waits: false,
            is_digest: false,
            digest: None,
            attempts: 0,
            error: None,
            state: State::Cancelled { at: now },
            revision: 1,
        }
    }
}
