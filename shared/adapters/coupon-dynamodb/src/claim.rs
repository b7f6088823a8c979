use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, Update,
    },
};
use domain_coupon::{ClaimStore, Coupon, Issue, Shard, StoreError, Template};
use domain_ids::{GuestId, TemplateId};
use jiff::Timestamp;

use crate::{
    CouponTable, coupon_item,
    error::{condition_held, corrupt, is_throttling, store_error},
    keys::{self, Key},
};

/// Nobody holds a coupon under this key yet.
const KEY_IS_FREE: &str = "attribute_not_exists(pk)";

impl ClaimStore for CouponTable {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        self.read_template(id).await
    }

    async fn held(&self, guest: &GuestId, template: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :guest AND begins_with(sk, :coupons)")
            .expression_attribute_values(":guest", AttributeValue::S(keys::guest_pk(guest)))
            .expression_attribute_values(":coupons", AttributeValue::S(keys::coupons_of(template)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(coupon_item::parse)
            .collect::<Result<_, _>>()
            .map_err(corrupt)
    }

    async fn issue(&self, coupon: &Coupon, shard: Option<Shard>) -> Result<Issue, StoreError> {
        let item = coupon_item::write(coupon).map_err(corrupt)?;
        match shard {
            Some(shard) => self.issue_from_shard(coupon.template(), item, shard).await,
            None => self.issue_unlimited(item).await,
        }
    }

    async fn open_shards(&self, template: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        self.open(template, shards).await
    }

    async fn mark_sold_out(&self, template: TemplateId, epoch: u64, at: Timestamp) -> Result<(), StoreError> {
        let marked = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::template(template)))
            .update_expression("SET soldOutAt = :at")
            .condition_expression(
                "epoch = :epoch AND attribute_not_exists(soldOutAt) AND attribute_not_exists(refilling)",
            )
            .expression_attribute_values(":at", AttributeValue::N(at.as_millisecond().to_string()))
            .expression_attribute_values(":epoch", AttributeValue::N(epoch.to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        if let Some(output) = condition_held(marked)? {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(())
    }

    async fn wait(&self, delay: Duration) {
        tokio::time::sleep(delay).await;
    }
}

impl CouponTable {
    /// One transaction of two items: 4 write units.
    async fn issue_from_shard(
        &self,
        template: TemplateId,
        coupon: Key,
        shard: Shard,
    ) -> Result<Issue, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(coupon))
            .condition_expression(KEY_IS_FREE)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(corrupt)?;
        let take = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::shard(template, shard)))
            .update_expression("SET issued = issued + :one")
            .condition_expression("issued < #capacity")
            .expression_attribute_names("#capacity", "capacity")
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .build()
            .map_err(corrupt)?;
        let written = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().update(take).build())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match written {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                Ok(Issue::Issued)
            }
            Err(error) => cancelled(error),
        }
    }

    /// Nothing to count: a plain conditional write, 1 write unit.
    async fn issue_unlimited(&self, coupon: Key) -> Result<Issue, StoreError> {
        let written = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(coupon))
            .condition_expression(KEY_IS_FREE)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match written {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                Ok(Issue::Issued)
            }
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => held(failed.item()),
                Some(PutItemError::TransactionConflictException(_)) => Ok(Issue::Conflict),
                _ => throttled_or(error),
            },
        }
    }
}

/// Reads the reasons, in the order of the transaction's items: first the coupon, then the shard.
fn cancelled(error: SdkError<TransactWriteItemsError>) -> Result<Issue, StoreError> {
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => return Ok(Issue::Conflict),
        _ => return throttled_or(error),
    };
    let failed = |reason: &&CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let any = |code| reasons.iter().any(|reason| reason.code() == Some(code));

    if let Some(coupon) = reasons.first().filter(failed) {
        held(coupon.item())
    } else if any("TransactionConflict") {
        Ok(Issue::Conflict)
    } else if reasons.iter().any(|reason| is_throttling(reason.code())) {
        Ok(Issue::Throttled)
    } else if reasons.get(1).as_ref().is_some_and(failed) {
        Ok(Issue::ShardEmpty)
    } else {
        Err(store_error(error))
    }
}

fn held(item: Option<&Key>) -> Result<Issue, StoreError> {
    let item = item.ok_or_else(|| corrupt("the coupon in the way was not returned"))?;
    let coupon = coupon_item::parse(item.clone()).map_err(corrupt)?;
    Ok(Issue::Held(Box::new(coupon)))
}

fn throttled_or<E>(error: SdkError<E>) -> Result<Issue, StoreError>
where
    E: std::error::Error + aws_sdk_dynamodb::error::ProvideErrorMetadata + Send + Sync + 'static,
{
    match store_error(error) {
        StoreError::Throttled(_) => Ok(Issue::Throttled),
        error => Err(error),
    }
}
