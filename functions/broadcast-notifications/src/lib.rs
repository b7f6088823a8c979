//! Works through a broadcast: one message to each guest of a segment.

pub mod directory;
pub mod handler;
