//! What was measured, beside what it should be.

use std::{
    fmt::{self, Display},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::machine::{Machine, Ticks};

/// What one command measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    command: String,
    started_at: Timestamp,
    machine: Machine,
    #[serde(skip)]
    before: Ticks,
    /// The share of the machine that other programs took meanwhile.
    others: f64,
    figures: Vec<Figure>,
    details: Map<String, Value>,
    #[serde(skip)]
    tables: Vec<Table>,
}

/// One thing that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
    /// Whether missing the goal is a failure. What depends on the speed of the machine is not.
    binding: bool,
    met: Option<bool>,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Goal {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Figure {
    /// A figure without a goal.
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, goal: None, binding: false, met: None }
    }

    /// With a goal that a slower machine may miss.
    #[must_use]
    pub fn aims_at(self, goal: Goal) -> Self {
        Self { met: Some(goal.is_met_by(self.value)), goal: Some(goal), ..self }
    }

    /// With a goal that must be met on any machine.
    #[must_use]
    pub fn must_be(self, goal: Goal) -> Self {
        Self { binding: true, ..self.aims_at(goal) }
    }
}

impl Report {
    /// An empty one.
    pub fn new(command: &str) -> Result<Self> {
        Ok(Self {
            command: command.into(),
            started_at: Timestamp::now(),
            machine: Machine::here(),
            before: Ticks::now()?,
            others: 0.0,
            figures: Vec::new(),
            details: Map::new(),
            tables: Vec::new(),
        })
    }

    /// Nothing more is measured.
    pub fn close(&mut self) -> Result<()> {
        self.others = Ticks::now()?.others_since(self.before);
        Ok(())
    }

    /// Adds what was measured.
    pub fn extend(&mut self, figures: impl IntoIterator<Item = Figure>) {
        self.figures.extend(figures);
    }

    /// Adds what the figures were worked out from, for the file alone.
    pub fn detail(&mut self, name: impl Into<String>, detail: &impl Serialize) -> Result<()> {
        self.details.insert(name.into(), serde_json::to_value(detail)?);
        Ok(())
    }

    /// Adds a table of its own.
    pub fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = (String, Vec<f64>)>) {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header(header.iter().copied());
        for (what, figures) in rows {
            table.add_row(std::iter::once(what).chain(figures.into_iter().map(shown)));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self.tables.push(table);
    }

    /// Whether every goal is met that must be.
    pub fn holds(&self) -> bool {
        self.figures.iter().all(|figure| !figure.binding || figure.met != Some(false))
    }

    /// Writes it all as JSON.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header(["", "measured", "", "goal", ""]);
        for figure in &self.figures {
            table.add_row([
                figure.what.clone(),
                shown(figure.value),
                figure.unit.to_owned(),
                figure.goal.map(|goal| goal.to_string()).unwrap_or_default(),
                figure.met.map_or("", |met| if met { "✓" } else { "✗" }).to_owned(),
            ]);
        }
        if let Some(measured) = table.column_mut(1) {
            measured.set_cell_alignment(CellAlignment::Right);
        }
        let others = self.others * 100.0;
        writeln!(f, "{} on {}, of which other programs took {others:.0} %", self.command, self.machine)?;
        for table in &self.tables {
            writeln!(f, "{table}")?;
        }
        write!(f, "{table}")
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {}", shown(*least)),
            Self::AtMost(most) => write!(f, "≤ {}", shown(*most)),
        }
    }
}

/// Three digits that count, thousands apart.
fn shown(value: f64) -> String {
    let digits = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 && digit.is_ascii_digit() && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.2468, "0.247"),
            (4.0, "4"),
            (9.876, "9.88"),
            (12.345, "12.3"),
            (123.9, "124"),
            (1_234_567.8, "1,234,568"),
            (-123_456.0, "-123,456"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn only_a_binding_goal_fails_the_run() {
        let mut report = Report::new("test").unwrap();
        report.extend([
            Figure::new("slow machine", 250.0, "ms").aims_at(Goal::AtMost(200.0)),
            Figure::new("ratio", 0.85, "").must_be(Goal::AtLeast(0.85)),
            Figure::new("no goal", 1.0, ""),
        ]);
        assert!(report.holds());
        report.extend([Figure::new("ratio", 0.84, "").must_be(Goal::AtLeast(0.85))]);
        assert!(!report.holds());
        let table = report.to_string();
        assert_eq!((table.matches('✗').count(), table.matches('✓').count()), (2, 1), "{table}");
    }
}
