//! One arithmetic, five times: the native engine on every kernel of this CPU, burn on both backends, the Rust referee, and
//! the referee in Solidity.

use narrows_bisection::{Parameters, Trace};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_commitment::keccak;
use narrows_contracts::EmbeddedChain;
use narrows_executor::engine::{Engine, Kernel};
use narrows_program::Program;
use narrows_tests::{oracle, random_program, referees};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Elements that all five must agree on.
const ELEMENTS: usize = 100_000;
/// Elements of one operator that the referees recompute; the engines always compute all.
const JUDGED_PER_OPERATOR: usize = 400;
/// Threads that share them.
const THREADS: u64 = 4;

/// Runs a program everywhere; how many elements were compared in all five, and how many of them whole by a refutation.
fn agree(chain: &EmbeddedChain, program: &Program, input: &[u8]) -> (usize, usize) {
    let native = Engine::portable(program).run(input).expect("runs");
    assert_eq!(native, oracle::run(program, input), "native = oracle");
    for kernel in Kernel::available() {
        let outputs = Engine::with(program, kernel).run(input).expect("runs");
        for (index, (one, native)) in outputs.iter().zip(&native).enumerate() {
            assert_eq!(one, native, "{} = portable in operator {index}", kernel.name());
        }
    }
    for backend in [Backend::Ndarray, Backend::Flex] {
        let burn = BurnEngine::new(program, backend).expect("a plan").run(input).expect("runs");
        for (index, (burn, native)) in burn.iter().zip(&native).enumerate() {
            let operator = &program.operators()[index];
            assert_eq!(burn, native, "burn on {backend} = native in operator {index}: {operator:?}");
        }
    }
    let trace = Trace::new(program, input.to_vec(), native).expect("lengths");
    referees::judge(chain, program, &trace, JUDGED_PER_OPERATOR)
}

/// Programs from this seed, until so many elements agree; how many elements, refutations and programs.
fn agree_from(seed: u64, enough: usize) -> [usize; 3] {
    let chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &keccak(&seed.to_be_bytes()).0);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut sum = [0; 3];
    while sum[0] < enough {
        let (program, input) = random_program::program().new_tree(&mut runner).expect("a program").current();
        let (judged, whole) = agree(&chain, &program, &input);
        sum = [sum[0] + judged, sum[1] + whole, sum[2] + 1];
    }
    sum
}

#[test]
fn attack_27_five_implementations_agree_on_every_element() {
    let seed: u64 =
        std::env::var("NARROWS_SEED").map_or(1, |text| text.parse().expect("NARROWS_SEED is a number"));
    println!("seed {seed}; repeat with NARROWS_SEED={seed}");
    // As many threads on every machine, so that a seed means the same everywhere.
    let parts = std::thread::scope(|scope| {
        let part = |part: u64| {
            move || agree_from(seed.wrapping_mul(THREADS).wrapping_add(part), ELEMENTS / THREADS as usize)
        };
        let threads: Vec<_> = (0..THREADS).map(|index| scope.spawn(part(index))).collect();
        threads.into_iter().map(|thread| thread.join().expect("they agree")).collect::<Vec<_>>()
    });
    let [elements, refuted, programs] = [0, 1, 2].map(|i| parts.iter().map(|part| part[i]).sum::<usize>());
    assert!(refuted > programs / 2, "refutations were judged too: {refuted}");
    println!("{elements} elements of {programs} programs agree in all five implementations");
}

#[test]
fn the_digits_model_agrees_everywhere() {
    let chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let program = narrows_tests::digits::program();
    let (judged, whole) = agree(&chain, &program, &narrows_tests::digits::input());
    assert!(judged > 500 && whole > 4);
}
