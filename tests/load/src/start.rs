//! `load start`: the release binary as a process, behind a stand-in of the Lambda Runtime API, on an embedded DynamoDB
//! reached over loopback. What a function costs beside its handler is in here: the start, the runtime, logs, metrics,
//! the SDK's HTTP client.

mod database;
mod function;
mod package;
mod runtime_api;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use coupon_dynamodb::CouponTable;
use serde::Serialize;
use serde_json::Value;

use self::{database::ServedDynamoDb, function::Log, runtime_api::Answer};
pub use self::{
    function::{Function, peak_memory_bytes},
    package::build_binary,
    runtime_api::RuntimeApi,
};
use crate::{
    event::{self, Events},
    progress,
    report::{Figure, Goal, Report},
    sale,
    statistics::{Latency, max, median},
};

const FUNCTION: &str = "claim-coupon";

/// Coupons enough for every claim of a run.
const STOCK: u32 = 10_000_000;

/// Claims of a process before its processor time is taken: the first ones pay for the start.
const WARM_UP: usize = 200;

/// Processes whose processor time is taken; the middle one counts.
const WARM_PROCESSES: usize = 3;

/// How long an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Cold starts to time
    #[arg(long, default_value_t = 20)]
    starts: usize,
    /// Warm claims whose processor time is taken, in each of three processes
    #[arg(long, default_value_t = 5_000)]
    claims: usize,
    /// Measure this binary instead of building the workspace's
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Build the packages for Lambda too and weigh them (needs cargo-lambda and zig)
    #[arg(long)]
    package: bool,
}

/// One cold start.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "units last")]
struct Start {
    /// From the start of the process to its first answer.
    until_answer_ms: f64,
    /// Of that, from the event to the answer.
    first_invocation_ms: f64,
    cpu_ms: f64,
}

/// Many claims in one process.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Warm {
    cpu_ms_per_claim: f64,
    peak_memory_mb: f64,
    log_bytes_per_claim: f64,
    log_lines_per_claim: f64,
    duration_ms: Latency,
}

/// Measures, on a runtime of its own.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => build_binary(FUNCTION)?,
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure(arguments, &binary, report))?;
    report.extend([Figure::new("binary, x86-64", package::megabytes(&binary)?, "MB")]);
    if arguments.package {
        report.extend(package::weigh()?);
    }
    Ok(())
}

async fn measure(arguments: &Arguments, binary: &Path, report: &mut Report) -> Result<()> {
    let database = ServedDynamoDb::start().await?;
    let table = CouponTable::new(database.client(), testing::COUPON_TABLE.into());
    let events = Events::of(sale::open(&table, STOCK).await?.id, true);
    let mut bench = Bench { binary, database, events, guests: 0 };

    // Not counted: it reads the binary from the disk.
    bench.start().await?;
    let progress = progress::bar("cold starts", arguments.starts as u64);
    let mut starts = Vec::new();
    for _ in 0..arguments.starts {
        starts.push(bench.start().await?);
        progress.inc(1);
    }
    progress.finish_and_clear();

    let progress = progress::bar("warm claims", (WARM_PROCESSES * (WARM_UP + arguments.claims)) as u64);
    let mut warm = Vec::new();
    for _ in 0..WARM_PROCESSES {
        warm.push(bench.warm(arguments.claims, || progress.inc(1)).await?);
    }
    progress.finish_and_clear();

    report.extend(figures(&starts, &warm)?);
    report.detail("starts", &starts)?;
    report.detail("warm", &warm)
}

