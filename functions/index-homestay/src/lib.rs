//! The stream of the homestay table: brings every change to the index, in order, once.

pub mod handler;
