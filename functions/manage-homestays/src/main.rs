//! Wiring of `manage-homestays`.

fn main() {}
