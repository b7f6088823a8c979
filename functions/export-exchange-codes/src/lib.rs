//! Writes the codes of a batch to a file.

pub mod handler;
