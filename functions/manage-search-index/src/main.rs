//! Wiring of `manage-search-index`.

fn main() {}
