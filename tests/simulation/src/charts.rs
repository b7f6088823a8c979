//! The figures of `docs/figures`, as SVG on a white card, so that they read on a dark page too.

use std::error::Error;

use indicatif::HumanFloatCount;
use plotters::{
    chart::{ChartBuilder, ChartContext, SeriesLabelPosition},
    coord::{
        Shift,
        cartesian::Cartesian2d,
        combinators::{IntoLogRange, LogCoord},
        ranged1d::{AsRangedCoord, Ranged, ValueFormatter},
    },
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement},
    prelude::SVGBackend,
    series::{DashedLineSeries, LineSeries},
    style::{Color, IntoFont, RGBColor, ShapeStyle, WHITE},
};

use crate::{
    outcome::{Answers, Outcome, Sample, share},
    study::{CONFLICTS_MAX, Capacity, mean_per_shard},
};

const SIZE: (u32, u32) = (960, 560);
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif";

// Okabe and Ito's palette, distinct to the colour-blind too.
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const ORANGE: RGBColor = RGBColor(213, 94, 0);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
const PINK: RGBColor = RGBColor(180, 80, 140);
const INK: RGBColor = RGBColor(45, 52, 64);
const FAINT: RGBColor = RGBColor(228, 231, 236);

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Chart<'a, 'b, X, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>;
pub(crate) type Failure = Box<dyn Error + Send + Sync>;
pub(crate) type Drawn = Result<(), Failure>;

/// An SVG document.
pub type Svg = Result<String, Failure>;

