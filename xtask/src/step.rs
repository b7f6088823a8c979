//! Progress: a spinner per step on a terminal, a line per finished step elsewhere.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(120);

/// The steps under way, one line each.
#[derive(Clone, Default)]
pub(crate) struct Progress(MultiProgress);

impl Progress {
    /// Starts a step of unknown length.
    pub(crate) fn step(&self, title: impl Into<Cow<'static, str>>) -> Step {
        let bar = self.0.add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}"));
        Step::new(self.clone(), bar, title.into())
    }

    /// Starts a step of `length` parts.
    pub(crate) fn counted(&self, title: impl Into<Cow<'static, str>>, length: u64) -> Step {
        let bar = self.0.add(ProgressBar::new(length));
        bar.set_style(style(
            "{spinner:.cyan} {prefix} {bar:24.cyan/dim} {pos}/{len} {elapsed:.dim} {wide_msg}",
        ));
        Step::new(self.clone(), bar, title.into())
    }

    fn line(&self, line: &str) {
        if self.0.is_hidden() {
            eprintln!("{line}");
        } else {
            // Progress that cannot be drawn is no reason to fail.
            let _ = self.0.println(line);
        }
    }
}

/// One step; dropped before it is done, it failed or was cancelled, and vanishes.
pub(crate) struct Step {
    progress: Progress,
    bar: ProgressBar,
    title: Cow<'static, str>,
    started: Instant,
    is_done: bool,
}

impl Step {
    fn new(progress: Progress, bar: ProgressBar, title: Cow<'static, str>) -> Self {
        bar.set_prefix(title.clone().into_owned());
        bar.enable_steady_tick(TICK);
        Self { progress, bar, title, started: Instant::now(), is_done: false }
    }

    /// What it is doing now.
    pub(crate) fn say(&self, message: impl Into<Cow<'static, str>>) {
        self.bar.set_message(message);
    }

    /// One more part is done.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
    }

    /// Prints lines that stay.
    pub(crate) fn print(&self, text: &str) {
        self.progress.line(text);
    }

    /// It is done.
    pub(crate) fn done(self) {
        self.done_as("");
    }

    /// It is done, and `detail` is worth knowing.
    pub(crate) fn done_as(mut self, detail: &str) {
        self.is_done = true;
        let gap = if detail.is_empty() { "" } else { ": " };
        let seconds = self.started.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        self.progress.line(&format!("✓ {}{gap}{detail} ({seconds:.1} s)", self.title));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.is_done {
            self.bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
