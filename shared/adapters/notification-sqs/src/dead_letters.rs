//! Where messages end that need a human.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    config::{Config, timeout::TimeoutConfig},
    types::{Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName},
};
use contracts::QueuedMessage;
use domain_channel::Priority;
use domain_ids::MessageId;
use domain_notification::{DeadLetterBox, DeadLetters, Letter, QueueError};
use jiff::Timestamp;

use crate::{PER_CALL, PriorityUrls, unavailable};

/// Characters of a reason: as many as a message keeps of its error.
pub const MAX_REASON_CHARS: usize = domain_notification::MAX_ERROR_CHARS;

/// How long a letter that was received is kept from the sight of others: longer than a redrive lasts.
pub const VISIBILITY: Duration = Duration::from_mins(1);

/// How long to wait for letters: with a wait all servers of the queue are asked, without one some.
const WAIT_SECONDS: i32 = 1;

/// Time for one attempt to receive, the wait included.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(4);

/// The attribute that says why.
const REASON: &str = "reason";

/// The queues of dead letters, one for each priority.
#[derive(Debug, Clone)]
pub struct DeadLetterQueues {
    client: Client,
    urls: PriorityUrls,
}

impl DeadLetterQueues {
    /// The queues at `urls`, reached through `client`.
    pub fn new(client: Client, urls: PriorityUrls) -> Self {
        Self { client, urls }
    }
}

impl DeadLetters for DeadLetterQueues {
    async fn bury(&self, id: MessageId, priority: Priority, reason: &str) -> Result<(), QueueError> {
        let body = serde_json::to_string(&QueuedMessage { message: id }).map_err(unavailable)?;
        let reason = MessageAttributeValue::builder().data_type("String").string_value(sendable(reason));
        let send = self.client.send_message().queue_url(self.urls.of(priority)).message_body(body);
        let send = send.message_attributes(REASON, reason.build().map_err(unavailable)?);
        send.send().await.map(|_| ()).map_err(unavailable)
    }
}

/// `SQS` refuses an attribute that is empty or has control characters.
fn sendable(reason: &str) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c };
    let text: String = reason.chars().take(MAX_REASON_CHARS).map(plain).collect();
    if text.is_empty() { "unknown".into() } else { text }
}

impl DeadLetterBox for DeadLetterQueues {
    async fn receive(&self, priority: Priority, most: u16) -> Result<Vec<Letter>, QueueError> {
        let most = usize::from(most).clamp(1, PER_CALL);
        let receive = self
            .client
            .receive_message()
            .queue_url(self.urls.of(priority))
            .max_number_of_messages(i32::try_from(most).unwrap_or(1))
            .visibility_timeout(i32::try_from(VISIBILITY.as_secs()).unwrap_or(60))
            .wait_time_seconds(WAIT_SECONDS)
            .message_attribute_names(REASON)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        // The queue may take its time to answer that it is empty: longer than an attempt of any other call.
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(RECEIVE_TIMEOUT)
            .operation_timeout(RECEIVE_TIMEOUT * 2)
            .build();
        let patient = receive.customize().config_override(Config::builder().timeout_config(timeouts));
        let output = patient.send().await.map_err(unavailable)?;
        output.messages.unwrap_or_default().into_iter().map(letter).collect()
    }

    async fn delete(&self, priority: Priority, letter: &Letter) -> Result<(), QueueError> {
        let delete = self.client.delete_message().queue_url(self.urls.of(priority));
        delete.receipt_handle(&letter.receipt).send().await.map(|_| ()).map_err(unavailable)
    }

    async fn release(&self, priority: Priority, letter: &Letter) -> Result<(), QueueError> {
        let change = self.client.change_message_visibility().queue_url(self.urls.of(priority));
        let change = change.receipt_handle(&letter.receipt).visibility_timeout(0);
        change.send().await.map(|_| ()).map_err(unavailable)
    }

    async fn depth(&self, priority: Priority) -> Result<u64, QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let get = self.client.get_queue_attributes().queue_url(self.urls.of(priority));
        let output = get.set_attribute_names(Some(names.to_vec())).send().await.map_err(unavailable)?;
        let attributes = output.attributes.unwrap_or_default();
        let number = |name: &QueueAttributeName| {
            let value = attributes.get(name).and_then(|value| value.parse::<u64>().ok());
            value.ok_or_else(|| unavailable("the queue does not say how long it is"))
        };
        names.iter().map(number).sum()
    }
}

