//! Shows operators what is searched for, what is not found and what is opened.

pub mod handler;
