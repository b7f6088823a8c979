//! Records that coupons have expired.

pub mod handler;
