//! Both referees against the oracle, without an engine: every kind of fold with every way of finalising.

use std::collections::BTreeMap;

use narrows_bisection::{Parameters, Trace};
use narrows_commitment::keccak;
use narrows_contracts::EmbeddedChain;
use narrows_program::{Finalise, Fold, Program};
use narrows_tests::{oracle, random_program, referees};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Elements of programs of any folds, and of each fold alone.
const ELEMENTS: usize = 4_000;
/// Elements of one operator.
const PER_OPERATOR: usize = 30;

const FOLDS: [Fold; 6] = [Fold::Dot, Fold::Sum, Fold::Max, Fold::Pair, Fold::Gather, Fold::ArgMax];

/// How many operators there were of each fold and way of finalising, and how many of those in segments.
type Seen = BTreeMap<(u8, u8), (usize, usize)>;

fn judged(programs: &impl Strategy<Value = (Program, Vec<u8>)>, name: &str, seen: &mut Seen) -> usize {
    let chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &keccak(name.as_bytes()).0);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut all, mut refuted) = (0, 0);
    while all < ELEMENTS {
        let (program, input) = programs.new_tree(&mut runner).expect("a program").current();
        let outputs = oracle::run(&program, &input);
        let trace = Trace::new(&program, input, outputs).expect("lengths");
        let (judged, whole) = referees::judge(&chain, &program, &trace, PER_OPERATOR);
        (all, refuted) = (all + judged, refuted + whole);
        for operator in program.operators() {
            let count = seen.entry((operator.fold as u8, operator.finalise.code())).or_default();
            *count = (count.0 + 1, count.1 + usize::from(operator.segments() > 1));
        }
    }
    assert!(refuted > 0, "refutations were judged too");
    all
}

#[test]
fn attack_27_both_referees_find_what_the_oracle_says() {
    let mut seen = Seen::new();
    let mut all = judged(&random_program::program(), "any", &mut seen);
    for fold in FOLDS {
        all += judged(&random_program::program_with(fold, 2..=6), &format!("{fold:?}"), &mut seen);
    }
    println!("{all} elements; operators and those in segments, by fold and way of finalising: {seen:?}");
    let ways = [Finalise::Requantise.code(), 2, 3, Finalise::Root.code()];
    for (fold, way) in FOLDS.iter().flat_map(|fold| ways.map(|way| (*fold, way))) {
        let (operators, segmented) = seen.get(&(fold as u8, way)).copied().unwrap_or_default();
        assert!(operators >= 6, "{fold:?} with way {way}: {operators}");
        let single = matches!(fold, Fold::Pair | Fold::Gather);
        assert!(single || segmented >= 2, "{fold:?} in segments with way {way}: {segmented}");
    }
}
