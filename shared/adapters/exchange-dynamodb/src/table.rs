use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};
use coupon_dynamodb::{Cancelled, condition_held, corrupt, store_error};
use domain_coupon::{Page, StoreError};
use domain_exchange::{Added, CodeBatch, CodeBatchLookup, CodeBatchStore, Serial};
use domain_ids::{CodeBatchId, TemplateId};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::{
    item,
    keys::{self, Item},
};

/// Batches of a page that are read at once.
const CONCURRENCY: usize = 8;

/// The batches of exchange codes in the coupon table.
#[derive(Debug, Clone)]
pub struct ExchangeTable {
    client: Client,
    table: String,
}

impl ExchangeTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn read(&self, serial: Serial) -> Result<Option<CodeBatch>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keys::batch(serial)))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        output.item.map(item::parse).transpose().map_err(corrupt)
    }
}

impl CodeBatchLookup for ExchangeTable {
    async fn batch(&self, serial: Serial) -> Result<Option<CodeBatch>, StoreError> {
        self.read(serial).await
    }
}

impl CodeBatchStore for ExchangeTable {
    /// 6 write units.
    async fn add(&self, batch: &CodeBatch, most: u32) -> Result<Added, StoreError> {
        let Some(room) = most.checked_sub(batch.count.get()) else {
            return self.ordered(batch.template).await.map(|ordered| Added::TooMany { ordered });
        };
        let added = self
            .client
            .transact_write_items()
            .transact_items(self.put_batch(batch)?)
            .transact_items(self.count(batch, room)?)
            .transact_items(self.put_place(batch)?)
            .send()
            .await;
        match added {
            Ok(_) => Ok(Added::Added),
            Err(error) => not_added(error.into()),
        }
    }

    async fn mark_exported(&self, serial: Serial, at: Timestamp) -> Result<bool, StoreError> {
        let marked = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::batch(serial)))
            .update_expression("SET exportedAt = :at")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(disabledAt)")
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .send()
            .await;
        Ok(condition_held(marked)?.is_some())
    }

    async fn disable(&self, serial: Serial, at: Timestamp) -> Result<Option<CodeBatch>, StoreError> {
        let disabled = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::batch(serial)))
            .update_expression("SET disabledAt = if_not_exists(disabledAt, :at)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let disabled = condition_held(disabled)?.and_then(|output| output.attributes);
        disabled.map(item::parse).transpose().map_err(corrupt)
    }

    /// The list has the order alone; each batch is read by itself, since it changes.
    async fn batches(
        &self,
        template: TemplateId,
        after: Option<CodeBatchId>,
        limit: u16,
    ) -> Result<Page<CodeBatch, CodeBatchId>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :template AND begins_with(sk, :listed)")
            .expression_attribute_values(":template", AttributeValue::S(keys::template_pk(template)))
            .expression_attribute_values(":listed", AttributeValue::S(keys::LISTED.into()))
            .set_exclusive_start_key(after.map(|id| keys::listed(template, id)))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        let more = output.last_evaluated_key.is_some();
        let places = output.items.unwrap_or_default();
        let ids: Vec<CodeBatchId> = places
            .iter()
            .map(|place| keys::batch_at(place).ok_or_else(|| corrupt("a place in the list has no batch")))
            .collect::<Result<_, _>>()?;
        let next = ids.last().copied().filter(|_| more);
        let items = stream::iter(ids)
            .map(|id| async move {
                self.read(id.into()).await?.ok_or_else(|| corrupt("a batch in the list does not exist"))
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(Page { items, next })
    }
}

impl ExchangeTable {
    fn put_batch(&self, batch: &CodeBatch) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::write(batch).map_err(corrupt)?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Adds the batch's codes to those of the template, of which there may be `room` already.
    fn count(&self, batch: &CodeBatch, room: u32) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::codes(batch.template)))
            .update_expression("ADD ordered :count")
            .condition_expression("attribute_not_exists(ordered) OR ordered <= :room")
            .expression_attribute_values(":count", number(batch.count.get()))
            .expression_attribute_values(":room", number(room))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn put_place(&self, batch: &CodeBatch) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(keys::listed(batch.template, batch.id)))
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Codes of all batches of a template.
    async fn ordered(&self, template: TemplateId) -> Result<u32, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keys::codes(template)))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        output.item().map_or(Ok(0), ordered)
    }
}

/// The items are, in this order: the batch, the template's codes, the place in the list.
fn not_added(why: Cancelled) -> Result<Added, StoreError> {
    if let Some(batch) = why.refused(0) {
        let taken = batch.item().ok_or_else(|| corrupt("the batch in the way was not returned"))?;
        Ok(Added::SerialTaken(Box::new(item::parse(taken.clone()).map_err(corrupt)?)))
    } else if let Some(codes) = why.refused(1) {
        let codes = codes.item().ok_or_else(|| corrupt("the count in the way was not returned"))?;
        Ok(Added::TooMany { ordered: ordered(codes)? })
    } else if why.is_contended() {
        Ok(Added::Conflict)
    } else {
        Err(why.into())
    }
}

fn ordered(codes: &Item) -> Result<u32, StoreError> {
    let ordered = codes.get("ordered").and_then(|value| value.as_n().ok());
    ordered.and_then(|text| text.parse().ok()).ok_or_else(|| corrupt("the count of codes is no number"))
}

fn number(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
