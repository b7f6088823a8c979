//! A flash sale against a running deployment: thousands of guests, one coupon each, and the proof that exactly the
//! stock was issued.

mod crowd;
mod guests;
pub mod invariants;
mod ledger;
mod queue;
mod report;

use std::{fs, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::{Api, Endpoints, Identity, dev, step::Progress, workspace};

pub use guests::Guest;
pub use ledger::read as read_ledger;
pub use report::{Figures, Latency, Report};

/// How guests claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They wait for the answer
    Direct,
    /// They put their claim into the queue, and ask what became of it
    Queued,
}

/// How big a sale is, and how wild.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// How many coupons there are
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub stock: u32,
    /// How many guests want one
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    pub guests: u32,
    /// How many requests are under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub concurrency: u32,
    /// What the template expects; sets over how many shards the stock is spread
    #[arg(long, default_value_t = 1000)]
    pub expected_claims_per_second: u32,
    /// The share of guests who press twice: the same request again, with the same Idempotency-Key
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub repeat_share: f64,
    /// How guests claim
    #[arg(long, value_enum, default_value_t = Mode::Direct)]
    pub mode: Mode,
}

/// The arguments of `cargo xtask sale`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Another API in front of the same users and table
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Another deployment than the one `dev` started: a file like `.local/endpoints.json`, without `awsEndpoint`
    /// for a real account
    #[arg(long, value_name = "FILE")]
    endpoints: Option<PathBuf>,
    /// Write all figures to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// `cargo xtask sale`: fails if an invariant does not hold.
pub async fn command(arguments: Arguments) -> Result<ExitCode> {
    let mut endpoints = dev::read_endpoints(arguments.endpoints)?;
    if let Some(api) = arguments.api {
        endpoints.api_url = api;
    }
    let guests = workspace::local().join("guests.json");
    let progress = Progress::default();
    let report = hold(&endpoints, &arguments.options, Some(guests), &progress).await?;
    if let Some(path) = arguments.json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print!("\n{report}");
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Creates a template, lets the guests loose, and checks the table afterwards.
pub async fn run(endpoints: &Endpoints, options: &Options) -> Result<Report> {
    hold(endpoints, options, None, &Progress::default()).await
}

async fn hold(
    endpoints: &Endpoints,
    options: &Options,
    cache: Option<PathBuf>,
    progress: &Progress,
) -> Result<Report> {
    ensure!(!endpoints.users.is_empty(), "the endpoints name no users: an admin is needed");
    let identity = Identity::new(endpoints).await;
    let guests = guests::invite(endpoints, &identity, options.guests, cache, progress).await?;

    let admin = endpoints.admin()?;
    let token = identity.token(&admin.name, &admin.password).await?;
    let api = Api::new(&endpoints.api_url)?;
    let started_at = Timestamp::now();
    let template = api.create_template(&token.access_token, &template(options, started_at)).await?;
    let template = template.get("id").and_then(|id| id.as_str()).context("a template without an id")?;

    let clock = Instant::now();
    let (tally, waits) = match options.mode {
        Mode::Direct => (crowd::storm(&api, template, &guests, options, progress).await?, None),
        Mode::Queued => {
            let (tally, waits) = queue::storm(&api, template, &guests, options, progress).await?;
            (tally, Some(waits))
        }
    };
    let elapsed = clock.elapsed();

    let step = progress.step("read the table");
    let ledger = ledger::read(endpoints, template).await?;
    step.done();
    let invited = guests.iter().map(|guest| guest.token.subject.clone()).collect();
    let mut invariants = invariants::check(options.stock, &invited, &ledger, &tally.promises);
    if let Some(waits) = &waits {
        invariants.extend(invariants::check_waits(waits));
    }
    Ok(Report {
        template: template.to_owned(),
        api: endpoints.api_url.clone(),
        started_at,
        options: options.clone(),
        shards: ledger.shards.len(),
        figures: tally.figures(elapsed),
        invariants,
    })
}

fn template(options: &Options, now: Timestamp) -> serde_json::Value {
    json!({
        "name": format!("秒杀 {}", now.strftime("%m-%d %H:%M:%S")),
        "type": "cash", "amountFen": 5000, "threshold": { "type": "none" },
        "totalCount": options.stock, "perUserLimit": 1, "validDays": 30,
        // Clocks may differ by a little.
        "startTime": now - SignedDuration::from_mins(1), "endTime": now + SignedDuration::from_hours(24),
        "issueType": "manual", "issueMode": options.mode,
        "expectedClaimsPerSecond": options.expected_claims_per_second,
    })
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1 is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        assert_eq!(share("0.25"), Ok(0.25));
        for text in ["1.01", "-0.1", "NaN", "a tenth"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
