//! Takes note of which result somebody opened.

pub mod handler;
