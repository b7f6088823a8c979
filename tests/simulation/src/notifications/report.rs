//! The figures as Markdown.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;

use super::{
    Outcome,
    study::{Bound, Goal, LOAD, Study, longest_low_queue},
};
use crate::outcome::Latency;

/// The files of the figures, as the documents link them.
pub mod figure {
    /// How long urgent messages wait.
    pub const URGENT: &str = "urgent-wait.svg";
    /// Which provider takes text messages around an outage.
    pub const OUTAGE: &str = "provider-outage.svg";
}

/// All of it.
pub fn report(study: &Study, goals: &[Goal]) -> String {
    format!(
        "## Goals

{goals}

## How messages ended

Everything goes wrong, and providers can be asked what became of a message:

{everything}

The same, but nobody can be asked; text messages are sent once at most, all others once at least:

{nobody}

Without the lease, of the first of these:

{without}

## What went wrong

{mishaps}

## An outage of the first provider, one minute

{outage}

## Scheduled messages

{scheduled}

## Urgent messages, by themselves and beside {load} of low priority (at most {longest} of them waiting at once)

{urgent}
",
        goals = goals_table(goals),
        everything = ends_table(&study.everything),
        nobody = ends_table(&study.nobody_tells),
        without = ends_table(&study.without_lease),
        mishaps = mishaps_table(&[
            ("providers can be asked", &study.everything),
            ("nobody can be asked", &study.nobody_tells),
            ("hangs", &study.hanging),
            ("refuses", &study.refusing),
        ]),
        outage = outage_table(&[
            ("hangs, 5 failures in a row".into(), &study.hanging),
            ("refuses, 5 failures".into(), &study.refusing),
        ]
        .into_iter()
        .chain(study.by_failures.iter().map(|(failures, outcome)| (format!("hangs, {failures} failures"), outcome)))
        .collect::<Vec<_>>()),
        scheduled = scheduled_table(&[
            ("providers can be asked", &study.everything),
            ("nobody can be asked", &study.nobody_tells),
        ]),
        load = HumanCount(LOAD.into()),
        longest = HumanCount(u64::try_from(longest_low_queue(study)).unwrap_or(u64::MAX)),
        urgent = waits_table(&[("by themselves", &study.alone), ("beside the load", &study.beside_load)]),
    )
}

fn goals_table(goals: &[Goal]) -> String {
    let rows = goals.iter().map(|goal| {
        let bound = match goal.bound {
            Bound::AtMost(most) => format!("≤ {}", number(most)),
            Bound::AtLeast(least) => format!("≥ {}", number(least)),
        };
        let met = if goal.is_met() { "✓" } else { "✗" };
        vec![goal.what.clone(), number(goal.figure), goal.unit.into(), bound, met.into()]
    });
    table(&["goal", "is", "", "goal", ""], rows)
}

fn ends_table(outcome: &Outcome) -> String {
    let all = ("all", outcome.all());
    let rows = outcome.ends.iter().map(|(channel, ends)| (channel.name(), *ends)).chain([all]);
    let rows = rows.map(|(name, ends)| {
        let counts = [
            ends.messages,
            ends.once,
            ends.twice,
            ends.refused,
            ends.cancelled,
            ends.unknown_never,
            ends.unknown_once,
            ends.dead,
            ends.in_inbox_all_the_same,
            ends.wrong() + ends.lost,
        ];
        std::iter::once(name.to_owned()).chain(counts.map(count)).collect()
    });
    table(
        &[
            "",
            "messages",
            "sent, taken once",
            "taken twice",
            "at fault",
            "cancelled",
            "unknown, none has it",
            "unknown, one has it",
            "dead for another reason",
            "ended, and in the inbox",
            "lost or wrong",
        ],
        rows,
    )
}

fn mishaps_table(outcomes: &[(&str, &Outcome)]) -> String {
    let rows = outcomes.iter().map(|(name, outcome)| {
        let mishaps = outcome.mishaps;
        let failed: u32 = outcome.failed_calls.values().sum();
        let counts = [
            failed,
            mishaps.calls_unheard,
            mishaps.duplicates,
            mishaps.redelivered,
            mishaps.deaths,
            mishaps.dead_sweeps,
            mishaps.lost_replies,
            mishaps.repeats,
        ];
        std::iter::once((*name).to_owned()).chain(counts.map(count)).collect()
    });
    table(
        &[
            "run",
            "calls failed",
            "of them unanswered",
            "delivered twice",
            "delivered again after 181 s",
            "workers died",
            "sweeps died or failed",
            "replies of the table lost",
            "requests repeated",
        ],
        rows,
    )
}

fn outage_table(outcomes: &[(String, &Outcome)]) -> String {
    let rows = outcomes.iter().map(|(name, outcome)| {
        let failover = outcome.failover;
        vec![
            name.clone(),
            number(failover.settled_after_ms / 1_000.0),
            count(failover.wasted_calls),
            count(failover.messages_stuck),
            format!("{:.1} %", failover.stuck_afterwards * 100.0),
            count(failover.rescued),
            count(outcome.environments),
        ]
    });
    table(
        &[
            "it",
            "until 99 % go to the other, s",
            "calls in vain",
            "messages kept waiting by one",
            "of those after the first column",
            "taken by the other meanwhile",
            "environments",
        ],
        rows,
    )
}

fn scheduled_table(outcomes: &[(&str, &Outcome)]) -> String {
    let rows = outcomes.iter().map(|(name, outcome)| {
        let mut row = vec![(*name).to_owned(), count(outcome.scheduled), count(outcome.early)];
        for latency in [outcome.late_queued, outcome.late, outcome.late_taken] {
            row.extend(seconds(latency));
        }
        row
    });
    table(
        &[
            "run",
            "messages",
            "early",
            "in its queue: p50, s",
            "p99, s",
            "latest, s",
            "in a worker's hands: p50, s",
            "p99, s",
            "latest, s",
            "taken by a provider: p50, s",
            "p99, s",
            "latest, s",
        ],
        rows,
    )
}

fn waits_table(outcomes: &[(&str, &Outcome)]) -> String {
    let rows = outcomes.iter().flat_map(|(name, outcome)| {
        outcome.waits_taken.iter().map(|(priority, taken)| {
            let hands = outcome.waits.get(priority).copied().unwrap_or_default();
            let mut row = vec![(*name).to_owned(), priority.name().to_owned()];
            row.extend(millis(hands));
            row.extend(millis(*taken));
            row
        })
    });
    table(
        &[
            "run",
            "priority",
            "in a worker's hands: p50, ms",
            "p99, ms",
            "max, ms",
            "taken by a provider: p50, ms",
            "p99, ms",
            "max, ms",
        ],
        rows,
    )
}

fn seconds(latency: Latency) -> [String; 3] {
    [latency.p50_ms, latency.p99_ms, latency.max_ms].map(|ms| number(ms / 1_000.0))
}

fn millis(latency: Latency) -> [String; 3] {
    [latency.p50_ms, latency.p99_ms, latency.max_ms].map(number)
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header.iter().copied()).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn count(number: u32) -> String {
    HumanCount(number.into()).to_string()
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => indicatif::HumanFloatCount(value).to_string(),
        size if size >= 100.0 => indicatif::HumanFloatCount(value.round()).to_string(),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
