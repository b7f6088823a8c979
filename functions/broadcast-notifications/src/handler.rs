//! Messages of the queue of broadcasts.

use std::convert::Infallible;

use contracts::BroadcastPage;
use domain_ids::BroadcastId;
use domain_notification::{
    BroadcastStatus, BroadcastStep, BroadcastSteps, Broadcasts, Directory, MessageStore, Renderer, Stepped,
    TemplateReader, take_step,
};
use jiff::Timestamp;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};

/// Messages worked on at once. The queue hands over one; were it more, each would have a share of the time-out.
const CONCURRENCY: usize = 1;

/// What an invocation works on.
#[derive(Debug)]
pub struct Ports<S, Q, D, T, R> {
    /// Broadcasts and messages.
    pub store: S,
    /// Where the next steps go.
    pub queue: Q,
    /// The directory of guests.
    pub directory: D,
    /// What messages say.
    pub templates: T,
    /// What fills it in.
    pub renderer: R,
}

/// Takes each message's step, or reports the message to be delivered again, which goes on where this one stopped: also
/// because it no longer `has_time`.
pub async fn handle<S, Q, D, T, R>(
    ports: &Ports<S, Q, D, T, R>,
    now: Timestamp,
    has_time: impl Fn() -> bool + Sync,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible>
where
    S: Broadcasts + MessageStore,
    Q: BroadcastSteps,
    D: Directory,
    T: TemplateReader,
    R: Renderer,
{
    let Ports { store, queue, directory, templates, renderer } = ports;
    let has_time = &has_time;
    let step = |message: sqs::Message<BroadcastPage>| async move {
        let BroadcastPage { broadcast, page, token } = message.body;
        let step = BroadcastStep { broadcast, page, token };
        match take_step((store, queue, directory), (templates, renderer), &step, now, has_time).await {
            Ok(stepped) => {
                record(broadcast, page, stepped);
                Ok(())
            }
            Err(error) if error.is_retryable() => Err(Failure::again(error)),
            Err(error) => Err(Failure::never(error)),
        }
    };
    Ok(sqs::each(event, CONCURRENCY, sqs::json, step).await)
}

/// One log line for a step; no guests.
fn record(broadcast: BroadcastId, page: u32, stepped: Stepped) {
    let outcome = match stepped {
        Stepped::Sent => "sent",
        Stepped::Over(status) => status.name(),
        Stepped::Passed => "passed",
        Stepped::Gone => "gone",
    };
    if let Stepped::Over(BroadcastStatus::Failed(why)) = stepped {
        metrics::counter!("BroadcastsFailed", "reason" => why.name()).increment(1);
        tracing::error!(broadcast.id = %broadcast, broadcast.failure = why.name(), "broadcast failed");
    }
    tracing::info!(broadcast.id = %broadcast, broadcast.page = page, broadcast.outcome = outcome, "step");
}
