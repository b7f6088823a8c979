//! The stream of the homestay table.

use std::convert::Infallible;

use domain_homestay::{Applied, Change, IndexError, IndexWriter, newest};
use homestay_dynamodb::homestay_from_image;
use jiff::Timestamp;
use platform_batch::{
    Failure, StreamEvent, StreamResponse,
    stream::{self, Change as ImageChange, Position},
};
use serde_dynamo::Item;

/// Brings the changes of a batch to every generation of the index, together: a call costs much, a change in it little.
///
/// Changes that cannot be read fail by themselves. Where the index fails, the first of the others is reported: Lambda brings it
/// again with all behind it, and the index recognises by their versions those that it has.
///
/// `clock` is read when the changes can be found: how long that took is the `index.lag`.
pub async fn handle(
    index: &impl IndexWriter,
    clock: impl Fn() -> Timestamp,
    event: StreamEvent,
) -> Result<StreamResponse, Infallible> {
    let (records, mut response) = stream::records::<Item>(event);
    let mut first: Option<Position> = None;
    let mut written: Vec<Timestamp> = Vec::new();
    let mut changes: Vec<Change> = Vec::new();
    for record in records {
        let image = match record.change {
            ImageChange::Insert(new) | ImageChange::Modify { new, .. } => new,
            // What was deleted is not removed: it is changed first, and that change has taken it out of the index as the version
            // it then had. The item goes 30 days later, at the end of its time to live, and says nothing new: the index forgets
            // its version when it is next compared with the table, when no older change can come any more.
            ImageChange::Remove(_) => continue,
        };
        match homestay_from_image(image) {
            Ok(Some(homestay)) => {
                changes.push(Change::of(&homestay));
                written.extend(record.created_at);
                first.get_or_insert(record.position);
            }
            Ok(None) => {}
            Err(error) => response.fail(&record.position, &Failure::never(error)),
        }
    }
    let Some(first) = first else { return Ok(response) };
    let number = changes.len();
    match index.apply(&newest(changes)).await {
        Ok(applied) => record(applied, number, &written, clock()),
        Err(error) => response.fail(&first, &to_failure(error)),
    }
    Ok(response)
}

fn to_failure(error: IndexError) -> Failure {
    if error.is_retryable() { Failure::again(error) } else { Failure::never(error) }
}

#[expect(clippy::cast_precision_loss, reason = "a lag has fewer than 52 bits")]
fn record(applied: Applied, records: usize, written: &[Timestamp], now: Timestamp) {
    let Applied { applied, outdated } = applied;
    for (name, number) in [("HomestaysIndexed", applied), ("HomestaysOutdated", outdated)] {
        metrics::counter!(name).increment(u64::try_from(number).unwrap_or(u64::MAX));
    }
    let lags = written.iter().map(|written| now.duration_since(*written).as_millis().max(0));
    let mut longest = 0;
    for lag_ms in lags {
        longest = lag_ms.max(longest);
        metrics::histogram!("IndexLagMs").record(lag_ms as f64);
    }
    tracing::info!(
        index.records = records,
        index.applied = applied,
        index.outdated = outdated,
        index.lag = i64::try_from(longest).unwrap_or(i64::MAX),
        "indexed"
    );
}
