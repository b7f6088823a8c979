//! Finds homestays.

pub mod handler;
mod measured;

pub use measured::Measured;
