//! Messages of a standard queue.
//!
//! They come at least once, in no order; the outcome of each is its own. [`each`] has each dealt with by itself;
//! [`messages`] hands them over, to functions that deal with several together. Both are told how a body is read:
//! with [`json`], or with `str::parse` where it is no JSON.
//!
//! ```
//! use platform_batch::{BatchResponse, Failure, sqs::{self, SqsEvent}};
//!
//! # #[derive(serde::Deserialize)] struct Order;
//! # async fn pay(_: Order) -> Result<(), std::io::Error> { Ok(()) }
//! async fn handle(event: SqsEvent) -> BatchResponse {
//!     sqs::each(event, 8, sqs::json, |message| async move {
//!         pay(message.body).await.map_err(Failure::again)
//!     })
//!     .await
//! }
//! ```

use std::error::Error;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{BatchResponse, Failure};

/// Bytes of a message's body. Ours have below 2 KiB; `SQS` itself would take 1 MiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// What Lambda passes on from a queue, its bodies not parsed.
#[derive(Debug, Deserialize)]
pub struct SqsEvent {
    #[serde(rename = "Records")]
    records: Vec<RawMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMessage {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

/// A body is not for the log.
impl std::fmt::Debug for RawMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawMessage").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    #[serde(default)]
    approximate_receive_count: Option<String>,
    #[serde(default)]
    sent_timestamp: Option<String>,
}

/// A message that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<T> {
    /// Names the message in the response.
    pub id: String,
    /// When it was sent, where the queue says so.
    pub sent_at: Option<Timestamp>,
    /// Times it was received, this time included: from 1, about right.
    pub receive_count: u32,
    /// What it says.
    pub body: T,
}

/// The messages of a batch that `parse` can read, in the order they came in, and the response, in which the others
/// have failed already. The error of `parse` is logged: it must not repeat the body.
pub fn messages<T, X>(
    event: SqsEvent,
    parse: impl Fn(&str) -> Result<T, X>,
) -> (Vec<Message<T>>, BatchResponse)
where
    X: Into<Box<dyn Error + Send + Sync>>,
{
    let mut response = BatchResponse::new();
    let mut messages = Vec::with_capacity(event.records.len());
    for raw in event.records {
        match read(&raw.body, &parse) {
            Ok(body) => messages.push(Message {
                sent_at: raw.attributes.sent_at(),
                receive_count: raw.attributes.receive_count(),
                id: raw.message_id,
                body,
            }),
            Err(failure) => response.fail(&raw.message_id, &failure),
        }
    }
    (messages, response)
}

/// Has `handle` deal with each message that `parse` can read by itself, `concurrency` (at least 1) at once.
pub async fn each<T, X, F>(
    event: SqsEvent,
    concurrency: usize,
    parse: impl Fn(&str) -> Result<T, X>,
    handle: impl Fn(Message<T>) -> F,
) -> BatchResponse
where
    X: Into<Box<dyn Error + Send + Sync>>,
    F: Future<Output = Result<(), Failure>>,
{
    let (messages, response) = messages(event, parse);
    stream::iter(messages)
        .map(|message| {
            let id = message.id.clone();
            let handled = handle(message);
            async move { (id, handled.await) }
        })
        .buffer_unordered(concurrency.max(1))
        .fold(response, async |mut response, (id, handled)| {
            if let Err(failure) = handled {
                response.fail(&id, &failure);
            }
            response
        })
        .await
}

/// A body that is a JSON object.
pub fn json<T: DeserializeOwned>(body: &str) -> Result<T, Unreadable> {
    let value = serde_json::from_str(body).map_err(|error| Unreadable::from(&error))?;
    // serde takes the values of a struct in a row, too.
    if body.trim_start().starts_with('{') { Ok(value) } else { Err(Unreadable::NoObject) }
}

fn read<T, X>(body: &str, parse: impl Fn(&str) -> Result<T, X>) -> Result<T, Failure>
where
    X: Into<Box<dyn Error + Send + Sync>>,
{
    if body.len() > MAX_BODY_BYTES {
        return Err(Failure::never(Unreadable::TooLong { bytes: body.len() }));
    }
    parse(body).map_err(Failure::never)
}

impl Attributes {
    fn sent_at(&self) -> Option<Timestamp> {
        let ms = self.sent_timestamp.as_ref()?.parse().ok()?;
        Timestamp::from_millisecond(ms).ok()
    }

    fn receive_count(&self) -> u32 {
        self.approximate_receive_count.as_ref().and_then(|count| count.parse().ok()).unwrap_or(1)
    }
}

/// Why a body says nothing to us: without a word of it, which `serde_json` would repeat.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Longer than [`MAX_BODY_BYTES`].
    #[error("{bytes} bytes are too many")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not JSON.
    #[error("not JSON from line {line}, column {column} on")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, but not what was expected.
    #[error("not what was expected, at line {line}, column {column}")]
    Unexpected {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("not an object")]
    NoObject,
}

impl From<&serde_json::Error> for Unreadable {
    fn from(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_data() { Self::Unexpected { line, column } } else { Self::NotJson { line, column } }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use serde_json::json as value;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Thing {
        n: u32,
    }

    fn event(bodies: &[&str]) -> SqsEvent {
        let records = bodies.iter().enumerate().map(|(at, body)| {
            value!({
                "messageId": format!("m-{at}"),
                "receiptHandle": "x",
                "body": body,
                "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1794326400000" },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            })
        });
        serde_json::from_value(value!({ "Records": records.collect::<Vec<_>>() })).unwrap()
    }

