use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};
use domain_coupon::{
    Coupon, Expiring, ExpiryList, ExpiryStore, Page, ReminderStore, ReturnedCount, StoreError,
};
use domain_ids::{CouponId, GuestId, TemplateId};
use jiff::Timestamp;

use crate::{
    CouponTable, coupon_item,
    error::{condition_held, corrupt, store_error},
    keys::{self, Key},
};

impl ExpiryList for CouponTable {
    async fn expiring(
        &self,
        shard: u16,
        from: Timestamp,
        until: Timestamp,
        after: Option<&Expiring>,
        limit: u16,
    ) -> Result<Page<Expiring, Expiring>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::COUPONS_BY_EXPIRY)
            .key_condition_expression("expiryShard = :shard AND expiresAt BETWEEN :from AND :last")
            .expression_attribute_values(":shard", AttributeValue::S(keys::expiry_shard(shard)))
            .expression_attribute_values(":from", millis(from))
            .expression_attribute_values(":last", AttributeValue::N((until.as_millisecond() - 1).to_string()))
            .set_exclusive_start_key(after.map(|after| position(shard, after)))
            .limit(i32::from(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(store_error)?;
        self.consumed.read(output.consumed_capacity());
        let more = output.last_evaluated_key.is_some();
        let items = output.items.unwrap_or_default();
        let items: Vec<Expiring> = items.iter().map(parse).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| more).cloned();
        Ok(Page { items, next })
    }
}

impl ExpiryStore for CouponTable {
    async fn expire(&self, guest: &GuestId, id: CouponId, now: Timestamp) -> Result<bool, StoreError> {
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::coupon(guest, id)))
            .update_expression(
                "SET #status = :expired, rev = rev + :one, changedAt = :now \
                 REMOVE expiryShard, orderId, savedFen, lockedUntil",
            )
            .condition_expression(
                "expiresAt <= :now AND (#status = :unused OR (#status = :locked AND lockedUntil <= :now))",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":expired", AttributeValue::S("expired".into()))
            .expression_attribute_values(":unused", AttributeValue::S("unused".into()))
            .expression_attribute_values(":locked", AttributeValue::S("locked".into()))
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .expression_attribute_values(":now", millis(now))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let written = condition_held(written)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }
}

impl ReminderStore for CouponTable {
    async fn look_up(&self, coupons: &[Expiring]) -> Result<Vec<Coupon>, StoreError> {
        let keys = coupons.iter().map(|coupon| keys::coupon(&coupon.guest, coupon.id)).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build().map_err(corrupt)?;
        let found = self.items(wanted).await?;
        found.into_iter().map(coupon_item::parse).collect::<Result<_, _>>().map_err(corrupt)
    }

    async fn reminded_until(&self, days: u8) -> Result<Option<Timestamp>, StoreError> {
        let item = self.item(keys::reminder(days)).await?;
        item.map(|item| number(&item, "until").and_then(timestamp)).transpose()
    }

    async fn set_reminded_until(&self, days: u8, until: Timestamp) -> Result<(), StoreError> {
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::reminder(days)))
            .update_expression("SET #until = :until")
            // Of two runs at once, the later note stays.
            .condition_expression("attribute_not_exists(#until) OR #until < :until")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":until", millis(until))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        if let Some(output) = condition_held(written)? {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(())
    }
}

impl ReturnedCount for CouponTable {
    async fn returned(&self, template: TemplateId) -> Result<u32, StoreError> {
        let item = self.item(keys::returned(template)).await?;
        item.map_or(Ok(0), |item| number(&item, "count"))
    }
}

/// Where a page of the index begins: its own keys and those of the table.
fn position(shard: u16, coupon: &Expiring) -> Key {
    let mut position = keys::coupon(&coupon.guest, coupon.id);
    position.insert("expiryShard".into(), AttributeValue::S(keys::expiry_shard(shard)));
    position.insert("expiresAt".into(), millis(coupon.at));
    position
}

/// The index holds keys alone; they name the guest, the template and the ordinal.
fn parse(item: &Key) -> Result<Expiring, StoreError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let (guest, id) = text("pk")
        .zip(text("sk"))
        .and_then(|(pk, sk)| keys::parse_coupon(pk, sk))
        .ok_or_else(|| corrupt("not the key of a coupon"))?;
    Ok(Expiring { id, guest, at: number(item, "expiresAt").and_then(timestamp)? })
}

fn number<T: std::str::FromStr>(item: &Key, name: &str) -> Result<T, StoreError> {
    let number = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    number.ok_or_else(|| corrupt("a number is missing"))
}

fn timestamp(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(corrupt)
}

fn millis(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_millisecond().to_string())
}
