//! Lets operators publish and change coupon templates.

pub mod handler;
