//! What transitions write: one `UpdateItem` that compares the revision, 1 write unit (and 1 for the index by expiry when
//! the coupon leaves it).

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use domain_coupon::{Coupon, CouponStore, StoreError};

use crate::{
    CouponTable,
    coupon_item::StateItem,
    error::{condition_held, corrupt},
    keys::{self, Key},
};

impl CouponStore for CouponTable {
    async fn replace(&self, next: &Coupon) -> Result<bool, StoreError> {
        let state: Key = serde_dynamo::to_item(StateItem::from(next)).map_err(corrupt)?;
        let (set, removed): (Vec<&str>, Vec<&str>) =
            StateItem::ATTRIBUTES.into_iter().partition(|&name| state.contains_key(name));
        let set: Vec<String> = set.iter().map(|name| format!("#{name} = :{name}")).collect();
        let removed: Vec<String> = removed.iter().map(|name| format!("#{name}")).collect();

        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::coupon(&next.guest, next.id)))
            .update_expression(match removed.as_slice() {
                [] => format!("SET {}", set.join(", ")),
                removed => format!("SET {} REMOVE {}", set.join(", "), removed.join(", ")),
            })
            .condition_expression("#rev = :before")
            .expression_attribute_values(
                ":before",
                AttributeValue::N(next.revision.saturating_sub(1).to_string()),
            )
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        for name in StateItem::ATTRIBUTES {
            update = update.expression_attribute_names(format!("#{name}"), name);
        }
        for (name, value) in state {
            update = update.expression_attribute_values(format!(":{name}"), value);
        }
        let written = condition_held(update.send().await)?;
        if let Some(output) = &written {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(written.is_some())
    }
}
