//! Thinking better of a message.

use domain_coupon::StoreError;
use domain_ids::MessageId;
use jiff::Timestamp;

use crate::{Message, MessageStore, Status};

/// Tries to cancel, while others write too.
const TRIES: usize = 4;

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
