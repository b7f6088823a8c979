//! Counts what happens to coupons, exactly once: for reports, and for stock that comes back.

pub mod handler;
