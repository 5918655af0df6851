//! Roots of no honest tree (`hostile/trees.rs`), by the rules alone.

mod game_support;
mod hostile;

use hostile::{game, trees};

#[test]
fn attack_09_a_leaf_in_the_place_of_a_node_cannot_be_named_in() {
    trees::a_leaf_for_a_node(game());
}

#[test]
fn attack_09_an_operator_in_the_place_of_a_node_is_not_refuted() {
    trees::an_operator_for_a_node(game);
}

#[test]
fn attack_09_of_the_only_export_no_others_are_shown() {
    trees::exports_that_are_none(game());
}

#[test]
fn attack_28_no_reward_is_opened_deeper_than_trees_go() {
    trees::a_reward_too_deep(game());
}

#[test]
fn attack_28_no_more_than_the_bond_is_paid_for_answers_that_it_did_not_insure() {
    trees::more_answers_than_are_insured(game());
}
