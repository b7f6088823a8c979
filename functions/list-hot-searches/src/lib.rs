//! Shows what many search for at the moment.

pub mod handler;
