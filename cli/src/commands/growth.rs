//! `narrows growth`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use narrows_challenger::engine::Backend;
use serde_json::json;

use crate::growth::curves::{Curve, How, Scale, curves, measure};
use crate::growth::report::{Measured, dispute_picture, honest_picture, lines};
use crate::growth::rows::{Figured, Sampled, kept, rows};
use crate::growth::{self, Point};
use crate::meter::machine;
use crate::output::{Output, dim};

/// The file of all figures in a report's folder.
const FIGURES: &str = "figures.json";

/// `narrows growth`.
#[derive(Debug, Args)]
pub struct GrowthArgs {
    /// Small models only: a few minutes.
    #[arg(long)]
    quick: bool,
    /// The binary logarithm of the operators of the longest chain; 20, or 12 if it is to be quick. 2^20 operators have 1 GiB of
    /// weights and take 8 GB of memory.
    #[arg(long, value_name = "LOG2", value_parser = clap::value_parser!(u32).range(4..=20))]
    largest: Option<u32>,
    /// Curves to measure, by name; give it several times. All without it.
    #[arg(long, value_parser = ["width", "depth", "tokens", "batch", "operators", "claims"])]
    curve: Vec<String>,
    /// Threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// The backend of burn that checks.
    #[arg(long, value_name = "BACKEND", default_value = "flex")]
    backend: Backend,
    /// For how many seconds each work is repeated; the least time counts.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// A folder for GROWTH.md, its pictures and its figures; curves that are not measured stay there as they were.
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// Measures one point in this process, for the process that asks for it.
    #[arg(long, hide = true, value_name = "JSON")]
    point: Option<String>,
}

/// Measures curve after curve; or one point, in the process that was started for it.
pub async fn run(args: &GrowthArgs, out: Output) -> Result<()> {
    let effort = Duration::from_secs(args.seconds.into());
    if let Some(point) = &args.point {
        rayon::ThreadPoolBuilder::new().num_threads(args.threads.into()).build_global()?;
        let point: Point = serde_json::from_str(point).context("--point is no point")?;
        let figures = growth::measure(point, args.backend, effort).await?;
        out.event("point", json!({ "figures": figures }));
        return Ok(());
    }
    let scale =
        Scale { quick: args.quick, largest: args.largest.unwrap_or(if args.quick { 12 } else { 20 }) };
    let how = How { threads: args.threads, backend: args.backend, effort };
    let asked = |curve: &&Curve| args.curve.is_empty() || args.curve.iter().any(|name| name == curve.name);
    let curves = curves(scale);
    let file = args.report.as_ref().map(|folder| folder.join(FIGURES));
    // What is not asked for is as it was.
    let mut figured = file.map_or_else(|| Ok(Figured::new()), |file| kept(&file))?;
    let points: usize = curves.iter().filter(asked).map(|curve| curve.models.len() * curve.parts.len()).sum();
    let style = ProgressStyle::with_template("  {bar:30} {pos}/{len} {elapsed} {msg}")?;
    let bar = ProgressBar::new(points as u64).with_style(style);
    let setting = setting(args);
    for curve in curves.iter().filter(asked) {
        bar.set_message(curve.name);
        let samples = measure(curve, how, |sample| {
            bar.inc(1);
            bar.suspend(|| out.event("growth", json!({ "curve": curve.name, "sample": sample })));
        })?;
        bar.suspend(|| -> Result<()> {
            out.heading(&format!("{}: {}", curve.name, curve.what));
            lines(curve, &rows(&samples)?).iter().for_each(|line| out.line(line));
            Ok(())
        })?;
        let sampled = Sampled { setting: setting.clone(), samples };
        figured.insert(curve.name.into(), sampled);
        if let Some(folder) = &args.report {
            write(folder, &curves, &figured)?;
        }
    }
    bar.finish_and_clear();
    out.line(dim(format!("\n  {setting}")));
    if let Some(folder) = &args.report {
        out.line(format_args!("  written to {}", folder.display()));
    }
    Ok(())
}

/// What was measured where.
fn setting(args: &GrowthArgs) -> String {
    let git = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output().ok();
    let commit = git.filter(|output| output.status.success());
    let commit = commit
        .map_or_else(String::new, |output| format!(" at {}", String::from_utf8_lossy(&output.stdout).trim()));
    let quick = if args.quick { " --quick" } else { "" };
    format!(
        "Measured{commit} on {} of {}, checks on {}, `--seconds {}{quick}`.",
        if args.threads == 1 { "one".into() } else { args.threads.to_string() },
        machine(),
        args.backend,
        args.seconds
    )
}

/// Writes the figures, and the report and pictures of all of them.
fn write(folder: &Path, curves: &[Curve], figured: &Figured) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    put(FIGURES, &serde_json::to_string(figured)?)?;
    let mut measured: Vec<Measured> = Vec::new();
    let mut text = format!("# Growth\n\n{INTRODUCTION}\n");
    for curve in curves {
        let Some(Sampled { setting, samples }) = figured.get(curve.name) else { continue };
        let rows = rows(samples)?;
        let table = lines(curve, &rows).join("\n");
        let (title, what) = (title(curve.name), capital(curve.what));
        text += &format!("\n## {title}\n{what}. {setting}\n\n{table}\n");
        if curve.name == "operators" {
            text += "\n![A dispute against the number of operators](dispute.svg)\n";
        }
        measured.push((curve, rows));
    }
    text += "\n## The honest path, drawn\n![Time and memory](honest.svg)\n";
    put("GROWTH.md", &text)?;
    put("honest.svg", &honest_picture(&measured))?;
    if let Some(picture) = dispute_picture(&measured) {
        put("dispute.svg", &picture)?;
    }
    Ok(())
}

const INTRODUCTION: &str = "`narrows growth --report benchmarks/growth` makes this page; `--curve NAME` measures one curve anew and \
    leaves the others as they are, `--quick` takes small models only. Each figure comes from a process of its own. Times are processor time, the least of those measured in the \
    time given with `--seconds` (one where a run takes longer; the first of a process, in which the native engine packs the weights, does not count); memory is the most that the process held, program and all. \
    Every root that was timed is the same for the native engine, burn and the disputed claim's true trace.";

fn title(name: &str) -> String {
    match name {
        "operators" => "Operators: the program, and a dispute about it".into(),
        "claims" => "Claims a second".into(),
        name => capital(name),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
