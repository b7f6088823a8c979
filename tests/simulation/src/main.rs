//! `cargo xtask simulate`: see [`simulation`].
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to its caller")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use simulation::{
    Scenario,
    charts::{self, Svg},
    goals::{Goal, goals},
    notifications,
    report::{self, figure},
    scenario::{ENDLESS, Queue, as_millis},
    study::{self, BIG_SALE, Runner, Study},
};

/// Simulates a sale against a model of `DynamoDB`'s limits.
#[derive(Parser)]
#[command(name = "simulate", version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Guests claiming one coupon: how many shards, how many conflicts, what is left over
    #[command(after_help = "\
Without arguments: the standard set of runs, its tables, and whether each goal is met (exit status 1 if one is not).

Examples:
  cargo xtask simulate claim
  cargo xtask simulate claim --report docs/performance/simulation.md --charts docs/figures
  cargo xtask simulate claim --rate 5000                          a steady load, shards by the rule
  cargo xtask simulate claim --rate 5000 --shards 64 --hold-ms 10
  cargo xtask simulate claim --rate 5000 --sweep --charts charts  the same on 1, 2, 4, … 2,048 shards
  cargo xtask simulate claim --rate 5000 --stock 20000            a sale to its end
  cargo xtask simulate claim --rate 200000 --queued               through the queue, ten claims a transaction")]
    Claim(Claim),
    /// Notifications while everything fails: each once, none lost, how soon another provider takes over, how long urgent ones wait
    #[command(after_help = "\
The standard set of runs, its tables, and whether each goal is met (exit status 1 if one is not).

Examples:
  cargo xtask simulate notifications
  cargo xtask simulate notifications --seed 7 --messages 20000
  cargo xtask simulate notifications --charts docs/figures --json notifications.json")]
    Notifications(Notifications),
}

#[derive(Args)]
struct Notifications {
    /// The same seed gives the same figures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Messages of the largest runs
    #[arg(long, default_value_t = notifications::study::MANY, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    messages: u32,
    /// Draw the charts into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
    /// Write every figure to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Claim {
    /// Guests arriving per second [default: 25,000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Stock shards, 1 to 2,048, or `auto` for the domain's rule [default: auto]
    #[arg(long, value_parser = shards)]
    shards: Option<Shards>,
    /// Coupons on sale: simulates the sale to its end [default: endless]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..i64::from(ENDLESS)))]
    stock: Option<u32>,
    /// Milliseconds a transaction holds its items [default: 8]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    hold_ms: Option<u64>,
    /// Claims wait in a queue, and are served ten with one transaction
    #[arg(long)]
    queued: bool,
    /// Seconds during which guests arrive [default: 2.5; with --stock until 4 s after the last coupon]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    duration_s: Option<u64>,
    /// The same seed gives the same figures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run the scenario on 1, 2, 4, … 2,048 shards
    #[arg(long, conflicts_with_all = ["shards", "stock"])]
    sweep: bool,
    /// Draw the charts into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
    /// Write every figure to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the standard set's document to this file, as Markdown
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "shards", "stock", "hold_ms", "duration_s", "queued", "sweep"])]
    report: Option<PathBuf>,
}

/// The value of `--shards`.
#[derive(Clone, Copy)]
enum Shards {
    ByRule,
    Exactly(u16),
}

fn shards(text: &str) -> Result<Shards, String> {
    match text.parse() {
        _ if text == "auto" => Ok(Shards::ByRule),
        Ok(shards) if (1..=domain_coupon::MAX_SHARDS).contains(&shards) => Ok(Shards::Exactly(shards)),
        _ => Err(format!("`auto`, or 1 to {}", domain_coupon::MAX_SHARDS)),
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = match Cli::parse().what {
        What::Claim(arguments) => arguments,
        What::Notifications(arguments) => return simulate_notifications(&arguments),
    };
    if arguments.is_standard() {
        return standard(&arguments);
    }
    if arguments.sweep { sweep(&arguments) } else { single(&arguments) }?;
    Ok(ExitCode::SUCCESS)
}

impl Claim {
    fn is_standard(&self) -> bool {
        let scenario = self.rate.is_some()
            || self.shards.is_some()
            || self.stock.is_some()
            || self.hold_ms.is_some()
            || self.duration_s.is_some()
            || self.queued;
        !scenario && !self.sweep
    }

    fn scenario(&self) -> Scenario {
        let rate = self.rate.unwrap_or(BIG_SALE);
        let shards = match self.shards {
            Some(Shards::Exactly(shards)) => Some(shards),
            Some(Shards::ByRule) | None => None,
        };
        let mut scenario = match self.stock {
            Some(stock) => Scenario::sale(rate, shards, stock),
            None => Scenario::steady(rate, shards),
        };
        scenario.seed = self.seed;
        scenario.queue = self.queued.then_some(Queue::LARGEST);
        if let Some(hold_ms) = self.hold_ms {
            scenario.hold = Duration::from_millis(hold_ms);
        }
        if let Some(duration_s) = self.duration_s {
            scenario.duration = Duration::from_secs(duration_s);
        }
        scenario
    }
}

/// The standard set.
fn standard(arguments: &Claim) -> anyhow::Result<ExitCode> {
    let bar = progress(study::runs());
    let study = Runner { seed: arguments.seed, progress: || bar.inc(1) }.study();
    bar.finish_and_clear();
    let goals = goals(&study);
    let document = report::document(&study, &goals);
    println!("{document}");
    if let Some(file) = &arguments.report {
        write(file, &document)?;
    }
    if let Some(folder) = &arguments.charts {
        write_chart(folder, figure::CLAIMS, charts::claims_by_shards(&study.by_shards, &study.capacity))?;
        write_chart(folder, figure::CONFLICTS, charts::conflicts_by_shards(&study.by_shards))?;
        write_chart(folder, figure::LATENCY, charts::latency_by_shards(&study.by_shards))?;
        if let Some((_, sale)) = study.sales.first() {
            write_chart(folder, figure::SALE, charts::sale_timeline(sale))?;
        }
    }
    write_json(arguments.json.as_deref(), &Standard { goals: &goals, study: &study })?;
    Ok(verdict(&goals))
}

/// What `--json` holds of the standard set.
#[derive(Serialize)]
struct Standard<'a> {
    goals: &'a [Goal],
    #[serde(flatten)]
    study: &'a Study,
}

