use aws_sdk_sqs::Client;
use contracts::ImportStep;
use domain_coupon::StoreError;
use domain_ids::ImportId;

/// The queue that `import-homestays` takes from.
#[derive(Debug, Clone)]
pub struct ImportQueue {
    client: Client,
    url: String,
}

impl ImportQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl domain_homestay::ImportQueue for ImportQueue {
    async fn send(&self, import: ImportId, from: u64) -> Result<(), StoreError> {
        let body = serde_json::to_string(&ImportStep { import, from })
            .map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        let send = self.client.send_message().queue_url(&self.url).message_body(body);
        send.send().await.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use domain_homestay::ImportQueue as _;

    use super::*;

    fn queue(rule: &Rule) -> ImportQueue {
        ImportQueue::new(mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]), "queue".into())
    }

    #[tokio::test]
    async fn a_step_is_sent_as_the_contract_says() {
        let id = ImportId::from_parts(1, 1);
        let rule = mock!(Client::send_message)
            .match_requests(move |request| {
                let step: ImportStep = serde_json::from_str(request.message_body().unwrap()).unwrap();
                request.queue_url() == Some("queue") && step == ImportStep { import: id, from: 4_096 }
            })
            .then_output(|| SendMessageOutput::builder().build());
        queue(&rule).send(id, 4_096).await.unwrap();
    }

    #[tokio::test]
    async fn a_message_that_was_not_taken_is_an_outage() {
        let rule = mock!(Client::send_message).then_error(|| SendMessageError::unhandled("injected"));
        let sent = queue(&rule).send(ImportId::from_parts(1, 1), 0).await;
        assert!(matches!(sent, Err(StoreError::Unavailable(_))));
    }
}
