//! The queue of the events that become messages.

use std::error::Error;

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use contracts::PlatformEvent;

/// The limit of `SendMessageBatch`.
const PER_CALL: usize = 10;

/// Where what happens is told.
pub trait EventOutbox: Sync {
    /// Hands over all of `events`. After an error some may have been handed over; to hand them over again does no harm.
    fn send(&self, events: &[PlatformEvent]) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Not every event was taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The queue could not be reached, or refused a call.
    #[error("the queue is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The queue took some and not others.
    #[error("the queue took {taken} of {sent} events")]
    Partial {
        /// Events of the call.
        sent: usize,
        /// Those that were taken.
        taken: usize,
    },
}

/// The queue on SQS.
#[derive(Debug, Clone)]
pub struct EventQueue {
    client: Client,
    url: String,
}

impl EventQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl EventOutbox for EventQueue {
    async fn send(&self, events: &[PlatformEvent]) -> Result<(), SendError> {
        let unavailable = |error: Box<dyn Error + Send + Sync>| SendError::Unavailable(error);
        for chunk in events.chunks(PER_CALL) {
            let entries = chunk.iter().enumerate().map(|(place, event)| {
                let body = serde_json::to_string(event)?;
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

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::{
        operation::send_message_batch::{SendMessageBatchError, SendMessageBatchOutput},
        types::SendMessageBatchResultEntry,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use serde_json::json;

    use super::*;

    /// A call with the events from `from` on, of which the queue takes so many.
    fn call(from: usize, sent: usize, taken: usize) -> Rule {
        mock!(Client::send_message_batch)
            .match_requests(move |request| {
                let bodies = request.entries().iter().map(|entry| entry.message_body().to_owned());
                let expected = (from..from + sent)
                    .map(|n| format!("{{\"detail-type\":\"coupon.expiring\",\"detail\":{{\"n\":{n}}}}}"));
                request.queue_url() == Some("queue") && bodies.eq(expected)
            })
            .then_output(move || {
                let entry = |place: usize| {
                    let entry = SendMessageBatchResultEntry::builder().id(place.to_string());
                    entry.message_id("m").md5_of_message_body("x").build().unwrap()
                };
                let output = SendMessageBatchOutput::builder();
                let output = output.set_successful(Some((0..taken).map(entry).collect()));
                output.set_failed(Some(Vec::new())).build().unwrap()
            })
    }

    async fn send(count: usize, calls: &[Rule]) -> Result<(), SendError> {
        let client = mock_client!(aws_sdk_sqs, RuleMode::Sequential, calls);
        let event =
            |n: usize| PlatformEvent { detail_type: "coupon.expiring".into(), detail: json!({ "n": n }) };
        EventQueue::new(client, "queue".into()).send(&(0..count).map(event).collect::<Vec<_>>()).await
    }

    #[tokio::test]
    async fn events_are_sent_ten_at_a_time() {
        send(25, &[call(0, 10, 10), call(10, 10, 10), call(20, 5, 5)]).await.unwrap();
        send(0, &[]).await.unwrap();
    }

    #[tokio::test]
    async fn what_the_queue_does_not_take_is_an_error() {
        let partial = send(12, &[call(0, 10, 10), call(10, 2, 1)]).await;
        assert!(matches!(partial, Err(SendError::Partial { sent: 2, taken: 1 })), "{partial:?}");
        let fails =
            mock!(Client::send_message_batch).then_error(|| SendMessageBatchError::unhandled("injected"));
        let unavailable = send(1, &[fails]).await;
        assert!(matches!(unavailable, Err(SendError::Unavailable(_))), "{unavailable:?}");
    }
}
