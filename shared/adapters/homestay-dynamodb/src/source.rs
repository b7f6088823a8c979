//! The table as those read it who bring it to an index: an item that nobody understands keeps no other from being found.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};
use coupon_dynamodb::{corrupt, store_error};
use domain_coupon::StoreError;
use domain_homestay::{HomestaySource, Stored, TABLE_PARTS, TablePage, TablePosition};
use domain_ids::HomestayId;

use crate::{
    HomestayTable, ScanPosition, homestay_item,
    keys::{self, Item, text},
};

/// Keys of one `BatchGetItem`: what DynamoDB takes. A hundred of the largest homestays are 2.4 MB, of 16 that it returns.
const KEYS_PER_READ: usize = 100;

/// Times that keys which DynamoDB left unprocessed are asked for again.
const MAX_BATCH_ROUNDS: u32 = 4;

impl HomestaySource for HomestayTable {
    async fn page(
        &self,
        part: u16,
        after: Option<&TablePosition>,
        limit: u16,
    ) -> Result<TablePage, StoreError> {
        let after: Option<ScanPosition> = after.map(|after| after.0.parse()).transpose().map_err(corrupt)?;
        let output = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(i32::from(part))
            .total_segments(i32::from(TABLE_PARTS))
            .set_exclusive_start_key(after.map(ScanPosition::into_key))
            .filter_expression("sk = :homestay")
            .expression_attribute_values(":homestay", text(keys::HOMESTAY))
            .consistent_read(true)
            .limit(i32::from(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let mut page = TablePage::default();
        for item in output.items.unwrap_or_default() {
            let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
            if let Ok(homestay) = homestay_item::parse(item) {
                page.homestays.push(homestay);
            } else {
                page.unreadable += 1;
                tracing::warn!(item.pk = pk, "an item of the table is not readable");
            }
        }
        let next = output.last_evaluated_key.map(ScanPosition::of).transpose()?;
        page.next = next.map(|next| TablePosition(next.to_string()));
        Ok(page)
    }

    async fn many(&self, ids: &[HomestayId]) -> Result<Vec<Stored>, StoreError> {
        // DynamoDB refuses a key that is asked for twice.
        let distinct: Vec<&HomestayId> = ids.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = HashMap::with_capacity(distinct.len());
        for ids in distinct.chunks(KEYS_PER_READ) {
            let keys = ids.iter().map(|id| keys::homestay(id)).collect();
            for mut item in self.items(keys).await? {
                let pk = match item.get("pk") {
                    Some(AttributeValue::S(pk)) => pk.clone(),
                    _ => return Err(corrupt("an item without its key")),
                };
                item.remove(homestay_item::IMPORTED);
                let stored = homestay_item::parse(item);
                found.insert(
                    pk,
                    stored.map_or(Stored::Unreadable, |homestay| Stored::Homestay(Box::new(homestay))),
                );
            }
        }
        let stored = |id| found.get(&keys::homestay_pk(id)).cloned().unwrap_or(Stored::Nothing);
        Ok(ids.iter().map(stored).collect())
    }

    async fn estimate(&self) -> Result<u64, StoreError> {
        let output =
            self.client.describe_table().table_name(&self.table).send().await.map_err(store_error)?;
        let count = output.table.and_then(|table| table.item_count).unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

impl HomestayTable {
    async fn items(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let mut requested = HashMap::from([(self.table.clone(), wanted.map_err(corrupt)?)]);
        let mut found = Vec::new();
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
        // A homestay that was not read must not pass for one that is not there.
        Err(StoreError::Throttled("keys of a batch stayed unprocessed".into()))
    }
}
