//! The figures as Markdown: on the terminal, and as `docs/performance/simulation.md`.

use comfy_table::{Table, presets};
use domain_coupon::{CLAIMS_PER_SECOND_PER_SHARD, MAX_CONFLICTS};
use indicatif::{HumanCount, HumanFloatCount};

use crate::{
    goals::Goal,
    outcome::Outcome,
    study::{CONFLICTS_MAX, Capacity, SideBySide, Study, mean_per_shard},
};

/// The files of the figures, as the document links them.
pub mod figure {
    /// Claims issued against shards.
    pub const CLAIMS: &str = "claims-by-shards.svg";
    /// Conflicts and refusals against shards.
    pub const CONFLICTS: &str = "conflicts-by-shards.svg";
    /// Latency against shards.
    pub const LATENCY: &str = "latency-by-shards.svg";
    /// The course of a sale.
    pub const SALE: &str = "sale-timeline.svg";
}

/// The whole document.
pub fn document(study: &Study, goals: &[Goal]) -> String {
    let per_shard = mean_per_shard(&study.capacity);
    format!(
        "# Claims in simulation

Written by `cargo xtask simulate claim --report docs/performance/simulation.md --charts docs/figures`; not by hand.

## Goals

{goals}

## The model

`tests/simulation` runs the domain's own `claim`, memory, shard search and top-up, in virtual time, against a model of
what DynamoDB documents: 1,000 write and 3,000 read units a second for each partition, items spread over partitions by
the hash of their key, 2 write units for each item of a transaction, failed or not. A transaction holds its items from
prepare to commit, 8 ms unless another figure is given; one that meets a held item is cancelled, answers as late as one
that commits, and holds the other item as long. A request takes a log-normal time (median 4 ms there and back) besides.
Guests arrive at random (Poisson), without end unless a stock is given, and do not come back in steady runs. The same
seed gives the same figures.

Left out, each to our favour in reality: burst capacity, the splitting of busy partitions. Left out, not in our favour:
starting execution environments (they are assumed to be there, with an empty memory), the time outside the function, the
index by expiry (1 write unit a coupon more, on partitions of its own).

## How many shards

{rate} claims/s offered, for two seconds:

{by_shards}

![Claims per second against shards](../figures/{claims})

![Conflicts and refusals against shards](../figures/{conflicts})

![Latency against shards](../figures/{latency})

With few shards it is no longer conflicts that refuse but throttling: every try costs 4 write units, failed or not.

What a number of shards is good for, the load at which {limit:.0} % of the transactions conflict:

{capacity}

**The rule.** A transaction arrives at a shard that is held for the share `claims per second × hold` of the time, so
this is the share of conflicts, and {limit:.0} % at 8 ms are {per_shard:.1} claims/s a shard. The domain plans with
{rule} (`CLAIMS_PER_SECOND_PER_SHARD`), which keeps to {limit:.0} % up to a hold of {longest:.0} ms. After
{tries} conflicts in a row a claim is refused.

{rate} claims/s on the rule's {rule_shards} shards, and what a shard is good for, at other holds:

{by_hold}

## Warm throughput

{rate} claims/s by the rule, on a table whose warm throughput was set to a multiple of 4 units a claim, for seven
seconds after three:

{by_warm_throughput}

Retries need room, and keys do not spread evenly: set it to twice the figure before a sale. A table that is too small
does not serve a part of the load but hardly any, because refused transactions consume units of their other item.

## Whole sales

Guests who are asked to try again come back after 1 to 1.5 s. \"First\" is the time from the last coupon to the first
\"sold out\", \"all\" until no claim writes to or reads a shard any more. On many shards the end is the hard part: each
environment has to learn for itself, from reads or from the template, that every shard is empty.

{sales}

![The course of the first of these sales](../figures/{sale})

## One transaction or tickets

{rate} claims/s with tickets, two plain writes in place of a transaction of two items:

{tickets}

A sale in which one guest in twenty clicks twice and two writes in a thousand lose their reply:

{faulty}

What follows from it: [decision 3](../decisions/0003-one-transaction-or-tickets.md).

## Through the queue

With `issueMode` `queued` claims wait in a queue and are served up to ten with one transaction, which holds the shard once for
all of them. Messages are collected until there are ten, for a second at most; {environments} environments have ten
transactions each under way. Times are from the guest's arrival to the outcome written, and units include the 1 of the outcome.

{queued_rate} claims/s offered, for two seconds, on {queued_shards} shards:

{queued}

{together_rate} claims/s, by the claims in one transaction:

{by_together}

Two sales behind one queue whose {few_environments} environments are too few for the first. In a fair queue (message groups)
they take turns; otherwise who came first is first:

{side_by_side}
",
        goals = goals_table(goals),
        rate = HumanCount(study.by_rule.scenario.rate.into()),
        by_shards = steady_table(&study.by_shards),
        claims = figure::CLAIMS,
        conflicts = figure::CONFLICTS,
        latency = figure::LATENCY,
        sale = figure::SALE,
        limit = CONFLICTS_MAX * 100.0,
        capacity = capacity_table(&study.capacity),
        rule = CLAIMS_PER_SECOND_PER_SHARD,
        longest = CONFLICTS_MAX / f64::from(CLAIMS_PER_SECOND_PER_SHARD) * 1_000.0,
        tries = MAX_CONFLICTS,
        rule_shards = HumanCount(study.by_rule.shards.into()),
        by_hold = hold_table(&study.by_hold),
        by_warm_throughput = warm_throughput_table(&study.by_warm_throughput),
        sales = sales_table(&study.sales),
        tickets = steady_table(&study.tickets),
        faulty = faulty_table(&study.faulty),
        environments = study.queued.environments,
        queued_rate = HumanCount(study.queued.scenario.rate.into()),
        queued_shards = HumanCount(study.queued.shards.into()),
        queued = steady_table(std::slice::from_ref(&study.queued)),
        together_rate =
            HumanCount(study.by_together.first().map_or(0, |outcome| outcome.scenario.rate).into()),
        by_together = together_table(&study.by_together),
        few_environments = study.side_by_side.first().map_or(0, |sales| sales.crowd.environments),
        side_by_side = side_by_side_table(&study.side_by_side),
    )
}

