//! Wiring of `search-homestays`.

fn main() {}
