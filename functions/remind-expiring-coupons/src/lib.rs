//! Asks for notifications of coupons that expire soon.

pub mod handler;
pub mod queue;
