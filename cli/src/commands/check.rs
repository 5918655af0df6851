//! `narrows check`.

use std::path::{Path, PathBuf};
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

/// Most claims that are re-run in one pass: every operator's output of each is held at once.
const PASS: usize = 16;

/// `narrows check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Traces (`narrows run --trace`) or claims (`narrows run --claim`) of one program; several are re-run together.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The program that they are about.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The tensor library's backend.
    #[arg(long, default_value = "ndarray")]
    backend: Backend,
}

/// What a file claims.
enum Claimed {
    Trace(Trace),
    Claim { file: ClaimFile, input: Vec<u8>, output: Vec<u8> },
}

impl Claimed {
    fn read(program: &Program, path: &Path) -> Result<Self> {
        let name = || format!("{}", path.display());
        let bytes = files::read(path)?;
        if bytes.starts_with(b"NRWT") {
            return Ok(Self::Trace(Trace::decode(program, &bytes).with_context(name)?));
        }
        let file = ClaimFile::decode(&bytes).with_context(name)?;
        ensure!(
            file.program == program.root(),
            "{}: is about program {}, not {}; give that program",
            name(),
            file.program,
            program.root()
        );
        let input = unhex(&file.input).with_context(name)?;
        let output = unhex(&file.output).with_context(name)?;
        Ok(Self::Claim { file, input, output })
    }

    fn input(&self) -> &[u8] {
        match self {
            Self::Trace(trace) => trace.input(),
            Self::Claim { input, .. } => input,
        }
    }
}

/// Re-runs in burn; whether everything is as claimed.
pub fn run(args: &CheckArgs, out: Output) -> Result<bool> {
    let program = files::Mapped::open(&args.program)?;
    let claimed = args.files.iter().map(|path| Claimed::read(&program, path)).collect::<Result<Vec<_>>>()?;
    let engine = BurnEngine::new(&program, args.backend)?;
    let mut agree = true;
    for (paths, claimed) in args.files.chunks(PASS).zip(claimed.chunks(PASS)) {
        let begun = Instant::now();
        let outputs = engine.run_all(&claimed.iter().map(Claimed::input).collect::<Vec<_>>())?;
        let traces = claimed
            .iter()
            .zip(outputs)
            .map(|(claimed, outputs)| Ok(Trace::new(&program, claimed.input().to_vec(), outputs)?))
            .collect::<Result<Vec<_>>>()?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        program.unchanged()?;
        if args.files.len() > 1 {
            let count = paths.len();
            out.line(dim(format!("  {count} re-run together in burn on {} in {took:.2} ms", args.backend)));
        }
        for ((path, claimed), own) in paths.iter().zip(claimed).zip(traces) {
            match args.files.len() {
                1 => {
                    let root = own.root();
                    out.line(dim(format!("  re-run in burn on {} in {took:.2} ms: {root}", args.backend)));
                }
                _ => out.line(format_args!("  {}: {}", path.display(), own.root())),
            }
            agree &= judge(out, &program, claimed, &own);
        }
    }
    Ok(agree)
}

fn judge(out: Output, program: &Program, claimed: &Claimed, own: &Trace) -> bool {
    let (claim, output) = match claimed {
        Claimed::Trace(trace) => return compare(out, program, trace, own),
        Claimed::Claim { file, output, .. } => (file, output),
    };
    let same = own.root() == claim.trace_root;
    let output = output == own.output();
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
    same && output
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
