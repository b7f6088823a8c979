//! Commands of others, run as a step: their output goes to a log, its last line to the screen.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, File},
    io::Write,
    path::Path,
    process::Stdio,
    sync::Mutex,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

use crate::{step::Step, workspace};

/// Lines of a failed command that are shown: a compiler's error fits.
const SHOWN_LINES: usize = 30;

/// Runs `command` to its end. All it writes is in `log` afterwards.
pub(crate) async fn run(command: Command, log: &Path, step: &Step) -> Result<()> {
    execute(command, log, step, None).await
}

/// Like [`run`]; what it writes to stdout is for programs: returned, neither shown nor logged.
pub(crate) async fn capture(command: Command, log: &Path, step: &Step) -> Result<String> {
    let mut stdout = String::new();
    execute(command, log, step, Some(&mut stdout)).await?;
    Ok(stdout)
}

async fn execute(mut command: Command, log: &Path, step: &Step, copy: Option<&mut String>) -> Result<()> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = Output { log: Mutex::new(create(log)?), tail: Mutex::default(), step };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let read_stdout = output.read(child.stdout.take(), copy);
    let read_stderr = output.read(child.stderr.take(), None);
    let (stdout_end, stderr_end, status) = tokio::join!(read_stdout, read_stderr, child.wait());
    stdout_end.and(stderr_end).with_context(|| format!("cannot read what {program} writes"))?;
    let status = status.with_context(|| format!("cannot wait for {program}"))?;
    if !status.success() {
        step.print(&output.into_tail());
        bail!("{program} failed ({status}); all it wrote is in {}", workspace::display(log));
    }
    Ok(())
}

/// Without what would lead a client of AWS to a real account, whatever the caller's environment holds.
pub(crate) fn without_aws(command: &mut Command) -> &mut Command {
    for name in aws_variables() {
        command.env_remove(name);
    }
    command
}

/// The names of the caller's variables that speak to AWS clients.
pub(crate) fn aws_variables() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("AWS_"))
}

fn create(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    File::create(log).with_context(|| format!("cannot write {}", log.display()))
}

struct Output<'a> {
    log: Mutex<File>,
    tail: Mutex<VecDeque<String>>,
    step: &'a Step,
}

impl Output<'_> {
    async fn read(
        &self,
        from: Option<impl AsyncRead + Unpin>,
        mut copy: Option<&mut String>,
    ) -> std::io::Result<()> {
        let Some(from) = from else { return Ok(()) };
        let mut lines = BufReader::new(from).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(copy) = &mut copy {
                copy.push_str(&line);
                copy.push('\n');
                continue;
            }
            if let Ok(mut log) = self.log.lock() {
                writeln!(log, "{line}")?;
            }
            self.step.say(line.trim().to_owned());
            if let Ok(mut tail) = self.tail.lock() {
                if tail.len() == SHOWN_LINES {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
        }
        Ok(())
    }

    fn into_tail(self) -> String {
        let tail = self.tail.into_inner().unwrap_or_default();
        tail.into_iter().collect::<Vec<_>>().join("\n")
    }
}
