//! The queues of the notification service: a dispatch queue and a queue of dead letters for each priority, and the queue
//! of broadcasts.
//!
//! A dispatch queue has the same body as its dead letters, [`contracts::QueuedMessage`]; a dead letter has the attribute
//! `reason` beside it. What `SQS` itself moves there after too many receives has none.

mod broadcasts;
mod dead_letters;
mod dispatch;
mod urls;

pub use broadcasts::BroadcastQueue;
pub use dead_letters::{DeadLetterQueues, MAX_REASON_CHARS, VISIBILITY};
pub use dispatch::DispatchQueues;
pub use urls::PriorityUrls;

use std::error::Error;

use domain_notification::QueueError;

/// The limit of the batch calls of `SQS`.
const PER_CALL: usize = 10;

fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> QueueError {
    QueueError::Unavailable(error.into())
}
