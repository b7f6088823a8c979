//! Exchanges a code for a coupon, once.

pub mod handler;
