//! How many shards does a sale need, and does it sell exactly its stock? The domain's own `claim`, memory and top-up
//! run here against a model of DynamoDB's limits, in virtual time: 25,000 claims a second on one core, the same for
//! the same seed.
//!
//! `cargo xtask simulate claim` runs the standard set (`docs/performance/simulation.md`).
#![allow(clippy::float_arithmetic, reason = "a model's figures are statistics; no money here")]

pub mod chance;
pub mod charts;
pub mod dynamodb;
pub mod executor;
pub mod fleet;
pub mod goals;
pub mod notifications;
pub mod outcome;
mod queue;
pub mod report;
pub mod sale;
pub mod scenario;
pub mod store;
pub mod study;
pub mod ticket;
pub mod transaction;
pub mod world;

pub use outcome::Outcome;
pub use sale::{run, run_together};
pub use scenario::Scenario;
