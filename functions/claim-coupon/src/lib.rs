//! Claims a coupon: one transaction of two items, never one too many, never one too few.

pub mod campaign;
pub mod handler;
pub mod risk;
