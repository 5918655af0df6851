//! A whole program of a file, run without committing, and a proof that it is the portable engine's answer.
//!
//!     NARROWS_BENCH_PROGRAM=resnet50.narrows cargo bench --bench whole
//!
//! Prints the trace root of each kernel beside the portable one's, the times of a few hundred runs, and with
//! NARROWS_BENCH_OPERATORS=1 what each operator takes. NARROWS_BENCH_RUNS sets the number of runs.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use narrows_bisection::Trace;
use narrows_executor::engine::{Engine, Kernel};
use narrows_program::Program;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Least and median of `runs` runs, in milliseconds.
fn measure(runs: usize, mut run: impl FnMut()) -> (f64, f64) {
    let mut times: Vec<Duration> = (0..runs + 5)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .skip(5)
        .collect();
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    (milliseconds(times[0]), milliseconds(times[times.len() / 2]))
}

fn operators(engine: &Engine, program: &Program, input: &[u8], runs: usize) {
    let mut workspace = engine.workspace([]).expect("memory");
    let mut best = engine.time_in(&mut workspace, input).expect("the input fits");
    for _ in 0..runs {
        let again = engine.time_in(&mut workspace, input).expect("the input fits");
        best.iter_mut().zip(again).for_each(|(best, again)| best.time = best.time.min(again.time));
    }
    for timing in &best {
        let op = program.operator(timing.operator);
        let terms = (op.elements() * op.terms()) as f64;
        println!(
            "{:>4} {:?} {:<5} {:>8.1} us {:>7.1} GMAC/s  {:?} x {:?} {}",
            timing.operator.0,
            op.fold,
            timing.way,
            timing.time.as_secs_f64() * 1e6,
            terms / timing.time.as_secs_f64() / 1e9,
            op.out,
            op.red,
            program.operator_label(timing.operator),
        );
    }
    let total: Duration = best.iter().map(|timing| timing.time).sum();
    println!("sum of least times {:.3} ms", total.as_secs_f64() * 1e3);
}

fn main() -> ExitCode {
    let Ok(path) = std::env::var("NARROWS_BENCH_PROGRAM") else {
        println!("whole: NARROWS_BENCH_PROGRAM names no program, nothing to measure");
        return ExitCode::SUCCESS;
    };
    let bytes = std::fs::read(&path).expect("NARROWS_BENCH_PROGRAM names a file");
    let program = Program::decode(&bytes).expect("a program");
    let input: Vec<u8> = (0..program.header().input.bytes())
        .map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 25) as u8)
        .collect();
    let runs = number("NARROWS_BENCH_RUNS", 100);
    let root = |engine: &Engine| {
        let outputs = engine.run(&input).expect("the input fits");
        Trace::new(&program, input.clone(), outputs).expect("a trace").root()
    };
    let portable = Engine::portable(&program);
    let expected = root(&portable);
    println!("{path}, {} threads", rayon::current_num_threads());
    println!("portable: trace root {expected}");
    for kernel in Kernel::available() {
        let start = Instant::now();
        let engine = Engine::with(&program, kernel);
        let planned = start.elapsed();
        let equal = root(&engine) == expected;
        println!("{}: planned in {planned:.1?}, trace root equal: {equal}", kernel.name());
        if !equal {
            return ExitCode::FAILURE;
        }
        let runs = if kernel == Kernel::Portable { runs.min(5) } else { runs };
        let mut workspace = engine.workspace([]).expect("memory");
        let (least, median) =
            measure(runs, || engine.run_in(&mut workspace, &input).expect("the input fits"));
        println!(
            "{}: output only: least {least:.3} ms, median {median:.3} ms ({} bytes of outputs' room)",
            kernel.name(),
            workspace.output_bytes()
        );
        let (least, median) = measure(runs, || drop(engine.run(&input).expect("the input fits")));
        println!("{}: all outputs kept: least {least:.3} ms, median {median:.3} ms", kernel.name());
        if kernel == Kernel::fastest() && number("NARROWS_BENCH_OPERATORS", 0) > 0 {
            operators(&engine, &program, &input, runs);
        }
    }
    ExitCode::SUCCESS
}
