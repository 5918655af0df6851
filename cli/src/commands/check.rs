//! `narrows check`.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use narrows_bisection::Trace;
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_program::{OperatorIndex, Program};
use serde_json::json;

use crate::claim::{ClaimFile, unhex};
use crate::files;
use crate::output::{Output, bad, dim, good};

/// `narrows check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A trace (`narrows run --trace`) or a claim (`narrows run --claim`).
    file: PathBuf,
    /// The program that it is about.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The tensor library's backend.
    #[arg(long, default_value = "ndarray")]
    backend: Backend,
}

/// Re-runs in burn; whether everything is as claimed.
pub fn run(args: &CheckArgs, out: Output) -> Result<bool> {
    let program = files::Mapped::open(&args.program)?;
    let bytes = files::read(&args.file)?;
    let name = || format!("{}", args.file.display());
    let engine = BurnEngine::new(&program, args.backend)?;
    let rerun = |input: &[u8]| -> Result<Trace> {
        let begun = Instant::now();
        let own = Trace::new(&program, input.to_vec(), engine.run(input)?)?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        program.unchanged()?;
        out.line(dim(format!("  re-run in burn on {} in {took:.2} ms: {}", args.backend, own.root())));
        Ok(own)
    };
    if bytes.starts_with(b"NRWT") {
        let claimed = Trace::decode(&program, &bytes).with_context(name)?;
        let own = rerun(claimed.input())?;
        return Ok(compare(out, &program, &claimed, &own));
    }
    let claim = ClaimFile::decode(&bytes).with_context(name)?;
    ensure!(
        claim.program == program.root(),
        "{}: is about program {}, not {}; give that program",
        name(),
        claim.program,
        program.root()
    );
    let own = rerun(&unhex(&claim.input).with_context(name)?)?;
    let same = own.root() == claim.trace_root;
    let output = unhex(&claim.output).with_context(name)? == own.output();
    out.event("checked", json!({ "agrees": same && output, "own": own.root(), "claimed": claim.trace_root }));
    match (same, output) {
        (true, true) => out.line(good("  the claim is right")),
        (true, false) => {
            out.line(bad("  the trace root is right, the output is not: the chain refuses such a claim"))
        }
        (false, true) => out.line(bad(
            "  the output is right, the trace is not; the operator shows in a dispute, or with the trace",
        )),
        (false, false) => out.line(bad(
            "  the output and the trace are wrong; the operator shows in a dispute, or with the trace",
        )),
    }
    Ok(same && output)
}

fn compare(out: Output, program: &Program, claimed: &Trace, own: &Trace) -> bool {
    let Some(operator) = own.first_difference(claimed) else {
        out.line(good("  the trace is right"));
        out.event("checked", json!({ "agrees": true, "own": own.root(), "claimed": claimed.root() }));
        return true;
    };
    let element = element(program, operator, claimed, own);
    let (label, (layer, _)) = (program.operator_label(operator), program.layer_of(operator));
    out.line(bad(format!(
        "  differs first in layer {layer}, operator {operator} ({label}), element {element}"
    )));
    if own.root() == claimed.root() {
        out.line(dim(
            "  no layer exports anything of it, so that the roots are the same: as a claim it would stand",
        ));
    }
    out.event(
        "checked",
        json!({
            "agrees": false, "own": own.root(), "claimed": claimed.root(), "layer": layer, "operator": operator,
            "label": label, "element": element,
        }),
    );
    false
}

fn element(program: &Program, operator: OperatorIndex, claimed: &Trace, own: &Trace) -> usize {
    let pairs = claimed.operator(operator).iter().zip(own.operator(operator));
    let byte = pairs.into_iter().position(|(a, b)| a != b).unwrap_or_default();
    byte / program.operator(operator).dtype.bytes()
}
