//! The burn engine on every backend against the oracle, bit for bit, on random legal programs.

use narrows_challenger::engine::{Backend, BurnEngine, Limits};
use narrows_program::{Fold, Program};
use narrows_tests::{oracle, random_program};
use proptest::prelude::*;

/// So little memory that operators are cut into regions of a few outputs; with plans kept, and made again in each run.
const TIGHT: [Limits; 2] = [
    Limits { gathered: 64, weights: 128, at_once: 500, outputs: 8, kept: usize::MAX, regions: u64::MAX },
    Limits { gathered: 128, weights: 64, at_once: 0, outputs: 12, kept: 0, regions: 0 },
];

fn agree((program, input): (Program, Vec<u8>)) -> Result<(), TestCaseError> {
    let oracle = oracle::run(&program, &input);
    for (backend, limits) in
        Backend::ALL.iter().flat_map(|b| TIGHT.map(|l| (*b, l)).into_iter().chain([(*b, Limits::default())]))
    {
        let engine = BurnEngine::with_limits(&program, backend, &limits).expect("the backend is exact");
        let outputs = engine.run(&input).expect("the input fits");
        prop_assert_eq!(outputs.len(), oracle.len());
        for (index, (engine, oracle)) in outputs.iter().zip(&oracle).enumerate() {
            let op = &program.operators()[index];
            prop_assert_eq!(engine, oracle, "{}, {:?}, operator {}: {:?}", backend, limits, index, op);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn burn_is_the_oracle(case in random_program::program()) {
        agree(case)?;
    }

    #[test]
    fn dot_in_burn_is_the_oracle(case in random_program::program_with(Fold::Dot, 1..=2)) {
        agree(case)?;
    }

    #[test]
    fn sum_in_burn_is_the_oracle(case in random_program::program_with(Fold::Sum, 1..=1)) {
        agree(case)?;
    }

    #[test]
    fn max_in_burn_is_the_oracle(case in random_program::program_with(Fold::Max, 1..=1)) {
        agree(case)?;
    }

    #[test]
    fn pair_in_burn_is_the_oracle(case in random_program::program_with(Fold::Pair, 1..=1)) {
        agree(case)?;
    }
}
