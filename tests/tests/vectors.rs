//! The conformance vectors of `fixtures/vectors` (SPEC 7): what the oracle says of them is committed, and every implementation
//! says the same.
//!
//! `NARROWS_BLESS=1` writes the fixture anew.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use narrows_bisection::{Parameters, Trace};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_contracts::EmbeddedChain;
use narrows_executor::engine::{Engine, Kernel};
use narrows_program::{DType, Program};
use narrows_tests::rust_referee::RustReferee;
use narrows_tests::vectors::{CASES, Hasher, Kind, file, subject};
use narrows_tests::{oracle, referees};

/// What the vectors promise.
const ELEMENTS: u64 = 1_000_000;

/// Most elements of each case's operators that the referee in Solidity recomputes: all that there are. `NARROWS_SOLIDITY`
/// sets another number, for a shorter run.
const IN_SOLIDITY: usize = 1_000_000;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors")
}

fn blessing() -> bool {
    std::env::var("NARROWS_BLESS").is_ok_and(|value| value == "1")
}

/// Holds a fixture to what it should be, or writes it.
fn hold(name: &str, bytes: &[u8]) {
    let path = folder().join(name);
    if blessing() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("written");
    }
    let kept = std::fs::read(&path).expect("the fixture is there; NARROWS_BLESS=1 writes it");
    assert!(kept == bytes, "{} differs; NARROWS_BLESS=1 writes it anew", path.display());
}

/// Does something for every kind, on all cores; the answers in order.
fn for_all<T: Send>(work: impl Fn(Kind) -> T + Sync) -> Vec<T> {
    let (kinds, next) = (Kind::all(), AtomicUsize::new(0));
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(kind) = kinds.get(at) else { return done };
            done.push((at, work(*kind)));
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(take)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("they agree")).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, answer)| answer).collect()
}

/// The cases of a kind, each with what the oracle says of it.
fn cases(kind: Kind) -> impl Iterator<Item = (Program, Vec<u8>, Vec<Vec<u8>>)> {
    (0..CASES).map(move |number| {
        let (program, input) = kind.case(number);
        let outputs = oracle::run(&program, &input);
        (program, input, outputs)
    })
}

fn say(who: &str, elements: u64, since: Instant) {
    println!("{who}: {elements} elements in {:.1} s", since.elapsed().as_secs_f64());
}

#[test]
fn the_oracle_finds_the_committed_hashes() {
    let since = Instant::now();
    let vectors = for_all(|kind| {
        let mut hasher = Hasher::default();
        let mut values = BTreeSet::new();
        for (program, input, outputs) in cases(kind) {
            assert_eq!(Program::decode(&program.encode()).as_ref(), Ok(&program), "{}", kind.name());
            hasher.add(&program, &input, &outputs);
            let last = outputs.last().expect("an output");
            values.extend((0..).map_while(|index| kind.out.read(last, index)));
        }
        (hasher.vector(kind), values.len())
    });
    // A recipe whose values all clip would test little.
    let few = vectors.iter().min_by_key(|(_, values)| values).expect("kinds");
    println!("{} shows {} values", few.0.kind.name(), few.1);
    assert!(few.1 >= 10);
    let vectors: Vec<_> = vectors.into_iter().map(|(vector, _)| vector).collect();
    let elements = vectors.iter().map(|vector| vector.elements).sum();
    say("oracle", elements, since);
    assert!(elements >= ELEMENTS);
    hold("vectors.json", file(&vectors).as_bytes());
    // Whoever reads it as JSON finds the same kinds.
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder().join("vectors.json")).expect("there"))
            .expect("json");
    let kinds = json["kinds"].as_array().expect("kinds");
    let named = kinds.iter().zip(Kind::all()).all(|(entry, kind)| entry["kind"] == kind.name());
    assert!(named && kinds.len() == Kind::all().len());
}

