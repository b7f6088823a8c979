//! What a claim takes on the function's own thread: allocations and processor time.

use alloc_tracker::Session;
use anyhow::{Context, Result};
use serde::Serialize;
use tokio::runtime::Runtime;

use super::rounds::Side;
use crate::{clock, progress, statistics::median};

/// Rounds of each side, of which the first is not counted.
pub const ROUNDS: usize = 11;

/// What one claim takes.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Times that memory was asked for.
    pub allocations: f64,
    /// How much memory, all in all.
    pub kilobytes: f64,
    /// Time on the processor, in the median round.
    pub cpu_us: f64,
}

/// Counts rounds of so many requests of each side, in turn. The runtime must be of one thread, this one.
pub fn count<const SIDES: usize>(
    runtime: &Runtime,
    requests: usize,
    sides: [&Side<String>; SIDES],
) -> Result<[Cost; SIDES]> {
    let mut counters: [Counter; SIDES] = std::array::from_fn(|_| Counter::default());
    let progress = progress::bar("allocations and CPU", ROUNDS as u64);
    for round in 0..ROUNDS {
        for (side, counter) in sides.iter().zip(&mut counters) {
            let made = (round * requests..).map(|n| side.request(n)).take(requests).collect();
            counter.run(runtime, side, made, round > 0)?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let costs = counters.into_iter().map(Counter::cost).collect::<Result<Vec<_>>>()?;
    costs.try_into().ok().context("as many costs as sides")
}

struct Counter {
    session: Session,
    cpu_us: Vec<f64>,
}

impl Default for Counter {
    fn default() -> Self {
        Self { session: Session::new().no_stdout().no_file(), cpu_us: Vec::new() }
    }
}

impl Counter {
    fn run(
        &mut self,
        runtime: &Runtime,
        side: &Side<String>,
        requests: Vec<String>,
        counted: bool,
    ) -> Result<()> {
        let count = requests.len();
        let operation = self.session.operation(if counted { "counted" } else { "warm-up" });
        let before = clock::of_this_thread()?;
        let span = operation.measure_thread().iterations(count as u64);
        runtime.block_on(async {
            for request in requests {
                side.call(request).await?;
            }
            anyhow::Ok(())
        })?;
        drop(span);
        let took = clock::of_this_thread()?.saturating_sub(before);
        if counted {
            self.cpu_us.push(took.as_secs_f64() * 1e6 / count as f64);
        }
        Ok(())
    }

    fn cost(self) -> Result<Cost> {
        let report = self.session.to_report();
        let (_, counted) =
            report.operations().find(|(name, _)| *name == "counted").context("nothing was counted")?;
        let per_request = |total: u64| total as f64 / counted.total_iterations() as f64;
        Ok(Cost {
            allocations: per_request(counted.total_allocations_count()),
            kilobytes: per_request(counted.total_bytes_allocated()) / 1e3,
            cpu_us: median(&self.cpu_us).context("nothing was counted")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_counted_by_the_thread_that_makes_them() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let two = Side::new(
            |_| String::new(),
            |_| async {
                std::thread::spawn(|| std::hint::black_box(vec![0_u8; 1_000_000])).join().ok();
                std::hint::black_box((vec![0_u8; 3_000], vec![0_u8; 5_000]));
                Ok(())
            },
        );
        let none = Side::new(|_| String::new(), |_| async { Ok(()) });
        let [two, none] = count(&runtime, 100, [&two, &none]).unwrap();
        assert!((8.0..20.0).contains(&(two.kilobytes - none.kilobytes)), "{two:?} {none:?}");
        assert!(two.allocations - none.allocations >= 2.0, "{two:?} {none:?}");
        assert!(two.cpu_us > none.cpu_us);
    }
}
