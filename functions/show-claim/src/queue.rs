//! How far the claim queue has come.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
};

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use claim_request_dynamodb::ClaimRequests;
use jiff::{SignedDuration, Timestamp};
use platform_telemetry::Chain;

use crate::place::QueueState;

/// How long an environment believes what it was told: every guest who asks meanwhile is told the same.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_secs(1);

/// The queue, as one may look at it.
pub trait ClaimQueue: Sync {
    /// About how many claims wait in it.
    fn waiting(&self) -> impl Future<Output = Result<u64, Box<dyn Error + Send + Sync>>> + Send;
}

/// A queue of SQS.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The one at `url`, reached through `client`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl ClaimQueue for SqsQueue {
    async fn waiting(&self) -> Result<u64, Box<dyn Error + Send + Sync>> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let output = request.send().await?;
        let waiting = output.attributes.and_then(|mut attributes| attributes.remove(&name));
        Ok(waiting.ok_or("the queue does not tell its length")?.parse()?)
    }
}

/// What this environment was told last.
#[derive(Debug, Default)]
pub struct QueueWatch(Mutex<Option<(Timestamp, QueueState)>>);

impl QueueWatch {
    /// How far the queue has come; `None` where that cannot be found out, which is logged.
    pub async fn look(
        &self,
        queue: &impl ClaimQueue,
        requests: &ClaimRequests,
        now: Timestamp,
    ) -> Option<QueueState> {
        if let Some(state) = self.recall(now) {
            return Some(state);
        }
        // Taken first: a claim that is taken in between is counted twice, and the place comes out a little high.
        let taken = requests.taken().await;
        let taken = taken.inspect_err(|error| tracing::warn!(error = %Chain(error), "no progress")).ok()?;
        let waiting = queue.waiting().await;
        let waiting = waiting
            .inspect_err(|error| tracing::warn!(error = %Chain(error.as_ref()), "no length of the queue"))
            .ok()?;
        let state = QueueState { taken, waiting };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, state));
        Some(state)
    }

    fn recall(&self, now: Timestamp) -> Option<QueueState> {
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, state) = told?;
        (SignedDuration::ZERO..BELIEVED_FOR).contains(&now.duration_since(at)).then_some(state)
    }
}
