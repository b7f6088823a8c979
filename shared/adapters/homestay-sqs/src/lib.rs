//! The queues of imports and rebuilds.

mod import;
mod rebuild;

pub use import::ImportQueue;
pub use rebuild::RebuildQueue;
