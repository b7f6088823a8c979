//! Imports: how operators start them, and how steps move them on.

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnConsumedCapacity, ReturnValue, TransactWriteItem};
use coupon_dynamodb::{Cancelled, condition_held, corrupt, store_error};
use domain_coupon::{Page, StoreError};
use domain_homestay::{
    Checkpoint, Import, ImportBook, ImportDesk, ImportEnd, ImportKey, ImportShelf, ImportStatus,
};
use domain_ids::ImportId;
use jiff::Timestamp;

use crate::{
    HomestayTable, import_item,
    keys::{self, Item, number, text},
};

impl ImportShelf for HomestayTable {
    async fn import(&self, id: ImportId) -> Result<Option<Import>, StoreError> {
        let item = self.item(keys::import(id)).await?;
        item.map(import_item::parse).transpose().map_err(corrupt)
    }
}

impl ImportDesk for HomestayTable {
    async fn started(&self, key: ImportKey) -> Result<Option<ImportId>, StoreError> {
        let Some(item) = self.item(keys::import_request(key)).await? else { return Ok(None) };
        let import = item.get("import").and_then(|id| id.as_s().ok()).and_then(|id| id.parse().ok());
        import.map(Some).ok_or_else(|| corrupt("the key of a request without an import"))
    }

    async fn start(&self, import: &Import, key: Option<ImportKey>) -> Result<bool, StoreError> {
        let item = import_item::write(import).map_err(corrupt)?;
        let Some(key) = key else {
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)");
            return Ok(condition_held(put.send().await)?.is_some());
        };
        let mut mark = keys::import_request(key);
        mark.insert("import".into(), text(import.id.to_string()));
        let written = self
            .client
            .transact_write_items()
            .transact_items(self.put_new(mark)?)
            .transact_items(self.put_new(item)?)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match written {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                Ok(true)
            }
            Err(error) => {
                let cancelled = Cancelled::from(error);
                if cancelled.refused(0).is_some() { Ok(false) } else { Err(cancelled.into()) }
            }
        }
    }

    async fn newest(
        &self,
        after: Option<ImportId>,
        limit: u16,
    ) -> Result<Page<Import, ImportId>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_START)
            .key_condition_expression("listPk = :imports")
            .expression_attribute_values(":imports", text(keys::IMPORTS))
            .set_exclusive_start_key(after.map(keys::listed_import))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let items: Vec<Import> =
            items.into_iter().map(import_item::parse).collect::<Result<_, _>>().map_err(corrupt)?;
        let next = items.last().filter(|_| more).map(|last| last.id);
        Ok(Page { items, next })
    }

    async fn cancel(&self, id: ImportId, at: Timestamp) -> Result<Option<Import>, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::import(id)))
            .update_expression("SET #status = :cancelled, updatedAt = :at")
            .condition_expression("#status = :running")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":running", status(ImportStatus::Running)?)
            .expression_attribute_values(":cancelled", status(ImportStatus::Cancelled)?)
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .return_values(ReturnValue::AllNew);
        let written = condition_held(update.send().await)?;
        let item = written.and_then(|output| output.attributes);
        item.map(import_item::parse).transpose().map_err(corrupt)
    }
}

impl ImportBook for HomestayTable {
    async fn checkpoint(
        &self,
        id: ImportId,
        from: u64,
        checkpoint: &Checkpoint,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let figures = &checkpoint.figures;
        let mut set = "SET #position = :to, #lines = :lines, updatedAt = :at".to_owned();
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::import(id)))
            .condition_expression("#position = :from AND #status IN (:running, :cancelled)")
            .expression_attribute_names("#position", "position")
            .expression_attribute_names("#lines", "lines")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":from", number(from))
            .expression_attribute_values(":to", number(checkpoint.to))
            .expression_attribute_values(":lines", number(checkpoint.lines))
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .expression_attribute_values(":running", status(ImportStatus::Running)?)
            .expression_attribute_values(":cancelled", status(ImportStatus::Cancelled)?)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let end = match &checkpoint.end {
            None => None,
            Some(ImportEnd::Done) => Some((ImportStatus::Done, None)),
            Some(ImportEnd::Failed(failure)) => Some((ImportStatus::Failed, Some(failure))),
        };
        if let Some((ended, failure)) = end {
            set.push_str(", #status = :ended");
            update = update.expression_attribute_values(":ended", status(ended)?);
            if let Some(failure) = failure {
                set.push_str(", #failure = :failure");
                let failure = serde_dynamo::to_attribute_value(failure).map_err(corrupt)?;
                update = update
                    .expression_attribute_names("#failure", "failure")
                    .expression_attribute_values(":failure", failure);
            }
        }
        if let Some(part) = checkpoint.part {
            set.push_str(", #parts = list_append(#parts, :part)");
            let part = serde_dynamo::to_attribute_value([part]).map_err(corrupt)?;
            update = update
                .expression_attribute_names("#parts", "parts")
                .expression_attribute_values(":part", part);
        }
        let counts = [
            ("created", figures.created),
            ("changed", figures.changed),
            ("unchanged", figures.unchanged),
            ("refused", figures.refused),
        ];
        let mut added = Vec::with_capacity(counts.len());
        for (name, count) in counts {
            added.push(format!("#{name} :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), number(count));
        }
        let update = update.update_expression(format!("{set} ADD {}", added.join(", ")));
        let written = condition_held(update.send().await)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }
}

impl HomestayTable {
    fn put_new(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn status(status: ImportStatus) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(status).map_err(corrupt)
}
