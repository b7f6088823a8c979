//! The rules of coupons: what a template is, how its stock is counted, how a guest claims one.
//!
//! No AWS, no HTTP, no clock, no randomness: time, ids and random bits are arguments, and what must be stored goes
//! through the ports [`ClaimStore`] and [`TemplateStore`].

mod claim;
mod code;
mod coupon;
mod list;
mod manage;
mod memory;
mod refill;
mod search;
mod stock;
mod store;
mod template;
mod violation;

#[cfg(test)]
mod fixtures;

pub use claim::{ClaimCoupon, ClaimError, ClaimStore, Claimed, Issue, Window, claim};
pub use code::{CouponCode, InvalidCode};
pub use coupon::{ClaimKey, Coupon, CouponState, CouponStatus};
pub use list::{CouponShelf, Page, TemplatePosition, TemplateShelf, list_coupons};
pub use manage::{ChangeError, CreateError, TemplateStore, change_template, create_template};
pub use memory::{REMEMBERED_FOR, SaleMemory};
pub use refill::RefillStore;
pub use search::{MAX_CONFLICTS, MAX_TRANSACTIONS, SAMPLE, SHARDS_PER_READ, ShardSearch, Step};
pub use stock::{
    CLAIMS_PER_SECOND_PER_SHARD, LimitedStock, MAX_SHARDS, MIN_STOCK_PER_SHARD, Shard, Stock, shards_for,
};
pub use store::StoreError;
pub use template::{
    Benefit, IssueType, NewTemplate, Phase, Template, TemplateChange, TemplateStatus, Terms, Threshold,
    limits,
};
pub use violation::{Violation, Violations};
