//! Wiring of `count-searches`.

fn main() {}
