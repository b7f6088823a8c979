//! Lets guests keep, see and delete what they searched for.

pub mod handler;
