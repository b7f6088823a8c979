//! Lets hosts and operators create, change, publish, delete and import homestays.

pub mod handler;
pub mod imports;
