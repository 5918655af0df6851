//! `narrows inspect`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use narrows_bisection::Record;
use narrows_program::{LayerIndex, Program, Source};
use serde_json::json;

use crate::claim::ClaimFile;
use crate::files;
use crate::output::{Output, dim, grouped};

/// `narrows inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A program, trace, claim or record.
    file: PathBuf,
}

/// Says what a file is and what is in it.
pub fn run(args: &InspectArgs, out: Output) -> Result<()> {
    let name = || format!("{}", args.file.display());
    let bytes = files::read(&args.file)?;
    if bytes.starts_with(b"NRWS") {
        return Program::decode(&bytes)
            .with_context(name)
            .map(|program| show_program(out, &program, bytes.len()));
    }
    if bytes.starts_with(b"NRWT") {
        let root = bytes
            .get(4..36)
            .with_context(|| format!("{}: the trace is truncated; write it again", name()))?;
        out.line(format_args!(
            "trace of program 0x{}, {} bytes",
            crate::claim::hex(root),
            grouped(bytes.len() as u128)
        ));
        out.line("check it with: narrows check FILE --program PROGRAM");
        out.event(
            "trace",
            json!({ "program": format!("0x{}", crate::claim::hex(root)), "bytes": bytes.len() }),
        );
        return Ok(());
    }
    if let Ok(claim) = ClaimFile::decode(&bytes) {
        out.line(format_args!("claim on program {}\n  trace root {}", claim.program, claim.trace_root));
        out.line(format_args!(
            "  input {} bytes, output {} bytes",
            claim.input.len() / 2,
            claim.output.len() / 2
        ));
        out.event("claim", json!(claim));
        return Ok(());
    }
    let record = Record::decode(&bytes)
        .with_context(|| format!("{}: is no program, trace or claim, and as a record", name()))?;
    let head = &record.head;
    out.line(format_args!("record of claim {}\n  program {}", head.claim, head.program));
    out.line(format_args!("  chain {}, game {}, {} calls", head.chain_id, head.game, record.entries.len()));
    out.line(format_args!(
        "  verdict {:?}; judge it again with: narrows replay {}",
        record.outcome.verdict,
        name()
    ));
    out.event("record", json!({ "head": head, "calls": record.entries.len(), "outcome": record.outcome }));
    Ok(())
}

fn show_program(out: Output, program: &Program, bytes: usize) {
    let (header, meta) = (program.header(), program.meta());
    out.line(format_args!("program {}", program.root()));
    out.line(format_args!("  model {}, source {}", meta.name, meta.source));
    out.line(format_args!("  profile {}, {}, calibration {}", meta.profile, meta.compiler, meta.calibration));
    let tensor =
        |name: &str, shape: &[u32], scale: u32| format!("{name} {shape:?} x {}", f32::from_bits(scale));
    out.line(format_args!(
        "  input {:?} {}, output {:?} {}",
        header.input.dtype,
        tensor(&meta.input.name, &meta.input.shape, meta.input.scale_bits),
        header.output.dtype,
        tensor(&meta.output.name, &meta.output.shape, meta.output.scale_bits)
    ));
    out.line(format_args!("  {} bytes, reveals of {} levels", grouped(bytes as u128), header.reveal_bits));
    out.line(dim(format!(
        "  {:>5}  {:<34}{:>6}{:>6}{:>18}{:>8}{:>7}  reads",
        "layer", "source nodes", "fold", "type", "output", "terms", "split"
    )));
    let source = |source: Source| match source {
        Source::Input => "input".into(),
        Source::Constant(index) => format!("constant {index}"),
        Source::Layer(index) => format!("layer {index}"),
    };
    for (index, layer) in program.layers().iter().enumerate() {
        let label = program.layer_label(LayerIndex(index as u32));
        let dims: Vec<String> = layer.out.iter().map(u32::to_string).collect();
        let b = layer.b.map_or_else(String::new, |b| format!(", {}", source(b.source)));
        out.line(format_args!(
            "  {index:>5}  {label:<34}{:>6}{:>6}{:>18}{:>8}{:>7}  {}{b}",
            format!("{:?}", layer.fold).to_lowercase(),
            format!("{:?}", layer.dtype).to_lowercase(),
            dims.join("x"),
            layer.terms(),
            layer.split,
            source(layer.a.source),
        ));
    }
    out.event(
        "program",
        json!({
            "root": program.root(), "layers": header.layers, "constants": header.constants, "bytes": bytes,
            "reveal_bits": header.reveal_bits, "meta": meta,
        }),
    );
}
