//! Locks, redeems, releases and refunds a coupon, for guests and for the order service.

pub mod handler;
mod problem;
mod view;
