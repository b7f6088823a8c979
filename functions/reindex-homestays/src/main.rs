//! Wiring of `reindex-homestays`.

fn main() {}
