//! The queue of what people do in the search, that `count-searches` takes from.

use std::error::Error;

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata};
use contracts::SearchEvent as Message;
use domain_coupon::StoreError;
use domain_search::{Keyword, SearchEvent, SearchLog};

/// The queue of search events.
#[derive(Debug, Clone)]
pub struct SearchEventQueue {
    client: Client,
    url: String,
}

impl SearchEventQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl SearchLog for SearchEventQueue {
    async fn record(&self, event: SearchEvent) -> Result<(), StoreError> {
        let body = serde_json::to_string(&message(event)).map_err(unavailable)?;
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) if is_throttling(error.code()) => Err(StoreError::Throttled(Box::new(error))),
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// The event as it crosses the queue.
fn message(event: SearchEvent) -> Message {
    let text =
        |keyword: Option<Keyword>| keyword.map_or_else(String::new, |keyword| keyword.as_str().to_owned());
    match event {
        SearchEvent::Searched(event) => Message::Searched {
            search_id: event.search,
            at: event.at,
            keyword: text(event.keyword),
            total: event.total,
            client: event.client.as_str().to_owned(),
        },
        SearchEvent::Clicked(event) => Message::Clicked {
            search_id: event.search,
            at: event.at,
            keyword: text(event.keyword),
            homestay_id: event.homestay,
            position: event.position.get().into(),
            client: event.client.as_str().to_owned(),
        },
    }
}

/// Error codes by which SQS refuses more work for now.
fn is_throttling(code: Option<&str>) -> bool {
    matches!(code, Some("RequestThrottled" | "ThrottlingException" | "Throttling"))
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::{
        error::ErrorMetadata,
        operation::send_message::{SendMessageError, SendMessageOutput},
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use domain_search::{ClickPosition, Clicked, Searched};

    use super::*;

    const SEARCH: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

    fn searched() -> SearchEvent {
        SearchEvent::Searched(Searched {
            search: SEARCH.parse().unwrap(),
            at: "2025-11-15T14:37:12.136Z".parse().unwrap(),
            keyword: Keyword::fold("三里屯"),
            total: 128,
            client: domain_search::Client::at("203.0.113.7"),
        })
    }

    fn clicked() -> SearchEvent {
        SearchEvent::Clicked(Clicked {
            search: SEARCH.parse().unwrap(),
            at: "2025-11-15T14:37:12.136Z".parse().unwrap(),
            keyword: None,
            homestay: "h-1".parse().unwrap(),
            position: ClickPosition::new(3).unwrap(),
            client: domain_search::Client::at("203.0.113.7"),
        })
    }

    #[tokio::test]
    async fn what_is_sent_is_the_contract() {
        for (event, body) in [
            (
                searched(),
                r#"{"kind":"searched","searchId":"01KA3Z5QJ8M4T2R7V9X1C6B0NG","at":"2025-11-15T14:37:12.136Z","keyword":"三里屯","total":128,"client":"203.0.113.7"}"#,
            ),
            (
                clicked(),
                r#"{"kind":"clicked","searchId":"01KA3Z5QJ8M4T2R7V9X1C6B0NG","at":"2025-11-15T14:37:12.136Z","keyword":"","homestayId":"h-1","position":3,"client":"203.0.113.7"}"#,
            ),
        ] {
            let sent = mock!(Client::send_message)
                .match_requests(move |request| {
                    request.queue_url() == Some("queue") && request.message_body() == Some(body)
                })
                .then_output(|| SendMessageOutput::builder().build());
            let queue = SearchEventQueue::new(
                mock_client!(aws_sdk_sqs, RuleMode::Sequential, [&sent]),
                "queue".into(),
            );
            queue.record(event).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_queue_that_does_not_answer_is_an_outage() {
        let fails = mock!(Client::send_message).then_error(|| SendMessageError::unhandled("injected"));
        let queue =
            SearchEventQueue::new(mock_client!(aws_sdk_sqs, RuleMode::Sequential, [&fails]), "queue".into());
        let failed = queue.record(searched()).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    }

    #[tokio::test]
    async fn a_queue_that_refuses_more_is_told_from_an_outage() {
        let throttled =
            || SendMessageError::generic(ErrorMetadata::builder().code("RequestThrottled").build());
        let fails = mock!(Client::send_message).then_error(throttled);
        let queue =
            SearchEventQueue::new(mock_client!(aws_sdk_sqs, RuleMode::Sequential, [&fails]), "queue".into());
        let failed = queue.record(searched()).await;
        assert!(matches!(failed, Err(StoreError::Throttled(_))), "{failed:?}");
    }
}
