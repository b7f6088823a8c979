//! Wiring of `record-search-click`.

fn main() {}
