//! Wiring of `show-search-report`.

fn main() {}
