//! Works through the grants that operators order.

pub mod handler;
