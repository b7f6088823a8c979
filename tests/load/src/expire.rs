//! `load expire`: what it takes to expire coupons, and from that, how long a function of one processor needs for a
//! million.

use anyhow::{Result, ensure};
use coupon_dynamodb::CouponTable;
use domain_coupon::{ClaimStore, Coupon, Issue};
use expire_coupons::handler;
use testing::{EmbeddedDynamoDb, NOW, coupon};

use crate::{
    clock, progress,
    report::{Figure, Goal, Report},
    statistics::median,
};

/// Coupons that are due at once, as the issue of the feature asks for.
const MILLION: f64 = 1e6;

/// Writes under way at once, of `functions/expire-coupons`.
const AT_ONCE: f64 = 128.0;

/// What a write takes at most in the region of the table, as DynamoDB's own latency metric says ("single-digit
/// milliseconds").
const WRITE_MS: f64 = 10.0;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Coupons that expire in each round
    #[arg(long, default_value_t = 5_000)]
    coupons: u32,
    /// Rounds, of which the first is not counted
    #[arg(long, default_value_t = 6)]
    rounds: u32,
}

/// Measures rounds of one run of the function each.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    ensure!(arguments.rounds > 1 && arguments.coupons > 0, "there must be two rounds and a coupon");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let progress = progress::bar("expiring", u64::from(arguments.rounds));
    let mut cpu_us = Vec::new();
    for round in 0..arguments.rounds {
        let took = runtime.block_on(expire(arguments.coupons))?;
        if round > 0 {
            cpu_us.push(took);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let cpu_us = median(&cpu_us).unwrap_or_default();
    let computing = MILLION * cpu_us / 1e6 / 60.0;
    let waiting = MILLION * WRITE_MS / AT_ONCE / 1e3 / 60.0;
    report.extend([
        Figure::new("processor time of an expiry", cpu_us, "µs"),
        Figure::new("a million, by processor time", computing, "min"),
        Figure::new("a million, by waiting (128 writes of 10 ms at once)", waiting, "min"),
        Figure::new("a million, if nothing overlaps", computing + waiting, "min").aims_at(Goal::AtMost(15.0)),
    ]);
    Ok(())
}

/// Processor time of this thread for each of so many coupons, in µs. The table runs on other threads.
async fn expire(coupons: u32) -> Result<f64> {
    let (database, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let table = CouponTable::new(database.client(), name);
    for number in 0..coupons {
        let due = Coupon { expires_at: NOW, ..coupon(&format!("guest-{number}"), 1) };
        ensure!(table.issue(&due, None, None).await? == Issue::Issued, "not issued");
    }
    let before = clock::of_this_thread()?;
    handler::handle(&table, NOW, || true).await?;
    let took = clock::of_this_thread()?.saturating_sub(before);
    Ok(took.as_secs_f64() * 1e6 / f64::from(coupons))
}