fn figures(starts: &[Start], warm: &[Warm]) -> Result<Vec<Figure>> {
    let of_starts = |figure: fn(&Start) -> f64| starts.iter().map(figure).collect::<Vec<_>>();
    let of_warm = |figure: fn(&Warm) -> f64| warm.iter().map(figure).collect::<Vec<_>>();
    let middle = |figures: Vec<f64>| median(&figures).context("nothing was measured");
    let cold = of_starts(|start| start.until_answer_ms);
    let slowest = max(&cold).context("no start was measured")?;
    let memory = max(&of_warm(|warm| warm.peak_memory_mb)).context("no claim was measured")?;
    Ok(vec![
        Figure::new("cold start to first answer, median", middle(cold)?, "ms").aims_at(Goal::AtMost(30.0)),
        Figure::new("cold start to first answer, slowest", slowest, "ms"),
        Figure::new(
            "of it, the first invocation, median",
            middle(of_starts(|start| start.first_invocation_ms))?,
            "ms",
        ),
        Figure::new("CPU of a cold start, median", middle(of_starts(|start| start.cpu_ms))?, "ms"),
        Figure::new("peak memory", memory, "MB").must_be(Goal::AtMost(20.0)),
        Figure::new("CPU of the process per claim", middle(of_warm(|warm| warm.cpu_ms_per_claim))?, "ms")
            .aims_at(Goal::AtMost(0.3)),
        Figure::new("event to answer, p50", middle(of_warm(|warm| warm.duration_ms.p50))?, "ms"),
        Figure::new("event to answer, p99", middle(of_warm(|warm| warm.duration_ms.p99))?, "ms"),
        Figure::new("log per claim", middle(of_warm(|warm| warm.log_bytes_per_claim))?, "bytes"),
        Figure::new("log lines per claim", middle(of_warm(|warm| warm.log_lines_per_claim))?, ""),
    ])
}

struct Bench<'a> {
    binary: &'a Path,
    database: ServedDynamoDb,
    events: Events,
    guests: usize,
}

impl Bench<'_> {
    fn next_event(&mut self) -> String {
        self.guests += 1;
        self.events.from(&event::guest(1, self.guests))
    }

    fn function(&self, api: &RuntimeApi) -> Result<Function> {
        let variables = [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.database.address())),
            ("COUPON_TABLE", testing::COUPON_TABLE.to_owned()),
        ];
        Function::start(self.binary, FUNCTION, api.address(), variables)
    }

    /// A new process and one claim.
    async fn start(&mut self) -> Result<Start> {
        let mut api = RuntimeApi::start().await?;
        api.put(self.next_event()).await?;
        let started_at = Instant::now();
        let function = self.function(&api)?;
        let answer = issued(&mut api).await?;
        let cpu = function.cpu_time()?;
        function.stop().await?;
        Ok(Start {
            until_answer_ms: ms(answer.answered_at - started_at),
            first_invocation_ms: ms(answer.answered_at - answer.delivered_at),
            cpu_ms: ms(cpu),
        })
    }

    /// A new process and many claims.
    async fn warm(&mut self, claims: usize, mut claimed: impl FnMut()) -> Result<Warm> {
        let mut api = RuntimeApi::start().await?;
        let function = self.function(&api)?;
        let mut cpu_before = Duration::ZERO;
        let mut durations = Vec::with_capacity(claims);
        for claim in 0..WARM_UP + claims {
            if claim == WARM_UP {
                cpu_before = function.cpu_time()?;
            }
            api.put(self.next_event()).await?;
            let answer = issued(&mut api).await?;
            if claim >= WARM_UP {
                durations.push(answer.answered_at - answer.delivered_at);
            }
            claimed();
        }
        let cpu = function.cpu_time()?.saturating_sub(cpu_before);
        let peak_memory = function.peak_memory_bytes()?;
        let Log { bytes, lines } = function.stop().await?;
        let all = (WARM_UP + claims) as f64;
        Ok(Warm {
            cpu_ms_per_claim: ms(cpu) / claims as f64,
            peak_memory_mb: peak_memory as f64 / 1e6,
            log_bytes_per_claim: bytes as f64 / all,
            log_lines_per_claim: lines as f64 / all,
            duration_ms: Latency::of(durations)?,
        })
    }
}

/// The answer to a claim that must succeed.
async fn issued(api: &mut RuntimeApi) -> Result<Answer> {
    let answer = tokio::time::timeout(PATIENCE, api.answer()).await.context("no answer")??;
    let response: Value = serde_json::from_slice(&answer.body).context("the answer is not JSON")?;
    ensure!(response.get("statusCode").and_then(Value::as_u64) == Some(201), "not issued: {response}");
    Ok(answer)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
