//! ONNX graphs, compiled; in each kind of operator that they became one element is doctored, and the lie is played to its
//! verdict on the contracts and their mirror: in a match, and in one transaction. The same challenges to the truth lose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use narrows_bisection::game::ids;
use narrows_bisection::players::{Choice, FirstDifference};
use narrows_bisection::refute::{point, refutation};
use narrows_bisection::signature::sign;
use narrows_bisection::{Call, Event, Parameters, Phase, Refusal, Trace, Wei};
use narrows_compiler::{Graph, Kind, LayersOption, Options, Samples, compile, encode_input};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{ElementIndex, Fold, OperatorIndex, Program};
use narrows_tests::arena::{Arena, Claimed, STRANGER, answering, choosing, signer};

/// A fold with a way of finalising.
type Pairing = (Fold, &'static str);

/// What must be lied about in one model or another.
const KINDS: [Pairing; 12] = [
    (Fold::Dot, "requantise"),
    (Fold::Dot, "table"),
    (Fold::Dot, "divide"),
    (Fold::Dot, "root"),
    (Fold::Sum, "requantise"),
    (Fold::Sum, "table"),
    (Fold::Sum, "divide"),
    (Fold::Max, "requantise"),
    (Fold::Pair, "requantise"),
    (Fold::Pair, "table"),
    (Fold::Gather, "requantise"),
    (Fold::ArgMax, "requantise"),
];

/// Which operators of a model are lied about, each in its first, a middle and its last element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// The first of each kind that a step can decide a lie about.
    Kinds,
    /// All of them.
    Everywhere,
}

fn pairing(program: &Program, index: OperatorIndex) -> Pairing {
    let operator = program.operator(index);
    let ending = ["", "requantise", "table", "divide", "root"][usize::from(operator.finalise.code())];
    (operator.fold, ending)
}

fn path(from_root: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(from_root)
}

/// Inputs for a model: those of a file, or random ones.
fn samples(graph: &Graph, file: Option<&str>) -> Samples {
    let input = graph.value(graph.input);
    if let Some(file) = file {
        return Samples::load(&path(file), &input.shape).expect("samples");
    }
    let mut state = 1u64;
    let mut value = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match input.kind {
            Kind::Integer => ((state >> 33) % 5) as f32,
            Kind::Real => (state >> 40) as f32 / (1 << 23) as f32 - 1.0,
        }
    };
    let inputs = (0..4).map(|_| (0..input.elements()).map(|_| value()).collect()).collect();
    Samples::of(inputs)
}

/// A compiled model with the true trace of its first sample.
fn compiled(model: &str, calibration: Option<&str>, layers: LayersOption) -> (Program, Trace) {
    let graph = Graph::load(&path(model), &Default::default()).expect("a model");
    let samples = samples(&graph, calibration);
    let options = Options { layers, split: 64, ..Options::default() };
    let program = compile(&graph, &samples, &options, &mut |_| {}).expect("compiles").into_program();
    let input = encode_input(&program, &samples.inputs[0]).expect("an input");
    let truth = Honest.trace(&program, input).expect("runs");
    (program, truth)
}

/// The smallest lie about an element that shows under the trace root; `None` where later operators swallow it.
fn visible(program: &Program, truth: &Trace, operator: OperatorIndex, element: usize) -> Option<Trace> {
    let lies = [1, 17, 100, 5000].map(|delta| DoctoredOperator { operator, element, delta });
    lies.iter().find_map(|lie| {
        let claimed = lie.trace(program, truth.input().to_vec()).expect("runs");
        (claimed.root() != truth.root()).then_some(claimed)
    })
}

/// The challenger that believes a lie, and accuses some segment even where all of them are as it finds them itself.
struct Stubborn;

impl Choice for Stubborn {
    fn segment(&mut self, claimed: &[i64], own: &[i64]) -> Option<usize> {
        FirstDifference.segment(claimed, own).or(Some(0))
    }
}

/// One program, its truth, and a chain on which lies about it are judged.
struct Court<'a> {
    name: &'a str,
    program: &'a Program,
    truth: &'a Trace,
    arena: Arena,
}

