//! The rules of coupons: what a template is, how its stock is counted, how a guest claims one.
//!
//! No AWS, no HTTP, no clock, no randomness: time, ids and random bits are arguments, and what must be stored goes
//! through the ports [`ClaimStore`], [`CouponStore`] and [`TemplateStore`].

mod batch;
mod claim;
mod code;
mod coupon;
pub mod crockford;
mod expiry;
mod lifecycle;
mod list;
mod manage;
mod memory;
mod refill;
mod search;
mod stock;
mod store;
mod template;
mod usage;
mod violation;

#[cfg(test)]
mod fixtures;

pub use batch::{BatchClaimStore, BatchIssue, MAX_BATCH, claim_batch};
pub use claim::{ClaimCoupon, ClaimError, ClaimStore, Claimed, CodeUse, Issue, Window, claim, replay};
pub use code::{CouponCode, InvalidCode};
pub use coupon::{ClaimKey, Coupon, CouponState, CouponStatus, Lock, Source, Use};
pub use expiry::{EXPIRY_SHARDS, Expiring, ExpiryList, ExpiryStore, ReminderStore, ReturnedCount};
pub use lifecycle::{Actor, CouponStore, LOCKED_FOR, Refusal, Transition, TransitionError, transition};
pub use list::{CouponShelf, Page, TemplatePosition, TemplateShelf, list_coupons};
pub use manage::{
    ChangeError, CreateError, TemplateStore, change_template, create_template, restock_template,
};
pub use memory::{REMEMBERED_FOR, SaleMemory};
pub use refill::{RefillStore, finish as finish_refill};
pub use search::{MAX_CONFLICTS, MAX_TRANSACTIONS, SAMPLE, SHARDS_PER_READ, ShardSearch, Step};
pub use stock::{
    CLAIMS_PER_SECOND_PER_SHARD, LimitedStock, MAX_SHARDS, MIN_STOCK_PER_SHARD, Shard, Stock, shards_for,
};
pub use store::{FileError, StoreError};
pub use template::{
    Benefit, IssueType, NewTemplate, Phase, Template, TemplateChange, TemplateStatus, Terms, Threshold,
    limits,
};
pub use usage::{AutoRule, IssueMode, Scope, Stacking, StayDates, Usage};
pub use violation::{Violation, Violations};
