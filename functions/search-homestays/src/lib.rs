//! Finds homestays.
