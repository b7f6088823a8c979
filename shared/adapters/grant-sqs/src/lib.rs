//! The queue of the work on grants.

use std::ops::Range;

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use contracts::GrantChunk;
use domain_coupon::StoreError;
use domain_grant::{Work, WorkQueue};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Messages of one call: what SQS takes.
const MESSAGES_PER_CALL: usize = 10;

/// Calls under way at once: 1,024 chunks are put into the queue in well under a second.
const CONCURRENCY: usize = 8;

/// The queue that `grant-coupons` takes from.
#[derive(Debug, Clone)]
pub struct GrantQueue {
    client: Client,
    url: String,
}

impl GrantQueue {
    /// The queue at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    async fn send_some(&self, messages: &[String]) -> Result<(), StoreError> {
        let entries = messages
            .iter()
            .enumerate()
            .map(|(at, body)| {
                SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(body).build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(unavailable)?;
        let call = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let output = call.send().await.map_err(unavailable)?;
        match output.failed().first() {
            None => Ok(()),
            Some(failed) => Err(unavailable(format!("not all messages were taken: {}", failed.code()))),
        }
    }
}

impl WorkQueue for GrantQueue {
    async fn send(&self, work: &[Work]) -> Result<(), StoreError> {
        let bodies = work.iter().map(|work| serde_json::to_string(&write(work)));
        let messages: Vec<String> = bodies.collect::<Result<_, _>>().map_err(unavailable)?;
        let calls: Vec<Vec<String>> = messages.chunks(MESSAGES_PER_CALL).map(<[_]>::to_vec).collect();
        stream::iter(calls)
            .map(|messages| async move { self.send_some(&messages).await })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}

/// The message that asks for `work`. A chunk has bytes, so that an empty range says that they are not known yet: they
/// are to be planned.
pub fn write(work: &Work) -> GrantChunk {
    match work {
        Work::Plan { grant, from } => GrantChunk { grant: *grant, chunk: *from, from: 0, to: 0 },
        Work::Chunk { grant, number, range } => {
            GrantChunk { grant: *grant, chunk: *number, from: range.start, to: range.end }
        }
    }
}

/// What a message of the queue asks for.
pub fn read(message: GrantChunk) -> Work {
    let GrantChunk { grant, chunk, from, to } = message;
    if from == to {
        Work::Plan { grant, from: chunk }
    } else {
        Work::Chunk { grant, number: chunk, range: Range { start: from, end: to } }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_sqs::{
        operation::send_message_batch::{SendMessageBatchError, SendMessageBatchOutput},
        types::BatchResultErrorEntry,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use domain_ids::GrantId;

    use super::*;

    fn work(chunks: u32) -> Vec<Work> {
        let grant = GrantId::from_parts(1, 1);
        let chunk = |number| Work::Chunk { grant, number, range: u64::from(number)..u64::from(number) + 7 };
        (0..chunks).map(chunk).chain([Work::Plan { grant, from: chunks }]).collect()
    }

    fn queue(rule: &Rule) -> GrantQueue {
        GrantQueue::new(mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]), "queue".into())
    }

    #[tokio::test]
    async fn all_work_is_sent_ten_at_a_time_and_read_again() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sent);
        let rule = mock!(Client::send_message_batch)
            .match_requests(move |request| {
                let bodies = request.entries().iter().map(|entry| entry.message_body().to_owned());
                seen.lock().unwrap().push(bodies.collect::<Vec<_>>());
                true
            })
            .then_output(|| {
                let output = SendMessageBatchOutput::builder().set_failed(Some(Vec::new()));
                output.set_successful(Some(Vec::new())).build().unwrap()
            });
        queue(&rule).send(&work(24)).await.unwrap();
        let mut calls = sent.lock().unwrap().clone();
        calls.sort_by_key(Vec::len);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [5, 10, 10]);
        let mut read: Vec<Work> =
            calls.concat().iter().map(|body| super::read(serde_json::from_str(body).unwrap())).collect();
        read.sort_by_key(|work| match work {
            Work::Plan { from, .. } => *from,
            Work::Chunk { number, .. } => *number,
        });
        assert_eq!(read, work(24));
    }

    #[tokio::test]
    async fn a_message_that_was_not_taken_is_an_outage() {
        let refused = || {
            let entry = BatchResultErrorEntry::builder().id("0").code("InternalError").sender_fault(false);
            let output = SendMessageBatchOutput::builder().failed(entry.build().unwrap());
            output.set_successful(Some(Vec::new())).build().unwrap()
        };
        let some = mock!(Client::send_message_batch).then_output(refused);
        assert!(matches!(queue(&some).send(&work(1)).await, Err(StoreError::Unavailable(_))));
        let none =
            mock!(Client::send_message_batch).then_error(|| SendMessageBatchError::unhandled("injected"));
        assert!(matches!(queue(&none).send(&work(1)).await, Err(StoreError::Unavailable(_))));
    }
}
