//! Keeps what people do in the search, each thing once, for `rank-hot-searches` to count.

pub mod handler;
