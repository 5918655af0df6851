//! `narrows inspect`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use narrows_bisection::{Record, Trace};
use narrows_program::{LayerIndex, OperatorIndex, Program, Reference, Source};
use serde_json::json;

use crate::claim::ClaimFile;
use crate::files;
use crate::output::{Output, dim, grouped, printable};

/// `narrows inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A program, trace, claim or record.
    file: PathBuf,
    /// The program that a trace is of, to show what each layer exports.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
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
        return show_trace(args, &bytes, out);
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

fn show_trace(args: &InspectArgs, bytes: &[u8], out: Output) -> Result<()> {
    let name = args.file.display();
    let Some(program) = &args.program else {
        // NRWT | version | program root | …
        let root =
            bytes.get(8..40).with_context(|| format!("{name}: the trace is truncated; write it again"))?;
        let root = format!("0x{}", crate::claim::hex(root));
        out.line(format_args!("trace of program {root}, {} bytes", grouped(bytes.len() as u128)));
        out.line(
            "show its layers with --program PROGRAM; check it with: narrows check FILE --program PROGRAM",
        );
        out.event("trace", json!({ "program": root, "bytes": bytes.len() }));
        return Ok(());
    };
    let program = files::program(program)?;
    let trace = Trace::decode(&program, bytes).with_context(|| format!("{name}"))?;
    out.line(format_args!("trace {}\n  program {}", trace.root(), program.root()));
    out.line(dim(format!("  {:>5}  {:<68}exports", "layer", "leaf")));
    let layers = (0..program.header().layers).map(LayerIndex);
    for index in layers.clone() {
        let exports = program.layer(index).exported();
        let exports =
            exports.map(|at| format!("{at}: {}", grouped(program.operator(at).output_bytes().into())));
        let exports: Vec<String> = exports.collect();
        let leaf = trace.layer_leaf(index).to_string();
        out.line(format_args!("  {:>5}  {leaf:<68}{} bytes", index.0, exports.join(", ")));
    }
    let leaves: Vec<_> = layers.map(|index| trace.layer_leaf(index)).collect();
    out.event(
        "trace",
        json!({ "program": program.root(), "bytes": bytes.len(), "root": trace.root(), "leaves": leaves }),
    );
    Ok(())
}

fn show_program(out: Output, program: &Program, bytes: usize) {
    let (header, meta) = (program.header(), program.meta());
    out.line(format_args!("program {}", program.root()));
    let text = |text: &str| printable(text, 80);
    out.line(format_args!("  model {}, source {}", text(&meta.name), meta.source));
    out.line(format_args!(
        "  profile {}, {}, calibration {}",
        text(&meta.profile),
        text(&meta.compiler),
        meta.calibration
    ));
    for file in &meta.bound {
        out.line(format_args!("  bound to {}, {}", text(&file.name), file.hash));
    }
    let tensor = |name: &str, shape: &[u32], scale: u32| {
        format!("{} {shape:?} x {}", text(name), f32::from_bits(scale))
    };
    out.line(format_args!(
        "  input {:?} {}, output {:?} {}",
        header.input.dtype,
        tensor(&meta.input.name, &meta.input.shape, meta.input.scale_bits),
        header.output.dtype,
        tensor(&meta.output.name, &meta.output.shape, meta.output.scale_bits)
    ));
    out.line(format_args!(
        "  {} bytes, reveals of {} levels, {} multiply-adds, {} bytes exported",
        grouped(bytes as u128),
        header.reveal_bits,
        grouped(header.work.into()),
        grouped(program.exported_bytes().into())
    ));
    out.line(dim(format!(
        "  {:>5} {:>4}  {:<34}{:>6}{:>6}{:>18}{:>8}{:>7}  reads",
        "layer", "op", "source nodes", "fold", "type", "output", "terms", "split"
    )));
    for layer in (0..header.layers).map(LayerIndex) {
        show_layer(out, program, layer);
    }
    out.line(dim("  * the layer exports it: later layers read it, or it is the output"));
    let layers = (0..header.layers).map(|index| {
        let layer = program.layer(LayerIndex(index));
        let label = program.layer_label(LayerIndex(index));
        json!({ "first": layer.first, "operators": layer.count, "exports": layer.exports, "label": label })
    });
    out.event(
        "program",
        json!({
            "root": program.root(), "layers": layers.collect::<Vec<_>>(), "operators": header.operators,
            "constants": program.constants().len(), "bytes": bytes, "work": header.work,
            "exported_bytes": program.exported_bytes(), "reveal_bits": header.reveal_bits, "meta": meta,
        }),
    );
}

fn show_layer(out: Output, program: &Program, index: LayerIndex) {
    let layer = program.layer(index);
    for (position, at) in layer.operators().map(OperatorIndex).enumerate() {
        let operator = program.operator(at);
        let source = |source: Source| match program.reference(at, source) {
            Reference::Input => "input".into(),
            Reference::Constant(index) => format!("constant {index}"),
            Reference::Export { layer, exports: 1, .. } => format!("layer {layer}"),
            Reference::Export { layer, rank, exports } => format!("layer {layer} [{rank} of {exports}]"),
            Reference::Local { position } => format!("op {}", layer.operator(position)),
        };
        let dims: Vec<String> = operator.out.iter().map(u32::to_string).collect();
        let b = operator.b.map_or_else(String::new, |b| format!(", {}", source(b.source)));
        out.line(format_args!(
            "  {:>5} {at:>4}{} {:<34}{:>6}{:>6}{:>18}{:>8}{:>7}  {}{b}",
            if position == 0 { index.to_string() } else { String::new() },
            if layer.is_exported(position as u8) { '*' } else { ' ' },
            printable(&program.operator_label(at), 33),
            format!("{:?}", operator.fold).to_lowercase(),
            format!("{:?}", operator.dtype).to_lowercase(),
            dims.join("x"),
            operator.terms(),
            operator.split,
            source(operator.a.source),
        ));
    }
}