impl Court<'_> {
    /// A lie loses by a match and by a refutation; the truth, disputed by whoever believes the lie, stands both ways. Whether
    /// a step decided the lie's match: a liar whose value no partial sums lead to falls silent before it.
    fn judge(&mut self, claimed: &Trace, operator: OperatorIndex, element: usize) -> bool {
        let what = format!("{}, operator {operator}, element {element}", self.name);
        let (program, truth) = (self.program, self.truth);
        let mut by_step = true;
        for (said, believed, won) in [(claimed, truth, true), (truth, claimed, false)] {
            let job = self.arena.job(truth.input());
            let claim = self.arena.claim(job, said);
            let mut one = self.arena.open(&claim);
            let mut challenger = choosing(program, believed, Stubborn);
            let outcome = self.arena.play(&mut one, &mut answering(program, said), &mut challenger);
            let verdict = if won { Phase::Won } else { Phase::Lost };
            assert_eq!(outcome.state.phase, verdict, "{what}");
            assert_eq!(outcome.state.place, operator.0, "{what}: judged there");
            let names: Vec<&str> = outcome.moves.iter().rev().map(|(_, call, _)| call.name()).collect();
            match names[..] {
                ["name" | "segment", ..] => {}
                ["timeout", "name", ..] if won && program.operator(operator).segments() > 1 => {
                    by_step = false
                }
                _ => panic!("{what}: ended in {names:?}"),
            }

            let (claim, call) = self.refutation(said, believed);
            let answer = self.arena.send(STRANGER, Wei(0), call);
            if won {
                let point = ids::point(&point(program, truth, operator, ElementIndex(element as u32)));
                let refuted = Event::ClaimRefuted { claim: claim.id, job: claim.posted.job, point };
                assert_eq!(answer.expect("refuted").events, [refuted], "{what}");
            } else {
                assert_eq!(answer.map(|_| ()), Err(Refusal::NoFault), "{what}: the truth stands");
            }
        }
        by_step
    }

    /// A claim of `said` by an executor that signs its sub-traces, and its refutation by whoever believes something else.
    fn refutation(&mut self, said: &Trace, believed: &Trace) -> (Claimed, Call) {
        let (key, executor) = signer("an executor that signs");
        let job = self.arena.job(said.input());
        let claim = self.arena.claim_by(executor, job, said);
        let layer = believed.first_layer_difference(said).expect("the roots differ");
        let list = said.sub_tree(layer).root();
        let (chain_id, game) = (self.arena.chain.chain_id(), self.arena.chain.game());
        let signature = sign(ids::sub_trace_digest(chain_id, game, claim.id, layer.0, list), &key).to_vec();
        let shown = refutation(self.program, believed, said, Some((list, signature)));
        let refutation = Box::new(shown.expect("a fold that one step can open"));
        (claim, Call::Refute { posted: claim.posted, refutation })
    }
}

/// Lies about operators of a program; its kinds, each with how many lies a step decided.
fn lie(name: &str, program: &Program, truth: &Trace, at: Where) -> BTreeMap<String, usize> {
    let mut arena = Arena::new(program.clone(), Parameters::default());
    arena.chain.fund(signer("an executor that signs").1);
    let mut court = Court { name, program, truth, arena };
    let mut judged: BTreeMap<String, usize> = BTreeMap::new();
    for index in (0..program.operators().len() as u32).map(OperatorIndex) {
        let lies = judged.entry(label(pairing(program, index))).or_default();
        if at == Where::Kinds && *lies > 0 {
            continue;
        }
        let elements = program.operator(index).elements() as usize;
        let mut targets = vec![0, elements / 2, elements - 1];
        targets.dedup();
        for element in targets {
            if let Some(claimed) = visible(program, truth, index, element) {
                *lies += usize::from(court.judge(&claimed, index, element));
            }
        }
    }
    for (kind, lies) in &judged {
        assert!(*lies > 0, "{name}: no lie in any {kind} shows");
    }
    judged
}

fn label((fold, ending): Pairing) -> String {
    format!("{fold:?}-{ending}").to_lowercase()
}

#[test]
fn attack_01_a_lie_in_every_kind_of_operator_of_compiled_graphs_is_caught_there() {
    const CASES: &str = "compiler/tests/data/cases";
    let (kinds, all) = (Where::Kinds, Where::Everywhere);
    let digits = Some("fixtures/digits/calibration.npz");
    let models = [
        ("tests/data/small.onnx".to_owned(), None, LayersOption::Count(3), all),
        ("tests/data/small.onnx".to_owned(), None, LayersOption::Auto, kinds),
        ("fixtures/digits/digits.onnx".to_owned(), digits, LayersOption::Count(2), all),
        (
            "fixtures/chargpt/chargpt.onnx".to_owned(),
            Some("fixtures/chargpt/calibration.npz"),
            LayersOption::Block,
            kinds,
        ),
        (format!("{CASES}/not_softmax.onnx"), None, LayersOption::Auto, all),
        (format!("{CASES}/not_a_norm.onnx"), None, LayersOption::Node, all),
        (format!("{CASES}/gru_forward0.onnx"), None, LayersOption::Block, kinds),
        (format!("{CASES}/embedding.onnx"), None, LayersOption::Auto, all),
        (format!("{CASES}/argmax.onnx"), None, LayersOption::Auto, all),
        (format!("{CASES}/reducel2.onnx"), None, LayersOption::Auto, all),
    ];
    let covered: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let play = &|(model, calibration, layers, at): &(String, Option<&str>, LayersOption, Where)| {
        let since = std::time::Instant::now();
        let (program, truth) = compiled(model, *calibration, *layers);
        let judged = lie(model, &program, &truth, *at);
        let seconds = since.elapsed().as_secs_f64();
        let (operators, layers) = (program.operators().len(), program.layers().len());
        println!("{model}: {operators} operators in {layers} layers, {seconds:.1} s: {judged:?}");
        let mut covered = covered.lock().expect("nobody panicked");
        for (kind, lies) in judged {
            *covered.entry(kind).or_default() += lies;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = models.iter().map(|model| scope.spawn(move || play(model))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("every lie is caught"));
    });
    let covered = covered.into_inner().expect("nobody panicked");
    let lies: usize = covered.values().sum();
    println!("{lies} lies, each in a match and in one transaction: {covered:?}");
    let missing: Vec<_> = KINDS.map(label).into_iter().filter(|kind| !covered.contains_key(kind)).collect();
    assert!(missing.is_empty(), "no lie about {missing:?}");
}
