//! The queue of rebuilds of the search index, and of comparisons with it.

use aws_sdk_sqs::Client;
use contracts::RebuildStep;
use domain_coupon::StoreError;
use domain_homestay::JobQueue;
use domain_ids::RebuildId;

/// The queue that `reindex-homestays` takes from.
#[derive(Debug, Clone)]
pub struct RebuildQueue {
    client: Client,
    url: String,
}

impl RebuildQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl JobQueue for RebuildQueue {
    async fn send(&self, id: RebuildId, step: u32) -> Result<(), StoreError> {
        let unavailable = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Unavailable(error);
        let body = serde_json::to_string(&RebuildStep { rebuild: id, step })
            .map_err(|error| unavailable(error.into()))?;
        let call = self.client.send_message().queue_url(&self.url).message_body(body);
        call.send().await.map_err(|error| unavailable(error.into()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;

    fn queue(rule: &Rule) -> RebuildQueue {
        RebuildQueue::new(mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]), "queue".into())
    }

    #[tokio::test]
    async fn a_step_is_a_message() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sent);
        let rule = mock!(Client::send_message)
            .match_requests(move |request| {
                seen.lock().unwrap().extend(request.message_body().map(str::to_owned));
                request.queue_url() == Some("queue")
            })
            .then_output(|| SendMessageOutput::builder().build());
        let id = RebuildId::from_parts(1, 7);
        queue(&rule).send(id, 4).await.unwrap();
        let body = sent.lock().unwrap().first().cloned().unwrap();
        let step: RebuildStep = serde_json::from_str(&body).unwrap();
        assert_eq!((step.rebuild, step.step), (id, 4));
    }

    #[tokio::test]
    async fn a_queue_that_fails_may_be_tried_again() {
        let rule = mock!(Client::send_message).then_error(|| SendMessageError::unhandled("down"));
        let error = queue(&rule).send(RebuildId::from_parts(1, 7), 0).await.unwrap_err();
        assert!(error.is_retryable());
    }
}
