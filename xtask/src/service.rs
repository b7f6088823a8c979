//! Processes that outlive the step that starts them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

/// Open connections are given this long to end by themselves.
const GRACE: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// At most as long as this process, however it ends.
    Scoped,
    /// Until someone stops it.
    Detached,
}

/// A service started here: stopped on drop, unless it is detached. Its process leads a group that holds all it starts.
#[derive(Debug)]
pub(crate) struct Service {
    record: Record,
    child: Child,
    is_detached: bool,
}

/// What is needed to find a service again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) pid: i32,
    /// Where it writes.
    pub(crate) log: PathBuf,
}

impl Service {
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        port: u16,
        log: &Path,
        lifetime: Lifetime,
    ) -> Result<Self> {
        use std::os::unix::process::CommandExt;

        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let stdin = match lifetime {
            Lifetime::Scoped => Stdio::piped(),
            Lifetime::Detached => Stdio::null(),
        };
        let child = command
            .process_group(0)
            .stdin(stdin)
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let pid = i32::try_from(child.id()).context("a process id beyond its range")?;
        let record = Record { name: name.to_owned(), port, pid, log: log.to_owned() };
        Ok(Self { record, child, is_detached: false })
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot wait for {}", self.record.name))
    }

    /// Lets it run on.
    pub(crate) fn detach(mut self) {
        self.is_detached = true;
    }

    fn stop(&mut self) {
        signal(self.record.pid, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(POLL_INTERVAL);
        }
        signal(self.record.pid, Signal::KILL);
        // It was killed: there is nothing to learn from how it ended.
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.is_detached {
            self.stop();
        }
    }
}

impl Record {
    /// Whether the process still runs, and is the one that was started with `state_dir`: ids are used again.
    pub(crate) fn is_running(&self, state_dir: &Path) -> bool {
        command_line(self.pid).is_some_and(|line| {
            line.contains(&*state_dir.to_string_lossy())
                && line.split_whitespace().any(|word| word == self.name)
        })
    }

    /// Stops it; does nothing if it no longer runs.
    pub(crate) fn stop(&self, state_dir: &Path) {
        if !self.is_running(state_dir) {
            return;
        }
        signal(self.pid, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && self.is_running(state_dir) {
            thread::sleep(POLL_INTERVAL);
        }
        signal(self.pid, Signal::KILL);
    }
}

/// To the whole group. That it has ended meanwhile is as good.
fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process_group(pid, signal);
    }
}

/// What the process was started as: from `/proc`, or from `ps` where there is none (macOS).
fn command_line(pid: i32) -> Option<String> {
    if Path::new("/proc/self/cmdline").exists() {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&bytes).replace('\0', " "));
    }
    let output = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A service, and the process it has started by then.
    fn sleeper(state: &Path) -> (Service, i32) {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & echo $!; wait", "ministack", &state.to_string_lossy()]);
        let service = Service::start("ministack", command, 1, &state.join("log"), Lifetime::Scoped).unwrap();
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Ok(child) = fs::read_to_string(&service.record().log).unwrap().trim().parse() {
                return (service, child);
            }
            thread::sleep(POLL_INTERVAL);
        }
        panic!("the service has no child");
    }

    #[test]
    fn a_service_ends_with_its_handle_and_takes_its_children_along() {
        let state = tempfile::tempdir().unwrap();
        let (service, child) = sleeper(state.path());
        let record = service.record().clone();
        assert!(record.is_running(state.path()));
        assert!(command_line(child).unwrap().contains("sleep"));
        drop(service);
        assert!(!record.is_running(state.path()));
        // Nothing, or what is left of a process that nobody has waited for. On a busy machine it is killed a moment later.
        let mut looks = 0..100_000;
        let is_gone = looks.any(|_| {
            thread::yield_now();
            command_line(child).unwrap_or_default().is_empty()
        });
        assert!(is_gone);
    }

    #[test]
    fn a_process_of_another_stack_is_not_ours() {
        let state = tempfile::tempdir().unwrap();
        let (service, _) = sleeper(state.path());
        let elsewhere = Path::new("/elsewhere");
        assert!(!service.record().is_running(elsewhere));
        service.record().stop(elsewhere);
        assert!(service.record().is_running(state.path()));
    }

    #[test]
    fn a_record_stops_what_runs_on() {
        let state = tempfile::tempdir().unwrap();
        let (mut service, _) = sleeper(state.path());
        service.record().stop(state.path());
        assert!(service.child.wait().is_ok());
        assert!(!service.record().is_running(state.path()));
    }
}
