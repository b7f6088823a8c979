//! The queues from which messages are dispatched.

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use contracts::QueuedMessage;
use domain_channel::Priority;
use domain_notification::{DispatchQueue, MAX_DELAY, QueueError, Wake};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use crate::{PER_CALL, PriorityUrls, unavailable};

/// Calls at once.
const CONCURRENCY: usize = 8;

/// The dispatch queues, one for each priority.
#[derive(Debug, Clone)]
pub struct DispatchQueues {
    client: Client,
    urls: PriorityUrls,
}

impl DispatchQueues {
    /// The queues at `urls`, reached through `client`.
    pub fn new(client: Client, urls: PriorityUrls) -> Self {
        Self { client, urls }
    }

    async fn send_some(&self, priority: Priority, wakes: &[Wake], now: Timestamp) -> Result<(), QueueError> {
        let entry = |(place, wake): (usize, &Wake)| {
            let body = serde_json::to_string(&QueuedMessage { message: wake.id }).map_err(unavailable)?;
            SendMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .message_body(body)
                .delay_seconds(delay_seconds(wake.at, now))
                .build()
                .map_err(unavailable)
        };
        let entries = wakes.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let call = self.client.send_message_batch().queue_url(self.urls.of(priority));
        let output = call.set_entries(Some(entries)).send().await.map_err(unavailable)?;
        let taken = output.successful().len();
        if taken < wakes.len() { Err(QueueError::Partial { sent: wakes.len(), taken }) } else { Ok(()) }
    }
}

