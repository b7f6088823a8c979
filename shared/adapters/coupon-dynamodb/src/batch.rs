//! Batches. `DynamoDB` leaves over what it has no room for, and what is left over is asked for again.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity, WriteRequest},
};
use backon::{ExponentialBuilder, RetryableWithContext};
use domain_coupon::StoreError;

use crate::{Consumed, store_error};

/// Guests wait for what is read: three more times, within some 0.2 s.
const READ_AGAIN: ExponentialBuilder = ExponentialBuilder::new()
    .with_jitter()
    .with_min_delay(Duration::from_millis(20))
    .with_max_delay(Duration::from_millis(100))
    .with_max_times(3);

/// Five more times, within some three seconds.
const WRITE_AGAIN: ExponentialBuilder = ExponentialBuilder::new()
    .with_jitter()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(Duration::from_secs(1))
    .with_max_times(5);

/// Why a batch is not done.
enum NotDone {
    LeftOver,
    Failed(StoreError),
}

impl NotDone {
    fn is_left_over(&self) -> bool {
        matches!(self, Self::LeftOver)
    }
}

impl From<NotDone> for StoreError {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::LeftOver => Self::Throttled("a part of a batch was left over each time".into()),
            NotDone::Failed(error) => error,
        }
    }
}

/// All items that there are of those `wanted` of `table`, at most 100, in any order. Whatever is not read in the end is an
/// error: it must not pass for what is not there.
pub async fn read_batch(
    client: &Client,
    table: &str,
    wanted: KeysAndAttributes,
    consumed: &Consumed,
) -> Result<Vec<HashMap<String, AttributeValue>>, StoreError> {
    let found = Vec::with_capacity(wanted.keys().len());
    let read = async |found: &mut Vec<_>, wanted: &mut HashMap<_, _>| {
        let get = client.batch_get_item().set_request_items(Some(std::mem::take(wanted)));
        let get = get.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = get.send().await.map_err(|error| NotDone::Failed(store_error(error)))?;
        consumed.read(output.consumed_capacity());
        found.extend(output.responses.into_iter().flatten().flat_map(|(_, items)| items));
        *wanted = output.unprocessed_keys.unwrap_or_default();
        if wanted.is_empty() { Ok(()) } else { Err(NotDone::LeftOver) }
    };
    let ((found, _), done) = (async |(mut found, mut wanted)| {
        let done = read(&mut found, &mut wanted).await;
        ((found, wanted), done)
    })
    .retry(READ_AGAIN)
    .sleep(tokio::time::sleep)
    .context((found, HashMap::from([(table.to_owned(), wanted)])))
    .when(NotDone::is_left_over)
    .await;
    done?;
    Ok(found)
}

/// Writes these to `table`, at most 25 on different keys. If it fails, some may be written.
pub async fn write_batch(
    client: &Client,
    table: &str,
    requests: Vec<WriteRequest>,
    consumed: &Consumed,
) -> Result<(), StoreError> {
    if requests.is_empty() {
        return Ok(());
    }
    let write = async |requests: &mut Vec<WriteRequest>| {
        let write = client.batch_write_item().request_items(table, std::mem::take(requests));
        let write = write.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = write.send().await.map_err(|error| NotDone::Failed(store_error(error)))?;
        consumed.write(output.consumed_capacity());
        *requests = output.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
        if requests.is_empty() { Ok(()) } else { Err(NotDone::LeftOver) }
    };
    let (_, done) = (async |mut requests| {
        let done = write(&mut requests).await;
        (requests, done)
    })
    .retry(WRITE_AGAIN)
    .sleep(tokio::time::sleep)
    .context(requests)
    .when(NotDone::is_left_over)
    .await;
    Ok(done?)
}
