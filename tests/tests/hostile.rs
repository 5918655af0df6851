//! Programs and trees that nobody checked (`bisection/tests/hostile`), on the contracts and their mirror at once: the same machine.

#[path = "../../bisection/tests/game_support/mod.rs"]
mod game_support;
#[path = "../../bisection/tests/hostile/mod.rs"]
mod hostile;

use game_support::*;
use hostile::{ALONE, Rules, Shape, legal, play_by, trees, with_roots};
use narrows_bisection::{Account, Block, Call, Event, Game, Phase, Refusal, Wei};
use narrows_contracts::{Chain as _, Transaction};
use narrows_tests::twin::TwinChain;
use proptest::prelude::*;

/// The contracts and the mirror, which panic where they differ: in an answer, a state's hash, or a wei.
struct Twin(TwinChain);

fn twin() -> Twin {
    let mut twin = TwinChain::new(parameters());
    [REQUESTER, CHALLENGER, STRANGER, executor()].into_iter().for_each(|account| twin.fund(account));
    Twin(twin)
}

impl Rules for Twin {
    fn game(&self) -> &Game {
        &self.0.game
    }

    fn place(&self) -> (u64, Account) {
        (self.0.chain_id(), self.0.chain.game())
    }

    fn begin(&self) -> u64 {
        self.0.now().0
    }

    fn apply(&mut self, block: Block, from: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        if block.time > self.0.now() {
            self.0.advance_to(block.time);
        }
        self.0.chain.set_base_fee(block.base_fee).expect("a base fee");
        self.0.both(Transaction { from, value, call: call.clone() }).map(|receipt| receipt.events)
    }
}

#[test]
fn attack_09_a_leaf_in_the_place_of_a_node_cannot_be_named_in() {
    trees::a_leaf_for_a_node(twin());
}

#[test]
fn attack_09_an_operator_in_the_place_of_a_node_is_not_refuted() {
    trees::an_operator_for_a_node(twin);
}

#[test]
fn attack_09_of_the_only_export_no_others_are_shown() {
    trees::exports_that_are_none(twin());
}

#[test]
fn attack_28_no_reward_is_opened_deeper_than_trees_go() {
    trees::a_reward_too_deep(twin());
}

#[test]
fn attack_28_no_more_than_the_bond_is_paid_for_answers_that_it_did_not_insure() {
    trees::more_answers_than_are_insured(twin());
}

#[test]
fn the_legal_operator_goes_to_the_end() {
    for shape in [ALONE, Shape { first: 7, count: 2, export: 1 }] {
        assert_eq!(play_by(twin, shape, &legal(), &[0, 0, 0, 0, 0, 1, 1]), Phase::Won, "{shape:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn attack_28_an_illegal_operator_is_one_thing_to_both(
        several in any::<bool>(),
        bends in prop::collection::vec((0..192usize, any::<u8>()), 0..6),
        third in prop::collection::vec(any::<u8>(), 32),
        choices in prop::collection::vec(any::<u8>(), 8),
    ) {
        let shape = if several { Shape { first: 5, count: 3, export: 1 } } else { ALONE };
        let mut descriptor = legal()[..192].to_vec();
        // But for the number of terms, of which the contracts run out of gas.
        for (at, byte) in bends.into_iter().filter(|(at, _)| !(48..59).contains(at)) {
            descriptor[at] = byte;
        }
        play_by(twin, shape, &with_roots(&descriptor, &third), &choices);
    }
}
