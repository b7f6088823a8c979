//! Tells a guest what became of a queued claim, or where in the queue it is.

pub mod handler;
pub mod place;
pub mod queue;
