//! The honest path: loading a program, running it, checking a claim about it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use narrows_bisection::Trace;
use narrows_bisection::trace::exports_root;
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_commitment::TraceRoot;
use narrows_executor::engine::Engine;
use narrows_program::{Layer, Program};

use super::figures::{Load, Path, Size, Time};
use super::models::{Made, Model};
use crate::meter::{Stopwatch, Took, peak_bytes};

/// How long runs that are measured together should take.
const TOGETHER: Duration = Duration::from_millis(50);
/// The most runs that are measured together.
const MOST_TOGETHER: f64 = 1000.0;

/// Encodes and decodes.
pub fn load(model: Model) -> Result<Load> {
    let Made { program, .. } = model.make()?;
    let (size, root) = (Size::of(&program), program.root());
    let watch = Stopwatch::start();
    let file = program.encode();
    let encode = watch.stop();
    drop(program);
    let watch = Stopwatch::start();
    let decoded = Program::decode(&file)?;
    let decode = watch.stop();
    ensure!(decoded.root() == root, "the program that was read is not the one that was written");
    let file_bytes = file.len() as u64;
    Ok(Load { size, file_bytes, encode: encode.into(), decode: decode.into(), peak_bytes: peak() })
}

/// Runs natively and commits to what layers export.
pub fn run(model: Model, effort: Duration) -> Result<Path> {
    let Made { program, input } = model.make()?;
    let watch = Stopwatch::start();
    let engine = Engine::new(&program);
    let mut workspace = engine.workspace(program.layers().iter().flat_map(Layer::exported))?;
    let plan = watch.stop();
    let measured = repeated(
        effort,
        &mut workspace,
        |workspace| Ok(engine.run_in(workspace, &input)?),
        |workspace, ()| {
            Ok(exports_root(&program, &|index| workspace.output(index).expect("exports are kept")))
        },
    )?;
    Ok(measured.path(&program, plan))
}

/// Re-runs in burn and makes the watchtower's own trace.
pub fn check(model: Model, backend: Backend, effort: Duration) -> Result<Path> {
    // The first plan of a process pays for the backend's self-test.
    BurnEngine::new(&Model::Digits.make()?.program, backend)?;
    let Made { program, input } = model.make()?;
    let watch = Stopwatch::start();
    let engine = BurnEngine::new(&program, backend)?;
    let plan = watch.stop();
    drop(program);
    let measured = repeated(
        effort,
        &mut (),
        |()| Ok(engine.run(&input)?),
        |(), outputs| Ok(Trace::new(engine.program(), input.clone(), outputs)?.root()),
    )?;
    Ok(measured.path(engine.program(), plan))
}

/// What repeating a work showed.
struct Repeated {
    root: TraceRoot,
    run: Vec<Time>,
    commit: Vec<Time>,
}

impl Repeated {
    fn path(&self, program: &Program, plan: Took) -> Path {
        Path {
            size: Size::of(program),
            root: self.root,
            plan: plan.into(),
            run: Time::least(&self.run),
            commit: Time::least(&self.commit),
            measured: self.run.len() as u32,
            peak_bytes: peak(),
        }
    }
}

/// Runs, and runs and commits, in turns until the effort is spent, and once at least. Short runs are measured several together.
/// The first run does not count: the native engine packs weights in it, and every engine touches new memory.
fn repeated<S, T>(
    effort: Duration,
    state: &mut S,
    mut run: impl FnMut(&mut S) -> Result<T>,
    mut commit: impl FnMut(&S, T) -> Result<TraceRoot>,
) -> Result<Repeated> {
    let begun = Instant::now();
    let whole = Stopwatch::start();
    let ran = run(state)?;
    let root = commit(state, ran)?;
    let whole = whole.stop();
    let mut measured = Repeated { root, run: Vec::new(), commit: Vec::new() };
    let together = (TOGETHER.as_secs_f64() / whole.wall.as_secs_f64()).ceil().clamp(1.0, MOST_TOGETHER);
    let together = together as u32;
    while measured.run.is_empty() || begun.elapsed() < effort {
        let watch = Stopwatch::start();
        for _ in 0..together {
            std::hint::black_box(run(state)?);
        }
        measured.run.push(Time::from(watch.stop()).each(together));
        let watch = Stopwatch::start();
        for _ in 0..together {
            let ran = run(state)?;
            let own = commit(state, ran)?;
            ensure!(root == own, "two runs gave the roots {root} and {own}");
        }
        measured.commit.push(Time::from(watch.stop()).each(together));
    }
    Ok(measured)
}

pub(super) fn peak() -> u64 {
    peak_bytes().unwrap_or_default()
}
