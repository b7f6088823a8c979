//! Wiring of `index-homestay`.

fn main() {}
