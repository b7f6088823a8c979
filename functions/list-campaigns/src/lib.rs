//! Shows everybody the running and coming campaigns, and what can be claimed in each.

pub mod handler;
