//! Sends messages through the providers of their channel.

pub mod gateway;
pub mod handler;
mod measured;
