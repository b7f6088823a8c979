//! Tells a guest what the guest's coupons do for an order, and which to use.

pub mod handler;
mod view;
