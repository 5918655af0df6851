//! A report as a picture: each operator's signal-to-noise ratio and range, drawn as SVG.

use std::fmt::Write as _;

use crate::report::{OperatorReport, Report};

/// Height of an operator's line.
const LINE: usize = 22;
/// Where the bars begin, under their headings.
const TOP: usize = 84;
/// Where the first chart begins, after the names.
const NOISE_LEFT: usize = 360;
/// Width of each chart.
const WIDTH: usize = 260;
/// Where the second chart begins.
const RANGE_LEFT: usize = NOISE_LEFT + WIDTH + 120;
/// The right end of the first chart, in decibels.
const MOST_DB: f64 = 100.0;
/// Decades that the second chart shows below the greatest range.
const DECADES: f64 = 4.0;
/// Longest name drawn, in characters.
const NAME: usize = 44;

impl Report {
    /// An SVG picture with a line for each operator.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let height = TOP + LINE * self.operators.len() + 40;
        let width = RANGE_LEFT + WIDTH + 110;
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.draw(&mut out, width, height);
        out
    }

    fn draw(&self, out: &mut String, width: usize, height: usize) -> std::fmt::Result {
        writeln!(
            out,
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">"##
        )?;
        writeln!(out, r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##)?;
        let title = format!("{} ({} profile)", self.model, self.profile.name());
        text(out, 16, 28, "16", "#111111", &title)?;
        let samples = format!(
            "{} operators compared with their floats on {} samples; output cosine {:.5}, least {:.5}",
            self.operators.len(),
            self.compared_samples,
            self.output.mean_cosine,
            self.output.least_cosine
        );
        text(out, 16, 48, "12", "#444444", &samples)?;
        text(out, NOISE_LEFT, TOP - 12, "12", "#111111", "signal to noise, dB (more is better)")?;
        text(out, RANGE_LEFT, TOP - 12, "12", "#111111", "greatest calibrated magnitude (decades)")?;
        let bottom = TOP + LINE * self.operators.len();
        for db in (0..=MOST_DB as usize).step_by(20) {
            let x = NOISE_LEFT + WIDTH * db / MOST_DB as usize;
            writeln!(out, r##"<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="#dddddd"/>"##)?;
            text(out, x, bottom + 16, "10", "#666666", &db.to_string())?;
        }
        let most = self.operators.iter().map(magnitude).fold(0.0, f64::max);
        for (at, operator) in self.operators.iter().enumerate() {
            line(out, TOP + LINE * at, at, operator, most)?;
        }
        writeln!(out, "</svg>")
    }
}

fn magnitude(operator: &OperatorReport) -> f64 {
    f64::from(operator.least.abs().max(operator.greatest.abs()))
}

fn line(out: &mut String, y: usize, at: usize, operator: &OperatorReport, most: f64) -> std::fmt::Result {
    let base = y + LINE - 7;
    let mut name = operator.nodes.join(" + ");
    if !operator.role.is_empty() {
        name = if name.is_empty() { operator.role.clone() } else { format!("{name}: {}", operator.role) };
    }
    if name.chars().count() > NAME {
        name = name.chars().take(NAME - 1).chain(['…']).collect();
    }
    text(out, 16, base, "12", "#111111", &format!("{at}  {name}"))?;
    if let Some(db) = operator.signal_to_noise_db {
        let length = (db.clamp(0.0, MOST_DB) / MOST_DB * WIDTH as f64).round();
        let colour = match db {
            db if db < 20.0 => "#c0392b",
            db if db < 30.0 => "#d98e04",
            _ => "#2e7d5b",
        };
        bar(out, NOISE_LEFT, y, length, colour)?;
        text(out, NOISE_LEFT + WIDTH + 8, base, "11", "#333333", &format!("{db:.1} dB"))?;
    } else {
        text(out, NOISE_LEFT + WIDTH + 8, base, "11", "#999999", "not compared")?;
    }
    let own = magnitude(operator);
    let part = if own > 0.0 && most > 0.0 { 1.0 + (own / most).log10() / DECADES } else { 0.0 };
    bar(out, RANGE_LEFT, y, (part.clamp(0.0, 1.0) * WIDTH as f64).round(), "#4a6fa5")?;
    let kind = format!("{own:.3} {:?}", operator.dtype).to_lowercase();
    text(out, RANGE_LEFT + WIDTH + 8, base, "11", "#333333", &kind)
}

fn bar(out: &mut String, x: usize, y: usize, length: f64, colour: &str) -> std::fmt::Result {
    let (y, height) = (y + 4, LINE - 8);
    writeln!(out, r##"<rect x="{x}" y="{y}" width="{length}" height="{height}" fill="{colour}"/>"##)
}

fn text(out: &mut String, x: usize, y: usize, size: &str, colour: &str, text: &str) -> std::fmt::Result {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    writeln!(out, r##"<text x="{x}" y="{y}" font-size="{size}" fill="{colour}">{safe}</text>"##)
}