/// Each goal with its figure.
pub fn goals_table(goals: &[Goal]) -> String {
    let rows = goals.iter().map(|goal| {
        let met = if goal.is_met() { "met" } else { "MISSED" };
        [goal.what.to_owned(), goal.at_most.to_string(), goal.figure.to_string(), met.to_owned()]
    });
    table(["goal", "at most", "is", ""], rows)
}

/// Runs at a steady load.
pub fn steady_table(outcomes: &[Outcome]) -> String {
    let header = [
        "shards",
        "claims/s",
        "conflicts",
        "retries a claim",
        "refused",
        "p50 ms",
        "p99 ms",
        "max ms",
        "write units a coupon",
        "environments",
    ];
    let rows = outcomes.iter().map(|outcome| {
        [
            count(outcome.shards.into()),
            whole(outcome.claims_per_second),
            percent(outcome.conflict_share),
            format!("{:.2}", outcome.retries_per_claim),
            percent(outcome.refused_share),
            millis(outcome.latency.p50_ms),
            millis(outcome.latency.p99_ms),
            millis(outcome.latency.max_ms),
            format!("{:.2}", outcome.write_units_per_coupon),
            count(outcome.environments),
        ]
    });
    table(header, rows)
}

/// Sales from their start to their end.
pub fn sales_table(sales: &[(&'static str, Outcome)]) -> String {
    let header = [
        "sale",
        "guests/s",
        "stock",
        "shards",
        "issued",
        "left over",
        "too early",
        "try again",
        "p99 ms",
        "first, ms",
        "all, ms",
        "write units after",
        "read units after",
    ];
    let rows = sales.iter().map(|(name, outcome)| {
        let stock = &outcome.stock;
        [
            (*name).to_owned(),
            count(outcome.scenario.rate),
            count(stock.issued + stock.left_over),
            count(outcome.shards.into()),
            count(stock.issued),
            count(stock.left_over),
            count(outcome.answers.sold_out_too_early),
            count(outcome.answers.refused()),
            millis(outcome.latency.p99_ms),
            stock.first_sold_out_after_ms.map_or_else(|| "–".into(), millis),
            millis(stock.quiet_after_ms),
            count(stock.write_units_after),
            count(stock.read_units_after),
        ]
    });
    table(header, rows)
}

fn faulty_table(sales: &[(&'static str, Outcome)]) -> String {
    let header = [
        "protocol",
        "issued",
        "left over",
        "freed after \"sold out\" was said",
        "\"sold out\" while a unit was out",
        "try again",
        "last coupon, s",
        "write units a coupon",
        "p50 ms",
        "p99 ms",
    ];
    let rows = sales.iter().map(|(name, outcome)| {
        let stock = &outcome.stock;
        [
            (*name).to_owned(),
            count(stock.issued),
            count(stock.left_over),
            count(stock.freed_too_late),
            count(outcome.answers.sold_out_too_early),
            count(outcome.answers.refused()),
            format!("{:.1}", stock.last_coupon_ms / 1_000.0),
            format!("{:.2}", outcome.write_units_per_coupon),
            millis(outcome.latency.p50_ms),
            millis(outcome.latency.p99_ms),
        ]
    });
    table(header, rows)
}

fn capacity_table(capacities: &[Capacity]) -> String {
    let mean = mean_per_shard(capacities);
    let rows = capacities.iter().map(|capacity| {
        [
            count(capacity.shards.into()),
            whole(capacity.claims_per_second),
            format!("{:.1}", capacity.per_shard()),
            format!("{:+.1} %", (capacity.per_shard() / mean - 1.0) * 100.0),
        ]
    });
    table(["shards", "claims/s", "a shard", "from linear"], rows)
}

fn hold_table(outcomes: &[(Outcome, Capacity)]) -> String {
    let header = ["hold ms", "conflicts", "refused", "p50 ms", "p99 ms", "claims/s a shard is good for"];
    let rows = outcomes.iter().map(|(outcome, capacity)| {
        [
            outcome.scenario.hold.as_millis().to_string(),
            percent(outcome.conflict_share),
            percent(outcome.refused_share),
            millis(outcome.latency.p50_ms),
            millis(outcome.latency.p99_ms),
            format!("{:.1}", capacity.per_shard()),
        ]
    });
    table(header, rows)
}

fn together_table(outcomes: &[Outcome]) -> String {
    let header =
        ["together", "claims/s", "conflicts", "tried again", "p50 ms", "p99 ms", "write units a coupon"];
    let rows = outcomes.iter().map(|outcome| {
        [
            outcome.scenario.queue.map_or(0, |queue| queue.together).to_string(),
            whole(outcome.claims_per_second),
            percent(outcome.conflict_share),
            percent(outcome.refused_share),
            millis(outcome.latency.p50_ms),
            millis(outcome.latency.p99_ms),
            format!("{:.2}", outcome.write_units_per_coupon),
        ]
    });
    table(header, rows)
}

fn side_by_side_table(sales: &[SideBySide]) -> String {
    let rows = sales.iter().flat_map(|both| {
        let queue = if both.fair { "fair" } else { "first come" };
        [("crowd", &both.crowd), ("quiet", &both.quiet)].map(|(name, outcome)| {
            [
                queue.to_owned(),
                name.to_owned(),
                count(outcome.scenario.rate),
                millis(outcome.latency.p50_ms),
                millis(outcome.latency.p99_ms),
                millis(outcome.latency.max_ms),
            ]
        })
    });
    table(["queue", "sale", "claims/s", "p50 ms", "p99 ms", "max ms"], rows)
}

fn warm_throughput_table(outcomes: &[Outcome]) -> String {
    let header = ["multiple", "partitions", "throttled writes", "conflicts", "refused", "p99 ms"];
    let rows = outcomes.iter().map(|outcome| {
        [
            format!("{:.1}", outcome.scenario.warm_throughput),
            count(outcome.partitions),
            count(outcome.work.throttled_writes),
            percent(outcome.conflict_share),
            percent(outcome.refused_share),
            millis(outcome.latency.p99_ms),
        ]
    });
    table(header, rows)
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header).add_rows(rows);
    table.trim_fmt()
}

fn count(number: u32) -> String {
    HumanCount(number.into()).to_string()
}

fn whole(number: f64) -> String {
    HumanFloatCount(number.round()).to_string()
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn millis(millis: f64) -> String {
    if millis < 100.0 { format!("{millis:.1}") } else { whole(millis) }
}
