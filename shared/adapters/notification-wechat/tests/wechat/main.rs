//! Against the stand-in for `WeChat`, which reads the documentation for itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod bench;
mod messages;
mod tokens;
