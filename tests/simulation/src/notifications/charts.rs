//! The figures of the notifications' document.

use plotters::{chart::SeriesLabelPosition, coord::combinators::IntoLogRange};

use super::{
    Outcome,
    report::figure,
    scenario::{BACKUP, PRIMARY},
    study::Study,
};
use crate::charts::{BLUE, GREEN, ORANGE, Svg, builder, curve, draw, grouped, legend, mesh};

/// Seconds before and after an outage that are drawn.
const AROUND: u64 = 60;

/// Each with its file.
pub fn all(study: &Study) -> [(&'static str, Svg); 2] {
    [(figure::URGENT, urgent(&study.alone, &study.beside_load)), (figure::OUTAGE, outage(&study.hanging))]
}

/// The share of urgent messages that a provider had after so long.
fn urgent(alone: &Outcome, beside: &Outcome) -> Svg {
    draw(|area| {
        let longest = |outcome: &Outcome| outcome.urgent_ms.last().copied().unwrap_or(1.0);
        let end = longest(alone).max(longest(beside)).max(1_000.0);
        let title = format!(
            "Urgent messages, by themselves and beside {} others",
            grouped(f64::from(beside.scenario.low_load))
        );
        let mut chart = builder(area, &title).build_cartesian_2d((50.0..end).log_scale(), 0.0..100.0)?;
        mesh(&mut chart, "milliseconds from acceptance until a provider has it", "share, %", |y| {
            format!("{y:.0}")
        })?;
        curve(&mut chart, "by themselves", BLUE, cumulative(&alone.urgent_ms))?;
        curve(&mut chart, "beside the load", ORANGE, cumulative(&beside.urgent_ms))?;
        legend(&mut chart, SeriesLabelPosition::LowerRight)
    })
}

/// In steps of a half percent.
fn cumulative(sorted: &[f64]) -> Vec<(f64, f64)> {
    let step = |at: usize| {
        let place = (sorted.len() * at).div_ceil(200).saturating_sub(1);
        Some((*sorted.get(place)?, f64::from(u32::try_from(at).ok()?) / 2.0))
    };
    (1..=200).filter_map(step).collect()
}

/// What each provider takes, second by second.
fn outage(outcome: &Outcome) -> Svg {
    draw(|area| {
        let (from, until) = outcome
            .scenario
            .outage
            .map_or((0, 0), |outage| (outage.from.as_secs(), (outage.from + outage.lasts).as_secs()));
        let begin = usize::try_from(from.saturating_sub(AROUND)).unwrap_or_default();
        let shown = usize::try_from(until + AROUND + AROUND).unwrap_or_default().saturating_sub(begin);
        let second = |at: usize| f64::from(u32::try_from(at).unwrap_or(u32::MAX));
        let of = |place: usize| -> Vec<(f64, f64)> {
            let seconds = outcome.timeline.iter().enumerate().skip(begin).take(shown);
            let point = |(at, taken): (usize, &[u32; 2])| {
                (second(at), f64::from(taken.get(place).copied().unwrap_or_default()))
            };
            seconds.map(point).collect()
        };
        let lines = [(PRIMARY, BLUE, of(0)), (BACKUP, GREEN, of(1))];
        let top = lines.iter().flat_map(|(_, _, points)| points).map(|point| point.1).fold(1.0, f64::max);
        let title = format!("Text messages taken, {PRIMARY} hangs from second {from} to {until}");
        let range = second(begin)..second(begin + shown);
        let mut chart = builder(area, &title).build_cartesian_2d(range, 0.0..top * 1.05)?;
        mesh(&mut chart, "seconds", "messages taken a second", grouped)?;
        for (name, color, points) in lines {
            curve(&mut chart, name, color, points)?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}
