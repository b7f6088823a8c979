//! How a search is understood, paged, completed and explained, on an index in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    reason = "a test that cannot go on has failed; scores are floats"
)]

mod explain;
mod fake;
mod find;
mod suggest;
