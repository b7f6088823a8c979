//! Messages of a dispatch queue.

use std::convert::Infallible;

use contracts::QueuedMessage;
use domain_ids::MessageId;
use domain_notification::{
    Caps, DeadLetters, Digests, Dispatch, DispatchError, DispatchQueue, Dispatched, Gateway, Guests,
    MessageStore, References, Renderer, Status, TemplateReader, Wake,
};
use jiff::Timestamp;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};

/// Messages of a batch that are dispatched at once: all. Each mostly waits for a provider.
const CONCURRENCY: usize = 10;

/// How often a message is looked at again at once, after somebody else has changed it meanwhile.
const TRIES: usize = 3;

/// Brings each message as far as it gets now. One that is to be dispatched again goes back into its queue with a delay, so
/// that its deliveries are not counted: what fails by itself is counted by the message.
pub async fn handle<S, T, R, G, C>(
    dispatch: &Dispatch<'_, S, T, R, G, C>,
    queue: &impl DispatchQueue,
    dead_letters: &impl DeadLetters,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible>
where
    S: MessageStore + Guests + Caps + Digests + References,
    T: TemplateReader,
    R: Renderer,
    G: Gateway,
    C: Fn() -> Timestamp + Sync,
{
    let response = sqs::each(event, CONCURRENCY, sqs::json::<QueuedMessage>, async |message| {
        let id = message.body.message;
        let dispatched = dispatched(dispatch, id).await.map_err(Failure::again)?;
        act(queue, dead_letters, id, &dispatched, (dispatch.clock)()).await
    })
    .await;
    Ok(response)
}

async fn dispatched<S, T, R, G, C>(
    dispatch: &Dispatch<'_, S, T, R, G, C>,
    id: MessageId,
) -> Result<Dispatched, DispatchError>
where
    S: MessageStore + Guests + Caps + Digests + References,
    T: TemplateReader,
    R: Renderer,
    G: Gateway,
    C: Fn() -> Timestamp + Sync,
{
    let mut tries = 1;
    loop {
        match dispatch.dispatch(id).await {
            Err(DispatchError::Outdated) if tries < TRIES => tries += 1,
            dispatched => return dispatched,
        }
    }
}

/// Does what is left to do, before the message's delivery is acknowledged.
async fn act(
    queue: &impl DispatchQueue,
    dead_letters: &impl DeadLetters,
    id: MessageId,
    dispatched: &Dispatched,
    now: Timestamp,
) -> Result<(), Failure> {
    let count = |outcome: &'static str| {
        metrics::counter!("NotificationsDispatched", "outcome" => outcome).increment(1);
    };
    match dispatched {
        Dispatched::Sent { provider } => {
            count("sent");
            tracing::info!(message.id = %id, provider = provider.as_str(), "sent");
        }
        Dispatched::Done(status) => {
            count("done");
            tracing::info!(message.id = %id, message.status = status.map(Status::name), "nothing to do");
        }
        Dispatched::Refused(reason) => {
            count("refused");
            tracing::info!(message.id = %id, reason = reason.as_str(), "not sent");
        }
        Dispatched::Waits => count("waits"),
        Dispatched::Later { at, priority, is_retry } => {
            count(if *is_retry { "retry" } else { "later" });
            tracing::info!(message.id = %id, message.at = %at, is_retry, "again later");
            let wake = Wake { id, priority: *priority, at: *at };
            queue.wake(&[wake], now).await.map_err(Failure::again)?;
        }
        Dispatched::Dead { reason, priority } => {
            count("dead");
            tracing::error!(message.id = %id, reason = reason.as_str(), "dead letter");
            dead_letters.bury(id, *priority, reason).await.map_err(Failure::again)?;
        }
    }
    Ok(())
}
