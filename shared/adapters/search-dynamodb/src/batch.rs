use aws_sdk_dynamodb::types::WriteRequest;
use coupon_dynamodb::write_batch;
use domain_coupon::StoreError;

use crate::SearchTable;

/// Requests that `BatchWriteItem` takes.
pub(crate) const MAX_REQUESTS: usize = 25;

impl SearchTable {
    /// Writes these, at most [`MAX_REQUESTS`] on different keys. If it fails, some may be written.
    pub(crate) async fn write(&self, requests: Vec<WriteRequest>) -> Result<(), StoreError> {
        write_batch(&self.client, &self.table, requests, &self.consumed).await
    }
}
