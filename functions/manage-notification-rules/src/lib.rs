//! Lets operators say which events of the platform become which messages.

pub mod handler;
