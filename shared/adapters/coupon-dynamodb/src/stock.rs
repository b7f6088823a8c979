//! Reading and raising the shards.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::{UpdateItemError, UpdateItemOutput},
    types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity},
};
use backon::{ExponentialBuilder, Retryable};
use domain_coupon::{LimitedStock, SHARDS_PER_READ, Shard, StoreError};
use domain_ids::TemplateId;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    CouponTable,
    error::{condition_held, corrupt},
    keys::{self, Key},
};

/// Writes or reads of shards under way at once: enough to top up 2,048 shards within a second, few enough not to
/// be throttled.
const CONCURRENCY: usize = 32;

/// At 20 % conflicts ten in a row happen once in ten million.
const RAISE_AGAIN: ExponentialBuilder = ExponentialBuilder::new()
    .with_jitter()
    .with_min_delay(Duration::from_millis(5))
    .with_max_delay(Duration::from_millis(100))
    .with_max_times(10);

/// What one shard item says.
struct ShardLevel {
    shard: Shard,
    left: u32,
}

impl CouponTable {
    pub(crate) async fn open(
        &self,
        template: TemplateId,
        shards: &[Shard],
    ) -> Result<Vec<Shard>, StoreError> {
        let levels = self.levels(template, shards).await?;
        Ok(levels.into_iter().filter(|level| level.left > 0).map(|level| level.shard).collect())
    }

    pub(crate) async fn left(&self, template: TemplateId, stock: &LimitedStock) -> Result<u32, StoreError> {
        let shards: Vec<Shard> = stock.shards().collect();
        let chunks: Vec<Vec<Shard>> = shards.chunks(SHARDS_PER_READ).map(<[Shard]>::to_vec).collect();
        stream::iter(chunks)
            .map(|chunk| async move { self.levels(template, &chunk).await })
            .buffer_unordered(CONCURRENCY)
            .try_fold(0, async |sum: u32, levels| {
                Ok(levels.iter().fold(sum, |sum, level| sum.saturating_add(level.left)))
            })
            .await
    }

    /// Absolute and only upwards: may be repeated, by several at once, in any order.
    pub(crate) async fn raise(&self, template: TemplateId, stock: &LimitedStock) -> Result<(), StoreError> {
        stream::iter(stock.shards().map(Ok))
            .try_for_each_concurrent(CONCURRENCY, async |shard| {
                self.raise_one(template, shard, stock.capacity_of(shard)).await
            })
            .await
    }

    /// Claims hold the shard for some milliseconds each. The SDK does not retry such a conflict, and a top-up of a busy
    /// sale meets many.
    async fn raise_one(&self, template: TemplateId, shard: Shard, capacity: u32) -> Result<(), StoreError> {
        let conflicts =
            |error: &SdkError<UpdateItemError>| error.code() == Some("TransactionConflictException");
        let raised =
            (|| self.set_capacity(template, shard, capacity)).retry(RAISE_AGAIN).when(conflicts).await;
        if let Some(output) = condition_held(raised)? {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(())
    }

    async fn set_capacity(
        &self,
        template: TemplateId,
        shard: Shard,
        capacity: u32,
    ) -> Result<UpdateItemOutput, SdkError<UpdateItemError>> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::shard(template, shard)))
            .update_expression("SET #capacity = :capacity, #issued = if_not_exists(#issued, :zero)")
            .condition_expression("attribute_not_exists(#capacity) OR #capacity < :capacity")
            .expression_attribute_names("#capacity", "capacity")
            .expression_attribute_names("#issued", "issued")
            .expression_attribute_values(":capacity", AttributeValue::N(capacity.to_string()))
            .expression_attribute_values(":zero", AttributeValue::N("0".into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
    }

    /// What `shards` (at most [`SHARDS_PER_READ`]) have left now. A shard without an item has nothing.
    async fn levels(&self, template: TemplateId, shards: &[Shard]) -> Result<Vec<ShardLevel>, StoreError> {
        let shard_of: HashMap<String, Shard> =
            shards.iter().map(|&shard| (keys::shard_pk(template, shard), shard)).collect();
        let keys = shards.iter().map(|&shard| keys::shard(template, shard)).collect();
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .projection_expression("pk, #capacity, issued")
            .expression_attribute_names("#capacity", "capacity")
            .build()
            .map_err(corrupt)?;
        let found = self.items(wanted).await?;
        found.iter().map(|item| level(item, &shard_of)).collect()
    }
}

fn level(item: &Key, shard_of: &HashMap<String, Shard>) -> Result<ShardLevel, StoreError> {
    let number = |name: &str| -> Option<u32> { item.get(name)?.as_n().ok()?.parse().ok() };
    let shard = item.get("pk").and_then(|pk| pk.as_s().ok()).and_then(|pk| shard_of.get(pk));
    match (shard, number("capacity"), number("issued")) {
        (Some(&shard), Some(capacity), Some(issued)) => {
            Ok(ShardLevel { shard, left: capacity.saturating_sub(issued) })
        }
        _ => Err(corrupt("a stock shard without capacity or issued")),
    }
}
