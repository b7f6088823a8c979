//! The table as those read it who bring it to an index: an item that nobody understands keeps no other from being found.

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use coupon_dynamodb::{corrupt, store_error};
use domain_coupon::StoreError;
use domain_homestay::{HomestaySource, Stored, TABLE_PARTS, TablePage, TablePosition};
use domain_ids::HomestayId;

use crate::{
    HomestayTable, ScanPosition, homestay_item,
    keys::{self, text},
};

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
        let found = self.by_id(ids).await?;
        let stored = |id: &HomestayId| {
            let Some(mut item) = found.get(id).cloned() else { return Stored::Nothing };
            item.remove(homestay_item::IMPORTED);
            homestay_item::parse(item)
                .map_or(Stored::Unreadable, |homestay| Stored::Homestay(Box::new(homestay)))
        };
        Ok(ids.iter().map(stored).collect())
    }

    async fn estimate(&self) -> Result<u64, StoreError> {
        let output =
            self.client.describe_table().table_name(&self.table).send().await.map_err(store_error)?;
        let count = output.table.and_then(|table| table.item_count).unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
