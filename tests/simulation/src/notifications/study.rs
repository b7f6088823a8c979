//! The standard set of runs, and what their figures have to be.

use domain_channel::{Channel, Priority};
use serde::Serialize;

use super::{Outcome, Scenario, run, scenario::BREAKER_SECONDS};

/// Messages of the large runs.
pub const MANY: u32 = 100_000;

/// Messages of the runs for an outage and for the negative control.
const SOME: u32 = 40_000;

/// Urgent messages beside a load, in three minutes.
const URGENT: u32 = 18_000;

/// Messages of low priority beside them.
pub const LOAD: u32 = 50_000;

/// A scheduled message may be so late.
const LATEST_MS: f64 = 60_000.0;

/// How much later than without the load urgent messages may be taken, 99 of 100.
const URGENT_LATER_MS: f64 = 1_000.0;

/// Every run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Study {
    /// All that can go wrong, and providers can be asked.
    pub everything: Outcome,
    /// The same, and nobody can be asked.
    pub nobody_tells: Outcome,
    /// Text messages while their first provider hangs.
    pub hanging: Outcome,
    /// While it refuses.
    pub refusing: Outcome,
    /// While it hangs, by the failures in a row after which it is left alone.
    pub by_failures: Vec<(u32, Outcome)>,
    /// Urgent messages by themselves.
    pub alone: Outcome,
    /// Urgent messages beside many others.
    pub beside_load: Outcome,
    /// Nobody finds out that another has the lease.
    pub without_lease: Outcome,
}

/// Runs of the standard set.
pub const RUNS: usize = 9;

impl Study {
    /// Runs the set with this seed, of so many messages in the large runs.
    pub fn of(seed: u64, messages: u32, progress: impl Fn()) -> Self {
        let scaled = |of: u32| of.min(messages).max(1);
        let run = |scenario: Scenario| {
            let outcome = run(&Scenario { seed, ..scenario });
            progress();
            outcome
        };
        Self {
            everything: run(Scenario::everything(messages)),
            nobody_tells: run(Scenario::nobody_tells(messages)),
            hanging: run(Scenario::outage(scaled(SOME), true)),
            refusing: run(Scenario::outage(scaled(SOME), false)),
            by_failures: [3, 2]
                .map(|failures| (failures, run(Scenario::outage_by_failures(scaled(SOME), failures))))
                .into(),
            alone: run(Scenario::urgent(scaled(URGENT), 0)),
            beside_load: run(Scenario::urgent(scaled(URGENT), scaled(LOAD))),
            without_lease: run(Scenario::without_lease(scaled(SOME))),
        }
    }

    /// Those with every safeguard.
    fn sound(&self) -> [(&'static str, &Outcome); 6] {
        [
            ("everything", &self.everything),
            ("nobody tells", &self.nobody_tells),
            ("hanging", &self.hanging),
            ("refusing", &self.refusing),
            ("alone", &self.alone),
            ("beside load", &self.beside_load),
        ]
    }
}

/// A goal, and whether it is met.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Goal {
    /// In words.
    pub what: String,
    /// What it is.
    pub figure: f64,
    /// The most it may be, or the least.
    pub bound: Bound,
    /// In which unit.
    pub unit: &'static str,
}

/// What a figure has to be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Bound {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Goal {
    /// Whether it is.
    pub fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.figure <= most,
            Bound::AtLeast(least) => self.figure >= least,
        }
    }
}

/// Each goal of the standard set.
pub fn goals(study: &Study) -> Vec<Goal> {
    let none = |what: &str, count: u32| Goal {
        what: what.into(),
        figure: f64::from(count),
        bound: Bound::AtMost(0.0),
        unit: "",
    };
    let at_most = |what: String, figure, most, unit| Goal { what, figure, bound: Bound::AtMost(most), unit };
    let all = |of: fn(&Outcome) -> u32| study.sound().iter().map(|(_, outcome)| of(outcome)).sum::<u32>();
    let everything = study.everything.all();
    let breaker_s = f64::from(BREAKER_SECONDS);
    let sms = study.nobody_tells.channel(Channel::Sms);
    vec![
        none("providers can be asked: messages taken twice", everything.twice),
        none(
            "providers can be asked: dead letters of which nobody knows what became",
            everything.unknown_never + everything.unknown_once,
        ),
        none("all runs: messages lost, neither final nor a dead letter", all(|outcome| outcome.all().lost)),
        none("all runs: sent, and no provider has it", all(|outcome| outcome.all().never)),
        none(
            "all runs: refused, cancelled or dead, and a provider has it",
            all(|outcome| outcome.all().taken_all_the_same),
        ),
        none("all runs: failed, without its dead letter", all(|outcome| outcome.all().without_letter)),
        none(
            "all runs: taken twice though at most once is configured",
            all(|outcome| outcome.against_config),
        ),
        none(
            "all runs: taken twice without a call whose answer was lost",
            all(|outcome| outcome.all().twice_for_nothing),
        ),
        none("nobody can be asked: text messages taken twice", sms.twice),
        none("scheduled messages taken too early", study.everything.early + study.nobody_tells.early),
        at_most(
            "scheduled messages: the latest in its queue".into(),
            study.everything.late_queued.max_ms.max(study.nobody_tells.late_queued.max_ms) / 1_000.0,
            LATEST_MS / 1_000.0,
            "s",
        ),
        at_most(
            "a provider hangs: until 99 % go to the other".into(),
            study.hanging.failover.settled_after_ms / 1_000.0,
            breaker_s,
            "s",
        ),
        at_most(
            "a provider refuses: until 99 % go to the other".into(),
            study.refusing.failover.settled_after_ms / 1_000.0,
            breaker_s,
            "s",
        ),
        at_most(
            format!("urgent messages beside {LOAD} others: p99 later than by themselves"),
            study.beside_load.urgent().p99_ms - study.alone.urgent().p99_ms,
            URGENT_LATER_MS,
            "ms",
        ),
        Goal {
            what: "without the lease (the check must find it): messages taken twice".into(),
            figure: f64::from(study.without_lease.all().twice),
            bound: Bound::AtLeast(1.0),
            unit: "",
        },
    ]
}

/// Waits of the priorities, by themselves and beside the load.
pub fn longest_low_queue(study: &Study) -> usize {
    study.beside_load.longest_queues.get(&Priority::Low).copied().unwrap_or_default()
}
