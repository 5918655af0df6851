//! `narrows run`.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use narrows_bisection::Trace;
use narrows_program::Program;
use serde_json::json;

use crate::claim::ClaimFile;
use crate::engine::EngineChoice;
use crate::files;
use crate::output::{Output, dim, grouped};
use crate::picture::bar;

/// `narrows run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The program.
    program: PathBuf,
    /// The input: a .npy of the source model's shape, or canonical bytes (.bin).
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Writes the whole trace.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Writes the claim that an executor would post.
    #[arg(long, value_name = "FILE")]
    claim: Option<PathBuf>,
    /// The native engine's instructions.
    #[arg(long, default_value = "fastest")]
    engine: EngineChoice,
}

/// Runs, shows the output, writes what is asked for.
pub fn run(args: &RunArgs, out: Output) -> Result<()> {
    let program = files::Mapped::open(&args.program)?;
    let input = files::input(&program, &args.input)?;
    let engine = args.engine.plan(&program);
    let begun = Instant::now();
    let outputs = engine.run(&input)?;
    let ran = begun.elapsed();
    let trace = Trace::new(&program, input, outputs)?;
    let committed = begun.elapsed();
    program.unchanged()?;
    show(out, &program, &trace);
    let (ran, whole) = (ran.as_secs_f64() * 1e3, committed.as_secs_f64() * 1e3);
    out.line(format_args!("  trace root {}", trace.root()));
    let exported = program.exported_bytes();
    out.line(dim(format!(
        "  run {ran:.2} ms, run and commit {whole:.2} ms; {} bytes of {} layers' exports hashed",
        grouped(exported.into()),
        program.layers().len()
    )));
    out.event(
        "ran",
        json!({ "trace_root": trace.root(), "run_ms": ran, "run_and_commit_ms": whole, "exported_bytes": exported }),
    );
    if let Some(path) = &args.trace {
        files::write(path, &trace.encode(&program))?;
    }
    if let Some(path) = &args.claim {
        let text = serde_json::to_vec_pretty(&ClaimFile::of(&program, &trace)).context("a claim is text")?;
        files::write(path, &text)?;
    }
    Ok(())
}

/// The output's greatest values.
fn show(out: Output, program: &Program, trace: &Trace) {
    const SHOWN: usize = 10;
    let values = files::integers(program.header().output.dtype, trace.output());
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(values[*i]), *i));
    let (least, greatest) = (values.iter().min().copied(), values.iter().max().copied());
    let (least, greatest) = (least.unwrap_or_default(), greatest.unwrap_or_default());
    let scale = f32::from_bits(program.meta().output.scale_bits);
    for index in order.iter().take(SHOWN) {
        let value = values[*index];
        out.line(format_args!(
            "  {index:>6} {:>12} {:>12.4}  {}",
            grouped_signed(value),
            value as f32 * scale,
            bar(value, least, greatest, 24)
        ));
    }
    if order.len() > SHOWN {
        out.line(dim(format!("  … and {} more", order.len() - SHOWN)));
    }
    out.event("output", json!({ "greatest": order.first(), "values": values, "scale": scale }));
}

fn grouped_signed(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(value.unsigned_abs().into()))
}
