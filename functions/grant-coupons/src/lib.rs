//! Works through the grants that operators order.

pub mod directory;
pub mod handler;
