//! `narrows bench`: what running, committing and checking take on this machine, and proof that the right thing was timed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use narrows_bisection::trace::{exports_root, root_of_exports};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_commitment::TraceRoot;
use narrows_executor::engine::{Engine, Workspace};
use narrows_program::{DType, Layer, Program};
use serde_json::{Value, json};

use crate::engine::EngineChoice;
use crate::files;
use crate::meter::peak_bytes;
use crate::output::{Output, dim, grouped};

/// Runs before those that count.
const WARM_UP: usize = 3;

/// `narrows bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The program.
    program: PathBuf,
    /// The input, as for `narrows run`; pseudo-random integers from a fixed seed without it.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// How often each work is timed.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Threads; all of the machine's without it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// The native engine's instructions.
    #[arg(long, default_value = "fastest")]
    engine: EngineChoice,
    /// Backends of burn that check the claim; give it several times. All of this build without it.
    #[arg(long, value_name = "BACKEND")]
    backend: Vec<Backend>,
    /// Times no check. The root is still compared with the portable engine's.
    #[arg(long)]
    no_check: bool,
}

/// Times in milliseconds, in order of measurement.
struct Times(Vec<f64>);

impl Times {
    fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn json(&self) -> Value {
        json!({ "median": self.median(), "least": self.least(), "all": self.0 })
    }

    fn line(&self, out: Output, what: &str) {
        let (median, least) = (self.median(), self.least());
        out.line(format_args!("  {what:<22} {median:>9.3} ms median  {least:>9.3} ms least"));
    }
}

/// Times everything; fails where a root is not the portable engine's.
pub fn run(args: &BenchArgs, out: Output) -> Result<()> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
    }
    let begun = Instant::now();
    let program = files::Mapped::open(&args.program)?;
    let loaded = begun.elapsed().as_secs_f64() * 1e3;
    let input = match &args.input {
        Some(path) => files::input(&program, path)?,
        None => pseudo_random(&program),
    };
    let engine = args.engine.plan(&program);
    let planned = begun.elapsed().as_secs_f64() * 1e3;
    let mut workspace = engine.committing(program.layers().iter().flat_map(Layer::exported))?;
    let first_root = commit(&program, &engine, &mut workspace, &input)?;
    let first = begun.elapsed().as_secs_f64() * 1e3;
    let (ran, committed, root) = honest_path(&program, &engine, &mut workspace, &input, args.runs)?;
    let peak = peak_bytes();
    ensure!(root == first_root, "two runs gave the roots {first_root} and {root}");
    let expected = portable_root(&program, &input)?;
    ensure!(root == expected, "the timed run's root {root} is not the portable engine's {expected}");
    let mut checks = BTreeMap::new();
    for backend in backends(args) {
        checks.insert(backend.name(), check(&program, backend, &input, root, args.runs)?);
    }

    let program_bytes = std::fs::metadata(&args.program)?.len();
    let exported = program.exported_bytes();
    out.line(format_args!(
        "  {} on {} threads, {} kernel: {} operators in {} layers, {} terms",
        program.meta().name,
        rayon::current_num_threads(),
        engine.kernel().name(),
        program.operators().len(),
        program.layers().len(),
        grouped(program.header().work.into())
    ));
    ran.line(out, "run");
    committed.line(out, "run and commit");
    checks.iter().for_each(|(backend, times)| times.line(out, &format!("check on {backend}")));
    out.line(dim(format!(
        "  {} bytes hashed, all that layers export; first answer after {first:.0} ms: mapped and checked in {loaded:.0}, planned in {:.0}, packed, run and committed in {:.0}; peak memory {} bytes, program {} bytes",
        grouped(exported.into()),
        planned - loaded,
        first - planned,
        peak.map_or_else(|| "unknown".into(), |bytes| grouped(bytes.into())),
        grouped(program_bytes.into())
    )));
    program.unchanged()?;
    out.line(dim(format!("  root {root}: equal to the portable engine's")));
    let checks: BTreeMap<_, _> = checks.iter().map(|(backend, times)| (backend, times.json())).collect();
    out.event(
        "bench",
        json!({
            "model": program.meta().name, "profile": program.meta().profile, "threads": rayon::current_num_threads(),
            "kernel": engine.kernel().name(), "operators": program.operators().len(),
            "layers": program.layers().len(), "terms": program.header().work, "exported_bytes": exported,
            "program_bytes": program_bytes, "peak_bytes": peak, "load_ms": loaded, "plan_ms": planned - loaded, "first_answer_ms": first,
            "root": root, "run_ms": ran.json(), "run_and_commit_ms": committed.json(), "check_ms": checks,
        }),
    );
    Ok(())
}

fn backends(args: &BenchArgs) -> Vec<Backend> {
    match (args.no_check, args.backend.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => Backend::ALL.to_vec(),
        (false, false) => args.backend.clone(),
    }
}

/// Runs, and runs with commitment, in turns: so that both meet the same weather.
fn honest_path(
    program: &Program,
    engine: &Engine,
    workspace: &mut Workspace,
    input: &[u8],
    runs: u32,
) -> Result<(Times, Times, TraceRoot)> {
    let (mut ran, mut committed) = (Vec::new(), Vec::new());
    let mut root = None;
    for round in 0..WARM_UP + runs as usize {
        let begun = Instant::now();
        engine.run_in(workspace, input)?;
        let alone = begun.elapsed().as_secs_f64() * 1e3;
        let begun = Instant::now();
        let own = commit(program, engine, workspace, input)?;
        let whole = begun.elapsed().as_secs_f64() * 1e3;
        let first = *root.get_or_insert(own);
        ensure!(first == own, "two runs gave the roots {first} and {own}");
        if round >= WARM_UP {
            ran.push(alone);
            committed.push(whole);
        }
    }
    Ok((Times(ran), Times(committed), root.expect("at least one run")))
}

/// Runs and commits: the honest path.
fn commit(program: &Program, engine: &Engine, workspace: &mut Workspace, input: &[u8]) -> Result<TraceRoot> {
    engine.commit_in(workspace, input)?;
    Ok(root_of_exports(program, |index| workspace.root(index).expect("exports are hashed")))
}

fn check(program: &Program, backend: Backend, input: &[u8], root: TraceRoot, runs: u32) -> Result<Times> {
    let engine = BurnEngine::new(program, backend)?;
    let mut times = Vec::new();
    for round in 0..1 + runs {
        let begun = Instant::now();
        let outputs = engine.run_exports(&[input])?;
        let own = exports_root(program, &|index| &outputs[0][index.0 as usize]);
        let took = begun.elapsed().as_secs_f64() * 1e3;
        ensure!(own == root, "the check on {backend} gives the root {own}, not {root}");
        if round > 0 {
            times.push(took);
        }
    }
    Ok(Times(times))
}

fn portable_root(program: &Program, input: &[u8]) -> Result<TraceRoot> {
    let outputs = Engine::portable(program).run(input)?;
    Ok(exports_root(program, &|index| &outputs[index.0 as usize]))
}

/// Integers over the whole range of the input's type, the same on every machine.
fn pseudo_random(program: &Program) -> Vec<u8> {
    let input = program.header().input;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(input.bytes() as usize);
    for _ in 0..input.elements {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = match input.dtype {
            DType::I8 => i64::from((state >> 56) as i8),
            DType::I16 => i64::from((state >> 48) as i16),
            // Whole numbers of 32 bits are indices in practice: small ones reach more than the last row.
            _ => i64::from((state >> 48) as u16),
        };
        input.dtype.write(value, &mut bytes);
    }
    bytes
}
