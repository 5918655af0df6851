//! What each role waits for, on the digits model: run, run and commit, check in burn, build a step's witness.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use narrows_bisection::trace::exports_root;
use narrows_bisection::{ClaimedNodes, Trace, WitnessSource};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_executor::engine::Engine;
use narrows_tests::digits;

fn digits(c: &mut Criterion) {
    let (program, input) = (digits::program(), digits::input());
    let terms: u64 = program.operators().iter().map(|one| one.elements() * one.terms()).sum();
    let engine = Engine::new(&program);
    let mut group = c.benchmark_group("digits");
    group.throughput(Throughput::Elements(terms));
    group.bench_function("run", |b| b.iter(|| engine.run(&input).expect("runs")));
    group.bench_function("run_and_commit", |b| {
        b.iter(|| {
            let outputs = engine.run(&input).expect("runs");
            exports_root(&program, &|index| &outputs[index.0 as usize])
        });
    });
    for backend in [Backend::Ndarray, Backend::Flex] {
        let burn = BurnEngine::new(&program, backend).expect("a plan");
        group.bench_function(format!("check/{backend}"), |b| {
            b.iter(|| {
                let outputs = burn.run(&input).expect("runs");
                exports_root(&program, &|index| &outputs[index.0 as usize])
            });
        });
    }
    group.finish();

    let trace = Trace::new(&program, input.clone(), engine.run(&input).expect("runs")).expect("lengths");
    let exported = program.layers().iter().flat_map(|layer| layer.exported());
    let bytes: usize = exported.map(|index| trace.operator(index).len()).sum();
    let mut group = c.benchmark_group("digits::commit");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("alone", |b| {
        b.iter(|| exports_root(&program, &|index| trace.operator(index)));
    });
    group.finish();

    let operator = digits::segmented_operator(&program);
    let claimed = ClaimedNodes::default();
    let source = WitnessSource { program: &program, trace: &trace, claimed: &claimed, list: None };
    c.bench_function("digits::step_witness", |b| b.iter(|| source.witness(operator, 0, Some(0))));
}

criterion_group!(benches, digits);
criterion_main!(benches);
