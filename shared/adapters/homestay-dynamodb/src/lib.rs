//! Homestays, the jobs that import them and the rebuilds of their index, on one table.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | homestay | `HOMESTAY#<homestay>` | `HOMESTAY` |
//! | import | `IMPORT#<import>` | `IMPORT` |
//! | key of a request for an import | `IMPORT#KEY#<digest>` | `KEY` |
//! | rebuild of the search index, or comparison with it | `REBUILD#<rebuild>` | `REBUILD` |
//! | the rebuild, the comparison that is running | `REBUILD#` | `CURRENT`, `RECONCILING` |
//! | key of a request for a rebuild | `REBUILD#KEY#<digest>` | `KEY` |
//!
//! A homestay carries the keys of the index `homestays-by-host`: `hostPk` = `HOST#<host>` and `createdAt`. Deleting it is an
//! update that takes its content and those keys away, raises its version and sets `ttl`: the version is known for 30 days more.
//! Jobs carry the keys of the index `jobs-by-start`: `listPk` = `IMPORTS`, `REBUILDS` or
//! `RECONCILIATIONS`, `listSk` = their id.
//!
//! The table's stream brings every change of a homestay to the search index: [`homestay_from_image`] reads its images.

mod homestay_item;
mod homestays;
mod import_item;
mod imports;
mod keys;
mod rebuild;
mod source;

use std::sync::Arc;

use aws_sdk_dynamodb::{Client, types::ReturnConsumedCapacity};
use coupon_dynamodb::{Consumed, store_error};
use domain_coupon::StoreError;

use homestays::ScanPosition;
use keys::Item;

pub use homestay_item::{Unreadable, homestay_from_image};

/// The homestay table.
#[derive(Debug, Clone)]
pub struct HomestayTable {
    client: Client,
    table: String,
    consumed: Arc<Consumed>,
}

impl HomestayTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, consumed: Arc::default() }
    }

    /// Counts what DynamoDB charged for the calls of this table.
    pub fn consumed(&self) -> &Consumed {
        &self.consumed
    }

    /// The item as it is now.
    async fn item(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        let output =
            get.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        Ok(output.item)
    }
}
