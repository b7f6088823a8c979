//! Lets operators rebuild the search index, watch that, and roll it back.

pub mod handler;
