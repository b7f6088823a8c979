//! Where it is measured, and how busy it is with other things meanwhile.

use std::{fs, thread};

use anyhow::{Context, Result};
use serde::Serialize;

/// The machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    cpu: String,
    cores: usize,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            cpu: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × {}", self.cores, self.cpu)
    }
}

/// Clock ticks of all processors, since the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    all: u64,
    busy: u64,
    ours: u64,
}

impl Ticks {
    /// Until now.
    pub fn now() -> Result<Self> {
        let read = |path| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
        Self::parse(&read("/proc/stat")?, &read("/proc/self/stat")?)
    }

    /// The share of the machine that other programs took since `before`, and the hypervisor for other machines: with
    /// much of it, no figure that depends on time is worth anything.
    pub fn others_since(self, before: Self) -> f64 {
        let ours = self.ours.saturating_sub(before.ours);
        let others = self.busy.saturating_sub(before.busy).saturating_sub(ours);
        others as f64 / self.all.saturating_sub(before.all).max(1) as f64
    }

    /// The first line of `/proc/stat` (`proc_stat(5)`): user, nice, system, idle, iowait, irq, softirq, steal. Fields
    /// 14 to 17 of `/proc/self/stat` (`proc_pid_stat(5)`): this process and its children that have ended.
    fn parse(machine: &str, process: &str) -> Result<Self> {
        let fields =
            machine.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("no processors")?;
        let fields = numbers(fields, 0, 8)?;
        let idle: u64 = fields.iter().skip(3).take(2).sum();
        let all = fields.iter().sum();
        let (_, fields) = process.rsplit_once(')').context("no name of the program")?;
        Ok(Self { all, busy: all - idle, ours: numbers(fields, 11, 4)?.iter().sum() })
    }
}

fn numbers(fields: &str, skip: usize, take: usize) -> Result<Vec<u64>> {
    let fields = fields.split_whitespace().skip(skip).take(take);
    fields.map(str::parse).collect::<Result<_, _>>().context("not a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_all_but_us() {
        let ours = |ticks: u64| {
            format!("42 (a (b) c) S 1 42 42 0 -1 4194304 1500 0 0 0 {ticks} 5 3 2 20 0 3 0 1 1 1")
        };
        let before = Ticks::parse("cpu  100 0 50 800 20 0 10 20 0 0\ncpu0 1 2\n", &ours(40)).unwrap();
        assert_eq!(before, Ticks { all: 1_000, busy: 180, ours: 50 });
        // 1,000 ticks later: idle for 600 of them, ours for 300, the rest for others.
        let after = Ticks::parse("cpu  400 0 100 1400 20 0 20 60 0 0\n", &ours(340)).unwrap();
        assert!((after.others_since(before) - 0.1).abs() < 1e-9);
        assert!(Ticks::parse("", &ours(1)).is_err());
    }

    #[test]
    fn this_machine_can_be_read() {
        let now = Ticks::now().unwrap();
        assert!(now.all >= now.busy && now.busy >= now.ours, "{now:?}");
    }
}
