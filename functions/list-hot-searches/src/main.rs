//! Wiring of `list-hot-searches`.

fn main() {}