pub(crate) fn draw(paint: impl FnOnce(&Area<'_>) -> Drawn) -> Svg {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    paint(&area)?;
    area.present()?;
    drop(area);
    Ok(svg)
}

/// Claims issued against shards: at a given offered load, and at the limit of conflicts.
pub fn claims_by_shards(offered: &[Outcome], capacity: &[Capacity]) -> Svg {
    draw(|area| {
        let rate = offered.first().map_or(1.0, |outcome| f64::from(outcome.scenario.rate));
        let per_shard = mean_per_shard(capacity);
        let mut chart =
            over_shards(area, "Claims per second against stock shards", (10.0..100_000.0).log_scale())?;
        mesh(&mut chart, "stock shards", "coupons issued per second", grouped)?;
        let points = capacity.iter().map(|c| (f64::from(c.shards), c.claims_per_second)).collect();
        let limit = format!("at {:.0} % conflicts", CONFLICTS_MAX * 100.0);
        line(&mut chart, &limit, GREEN, points)?;
        dashed(
            &mut chart,
            &format!("linear: {per_shard:.1} claims/s a shard"),
            [1.0, 2_048.0].map(|shards| (shards, shards * per_shard)),
        )?;
        let points = offered.iter().map(|o| (f64::from(o.shards), o.claims_per_second)).collect();
        line(&mut chart, &format!("at {} claims/s offered", grouped(rate)), BLUE, points)?;
        legend(&mut chart, SeriesLabelPosition::LowerRight)
    })
}

/// Conflicts and refusals against shards.
pub fn conflicts_by_shards(offered: &[Outcome]) -> Svg {
    draw(|area| {
        let percent = |share: fn(&Outcome) -> f64| {
            offered.iter().map(|o| (f64::from(o.shards), share(o) * 100.0)).collect::<Vec<_>>()
        };
        let mut chart = over_shards(area, &titled("Conflicts and refusals", offered), 0.0..100.0)?;
        mesh(&mut chart, "stock shards", "share, %", |y| format!("{y:.0}"))?;
        let limit = CONFLICTS_MAX * 100.0;
        dashed(&mut chart, "goal for conflicts", [(1.0, limit), (2_048.0, limit)])?;
        let throttled = |o: &Outcome| share(o.answers.throttled, o.answers.total());
        let busy = |o: &Outcome| share(o.answers.busy, o.answers.total());
        line(&mut chart, "transactions in conflict", BLUE, percent(|o| o.conflict_share))?;
        line(&mut chart, "claims refused: throttled", ORANGE, percent(throttled))?;
        line(&mut chart, "claims refused: too many conflicts", PINK, percent(busy))?;
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

/// Latency against shards.
pub fn latency_by_shards(offered: &[Outcome]) -> Svg {
    draw(|area| {
        let latency = |millis: fn(&Outcome) -> f64| {
            offered.iter().map(|o| (f64::from(o.shards), millis(o))).collect::<Vec<_>>()
        };
        let mut chart = over_shards(area, &titled("Latency of an issued claim", offered), 0.0..250.0)?;
        mesh(&mut chart, "stock shards", "milliseconds in the function", |y| format!("{y:.0}"))?;
        line(&mut chart, "slowest", PINK, latency(|o| o.latency.max_ms))?;
        line(&mut chart, "99th percentile", ORANGE, latency(|o| o.latency.p99_ms))?;
        line(&mut chart, "median", BLUE, latency(|o| o.latency.p50_ms))?;
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

/// The course of a sale: what is left, and what guests are told.
pub fn sale_timeline(sale: &Outcome) -> Svg {
    draw(|area| {
        let samples = &sale.timeline;
        let end = samples.last().map_or(1.0, |sample| sample.at_ms / 1_000.0);
        let interval = samples.first().map_or(1.0, |sample| sample.at_ms / 1_000.0);
        let title = format!(
            "{} coupons, {} guests/s, {} shards: from first to last",
            grouped(f64::from(sale.scenario.stock)),
            grouped(f64::from(sale.scenario.rate)),
            grouped(f64::from(sale.shards)),
        );
        let (upper, lower) = area.split_vertically(220);

        let stock = f64::from(sale.scenario.stock);
        let mut chart = builder(&upper, &title).build_cartesian_2d(0.0..end, 0.0..stock * 1.05)?;
        mesh(&mut chart, "", "coupons left", grouped)?;
        let left = samples.iter().map(|s| (s.at_ms / 1_000.0, f64::from(s.left)));
        let start = std::iter::once((0.0, stock));
        chart.draw_series(LineSeries::new(start.chain(left), stroke(GREEN)))?;

        let rate = |kind: fn(&Answers) -> u32| {
            let point = |s: &Sample| (s.at_ms / 1_000.0, f64::from(kind(&s.answers)) / interval);
            samples.iter().map(point).collect::<Vec<_>>()
        };
        let kinds = [
            ("issued", GREEN, rate(|answers| answers.issued)),
            ("\"sold out\"", BLUE, rate(|answers| answers.sold_out)),
            ("\"try again\"", ORANGE, rate(Answers::refused)),
        ];
        let top = kinds.iter().flat_map(|(_, _, points)| points).map(|point| point.1).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(&lower)
            .margin(20)
            .margin_top(0)
            .x_label_area_size(50)
            .y_label_area_size(90)
            .build_cartesian_2d(0.0..end, 0.0..top * 1.05)?;
        mesh(&mut chart, "seconds since the sale started", "answers per second", grouped)?;
        for (name, color, points) in kinds {
            curve(&mut chart, name, color, points)?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

pub(crate) fn builder<'a, 'b>(area: &'a Area<'b>, title: &str) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder
        .caption(title, (FONT, 22).into_font().color(&INK))
        .margin(20)
        .x_label_area_size(50)
        .y_label_area_size(90);
    builder
}

fn titled(what: &str, offered: &[Outcome]) -> String {
    let first = offered.first().map(|outcome| &outcome.scenario);
    let rate = first.map_or(0.0, |scenario| f64::from(scenario.rate));
    let hold = first.map_or(0, |scenario| scenario.hold.as_millis());
    format!("{what} at {} claims/s offered, items held {hold} ms", grouped(rate))
}

/// A chart over the number of shards, 1 to 2,048, each step twice the one before.
fn over_shards<'a, 'b, Y: AsRangedCoord>(
    area: &'a Area<'b>,
    title: &str,
    y: Y,
) -> Result<Chart<'a, 'b, LogCoord<f64>, Y::CoordDescType>, Failure> {
    Ok(builder(area, title).build_cartesian_2d((1.0..2_048.0).log_scale().base(2.0), y)?)
}

pub(crate) fn mesh<X, Y>(
    chart: &mut Chart<'_, '_, X, Y>,
    x: &str,
    y: &str,
    y_label: impl Fn(f64) -> String,
) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels(12)
        .y_labels(5)
        .x_label_formatter(&|x| grouped(*x))
        .y_label_formatter(&|y| y_label(*y))
        .axis_style(INK)
        .bold_line_style(FAINT)
        .light_line_style(WHITE)
        .label_style((FONT, 15).into_font().color(&INK))
        .axis_desc_style((FONT, 16).into_font().color(&INK))
        .draw()?;
    Ok(())
}

fn line<X, Y>(chart: &mut Chart<'_, '_, X, Y>, name: &str, color: RGBColor, points: Vec<(f64, f64)>) -> Drawn
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, color.filled())))?;
    curve(chart, name, color, points)
}

pub(crate) fn curve<X, Y>(
    chart: &mut Chart<'_, '_, X, Y>,
    name: &str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
) -> Drawn
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    chart
        .draw_series(LineSeries::new(points, stroke(color)))?
        .label(name)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], stroke(color)));
    Ok(())
}

fn dashed<X, Y>(chart: &mut Chart<'_, '_, X, Y>, name: &str, ends: [(f64, f64); 2]) -> Drawn
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    let style = INK.mix(0.6).stroke_width(2);
    chart
        .draw_series(DashedLineSeries::new(ends, 6, 6, style))?
        .label(name)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
    Ok(())
}

pub(crate) fn legend<'a, 'b: 'a, X, Y>(
    chart: &mut Chart<'a, 'b, X, Y>,
    position: SeriesLabelPosition,
) -> Drawn
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(position)
        .margin(14)
        .legend_area_size(34)
        .background_style(WHITE.mix(0.9))
        .border_style(FAINT)
        .label_font((FONT, 15).into_font().color(&INK))
        .draw()?;
    Ok(())
}

fn stroke(color: RGBColor) -> ShapeStyle {
    color.stroke_width(3)
}

pub(crate) fn grouped(value: f64) -> String {
    HumanFloatCount(value.round()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scenario, run};

    #[test]
    fn a_sale_is_drawn_with_its_title_and_legend() {
        let svg = sale_timeline(&run(&Scenario::sale(100, None, 20))).unwrap();
        for text in ["<svg", "20 coupons, 100 guests/s", "sold out", "seconds since the sale started"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
