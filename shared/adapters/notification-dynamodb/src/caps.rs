use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use coupon_dynamodb::condition_held;
use domain_coupon::StoreError;
use domain_ids::GuestId;
use domain_notification::{Caps, SHANGHAI};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{NotificationTable, keys};

/// How long a day's counter is kept: until the day is over everywhere.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(48);

impl Caps for NotificationTable {
    async fn admit(
        &self,
        guest: &GuestId,
        rule: &str,
        most: u16,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let day = now.to_zoned(TimeZone::fixed(SHANGHAI)).date();
        self.count(&format!("daily-{rule}#{guest}#{day}"), 1, most.into(), now + KEPT_FOR).await
    }
}

impl NotificationTable {
    /// Adds `number` to a counter, unless that would be more than `most`; says whether it did.
    pub(crate) async fn count(
        &self,
        rule: &str,
        number: u32,
        most: u32,
        forgotten_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(room) = most.checked_sub(number) else { return Ok(false) };
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::limit(rule)))
            .update_expression("ADD admitted :number SET #ttl = :ttl")
            .condition_expression("attribute_not_exists(admitted) OR admitted <= :room")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":number", AttributeValue::N(number.to_string()))
            .expression_attribute_values(":room", AttributeValue::N(room.to_string()))
            .expression_attribute_values(":ttl", AttributeValue::N(forgotten_at.as_second().to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let written = condition_held(update.send().await)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }
}
