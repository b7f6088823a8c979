use aws_sdk_dynamodb::types::{DeleteRequest, ReturnConsumedCapacity, ReturnValue, WriteRequest};
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::StoreError;
use domain_ids::GuestId;
use domain_search::{HistoryEntry, HistoryId, SearchHistory};
use jiff::Timestamp;

use crate::{
    SearchTable,
    batch::MAX_REQUESTS,
    keys::{self, Item, number, text},
};

fn key(guest: &GuestId, id: HistoryId) -> Item {
    keys::key(keys::history(guest), id.to_string())
}

impl SearchHistory for SearchTable {
    async fn put(&self, guest: &GuestId, entry: &HistoryEntry) -> Result<(), StoreError> {
        let at = entry.searched_at.as_millisecond();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(key(guest, entry.id)))
            .item("text", text(entry.typed.as_str()))
            .item("at", number(at))
            .item("ttl", number(entry.expires_at().as_second()))
            // Requests come in any order.
            .condition_expression("attribute_not_exists(pk) OR #at <= :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", number(at))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(output) = condition_held(put.send().await)? {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(())
    }

    async fn entries(&self, guest: &GuestId, limit: u16) -> Result<Vec<HistoryEntry>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(keys::history(guest)))
            // Who has deleted an entry sees it no more.
            .consistent_read(true)
            .limit(limit.into())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(&output.consumed_capacity);
        let items = output.items.unwrap_or_default();
        items.iter().map(|item| parse(item).ok_or_else(|| corrupt("an entry that is none"))).collect()
    }

    async fn delete(&self, guest: &GuestId, id: HistoryId) -> Result<bool, StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key(guest, id)));
        let output = delete.return_values(ReturnValue::AllOld).send().await.map_err(store_error)?;
        Ok(output.attributes.is_some_and(|before| !before.is_empty()))
    }

    async fn delete_all(&self, guest: &GuestId, ids: &[HistoryId]) -> Result<(), StoreError> {
        for ids in ids.chunks(MAX_REQUESTS) {
            let mut requests = Vec::with_capacity(ids.len());
            for id in ids {
                let delete =
                    DeleteRequest::builder().set_key(Some(key(guest, *id))).build().map_err(corrupt)?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            self.write(requests).await?;
        }
        Ok(())
    }
}

fn parse(item: &Item) -> Option<HistoryEntry> {
    let ms: i64 = item.get("at")?.as_n().ok()?.parse().ok()?;
    Some(HistoryEntry {
        id: keys::sk(item)?.parse().ok()?,
        typed: item.get("text")?.as_s().ok()?.parse().ok()?,
        searched_at: Timestamp::from_millisecond(ms).ok()?,
    })
}
