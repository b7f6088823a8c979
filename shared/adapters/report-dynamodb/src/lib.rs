//! What is counted of coupons, in the same `DynamoDB` table as the coupons.
//!
//! | item | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | mark of a counted fact | `FACT#<coupon>` | `<revision>` | `ttl` |
//! | counters of an hour | `REPORT#<template>` | `HOUR#<yyyy-mm-ddThh>#<shard>` | `issued`, `claimed`, … as they are above 0 |
//! | stock that came back | `TEMPLATE#<template>` | `RETURNED` | `count` |
//!
//! The table's stream tells what happened, at least once: [`fact`] reads it. A transaction of up to 100 items marks
//! facts and adds up their counters, so that a fact is counted exactly once, for 2 write units and its part of the
//! counter's 2. Hours are those of Asia/Shanghai.

mod count;
mod image;
mod keys;
mod shelf;

use aws_sdk_dynamodb::Client;

pub use count::MARKS_KEPT_FOR;
pub use image::{UnreadableChange, fact};

/// The coupon table, as far as it counts.
#[derive(Debug, Clone)]
pub struct ReportTable {
    client: Client,
    table: String,
}

impl ReportTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}
