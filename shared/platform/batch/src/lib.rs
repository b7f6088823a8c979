//! Batches of a queue ([`sqs`]) or of a table's stream ([`stream`]), answered record by record.
//!
//! A function that fails as a whole gets its whole batch again. These here parse each record by itself, and report the
//! ones that failed: Lambda deletes the others. The event source mapping must have `ReportBatchItemFailures` on, else
//! Lambda deletes all.
//!
//! A record that can never succeed is reported, too: after the queue's `maxReceiveCount`, or the mapping's retries,
//! it ends where somebody can look at it. Nothing is acknowledged away. Each failure is logged once, with its reason
//! and without what was in the record, and counted: metric `RecordsFailed` by `reason`, `again` or `never`.
//!
//! The types of `aws_lambda_events` are not used: there a message may have no id, so that its failure cannot be
//! reported, and one change that does not parse fails all.

mod failure;
pub mod sqs;
pub mod stream;

pub use failure::{BatchResponse, Failure};
pub use sqs::{SqsEvent, Unreadable};
pub use stream::{StreamEvent, StreamResponse};
