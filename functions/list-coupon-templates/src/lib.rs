//! Shows everybody the running and coming sales, with what is left of each.

pub mod handler;
mod remaining;

pub use remaining::RemainingMemory;