impl DispatchQueue for DispatchQueues {
    async fn wake(&self, wakes: &[Wake], now: Timestamp) -> Result<(), QueueError> {
        // The most urgent first, should there be no time for all.
        let by_priority = Priority::ALL.iter().rev().map(|&priority| {
            let of_it = wakes.iter().copied().filter(move |wake| wake.priority == priority);
            (priority, of_it.collect::<Vec<Wake>>())
        });
        let calls: Vec<(Priority, Vec<Wake>)> = by_priority
            .flat_map(|(priority, wakes)| {
                wakes.chunks(PER_CALL).map(|some| (priority, some.to_vec())).collect::<Vec<_>>()
            })
            .collect();
        let mut sending = stream::iter(calls)
            .map(|(priority, some)| async move { (some.len(), self.send_some(priority, &some, now).await) })
            .buffered(CONCURRENCY);
        // One queue may fail while the others are well: every call is made, and then the first error told.
        let (mut taken, mut failed) = (0, None);
        while let Some((sent, outcome)) = sending.next().await {
            match outcome {
                Ok(()) => taken += sent,
                Err(QueueError::Partial { taken: some, .. }) => taken += some,
                Err(error @ QueueError::Unavailable(_)) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None if taken < wakes.len() => Err(QueueError::Partial { sent: wakes.len(), taken }),
            None => Ok(()),
        }
    }
}

/// Rounded up to whole seconds, so that nothing is early.
fn delay_seconds(at: Timestamp, now: Timestamp) -> i32 {
    let ms = at.duration_since(now).min(MAX_DELAY).as_millis().max(0);
    let seconds = (ms + 999) / 1_000;
    i32::try_from(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_sqs::{
        operation::send_message_batch::{
            SendMessageBatchError, SendMessageBatchInput, SendMessageBatchOutput,
        },
        types::{BatchResultErrorEntry, SendMessageBatchResultEntry},
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use domain_ids::MessageId;
    use jiff::SignedDuration;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn wake(n: u128, priority: Priority, after_ms: i64) -> Wake {
        Wake { id: MessageId::from_parts(1, n), priority, at: NOW + SignedDuration::from_millis(after_ms) }
    }

    fn answer(taken: usize, refused: usize) -> SendMessageBatchOutput {
        let ok = |place: usize| {
            let entry = SendMessageBatchResultEntry::builder().id(place.to_string()).message_id("m");
            entry.md5_of_message_body("x").build().unwrap()
        };
        let not = |place: usize| {
            let entry = BatchResultErrorEntry::builder().id(place.to_string()).code("InternalError");
            entry.sender_fault(false).build().unwrap()
        };
        SendMessageBatchOutput::builder()
            .set_successful(Some((0..taken).map(ok).collect()))
            .set_failed(Some((taken..taken + refused).map(not).collect()))
            .build()
            .unwrap()
    }

    fn queues(rules: &[Rule]) -> DispatchQueues {
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, rules);
        DispatchQueues::new(client, PriorityUrls::named("queue"))
    }

    fn of_length(length: usize) -> Rule {
        mock!(Client::send_message_batch)
            .match_requests(move |request| request.entries().len() == length)
            .then_output(move || answer(length, 0))
    }

    #[tokio::test]
    async fn each_goes_into_the_queue_of_its_priority_ten_at_a_time() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut wakes: Vec<Wake> = (0..23).map(|n| wake(n, Priority::Low, 0)).collect();
        wakes.insert(5, wake(99, Priority::Urgent, 0));
        let record = Arc::clone(&seen);
        let note = move |request: &SendMessageBatchInput| {
            let bodies: Vec<String> =
                request.entries().iter().map(|entry| entry.message_body().to_owned()).collect();
            record.lock().unwrap().push((request.queue_url().unwrap().to_owned(), bodies));
            false
        };
        let watch = mock!(Client::send_message_batch).match_requests(note).then_output(|| answer(0, 0));
        queues(&[watch, of_length(1), of_length(3), of_length(10)]).wake(&wakes, NOW).await.unwrap();
        let calls = seen.lock().unwrap().clone();
        let lengths: Vec<(&str, usize)> =
            calls.iter().map(|(queue, bodies)| (queue.as_str(), bodies.len())).collect();
        assert_eq!(lengths, [("urgent-queue", 1), ("low-queue", 10), ("low-queue", 10), ("low-queue", 3)]);
        assert_eq!(calls[0].1, [format!(r#"{{"message":"{}"}}"#, wakes[5].id)]);
    }

    #[test]
    fn a_delay_is_rounded_up_and_stays_within_what_the_queue_can() {
        for (after_ms, seconds) in [
            (-5_000, 0),
            (0, 0),
            (1, 1),
            (999, 1),
            (1_000, 1),
            (1_001, 2),
            (899_001, 900),
            (900_000, 900),
            (900_001, 900),
            (i64::MAX / 2_000_000, 900),
        ] {
            let at = NOW + SignedDuration::from_millis(after_ms);
            assert_eq!(delay_seconds(at, NOW), seconds, "{after_ms} ms");
        }
    }

    #[tokio::test]
    async fn the_delay_is_sent() {
        let rule = mock!(Client::send_message_batch)
            .match_requests(|request| request.entries()[0].delay_seconds() == Some(61))
            .then_output(|| answer(1, 0));
        queues(&[rule]).wake(&[wake(1, Priority::High, 60_500)], NOW).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_not_taken_is_counted() {
        let some = mock!(Client::send_message_batch).then_output(|| answer(2, 1));
        let wakes: Vec<Wake> = (0..3).map(|n| wake(n, Priority::Normal, 0)).collect();
        let failed = queues(&[some]).wake(&wakes, NOW).await;
        assert!(matches!(failed, Err(QueueError::Partial { sent: 3, taken: 2 })), "{failed:?}");
    }

    #[tokio::test]
    async fn one_queue_that_fails_does_not_keep_the_others_waiting() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        let broken = mock!(Client::send_message_batch)
            .match_requests(move |request| {
                seen.lock().unwrap().push(request.queue_url().unwrap().to_owned());
                request.queue_url() == Some("urgent-queue")
            })
            .then_error(|| SendMessageBatchError::unhandled("injected"));
        let wakes = [wake(1, Priority::Low, 0), wake(2, Priority::Urgent, 0)];
        let failed = queues(&[broken, of_length(1)]).wake(&wakes, NOW).await;
        assert!(matches!(failed, Err(QueueError::Unavailable(_))), "{failed:?}");
        assert_eq!(*calls.lock().unwrap(), ["urgent-queue", "low-queue"]);
    }
}
