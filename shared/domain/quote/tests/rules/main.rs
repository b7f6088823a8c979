//! The rules of using coupons, as `docs/operations/coupon-rules.md` tells them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod combinations;
mod examples;
mod locks;
mod reasons;
mod wallet;
