//! The function as a process.

use std::{fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};

use crate::clock;

/// A running function.
pub struct Function {
    process: Child,
    log: JoinHandle<Log>,
}

/// What it wrote to standard output.
#[derive(Debug, Default, Clone, Copy)]
pub struct Log {
    /// Bytes, line ends included.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
}

impl Function {
    /// Starts it as Lambda does: with its own `variables`, those of Lambda and no others.
    pub fn start(
        binary: &Path,
        name: &str,
        runtime_api: SocketAddr,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self> {
        let mut process = Command::new(binary)
            .env_clear()
            .envs(variables)
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
                ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
                ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ])
            .envs([
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_SESSION_TOKEN", "test"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
                ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
                ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/11/[$LATEST]0123456789abcdef0123456789abcdef"),
                ("LANG", "en_US.UTF-8"),
                ("LAMBDA_TASK_ROOT", "/var/task"),
                ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
                ("TZ", ":UTC"),
                ("_HANDLER", "bootstrap"),
                ("RUST_LOG", "info"),
                ("METRICS_NAMESPACE", "Flashsale"),
                ("STAGE", "load"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let output = process.stdout.take().context("standard output is a pipe")?;
        Ok(Self { process, log: tokio::spawn(count(output)) })
    }

    /// The time its threads have run, on a processor, in user and kernel mode.
    pub fn cpu_time(&self) -> Result<Duration> {
        clock::of_process(self.pid()?)
    }

    /// The most memory it has held at once.
    pub fn peak_memory_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid()?);
        peak_memory_bytes(&fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?)
    }

    fn pid(&self) -> Result<u32> {
        self.process.id().context("the function has ended")
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<Log> {
        self.process.kill().await?;
        Ok(self.log.await?)
    }
}

async fn count(output: ChildStdout) -> Log {
    let mut output = BufReader::new(output);
    let mut log = Log::default();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(size) = output.read(&mut buffer).await
        && size > 0
    {
        let read = buffer.get(..size).unwrap_or_default();
        log.bytes += read.len() as u64;
        log.lines += read.split(|&byte| byte == b'\n').skip(1).count() as u64;
    }
    log
}

/// The most memory that a process has held at once: `VmHWM` of `/proc/<pid>/status`, in KiB (`proc_pid_status(5)`).
pub fn peak_memory_bytes(status: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim_end().parse().context("VmHWM in kB")?;
    Ok(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_the_high_water_mark() {
        let status = "Name:\tbootstrap\nVmPeak:\t  999 kB\nVmHWM:\t   14336 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak_memory_bytes(status).unwrap(), 14_680_064);
        assert!(peak_memory_bytes("Name:\tx\n").is_err());
    }
}
