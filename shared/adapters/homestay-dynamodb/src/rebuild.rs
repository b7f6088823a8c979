//! Rebuilds of the search index and comparisons with it, as far as they are.
//!
//! Of each kind one is running: that is the item `REBUILD#`/`CURRENT` or `REBUILD#`/`RECONCILING`, which is written together with a
//! new job and goes together with its last step.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, ReturnConsumedCapacity, TransactWriteItem};
use coupon_dynamodb::{Cancelled, condition_held, corrupt, store_error};
use domain_coupon::{Page, StoreError};
use domain_homestay::{
    Begun, GenerationId, IndexJob, JobBook, JobKey, JobKind, JobStage, JobTask, SyncFigures,
};
use domain_ids::RebuildId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    HomestayTable,
    keys::{self, Item, number, text},
};

/// How long a comparison is kept: there is one every hour. Rebuilds are few, and are kept for good.
const COMPARISON_KEPT_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A job as it is stored. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobItem {
    id: RebuildId,
    task: JobTask,
    stage: JobStage,
    step: u32,
    figures: SyncFigures,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimate: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced: Option<GenerationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolled_back_at: Option<i64>,
    // Not createdAt, which is a key of the homestays' index.
    started_at: i64,
    updated_at: i64,
}

fn write(job: &IndexJob) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(JobItem {
        id: job.id,
        task: job.task.clone(),
        stage: job.stage.clone(),
        step: job.step,
        figures: job.figures,
        estimate: job.estimate,
        replaced: job.replaced.clone(),
        rolled_back_at: job.rolled_back_at.map(Timestamp::as_millisecond),
        started_at: job.started_at.as_millisecond(),
        updated_at: job.updated_at.as_millisecond(),
    })
    .map_err(corrupt)?;
    item.extend(keys::listed_rebuild(job.kind(), job.id));
    if job.kind() == JobKind::Reconciliation {
        item.insert("ttl".into(), number(job.started_at.as_second() + COMPARISON_KEPT_SECONDS));
    }
    Ok(item)
}

fn parse(item: Item) -> Result<IndexJob, StoreError> {
    let item: JobItem = serde_dynamo::from_item(item).map_err(corrupt)?;
    let time = |ms| Timestamp::from_millisecond(ms).map_err(corrupt);
    Ok(IndexJob {
        id: item.id,
        task: item.task,
        stage: item.stage,
        step: item.step,
        figures: item.figures,
        estimate: item.estimate,
        replaced: item.replaced,
        rolled_back_at: item.rolled_back_at.map(time).transpose()?,
        started_at: time(item.started_at)?,
        updated_at: time(item.updated_at)?,
    })
}

fn job_of(item: &Item) -> Result<RebuildId, StoreError> {
    let id = item.get("job").and_then(|id| id.as_s().ok()).and_then(|id| id.parse().ok());
    id.ok_or_else(|| corrupt("an item that names no job"))
}

impl JobBook for HomestayTable {
    async fn job(&self, id: RebuildId) -> Result<Option<IndexJob>, StoreError> {
        self.item(keys::rebuild(id)).await?.map(parse).transpose()
    }

    async fn running(&self, kind: JobKind) -> Result<Option<RebuildId>, StoreError> {
        self.item(keys::running(kind)).await?.as_ref().map(job_of).transpose()
    }

    async fn ordered(&self, key: JobKey) -> Result<Option<RebuildId>, StoreError> {
        self.item(keys::rebuild_request(key)).await?.as_ref().map(job_of).transpose()
    }

    async fn begin(&self, job: &IndexJob, key: Option<JobKey>) -> Result<Begun, StoreError> {
        let naming = |mut item: Item| {
            item.insert("job".into(), text(job.id.to_string()));
            item
        };
        let mut puts = vec![put_new(&self.table, naming(keys::running(job.kind())))?];
        puts.push(put_new(&self.table, write(job)?)?);
        if let Some(key) = key {
            puts.push(put_new(&self.table, naming(keys::rebuild_request(key)))?);
        }
        match self.transact(puts).await {
            Ok(()) => Ok(Begun::Yes),
            Err(cancelled) if cancelled.refused(2).is_some() => Ok(Begun::KeyTaken),
            Err(cancelled) if cancelled.is_refused() => match self.running(job.kind()).await? {
                Some(running) => Ok(Begun::Running(running)),
                // It has ended at this very moment.
                None => Err(StoreError::Throttled("another job has only just ended".into())),
            },
            Err(cancelled) => Err(cancelled.into()),
        }
    }

    async fn advance(&self, job: &IndexJob, before: u32) -> Result<bool, StoreError> {
        let item = write(job)?;
        let was = AttributeValue::N(before.to_string());
        // Whoever rolls back a rebuild that has long been done must not end the one that runs now.
        if job.is_over() && self.running(job.kind()).await? == Some(job.id) {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("#step = :before")
                .expression_attribute_names("#step", "step")
                .expression_attribute_values(":before", was);
            let delete = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(keys::running(job.kind())))
                .condition_expression("job = :job")
                .expression_attribute_values(":job", text(job.id.to_string()));
            let items = vec![
                TransactWriteItem::builder().put(put.build().map_err(corrupt)?).build(),
                TransactWriteItem::builder().delete(delete.build().map_err(corrupt)?).build(),
            ];
            return match self.transact(items).await {
                Ok(()) => Ok(true),
                Err(cancelled) if cancelled.is_refused() => Ok(false),
                Err(cancelled) => Err(cancelled.into()),
            };
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("#step = :before")
            .expression_attribute_names("#step", "step")
            .expression_attribute_values(":before", was)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let written = condition_held(put.send().await)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }

    async fn latest(
        &self,
        kind: JobKind,
        after: Option<RebuildId>,
        limit: u16,
    ) -> Result<Page<IndexJob, RebuildId>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_START)
            .key_condition_expression("listPk = :kind")
            .expression_attribute_values(":kind", text(keys::list_of(kind)))
            .set_exclusive_start_key(after.map(|after| keys::listed_rebuild(kind, after)))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let items: Vec<IndexJob> = items.into_iter().map(parse).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| more).map(|last| last.id);
        Ok(Page { items, next })
    }
}

impl HomestayTable {
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), Cancelled> {
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let output = transaction.send().await?;
        self.consumed.write(output.consumed_capacity());
        Ok(())
    }
}

fn put_new(table: &str, item: Item) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .map_err(corrupt)?;
    Ok(TransactWriteItem::builder().put(put).build())
}
