//! Hands messages that were accepted to the queue of their priority, or to the scheduler.

pub mod handler;
