//! The import queue: writes the homestays of a file, row by row, and reports what is refused.

pub mod handler;
