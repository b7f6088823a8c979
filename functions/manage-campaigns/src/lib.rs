//! Lets operators put campaigns together, start and stop them.

pub mod handler;