fn letter(message: Message) -> Result<Letter, QueueError> {
    let body = message.body.as_deref().unwrap_or_default();
    let reason = message.message_attributes.as_ref().and_then(|all| all.get(REASON)?.string_value.clone());
    let sent =
        message.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
    Ok(Letter {
        message: serde_json::from_str::<QueuedMessage>(body).ok().map(|queued| queued.message),
        reason,
        buried_at: sent.and_then(|ms| Timestamp::from_millisecond(ms.parse().ok()?).ok()),
        receipt: message.receipt_handle.ok_or_else(|| unavailable("a letter without a receipt"))?,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::operation::{
        change_message_visibility::ChangeMessageVisibilityOutput,
        delete_message::DeleteMessageOutput,
        get_queue_attributes::GetQueueAttributesOutput,
        receive_message::{ReceiveMessageError, ReceiveMessageOutput},
        send_message::{SendMessageError, SendMessageOutput},
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;

    const ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

    fn queues(rule: &Rule) -> DeadLetterQueues {
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]);
        DeadLetterQueues::new(client, PriorityUrls::named("dead"))
    }

    #[tokio::test]
    async fn a_letter_has_the_body_of_its_queue_and_the_reason() {
        let rule = mock!(Client::send_message)
            .match_requests(|request| {
                let reason = &request.message_attributes().unwrap()["reason"];
                request.queue_url() == Some("high-dead")
                    && request.message_body() == Some(&format!(r#"{{"message":"{ID}"}}"#))
                    && (reason.data_type(), reason.string_value()) == ("String", Some("outcome-unknown"))
            })
            .then_output(|| SendMessageOutput::builder().build());
        queues(&rule).bury(ID.parse().unwrap(), Priority::High, "outcome-unknown").await.unwrap();
        let fails = mock!(Client::send_message).then_error(|| SendMessageError::unhandled("injected"));
        let failed = queues(&fails).bury(ID.parse().unwrap(), Priority::Low, "x").await;
        assert!(matches!(failed, Err(QueueError::Unavailable(_))), "{failed:?}");
    }

    #[test]
    fn a_reason_is_what_the_queue_takes() {
        assert_eq!(sendable(""), "unknown");
        assert_eq!(sendable("a\u{0}b\nc"), "a b c");
        assert_eq!(sendable(&"券".repeat(600)).chars().count(), 500);
    }

    fn message(body: &str) -> aws_sdk_sqs::types::builders::MessageBuilder {
        Message::builder().body(body).receipt_handle("receipt")
    }

    #[tokio::test]
    async fn letters_are_received_and_kept_from_sight() {
        let rule = mock!(Client::receive_message)
            .match_requests(|request| {
                request.queue_url() == Some("low-dead")
                    && request.max_number_of_messages() == Some(10)
                    && request.visibility_timeout() == Some(60)
                    && request.message_attribute_names() == ["reason"]
            })
            .then_output(|| {
                let reason = MessageAttributeValue::builder().data_type("String").string_value("down");
                let whole = message(&format!(r#"{{"message":"{ID}"}}"#))
                    .message_attributes("reason", reason.build().unwrap())
                    .attributes(MessageSystemAttributeName::SentTimestamp, "1794326400130");
                let bare = message(&format!(r#"{{"message":"{ID}","later":1}}"#));
                let none = message("nonsense");
                ReceiveMessageOutput::builder()
                    .messages(whole.build())
                    .messages(bare.build())
                    .messages(none.build())
                    .build()
            });
        let letters = queues(&rule).receive(Priority::Low, 99).await.unwrap();
        let id = ID.parse().ok();
        let sent = Timestamp::from_millisecond(1_794_326_400_130).ok();
        let seen: Vec<_> =
            letters.iter().map(|it| (it.message, it.reason.as_deref(), it.buried_at)).collect();
        assert_eq!(seen, [(id, Some("down"), sent), (id, None, None), (None, None, None)]);
        let fails = mock!(Client::receive_message).then_error(|| ReceiveMessageError::unhandled("injected"));
        assert!(queues(&fails).receive(Priority::Low, 1).await.is_err());
    }

    #[tokio::test]
    async fn a_letter_is_deleted_or_released_by_its_receipt() {
        let letter = Letter { message: None, reason: None, buried_at: None, receipt: "receipt".into() };
        let delete = mock!(Client::delete_message)
            .match_requests(|request| request.receipt_handle() == Some("receipt"))
            .then_output(|| DeleteMessageOutput::builder().build());
        queues(&delete).delete(Priority::Low, &letter).await.unwrap();
        let release = mock!(Client::change_message_visibility)
            .match_requests(|request| {
                (request.receipt_handle(), request.visibility_timeout()) == (Some("receipt"), Some(0))
            })
            .then_output(|| ChangeMessageVisibilityOutput::builder().build());
        queues(&release).release(Priority::Low, &letter).await.unwrap();
    }

    #[tokio::test]
    async fn the_depth_has_what_is_kept_from_sight() {
        let rule = mock!(Client::get_queue_attributes).then_output(|| {
            GetQueueAttributesOutput::builder()
                .attributes(QueueAttributeName::ApproximateNumberOfMessages, "7")
                .attributes(QueueAttributeName::ApproximateNumberOfMessagesNotVisible, "3")
                .build()
        });
        assert_eq!(queues(&rule).depth(Priority::Low).await.unwrap(), 10);
        let silent =
            mock!(Client::get_queue_attributes).then_output(|| GetQueueAttributesOutput::builder().build());
        assert!(queues(&silent).depth(Priority::Low).await.is_err());
    }
}
