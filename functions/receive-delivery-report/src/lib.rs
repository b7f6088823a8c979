//! Takes what providers say became of messages.

mod error;
pub mod handler;
mod source;