fn verdict(goals: &[Goal]) -> ExitCode {
    let missed: Vec<&Goal> = goals.iter().filter(|goal| !goal.is_met()).collect();
    for goal in &missed {
        eprintln!("missed: {}: at most {}, is {}", goal.what, goal.at_most, goal.figure);
    }
    if missed.is_empty() {
        println!("All {} goals are met.", goals.len());
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The standard set of notifications.
fn simulate_notifications(arguments: &Notifications) -> anyhow::Result<ExitCode> {
    let bar = progress(notifications::study::RUNS);
    let study = notifications::study::Study::of(arguments.seed, arguments.messages, || bar.inc(1));
    bar.finish_and_clear();
    let goals = notifications::study::goals(&study);
    println!("{}", notifications::report::report(&study, &goals));
    if let Some(folder) = &arguments.charts {
        let charts = notifications::charts::all(&study);
        for (name, svg) in charts {
            write_chart(folder, name, svg)?;
        }
    }
    write_json(arguments.json.as_deref(), &(&goals, &study))?;
    let missed = goals.iter().filter(|goal| !goal.is_met()).count();
    if missed == 0 {
        println!("All {} goals are met.", goals.len());
        Ok(ExitCode::SUCCESS)
    } else {
        eprintln!("{missed} of {} goals are missed.", goals.len());
        Ok(ExitCode::FAILURE)
    }
}

/// One scenario on every number of shards.
fn sweep(arguments: &Claim) -> anyhow::Result<()> {
    let bar = progress(study::runs_by_shards());
    let outcomes = Runner { seed: arguments.seed, progress: || bar.inc(1) }.by_shards(&arguments.scenario());
    bar.finish_and_clear();
    println!("{}", report::steady_table(&outcomes));
    if let Some(folder) = &arguments.charts {
        write_chart(folder, figure::CONFLICTS, charts::conflicts_by_shards(&outcomes))?;
        write_chart(folder, figure::LATENCY, charts::latency_by_shards(&outcomes))?;
    }
    write_json(arguments.json.as_deref(), &outcomes)
}

/// One scenario.
fn single(arguments: &Claim) -> anyhow::Result<()> {
    let scenario = arguments.scenario();
    ensure!(
        arguments.charts.is_none() || scenario.has_end(),
        "--charts has nothing to draw here: add --sweep or --stock"
    );
    let outcome = simulation::run(&scenario);
    println!("{}", report::steady_table(std::slice::from_ref(&outcome)));
    if scenario.has_end() {
        println!("\n{}", report::sales_table(&[("sale", outcome.clone())]));
        println!("\nlast coupon after {:.0} ms", outcome.stock.last_coupon_ms);
        println!("guests arrived for {:.0} ms", as_millis(scenario.duration));
    }
    if let Some(folder) = &arguments.charts {
        write_chart(folder, figure::SALE, charts::sale_timeline(&outcome))?;
    }
    write_json(arguments.json.as_deref(), &outcome)
}

fn progress(runs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {elapsed}, {eta} to go");
    let bar = ProgressBar::new(u64::try_from(runs).unwrap_or(u64::MAX));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn write_json(file: Option<&Path>, figures: &impl Serialize) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    write(file, &serde_json::to_string_pretty(figures)?)
}

fn write_chart(folder: &Path, name: &str, svg: Svg) -> anyhow::Result<()> {
    let svg = svg.map_err(anyhow::Error::from_boxed).with_context(|| format!("cannot draw {name}"))?;
    write(&folder.join(name), &svg)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
