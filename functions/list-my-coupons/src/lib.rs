//! Shows a guest the coupons they hold, and nobody else's.

pub mod handler;
