//! Reading items by their keys.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use domain_coupon::StoreError;

use crate::{CouponTable, error::store_error, keys::Key};

/// Times that keys DynamoDB left unprocessed are asked for again.
const MAX_BATCH_ROUNDS: u32 = 4;

impl CouponTable {
    /// The item as it is now.
    pub(crate) async fn item(&self, key: Key) -> Result<Option<Key>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        Ok(output.item)
    }

    /// All items there are of those wanted (at most 100), in any order.
    pub(crate) async fn items(&self, wanted: KeysAndAttributes) -> Result<Vec<Key>, StoreError> {
        let mut found = Vec::with_capacity(wanted.keys().len());
        let mut requested = HashMap::from([(self.table.clone(), wanted)]);
        for _ in 0..MAX_BATCH_ROUNDS {
            let output = self
                .client
                .batch_get_item()
                .set_request_items(Some(requested))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(store_error)?;
            self.consumed.read(output.consumed_capacity());
            found.extend(output.responses.into_iter().flatten().flat_map(|(_, items)| items));
            requested = output.unprocessed_keys.unwrap_or_default();
            if requested.is_empty() {
                return Ok(found);
            }
        }
        // An item that was not read must not pass for one that is not there.
        Err(StoreError::Throttled("keys of a batch stayed unprocessed".into()))
    }
}
