//! What is due: of the table every minute, single messages when their schedule says so.

use contracts::QueuedMessage;
use domain_ids::MessageId;
use domain_notification::{DispatchQueue, DueMessages, Swept, WakeError, sweep, wake};
use jiff::Timestamp;
use serde::Deserialize;

/// What calls the function: the minute's schedule, whose event says nothing that matters, or the schedule of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "RawTick")]
pub enum Tick {
    /// The minute is over.
    Minute,
    /// A message is soon due.
    Message(MessageId),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawTick {
    Message(QueuedMessage),
    Minute(Minute),
}

/// An object without `message`: an event that names a message but not one of ours must fail, not sweep.
#[derive(Deserialize)]
struct Minute {
    #[serde(default, rename = "message", deserialize_with = "refuse")]
    _message: (),
}

fn refuse<'de, D: serde::Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    Err(serde::de::Error::custom("no message of ours"))
}

impl From<RawTick> for Tick {
    fn from(raw: RawTick) -> Self {
        match raw {
            RawTick::Message(QueuedMessage { message }) => Self::Message(message),
            RawTick::Minute(Minute { _message: () }) => Self::Minute,
        }
    }
}

/// Gives what is due to the queues, while there is time. What fails is tried again: by Scheduler, or by the next minute,
/// which comes while nothing is late yet.
pub async fn handle<S: DueMessages, Q: DispatchQueue>(
    store: &S,
    queue: &Q,
    now: Timestamp,
    is_time_left: impl Fn() -> bool + Sync,
    tick: Tick,
) -> Result<(), WakeError> {
    match tick {
        Tick::Minute => record(sweep(store, queue, now, is_time_left).await?),
        Tick::Message(id) => {
            wake(store, queue, id, now).await?;
            metrics::counter!("NotificationsQueued", "by" => "schedule").increment(1);
            tracing::info!(notification.id = %id, "woke");
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a century are exact")]
fn record(Swept { queued, latest_ms, is_complete }: Swept) {
    metrics::counter!("NotificationsQueued", "by" => "sweep").increment(queued);
    metrics::gauge!("NotificationsLateMs").set(latest_ms as f64);
    if is_complete {
        tracing::info!(notifications.queued = queued, notifications.latest_ms = latest_ms, "swept");
    } else {
        tracing::warn!(
            notifications.queued = queued,
            notifications.latest_ms = latest_ms,
            "no time for all that is due"
        );
    }
}
