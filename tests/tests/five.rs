//! One arithmetic, five times: the native engine, burn on both backends, the Rust referee, and the referee in Solidity.

use narrows_bisection::referee::{Descriptor, View, step};
use narrows_bisection::{ClaimedNodes, Parameters, Trace, WitnessSource};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_contracts::EmbeddedChain;
use narrows_executor::engine::Engine;
use narrows_program::{LayerIndex, Program};
use narrows_tests::{oracle, random_program};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Elements that all five must agree on.
const ELEMENTS: usize = 100_000;
/// Elements of one layer that the referees recompute; the engines always compute all.
const JUDGED_PER_LAYER: usize = 400;

fn view(program: &Program, trace: &Trace) -> View {
    View {
        input_root: trace.input_root(),
        trace_root: trace.root(),
        layers_depth: program.layers_tree().depth(),
        constants_root: program.constants_tree().root(),
        constants_depth: program.constants_tree().depth(),
    }
}

/// Runs a program everywhere; how many elements were compared in all five.
fn agree(chain: &EmbeddedChain, program: &Program, input: &[u8]) -> usize {
    let native = Engine::new(program).run(input).expect("runs");
    assert_eq!(native, oracle::run(program, input), "native = oracle");
    for backend in [Backend::Ndarray, Backend::Flex] {
        let burn = BurnEngine::new(program, backend).expect("a plan").run(input).expect("runs");
        for (index, (burn, native)) in burn.iter().zip(&native).enumerate() {
            assert_eq!(
                burn,
                native,
                "burn on {backend} = native in layer {index}: {:?}",
                program.layers()[index]
            );
        }
    }
    let trace = Trace::new(program, input.to_vec(), native).expect("lengths");
    let (view, claimed) = (view(program, &trace), ClaimedNodes::default());
    let source = WitnessSource { program, trace: &trace, claimed: &claimed };
    let mut judged = 0;
    for layer in (0..program.layers().len() as u32).map(LayerIndex) {
        let operator = program.layer(layer);
        let descriptor = Descriptor::decode(&program.descriptor(layer)).expect("192 bytes");
        let elements = operator.elements();
        let stride = elements.div_ceil(JUDGED_PER_LAYER as u64).max(1);
        for element in (0..elements).step_by(stride as usize) {
            let expected = operator.dtype.read(trace.layer(layer), element as usize).expect("an element");
            let segments = operator.segments();
            if segments > 1 {
                let own = narrows_bisection::players::true_sums(program, &trace, layer, element);
                for segment in 0..segments as u32 {
                    let witness = source.witness(layer, element, Some(segment));
                    let rust = step(&view, &descriptor, element, Some(segment), &witness);
                    let solidity =
                        chain.referee_step(&view, descriptor.bytes(), element, Some(segment), &witness);
                    assert_eq!(rust, Ok(own[segment as usize]));
                    assert_eq!(
                        solidity.expect("a step"),
                        own[segment as usize],
                        "segment {segment}: {operator:?}"
                    );
                }
            }
            let witness = source.witness(layer, element, None);
            if witness.a.tiles.len() / 128 > 192 || witness.b.tiles.len() / 128 > 192 {
                continue; // Only its segments are within a step's reach.
            }
            let rust = step(&view, &descriptor, element, None, &witness);
            assert_eq!(rust, Ok(expected), "Rust referee = native: {operator:?}");
            let solidity = chain.referee_step(&view, descriptor.bytes(), element, None, &witness);
            assert_eq!(
                solidity.expect("a step"),
                expected,
                "Solidity = native, element {element}: {operator:?}"
            );
            judged += 1;
        }
    }
    judged
}

#[test]
fn attack_27_five_implementations_agree_on_every_element() {
    let chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let seed =
        std::env::var("NARROWS_SEED").map_or(1, |text| text.parse().expect("NARROWS_SEED is a number"));
    println!("seed {seed}; repeat with NARROWS_SEED={seed}");
    let rng =
        TestRng::from_seed(RngAlgorithm::ChaCha, &narrows_commitment::keccak(&u64::to_be_bytes(seed)).0);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut elements, mut programs) = (0, 0);
    while elements < ELEMENTS {
        let (program, input) = random_program::program().new_tree(&mut runner).expect("a program").current();
        elements += agree(&chain, &program, &input);
        programs += 1;
    }
    println!("{elements} elements of {programs} programs agree in all five implementations");
}

#[test]
fn the_digits_model_agrees_everywhere() {
    let chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let program = narrows_tests::digits::program();
    assert!(agree(&chain, &program, &narrows_tests::digits::input()) > 500);
}
