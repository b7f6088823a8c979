//! Wiring of `manage-search-history`.

fn main() {}
