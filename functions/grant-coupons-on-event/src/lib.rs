//! Grants the coupons that an event earns a guest.

pub mod handler;
