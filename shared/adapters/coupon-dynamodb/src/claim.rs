use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, Update, builders::UpdateBuilder,
    },
};
use domain_coupon::{
    BatchClaimStore, BatchIssue, ClaimStore, CodeUse, Coupon, Issue, Shard, StoreError, Template,
};
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

    async fn issue(
        &self,
        coupon: &Coupon,
        shard: Option<Shard>,
        exchange: Option<CodeUse>,
    ) -> Result<Issue, StoreError> {
        if shard.is_none() && exchange.is_none() {
            return self.issue_unlimited(coupon_item::write(coupon).map_err(corrupt)?).await;
        }
        let mut items = vec![self.put_coupon(coupon)?];
        items.extend(shard.map(|shard| self.take(coupon.template(), shard)).transpose()?);
        items.extend(exchange.map(|code| self.put_code(coupon, code)).transpose()?);
        match self.transact(items).await {
            Ok(()) => Ok(Issue::Issued),
            Err(error) => cancelled(error, shard.is_some()),
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

impl BatchClaimStore for CouponTable {
    async fn issue_batch(
        &self,
        coupons: &[Coupon],
        shard: Shard,
        capacity: u32,
    ) -> Result<BatchIssue, StoreError> {
        let units = u32::try_from(coupons.len()).unwrap_or(u32::MAX);
        let Some(template) = coupons.first().map(Coupon::template) else { return Ok(BatchIssue::Issued) };
        if units > capacity {
            return Ok(BatchIssue::ShardShort);
        }
        let mut items: Vec<TransactWriteItem> =
            coupons.iter().map(|coupon| self.put_coupon(coupon)).collect::<Result<_, _>>()?;
        items.push(self.take_several(template, shard, units, capacity)?);
        match self.transact(items).await {
            Ok(()) => Ok(BatchIssue::Issued),
            Err(error) => batch_cancelled(error, coupons.len()),
        }
    }
}

/// The parts of a transaction, 2 write units each: 4 for a claim, 6 with an exchange code, 22 for ten claims. Each coupon
/// costs one more in the index by expiry.
impl CouponTable {
    fn put_coupon(&self, coupon: &Coupon) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(coupon_item::write(coupon).map_err(corrupt)?))
            .condition_expression(KEY_IS_FREE)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn take(&self, template: TemplateId, shard: Shard) -> Result<TransactWriteItem, StoreError> {
        let take = self.taking(template, shard, 1).condition_expression("issued < #capacity");
        Ok(TransactWriteItem::builder().update(take.build().map_err(corrupt)?).build())
    }

    /// A condition cannot calculate, so that `issued + units <= capacity` is not to be had: the caller says what the
    /// capacity is, which holds as long as the shard has at least that.
    fn take_several(
        &self,
        template: TemplateId,
        shard: Shard,
        units: u32,
        capacity: u32,
    ) -> Result<TransactWriteItem, StoreError> {
        let most = capacity.saturating_sub(units);
        let take = self
            .taking(template, shard, units)
            .condition_expression("issued <= :most AND #capacity >= :known")
            .expression_attribute_values(":most", AttributeValue::N(most.to_string()))
            .expression_attribute_values(":known", AttributeValue::N(capacity.to_string()));
        Ok(TransactWriteItem::builder().update(take.build().map_err(corrupt)?).build())
    }

    fn taking(&self, template: TemplateId, shard: Shard, units: u32) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::shard(template, shard)))
            .update_expression("SET issued = issued + :units")
            .expression_attribute_names("#capacity", "capacity")
            .expression_attribute_values(":units", AttributeValue::N(units.to_string()))
    }

    fn put_code(&self, coupon: &Coupon, code: CodeUse) -> Result<TransactWriteItem, StoreError> {
        let mut mark = keys::code(code);
        mark.insert("guest".into(), AttributeValue::S(coupon.guest.to_string()));
        mark.insert("template".into(), AttributeValue::S(coupon.template().to_string()));
        mark.insert("at".into(), AttributeValue::N(coupon.claimed_at.as_millisecond().to_string()));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(mark))
            .condition_expression(KEY_IS_FREE)
            .build()
            .map_err(corrupt)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), SdkError<TransactWriteItemsError>> {
        let output = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        self.consumed.write(output.consumed_capacity());
        Ok(())
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

/// Why a transaction did not happen.
enum Cancelled {
    /// Its items did not allow it, each for the reason in its place.
    Reasons(Vec<CancellationReason>),
    /// Another transaction was in the way.
    Conflict,
    /// The store refused more work for now.
    Throttled,
}

impl Cancelled {
    fn read(error: SdkError<TransactWriteItemsError>) -> Result<Self, StoreError> {
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                cancelled.cancellation_reasons().to_vec()
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => return Ok(Self::Conflict),
            _ => {
                return match store_error(error) {
                    StoreError::Throttled(_) => Ok(Self::Throttled),
                    error => Err(error),
                };
            }
        };
        if reasons.iter().any(refused) {
            Ok(Self::Reasons(reasons))
        } else if reasons.iter().any(|reason| reason.code() == Some("TransactionConflict")) {
            Ok(Self::Conflict)
        } else if reasons.iter().any(|reason| is_throttling(reason.code())) {
            Ok(Self::Throttled)
        } else {
            Err(store_error(error))
        }
    }
}

/// Whether an item's own condition did not hold.
fn refused(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// The items are, in this order: the coupon, the shard (unless the stock is unlimited), the exchange code (if any).
fn cancelled(error: SdkError<TransactWriteItemsError>, has_shard: bool) -> Result<Issue, StoreError> {
    let reasons = match Cancelled::read(error)? {
        Cancelled::Reasons(reasons) => reasons,
        Cancelled::Conflict => return Ok(Issue::Conflict),
        Cancelled::Throttled => return Ok(Issue::Throttled),
    };
    let code_at = if has_shard { 2 } else { 1 };
    if let Some(coupon) = reasons.first().filter(|reason| refused(reason)) {
        held(coupon.item())
    } else if reasons.get(code_at).is_some_and(refused) {
        Ok(Issue::CodeUsed)
    } else if reasons.iter().any(|reason| reason.code() == Some("TransactionConflict")) {
        Ok(Issue::Conflict)
    } else {
        Ok(Issue::ShardEmpty)
    }
}

/// The items are the coupons, then the shard.
fn batch_cancelled(
    error: SdkError<TransactWriteItemsError>,
    coupons: usize,
) -> Result<BatchIssue, StoreError> {
    let reasons = match Cancelled::read(error)? {
        Cancelled::Reasons(reasons) => reasons,
        Cancelled::Conflict => return Ok(BatchIssue::Conflict),
        Cancelled::Throttled => return Ok(BatchIssue::Throttled),
    };
    let held = |(_, reason): &(usize, &CancellationReason)| refused(reason);
    let held: Vec<usize> = reasons.iter().take(coupons).enumerate().filter(held).map(|(at, _)| at).collect();
    Ok(if held.is_empty() { BatchIssue::ShardShort } else { BatchIssue::Held(held) })
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
