//! Rebuilds the index while writes go on, and compares it with the table every hour.

pub mod handler;
