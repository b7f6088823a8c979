//! The stream of the notification table: the outbox of what was accepted.

use std::convert::Infallible;

use domain_ids::MessageId;
use domain_notification::{DispatchQueue, Plan, Schedules, Wake, plan};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use notification_dynamodb::message_from_item;
use platform_batch::{
    Failure, StreamEvent, StreamResponse,
    stream::{self as changes, Change, Position},
};
use serde_dynamo::{AttributeValue, Item};

/// Schedules made at once: Scheduler takes 50 to 1,000 a second, for all execution environments together.
const CONCURRENCY: usize = 8;

/// Queues or schedules each new message, in any order, unless it waits in the table. Reports the first one that is not
/// where it should be: Lambda brings it again with all behind it, and to be queued or scheduled twice does no harm.
///
/// Changes of a message are not looked at: whoever has it wait again says where.
pub async fn handle(
    queue: &impl DispatchQueue,
    schedules: &impl Schedules,
    now: Timestamp,
    event: StreamEvent,
) -> Result<StreamResponse, Infallible> {
    let (records, mut response) = changes::records::<Item>(event);
    let mut wakes: Vec<(Position, Wake)> = Vec::new();
    let mut later: Vec<(Position, MessageId, Timestamp)> = Vec::new();
    let mut waiting = 0_u64;
    for record in records {
        let Change::Insert(item) = record.change else { continue };
        if !is_message(&item) {
            continue;
        }
        match message_from_item(item.into()) {
            Ok(message) => match plan(&message, now) {
                Plan::Queue(wake) => wakes.push((record.position, wake)),
                Plan::Schedule(at) => later.push((record.position, message.id, at)),
                Plan::Wait => waiting += 1,
                Plan::Nothing => {}
            },
            Err(error) => response.fail(&record.position, &Failure::never(error)),
        }
    }
    let (queued, planned) = (count(wakes.len()), count(later.len()));
    if let Some((first, _)) = wakes.first() {
        let all: Vec<Wake> = wakes.iter().map(|(_, wake)| *wake).collect();
        if let Err(error) = queue.wake(&all, now).await {
            // Which of them are in is not known.
            response.fail(first, &Failure::again(error));
        }
    }
    let mut scheduling = stream::iter(later)
        .map(|(position, id, at)| async move { (position, schedules.schedule(id, at, now).await) })
        .buffer_unordered(CONCURRENCY);
    while let Some((position, outcome)) = scheduling.next().await {
        if let Err(error) = outcome {
            response.fail(&position, &Failure::again(error));
        }
    }
    metrics::counter!("NotificationsQueued", "by" => "stream").increment(queued);
    metrics::counter!("NotificationsScheduled").increment(planned);
    tracing::info!(
        notifications.queued = queued,
        notifications.scheduled = planned,
        notifications.waiting = waiting,
        "queued"
    );
    Ok(response)
}

fn is_message(item: &Item) -> bool {
    matches!(item.get("pk"), Some(AttributeValue::S(pk)) if pk.starts_with("MESSAGE#"))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
