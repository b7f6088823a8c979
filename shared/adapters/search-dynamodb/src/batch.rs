use std::time::Duration;

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, WriteRequest};
use coupon_dynamodb::store_error;
use domain_coupon::StoreError;

use crate::SearchTable;

/// Requests that `BatchWriteItem` takes.
pub(crate) const MAX_REQUESTS: usize = 25;

/// Times that what `DynamoDB` leaves over is sent, and the wait before the second, doubled each time: some three seconds in all.
const TRIES: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(50);

impl SearchTable {
    /// Writes these, at most [`MAX_REQUESTS`] on different keys. If it fails, some may be written.
    pub(crate) async fn write(&self, mut requests: Vec<WriteRequest>) -> Result<(), StoreError> {
        for n in 0..TRIES {
            if requests.is_empty() {
                return Ok(());
            }
            if n > 0 {
                tokio::time::sleep(FIRST_WAIT * (1 << (n - 1))).await;
            }
            let output = self
                .client
                .batch_write_item()
                .request_items(&self.table, requests)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(store_error)?;
            self.consumed.write(output.consumed_capacity());
            requests =
                output.unprocessed_items.and_then(|mut left| left.remove(&self.table)).unwrap_or_default();
        }
        if requests.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Throttled(format!("{} of a batch were not written", requests.len()).into()))
        }
    }
}
