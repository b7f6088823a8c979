use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{
        AttributeValue, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update, builders::UpdateBuilder,
    },
};
use domain_coupon::{
    BatchClaimStore, BatchIssue, ClaimStore, CodeUse, Coupon, Issue, Shard, StoreError, Template,
};
use domain_ids::{GuestId, TemplateId};
use jiff::Timestamp;

use crate::{
    Cancelled, CouponTable, coupon_item,
    error::{condition_held, corrupt, store_error},
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
            Err(why) => not_issued(why, shard.is_some()),
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
            Err(why) => batch_not_issued(why, coupons.len()),
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

    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), Cancelled> {
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
                _ => throttled_or(store_error(error)),
            },
        }
    }
}

/// The items are, in this order: the coupon, the shard (unless the stock is unlimited), the exchange code (if any).
fn not_issued(why: Cancelled, has_shard: bool) -> Result<Issue, StoreError> {
    let code_at = if has_shard { 2 } else { 1 };
    if let Some(coupon) = why.refused(0) {
        held(coupon.item())
    } else if why.refused(code_at).is_some() {
        Ok(Issue::CodeUsed)
    } else if why.is_contended() {
        Ok(Issue::Conflict)
    } else if why.is_refused() {
        Ok(Issue::ShardEmpty)
    } else {
        throttled_or(why.into())
    }
}

/// The items are the coupons, then the shard.
fn batch_not_issued(why: Cancelled, coupons: usize) -> Result<BatchIssue, StoreError> {
    let held: Vec<usize> = (0..coupons).filter(|&at| why.refused(at).is_some()).collect();
    if !held.is_empty() {
        Ok(BatchIssue::Held(held))
    } else if why.is_refused() {
        Ok(BatchIssue::ShardShort)
    } else if why.is_contended() {
        Ok(BatchIssue::Conflict)
    } else {
        match why.into() {
            StoreError::Throttled(_) => Ok(BatchIssue::Throttled),
            error => Err(error),
        }
    }
}

fn held(item: Option<&Key>) -> Result<Issue, StoreError> {
    let item = item.ok_or_else(|| corrupt("the coupon in the way was not returned"))?;
    let coupon = coupon_item::parse(item.clone()).map_err(corrupt)?;
    Ok(Issue::Held(Box::new(coupon)))
}

fn throttled_or(error: StoreError) -> Result<Issue, StoreError> {
    match error {
        StoreError::Throttled(_) => Ok(Issue::Throttled),
        error => Err(error),
    }
}
