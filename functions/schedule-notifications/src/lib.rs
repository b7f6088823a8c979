//! Queues what is due: every minute the due messages of the table, and single ones when `EventBridge` Scheduler says so.

pub mod handler;
