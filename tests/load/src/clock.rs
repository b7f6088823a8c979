//! Processor time.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// The time this thread has run on a processor, in user and kernel mode.
pub fn of_this_thread() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("no clock of this thread")?.into())
}

/// The time that all threads of a process have run, those that have ended included.
pub fn of_process(pid: u32) -> Result<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    let clock = clock_getcpuclockid(pid).context("no clock of the process")?;
    Ok(clock_gettime(clock).context("the process has ended")?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let before = (of_this_thread().unwrap(), of_process(std::process::id()).unwrap());
        let mut sum = 0_u64;
        while of_this_thread().unwrap() == before.0 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(of_process(std::process::id()).unwrap() > before.1);
    }
}
