//! Runs the stand-ins for the providers until it is stopped.

use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use provider_stubs::{Stubs, wall_clock};

/// Stand-ins for the providers of notifications, on loopback.
#[derive(Parser)]
struct Options {
    /// Where to listen; 0 takes a free port.
    #[arg(long, default_value_t = 4600, env = "PROVIDER_STUBS_PORT")]
    port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let stubs = Stubs::start_on(options.port, Arc::new(wall_clock))
        .await
        .with_context(|| format!("port {} of this machine", options.port))?;
    println!("mails are taken by SMTP on {}", stubs.mail_server());
    println!("what is sent can be looked at on {}/", stubs.url());
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}
