//! The queue of the notification service.

use std::error::Error;

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use contracts::NotificationRequest;

/// The limit of `SendMessageBatch`.
const PER_CALL: usize = 10;

/// Where notifications are asked for.
pub trait NotificationOutbox: Sync {
    /// Hands over all of `requests`. After an error some may have been handed over; to hand them over again does no
    /// harm.
    fn send(&self, requests: &[NotificationRequest]) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Not every request was taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The queue could not be reached, or refused a call.
    #[error("the queue is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The queue took some and not others.
    #[error("the queue took {taken} of {sent} requests")]
    Partial {
        /// Requests of the call.
        sent: usize,
        /// Those that were taken.
        taken: usize,
    },
}

/// The queue on SQS.
#[derive(Debug, Clone)]
pub struct NotificationQueue {
    client: Client,
    url: String,
}

impl NotificationQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl NotificationOutbox for NotificationQueue {
    async fn send(&self, requests: &[NotificationRequest]) -> Result<(), SendError> {
        let unavailable = |error: Box<dyn Error + Send + Sync>| SendError::Unavailable(error);
        for chunk in requests.chunks(PER_CALL) {
            let entries = chunk.iter().enumerate().map(|(place, request)| {
                let body = serde_json::to_string(request)?;
                Ok(SendMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .message_body(body)
                    .build()?)
            });
            let entries = entries.collect::<Result<Vec<_>, _>>().map_err(unavailable)?;
            let sending = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let sent = sending.send().await.map_err(|error| unavailable(error.into()))?;
            if sent.successful().len() < chunk.len() {
                return Err(SendError::Partial { sent: chunk.len(), taken: sent.successful().len() });
            }
        }
        Ok(())
    }
}
