//! The queue that `export-exchange-codes` takes from.

use std::error::Error;

use aws_sdk_sqs::Client;
use contracts::CodeExport;
use domain_coupon::StoreError;
use domain_exchange::ExportQueue;
use domain_ids::CodeBatchId;

/// The queue of the exports.
#[derive(Debug, Clone)]
pub struct CodeQueue {
    client: Client,
    url: String,
}

impl CodeQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl ExportQueue for CodeQueue {
    async fn ask(&self, batch: CodeBatchId) -> Result<(), StoreError> {
        let body = serde_json::to_string(&CodeExport { batch }).map_err(unavailable)?;
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(|_| ()).map_err(unavailable)
    }
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
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
                    && request.message_body() == Some(r#"{"batch":"01KA3Z5QJ8M4T2R7V9X1C6B0NG"}"#)
            })
            .then_output(|| SendMessageOutput::builder().build());
        let queue = CodeQueue::new(mock_client!(aws_sdk_sqs, RuleMode::Sequential, [&sent]), "queue".into());
        queue.ask("01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_queue_that_does_not_answer_is_an_outage() {
        let fails = mock!(Client::send_message).then_error(|| SendMessageError::unhandled("injected"));
        let queue = CodeQueue::new(mock_client!(aws_sdk_sqs, RuleMode::Sequential, [&fails]), "queue".into());
        let failed = queue.ask(CodeBatchId::from_parts(1, 1)).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    }
}
