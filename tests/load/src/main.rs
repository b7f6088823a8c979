//! Measures the claim, `cargo xtask bench claim` and `cargo xtask bench start`, and what stands before it,
//! `cargo xtask bench rate-limit`; notifications, `cargo xtask bench dispatch`; searching, `cargo xtask
//! bench search`. `docs/performance.md` and the pages in `docs/performance/` have the figures.
#![allow(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "it measures: it reads clocks and works out ratios, and decides nothing"
)]

mod claim;
mod clock;
mod dispatch;
mod event;
mod expire;
mod machine;
mod progress;
mod quote;
mod rate_limit;
mod report;
mod sale;
mod search;
mod start;
mod statistics;
mod units;

use std::{alloc::System, path::PathBuf, process::ExitCode};

use alloc_tracker::Allocator;
use anyhow::Result;
use clap::Parser;

use crate::report::Report;

/// Counts by thread, so that threads do not slow each other down.
#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

/// Measures the claim
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    after_help = "Exit status 1 if a goal is missed that does not depend on the speed of the machine."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Write every figure, with what it was worked out from, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The handler beside the raw transaction; sold out beside claims; allocations and CPU; 1,000 claims/s offered
    Claim(claim::Arguments),
    /// The function as a process: cold start, memory, processor time per claim, size
    Start(start::Arguments),
    /// A check of each kind of limit beside the raw conditional write; remembered refusals beside checks
    RateLimit(rate_limit::Arguments),
    /// Processor time of an expiry, and what a million of them take
    Expire(expire::Arguments),
    /// Processor time of a quote, beside trying every combination
    Quote(quote::Arguments),
    /// Dispatching and accepting a message beside the raw calls; allocations and CPU; rendering
    Dispatch(dispatch::Arguments),
    /// Searching real listings ×10 beside the bare engine; suggestions; indexing; cold start of `search-homestays`
    Search(search::Arguments),
    /// Capacity units of each operation
    Units,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let mut report = Report::new(match &cli.command {
        Command::Claim(_) => "bench claim",
        Command::Start(_) => "bench start",
        Command::RateLimit(_) => "bench rate-limit",
        Command::Expire(_) => "bench expire",
        Command::Quote(_) => "bench quote",
        Command::Dispatch(_) => "bench dispatch",
        Command::Search(_) => "bench search",
        Command::Units => "bench units",
    })?;
    match &cli.command {
        Command::Claim(arguments) => claim::run(arguments, &mut report)?,
        Command::Start(arguments) => start::run(arguments, &mut report)?,
        Command::RateLimit(arguments) => rate_limit::run(arguments, &mut report)?,
        Command::Expire(arguments) => expire::run(arguments, &mut report)?,
        Command::Quote(arguments) => quote::run(arguments, &mut report)?,
        Command::Dispatch(arguments) => dispatch::run(arguments, &mut report)?,
        Command::Search(arguments) => search::run(arguments, &mut report)?,
        Command::Units => units::run(&mut report)?,
    }
    report.close()?;
    println!("{report}");
    if let Some(file) = &cli.json {
        report.write(file)?;
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
