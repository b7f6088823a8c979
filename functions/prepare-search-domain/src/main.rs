//! Wiring of `prepare-search-domain`.

fn main() {}
