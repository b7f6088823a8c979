//! The queue that `broadcast-notifications` takes from.

use aws_sdk_sqs::Client;
use contracts::BroadcastPage;
use domain_notification::{BroadcastStep, BroadcastSteps, QueueError};

use crate::unavailable;

/// The queue of broadcasts.
#[derive(Debug, Clone)]
pub struct BroadcastQueue {
    client: Client,
    url: String,
}

impl BroadcastQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl BroadcastSteps for BroadcastQueue {
    async fn send(&self, step: &BroadcastStep) -> Result<(), QueueError> {
        let BroadcastStep { broadcast, page, token } = step.clone();
        let body = serde_json::to_string(&BroadcastPage { broadcast, page, token }).map_err(unavailable)?;
        let send = self.client.send_message().queue_url(&self.url).message_body(body);
        send.send().await.map(|_| ()).map_err(unavailable)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_the_contract() {
        let sent = mock!(Client::send_message)
            .match_requests(|request| {
                request.queue_url() == Some("queue")
                    && request.message_body()
                        == Some(r#"{"broadcast":"01KA3Z5QJ8M4T2R7V9X1C6B0NG","page":2,"token":"t"}"#)
            })
            .then_output(|| SendMessageOutput::builder().build());
        let queue =
            BroadcastQueue::new(mock_client!(aws_sdk_sqs, RuleMode::Sequential, [&sent]), "queue".into());
        let broadcast = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
        queue.send(&BroadcastStep { broadcast, page: 2, token: Some("t".into()) }).await.unwrap();
    }

    #[tokio::test]
    async fn a_queue_that_does_not_answer_is_an_outage() {
        let fails = mock!(Client::send_message).then_error(|| SendMessageError::unhandled("injected"));
        let queue =
            BroadcastQueue::new(mock_client!(aws_sdk_sqs, RuleMode::Sequential, [&fails]), "queue".into());
        let broadcast = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
        let failed = queue.send(&BroadcastStep { broadcast, page: 0, token: None }).await;
        assert!(matches!(failed, Err(QueueError::Unavailable(_))), "{failed:?}");
    }
}
