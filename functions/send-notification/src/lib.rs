//! `/v1/notifications` and `/v1/admin/broadcasts`: accepts messages, shows and cancels them.

pub mod broadcasts;
pub mod handler;
mod sender;

pub use sender::Sender;
