//! Wiring of `import-homestays`.

fn main() {}
