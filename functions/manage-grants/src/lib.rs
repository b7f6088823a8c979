//! Lets operators give coupons to many guests, and see how far that is.

pub mod handler;
pub mod request;
pub mod view;
