use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use coupon_dynamodb::{condition_held, corrupt, store_error};
use domain_coupon::StoreError;
use domain_search::Salt;
use jiff::{SignedDuration, Timestamp, civil::Date, tz};

use crate::{
    SearchTable,
    keys::{self, Item},
};

/// How long a salt is kept after the beginning of its day: the day, and two in which events of it may come late.
pub const SALTS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);

impl SearchTable {
    /// The salt of a day: one of those who ask first has theirs stored.
    pub(crate) async fn salt_of(&self, day: Date, fresh: Salt) -> Result<Salt, StoreError> {
        if let Some(salt) = self.stored_salt(day).await? {
            return Ok(salt);
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(keys::salt(day)))
            .item("salt", AttributeValue::B(Blob::new(fresh.0)))
            .item("ttl", keys::ttl(midnight(day), SALTS_KEPT_FOR))
            .condition_expression("attribute_not_exists(pk)");
        if condition_held(put.send().await)?.is_some() {
            return Ok(fresh);
        }
        // Somebody was faster.
        self.stored_salt(day).await?.ok_or_else(|| corrupt("a salt that was there is gone"))
    }

    async fn stored_salt(&self, day: Date) -> Result<Option<Salt>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(keys::salt(day)));
        let output = get.consistent_read(true).send().await.map_err(store_error)?;
        output.item.map(|item| parse(&item).ok_or_else(|| corrupt("a salt of another length"))).transpose()
    }
}

fn parse(item: &Item) -> Option<Salt> {
    item.get("salt")?.as_b().ok()?.as_ref().try_into().ok().map(Salt)
}

/// The first moment of a day of business.
pub(crate) fn midnight(day: Date) -> Timestamp {
    tz::offset(8).to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}
