//! Puts coupons that came back on sale again.

pub mod handler;
