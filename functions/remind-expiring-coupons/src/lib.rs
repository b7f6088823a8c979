//! Tells of coupons that expire soon.

pub mod handler;
pub mod queue;
