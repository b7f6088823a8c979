//! Wiring of `rank-hot-searches`.

fn main() {}
