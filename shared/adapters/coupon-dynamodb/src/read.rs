//! Reading items by their keys.

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use domain_coupon::StoreError;

use crate::{CouponTable, batch::read_batch, error::store_error, keys::Key};

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
        read_batch(&self.client, &self.table, wanted, &self.consumed).await
    }
}
