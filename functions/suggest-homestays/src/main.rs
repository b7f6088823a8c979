//! Wiring of `suggest-homestays`.

fn main() {}
