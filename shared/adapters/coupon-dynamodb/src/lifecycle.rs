//! What transitions write: one `UpdateItem` that compares the revision, 1 write unit (and 1 for the index by expiry when
//! the coupon leaves it).

use domain_coupon::{Coupon, CouponStore, StoreError};

use crate::{
    CouponTable,
    coupon_item::StateItem,
    error::corrupt,
    keys::{self, Key},
    replace::replace_state,
};

impl CouponStore for CouponTable {
    async fn replace(&self, next: &Coupon) -> Result<bool, StoreError> {
        let state: Key = serde_dynamo::to_item(StateItem::from(next)).map_err(corrupt)?;
        let key = keys::coupon(&next.guest, next.id);
        let before = u64::from(next.revision.saturating_sub(1));
        let attributes = &StateItem::ATTRIBUTES;
        replace_state(&self.client, &self.table, key, attributes, state, before, &self.consumed).await
    }
}
