//! Curves as a picture, drawn as SVG.

use std::fmt::{self, Write as _};

/// Width and height of a chart with its legend and labels.
const CHART: (f64, f64) = (460.0, 330.0);
/// Room left, above, right and below the curves.
const ROOM: [f64; 4] = [72.0, 44.0, 16.0, 74.0];
/// Charts side by side.
const ACROSS: usize = 2;
const COLOURS: [&str; 5] = ["#1f6f8b", "#c0562f", "#4f7f3f", "#7d4f9e", "#8a7a1f"];

/// One line of a chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
    /// Whether it is a fit: drawn as a dashed line without points, in the colour of the series before it.
    pub fitted: bool,
}

/// A chart; what grows is shown by its binary logarithm.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What it shows, with the unit.
    pub title: String,
    /// What grows.
    pub axis: String,
    /// Whether values are shown by their logarithm too; otherwise from 0 on.
    pub powers: bool,
    /// The lines.
    pub series: Vec<Series>,
}

/// Draws charts under a title.
pub fn draw(title: &str, charts: &[Chart]) -> String {
    let rows = charts.len().div_ceil(ACROSS);
    let (width, height) = (CHART.0 * ACROSS as f64, CHART.1 * rows as f64 + 40.0);
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">
<rect width="{width}" height="{height}" fill="#ffffff"/>
"##
    );
    // Writing to a string does not fail.
    let _ = text(&mut out, (16.0, 26.0), "start", "font-size=\"15\" fill=\"#111111\"", title);
    for (index, chart) in charts.iter().enumerate() {
        let at = (CHART.0 * (index % ACROSS) as f64, 40.0 + CHART.1 * (index / ACROSS) as f64);
        let _ = Frame::new(chart, at).draw(&mut out, chart);
    }
    out.push_str("</svg>\n");
    out
}

/// Where a chart's values fall on the picture.
struct Frame {
    at: (f64, f64),
    x: (f64, f64),
    y: (f64, f64),
    powers: bool,
}

impl Frame {
    fn new(chart: &Chart, at: (f64, f64)) -> Self {
        let all = || chart.series.iter().flat_map(|series| &series.points);
        let range = |values: Vec<f64>| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if least > most { (0.0, 1.0) } else { (least, most.max(least + 1.0)) }
        };
        let x = range(all().map(|point| point.0.log2()).collect());
        let y = if chart.powers {
            let (least, most) = range(all().map(|point| point.1.max(1e-6).log10()).collect());
            (least.floor(), most.ceil())
        } else {
            let most = all().map(|point| point.1).fold(0.0, f64::max);
            let step = step(most);
            (0.0, (most / step).ceil().max(1.0) * step)
        };
        Self { at, x, y, powers: chart.powers }
    }

    fn x(&self, log2: f64) -> f64 {
        let width = CHART.0 - ROOM[0] - ROOM[2];
        self.at.0 + ROOM[0] + width * (log2 - self.x.0) / (self.x.1 - self.x.0)
    }

    fn y(&self, value: f64) -> f64 {
        let height = CHART.1 - ROOM[1] - ROOM[3];
        self.at.1 + ROOM[1] + height * (self.y.1 - value) / (self.y.1 - self.y.0)
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x(x.log2()), self.y(if self.powers { y.max(1e-6).log10() } else { y }))
    }

    fn draw(&self, out: &mut String, chart: &Chart) -> fmt::Result {
        let (left, right) = (self.x(self.x.0), self.x(self.x.1));
        let (top, bottom) = (self.y(self.y.1), self.y(self.y.0));
        text(out, (left, top - 14.0), "start", "font-size=\"12\" fill=\"#111111\"", &chart.title)?;
        let (steps, step) = if self.powers {
            ((self.y.1 - self.y.0) as usize, 1.0)
        } else {
            let step = step(self.y.1);
            ((self.y.1 / step).round() as usize, step)
        };
        for index in 0..=steps {
            let value = self.y.0 + index as f64 * step;
            let y = self.y(value);
            writeln!(
                out,
                r##"<line x1="{left:.1}" y1="{y:.1}" x2="{right:.1}" y2="{y:.1}" stroke="#e2e2e2"/>"##
            )?;
            let label = short(if self.powers { 10f64.powf(value) } else { value });
            text(out, (left - 6.0, y + 4.0), "end", "fill=\"#555555\"", &label)?;
        }
        let every = if self.x.1 - self.x.0 > 9.0 { 2 } else { 1 };
        for log2 in (self.x.0.ceil() as i32..=self.x.1.floor() as i32).step_by(every) {
            let x = self.x(log2.into());
            writeln!(
                out,
                r##"<line x1="{x:.1}" y1="{top:.1}" x2="{x:.1}" y2="{bottom:.1}" stroke="#f0f0f0"/>"##
            )?;
            let label = if log2 > 13 { format!("2^{log2}") } else { (1u64 << log2.max(0)).to_string() };
            text(out, (x, bottom + 15.0), "middle", "fill=\"#555555\"", &label)?;
        }
        text(out, (f64::midpoint(left, right), bottom + 31.0), "middle", "fill=\"#333333\"", &chart.axis)?;
        self.lines(out, chart, (left, bottom + 50.0))
    }

    fn lines(&self, out: &mut String, chart: &Chart, legend: (f64, f64)) -> fmt::Result {
        let (mut colour, mut at) = (0, legend.0);
        for (index, series) in chart.series.iter().enumerate() {
            colour += usize::from(index > 0 && !series.fitted);
            let stroke = COLOURS[colour % COLOURS.len()];
            let places: Vec<(f64, f64)> = series.points.iter().map(|point| self.place(*point)).collect();
            let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let dashes = if series.fitted { " stroke-dasharray=\"5 4\"" } else { "" };
            writeln!(
                out,
                r##"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="1.6"{dashes}/>"##,
                path.join(" ")
            )?;
            if !series.fitted {
                for (x, y) in &places {
                    writeln!(out, r##"<circle cx="{x:.1}" cy="{y:.1}" r="2.6" fill="{stroke}"/>"##)?;
                }
            }
            let (x, y) = (at, legend.1);
            let end = x + 18.0;
            writeln!(
                out,
                r##"<line x1="{x:.1}" y1="{y:.1}" x2="{end:.1}" y2="{y:.1}" stroke="{stroke}" stroke-width="2"{dashes}/>"##
            )?;
            text(out, (x + 22.0, y + 4.0), "start", "fill=\"#333333\"", &series.name)?;
            at += 34.0 + 6.0 * series.name.chars().count() as f64;
        }
        Ok(())
    }
}

/// A round step of which up to `most` takes a few.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-9);
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.into_iter().map(|s| s * power).find(|s| *s >= rough).unwrap_or(rough)
}

/// A number in few characters.
fn short(value: f64) -> String {
    let with = |value: f64, unit: &str| {
        let text = format!("{value:.3}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{text}{unit}")
    };
    match value {
        value if value >= 1e9 => with(value / 1e9, " G"),
        value if value >= 1e6 => with(value / 1e6, " M"),
        value if value >= 1e4 => with(value / 1e3, " k"),
        value => with(value, ""),
    }
}

/// `words` are our own: they hold no character that SVG reads otherwise.
fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, words: &str) -> fmt::Result {
    writeln!(out, r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" {style}>{words}</text>"##)
}