    fn failed(response: &BatchResponse) -> Vec<&str> {
        response.failed().collect()
    }

    #[test]
    fn a_message_is_read_with_its_history() {
        let (messages, response) = messages(event(&[r#"{"n": 7, "new": true}"#]), json::<Thing>);
        let sent_at = Some(Timestamp::from_millisecond(1_794_326_400_000).unwrap());
        let message = Message { id: "m-0".into(), sent_at, receive_count: 3, body: Thing { n: 7 } };
        assert_eq!((messages, response), (vec![message], BatchResponse::new()));
    }

    #[test]
    fn a_message_without_history_is_read() {
        let event = value!({ "Records": [{ "messageId": "m", "body": "{\"n\": 1}" }] });
        let (messages, _) = messages(serde_json::from_value(event).unwrap(), json::<Thing>);
        assert_eq!((messages[0].sent_at, messages[0].receive_count), (None, 1));
    }

    #[test]
    fn what_cannot_be_read_fails_alone() {
        let long = format!("{{\"n\": 1, \"x\": \"{}\"}}", "x".repeat(MAX_BODY_BYTES));
        let bodies =
            ["", "null", r#"{"n": 1}"#, "{", r#"{"n": -1}"#, "[1]", r#"{"n": 2}"#, &long, r#"{"n": 3}{}"#];
        let (messages, response) = messages(event(&bodies), json::<Thing>);
        let read: Vec<u32> = messages.iter().map(|message| message.body.n).collect();
        assert_eq!(read, [1, 2]);
        assert_eq!(failed(&response), ["m-0", "m-1", "m-3", "m-4", "m-5", "m-7", "m-8"]);
    }

    #[test]
    fn the_reason_has_nothing_of_the_body() {
        for body in [r#"{"n": "13800138000"}"#, "13800138000", "{\"n\": 1380x}", &"1380".repeat(99_999)] {
            let failure = read(body, json::<Thing>).unwrap_err();
            let logged = platform_telemetry::Chain(&failure).to_string();
            assert!(logged.starts_with("can never succeed: ") && !logged.contains("1380"), "{logged}");
        }
        let shown = format!("{:?}", event(&["13800138000"]));
        assert!(shown.contains("m-0") && !shown.contains("1380"), "{shown}");
    }

    #[test]
    fn a_body_need_not_be_json() {
        let (messages, response) = messages(event(&["7", "x", "-1"]), str::parse::<u32>);
        assert_eq!(messages.iter().map(|message| message.body).collect::<Vec<_>>(), [7]);
        assert_eq!(failed(&response), ["m-1", "m-2"]);
    }

    #[test]
    fn a_message_without_an_id_fails_the_invocation() {
        let event = value!({ "Records": [{ "body": "{}" }] });
        assert!(serde_json::from_value::<SqsEvent>(event).is_err());
    }

    #[test]
    fn the_response_is_what_lambda_expects() {
        let mut response = BatchResponse::new();
        assert_eq!(value!(response), value!({ "batchItemFailures": [] }));
        for id in ["m-2", "m-1", "m-2"] {
            response.fail(id, &Failure::again("not now"));
        }
        let failures = value!([{ "itemIdentifier": "m-1" }, { "itemIdentifier": "m-2" }]);
        assert_eq!(value!(response), value!({ "batchItemFailures": failures }));
    }

    #[tokio::test]
    async fn so_many_are_dealt_with_at_once_and_no_more() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let bodies = [r#"{"n": 1}"#; 10];
        let response = each(event(&bodies), 3, json::<Thing>, |_| async {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            tokio::task::yield_now().await;
            running.set(running.get() - 1);
            Ok(())
        })
        .await;
        assert_eq!((response, most.get()), (BatchResponse::new(), 3));
    }

    proptest! {
        #[test]
        fn each_message_is_dealt_with_once_and_reported_if_it_failed(
            fates in proptest::collection::vec(0..4_u32, 0..40),
            concurrency in 0..12_usize,
            turned: bool,
        ) {
            let bodies: Vec<String> = fates
                .iter()
                .map(|fate| if *fate == 0 { "?".into() } else { format!("{{\"n\": {fate}}}") })
                .collect();
            let mut event = event(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
            if turned {
                event.records.reverse();
            }
            let dealt_with = Cell::new(0);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let response = runtime.block_on(each(event, concurrency, json::<Thing>, |message| {
                dealt_with.set(dealt_with.get() + 1);
                async move {
                    for _ in 0..message.body.n {
                        tokio::task::yield_now().await;
                    }
                    match message.body.n {
                        1 => Err(Failure::again("not now")),
                        2 => Err(Failure::never("impossible")),
                        _ => Ok(()),
                    }
                }
            }));
            let fated = |(at, fate): (usize, &u32)| (*fate < 3).then(|| format!("m-{at}"));
            let mut expected: Vec<String> = fates.iter().enumerate().filter_map(fated).collect();
            expected.sort();
            prop_assert_eq!(failed(&response), expected);
            prop_assert_eq!(dealt_with.get(), fates.iter().filter(|fate| **fate > 0).count());
        }
    }
}
