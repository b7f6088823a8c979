//! Turns events of the platform into messages, by rules.

pub mod handler;
