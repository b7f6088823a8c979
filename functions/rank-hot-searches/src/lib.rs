//! Counts searches, and ranks popular queries, every few minutes.

pub mod handler;
