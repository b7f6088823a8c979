//! `cargo xtask`: see `cargo xtask help`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    xtask::cli::main().await
}
