//! Coupons, templates and their stock in one DynamoDB table.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | template | `TEMPLATE#<template>` | `TEMPLATE` |
//! | stock shard | `TEMPLATE#<template>#STOCK#<n>` | `STOCK` |
//! | coupon | `USER#<guest>` | `COUPON#<template>#<nth>` |
//! | coupons that came back | `TEMPLATE#<template>` | `RETURNED` |
//! | how far guests were reminded | `EXPIRY#REMINDED` | `<days>` |
//! | used exchange code | `CODE#<batch>#<index>` | `CODE` |
//!
//! Each shard is a partition key of its own, so that DynamoDB can put them on different partitions. A coupon's key
//! is its own limit: a guest cannot hold the same ordinal of a template twice. Templates alone carry the keys of
//! the index `templates-by-end`; coupons that may still expire carry those of `coupons-by-expiry`.

mod batch;
mod cancelled;
mod claim;
mod consumed;
mod coupon_item;
mod error;
mod expiry;
mod keys;
mod lifecycle;
mod list;
mod manage;
mod read;
mod replace;
mod stock;
mod template_item;
mod terms_item;
mod usage_item;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use domain_coupon::{StoreError, Template};
use domain_ids::TemplateId;

pub use batch::{read_batch, write_batch};
pub use cancelled::Cancelled;
pub use consumed::{Consumed, Units};
pub use error::{condition_held, corrupt, is_throttling, store_error};
pub use replace::replace_state;

/// The coupon table.
#[derive(Debug, Clone)]
pub struct CouponTable {
    client: Client,
    table: String,
    consumed: Arc<Consumed>,
}

impl CouponTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, consumed: Arc::default() }
    }

    /// Counts what DynamoDB charged for the calls of this table.
    pub fn consumed(&self) -> &Consumed {
        &self.consumed
    }

    async fn read_template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        let item = self.item(keys::template(id)).await?;
        item.map(template_item::parse).transpose().map_err(corrupt)
    }
}
