use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Options, invariants::Verdict};

/// The name of the refusal that is no surprise.
const SOLD_OUT: &str = "409 coupon-sold-out";

/// What a sale came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was sold.
    pub template: String,
    /// Where.
    pub api: String,
    /// When.
    pub started_at: Timestamp,
    /// How big it was.
    pub options: Options,
    /// Over how many items the stock was spread.
    pub shards: usize,
    /// What happened.
    pub figures: Figures,
    /// What must hold.
    pub invariants: Vec<Verdict>,
}

/// What happened in a sale. Reasons and kinds of error are counted by name.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Coupons that guests were answered.
    pub issued: u64,
    /// Answers with a coupon that an earlier request of the same key had got, its answer lost perhaps.
    pub replayed: u64,
    /// Refused for good, by status and problem; sold out among them.
    pub refused: BTreeMap<String, u64>,
    /// Told to try again until they no longer did.
    pub gave_up: u64,
    /// Told to try again: 429 and 503.
    pub retried: BTreeMap<String, u64>,
    /// Connections that broke, and statuses that no guest should see; tried again.
    pub errors: BTreeMap<String, u64>,
    /// Requests sent, repeats and retries among them.
    pub requests: u64,
    /// How long it took.
    pub seconds: f64,
    /// Requests answered per second.
    pub requests_per_second: f64,
    /// How long requests took.
    pub latency_ms: Latency,
    /// From the 202 to the outcome, as it was asked for; where claims were queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<Latency>,
}

/// How long requests took, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// Half of them at most.
    pub p50: f64,
    /// Nine of ten at most.
    pub p90: f64,
    /// All but one in a hundred at most.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, max } = self;
        write!(f, "p50 {p50:.0} ms   p90 {p90:.0} ms   p99 {p99:.0} ms   max {max:.0} ms")
    }
}

impl Report {
    /// Whether every invariant holds.
    pub fn holds(&self) -> bool {
        self.invariants.iter().all(|verdict| verdict.holds)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { stock, guests, concurrency, .. } = self.options;
        writeln!(f, "stock {stock} · shards {} · guests {guests} · concurrency {concurrency}", self.shards)?;
        writeln!(f, "template {}\n", self.template)?;
        self.figures.fmt(f)?;
        writeln!(f)?;
        for Verdict { name, holds, detail } in &self.invariants {
            writeln!(f, "{} {name:<34} {detail}", if *holds { '✓' } else { '✗' })?;
        }
        Ok(())
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sold_out = self.refused.get(SOLD_OUT).copied().unwrap_or_default();
        let mut refused = self.refused.clone();
        refused.remove(SOLD_OUT);
        row(f, "issued", self.issued, "")?;
        row(f, "replayed", self.replayed, "")?;
        row(f, "sold out", sold_out, "")?;
        row(f, "refused", sum(&refused), &list(&refused))?;
        row(f, "retried", sum(&self.retried), &list(&self.retried))?;
        row(f, "gave up", self.gave_up, "")?;
        row(f, "errors", sum(&self.errors), &list(&self.errors))?;
        let throughput = format!("in {:.1} s: {:.0} per second", self.seconds, self.requests_per_second);
        row(f, "requests", self.requests, &throughput)?;
        writeln!(f, "latency     {}", self.latency_ms)?;
        self.waited_ms.iter().try_for_each(|waited| writeln!(f, "waited      {waited}"))
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, count: u64, detail: &str) -> fmt::Result {
    writeln!(f, "{}", format!("{name:<10} {count:>8}   {detail}").trim_end())
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

fn list(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join(", ")
}
