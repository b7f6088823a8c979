//! Does every message arrive once? The domain's own `accept`, `plan`, `sweep`, `wake`, `Dispatch`, `Health`, `record` and
//! `cancel` run here against a table, queues, schedules, workers and providers that all fail, in virtual time.
//!
//! `cargo xtask simulate notifications` runs the standard set (`docs/performance/notifications.md`).

pub mod charts;
mod environment;
mod outcome;
mod provider;
mod queue;
pub mod report;
mod run;
pub mod scenario;
mod store;
pub mod study;
mod texts;
mod world;

pub use outcome::{Ends, Failover, Mishaps, Outcome};
pub use run::run;
pub use scenario::Scenario;