/// One example of each fold and way of finalising, of 8-bit types: its smallest case.
#[test]
fn the_examples_are_cases() {
    let small = |dtype: &DType| *dtype == DType::I8;
    let kinds = Kind::all()
        .into_iter()
        .filter(|kind| small(&kind.a) && kind.b.as_ref().is_none_or(small) && small(&kind.out));
    let mut seen = 0;
    for kind in kinds {
        let (program, input, outputs) =
            cases(kind).min_by_key(|(program, ..)| program.encode().len()).expect("a case");
        let name = format!("examples/{}", kind.name());
        hold(&format!("{name}.narrows"), &program.encode());
        hold(&format!("{name}.input"), &input);
        hold(&format!("{name}.output"), outputs.last().expect("an output"));
        seen += 1;
    }
    assert_eq!(seen, 24);
}

#[test]
fn the_native_engine_agrees_on_every_kernel() {
    let kernels = Kernel::available();
    let names: Vec<&str> = kernels.iter().map(|kernel| kernel.name()).collect();
    let since = Instant::now();
    let elements: u64 = for_all(|kind| {
        let mut elements = 0;
        for (number, (program, input, outputs)) in cases(kind).enumerate() {
            let portable = Engine::portable(&program).run(&input).expect("runs");
            assert!(portable == outputs, "portable, {} {number}", kind.name());
            for kernel in Kernel::available() {
                let found = Engine::with(&program, kernel).run(&input).expect("runs");
                assert!(found == outputs, "{}, {} {number}", kernel.name(), kind.name());
            }
            elements += program.operator(subject(&program)).elements();
        }
        elements
    })
    .into_iter()
    .sum();
    say(&format!("native on portable, {}", names.join(", ")), elements, since);
    assert!(elements >= ELEMENTS);
}

#[test]
fn both_burn_backends_agree() {
    let since = Instant::now();
    let elements: u64 = for_all(|kind| {
        let mut elements = 0;
        for (number, (program, input, outputs)) in cases(kind).enumerate() {
            for backend in [Backend::Ndarray, Backend::Flex] {
                let engine = BurnEngine::new(&program, backend).expect("a plan");
                let found = engine.run(&input).expect("runs");
                assert!(found == outputs, "burn on {backend}, {} {number}", kind.name());
            }
            elements += program.operator(subject(&program)).elements();
        }
        elements
    })
    .into_iter()
    .sum();
    say("burn on ndarray, flex", elements, since);
    assert!(elements >= ELEMENTS);
}

#[test]
fn the_rust_referee_agrees() {
    let since = Instant::now();
    let elements: u64 = for_all(|kind| {
        let mut elements = 0;
        for (number, (program, input, outputs)) in cases(kind).enumerate() {
            let trace = Trace::new(&program, input, outputs).expect("lengths");
            let index = subject(&program);
            let referee = RustReferee::new(&program, &trace, index);
            for element in 0..program.operator(index).elements() {
                let expected = kind.out.read(trace.operator(index), element as usize).expect("an element");
                let found = referee.element(element);
                assert_eq!(found, Ok(expected), "{} {number}, element {element}", kind.name());
                elements += 1;
            }
        }
        elements
    })
    .into_iter()
    .sum();
    say("referee in Rust", elements, since);
    assert!(elements >= ELEMENTS);
}

#[test]
fn the_referee_in_solidity_agrees() {
    let most: usize = std::env::var("NARROWS_SOLIDITY")
        .map_or(IN_SOLIDITY, |text| text.parse().expect("NARROWS_SOLIDITY is a number"));
    let since = Instant::now();
    let (elements, whole) = (AtomicU64::new(0), AtomicU64::new(0));
    for_all(|kind| {
        let chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
        for (program, input, outputs) in cases(kind) {
            let trace = Trace::new(&program, input, outputs).expect("lengths");
            let (judged, refuted) = referees::judge(&chain, &program, &trace, most);
            elements.fetch_add(judged as u64, Ordering::Relaxed);
            whole.fetch_add(refuted as u64, Ordering::Relaxed);
        }
    });
    let (elements, whole) = (elements.into_inner(), whole.into_inner());
    say("referee in Solidity", elements, since);
    println!("{whole} of them by a refutation in one transaction too");
    assert!(elements >= (most.min(100) * Kind::all().len() * CASES as usize) as u64 / 2);
}
