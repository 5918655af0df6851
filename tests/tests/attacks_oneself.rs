//! Attacks on one's own claim (16): to win the reward, to lose on purpose, to block others, to finalise early; on both machines at
//! once.

use narrows_bisection::game::ids;
use narrows_bisection::players::Follower;
use narrows_bisection::refute::{refutation, reward_opening};
use narrows_bisection::{Account, Call, Event, Parameters, Phase, Refusal, Trace, Wei};
use narrows_commitment::{Digest, keccak};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::Conduct as _;
use narrows_program::{ElementIndex, OperatorIndex, Program};
use narrows_tests::arena::{Arena, EXECUTOR, STRANGER, answering, honest};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);

/// A program of two layers, a true trace of it, and a lie in its second operator.
fn case() -> (Program, Trace, Trace) {
    let program = copies::grouped(&[2, 1], 700);
    let truth = copies::truth(&program, &copies::input(700));
    let lie = DoctoredOperator { operator: OperatorIndex(1), element: 650, delta: 3 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    (program, truth, claimed)
}

#[test]
fn attack_16_a_liar_that_catches_itself_loses_half_of_its_bond() {
    // It disputes its own lie with the lowest number and the right values, and collects the whole reward.
    let (program, truth, claimed) = case();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let (salt, depth) = (keccak(b"own"), truth.own_tree().depth() as u8);
    let commitment = ids::own_commitment(salt, EXECUTOR, claim.id, depth, truth.own_root());
    let mut one = arena.open_by(EXECUTOR, &claim, commitment);
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won());
    let (point, tile, path) = reward_opening(&program, &truth, OperatorIndex(1), ElementIndex(650));
    let state = arena.state(one.id);
    let call = Call::OpenReward {
        claim: claim.id,
        number: 0,
        standing: state.standing(),
        node: state.node,
        seat: one.follower.seated().seat,
        point,
        salt,
        depth,
        tile,
        path,
    };
    arena.chain.advance(1);
    arena.send(EXECUTOR, NOTHING, call).expect("its own commitment");
    arena.chain.advance(arena.chain.parameters().reward_seconds.into());
    arena.send(EXECUTOR, NOTHING, Call::CollectReward { claim: claim.id }).expect("its own reward");
    let reclaim = arena.reclaim(one.id);
    arena.send(EXECUTOR, NOTHING, reclaim).expect("its own bond");
    let deadline = arena.chain.game.job(job).expect("a job").deadline;
    arena.chain.advance_to(deadline);
    arena.send(STRANGER, NOTHING, Call::Refund { job }).expect("nobody answered");
    arena.chain.close_books();
    let bond = arena.chain.parameters().executor_bond.0;
    let fee = arena.stake().0 - bond;
    assert_eq!(arena.chain.gain(EXECUTOR), -((bond - bond / 2 + fee) as i128));
}

#[test]
fn attack_16_matches_lost_on_purpose_end_nothing_and_block_nobody() {
    let (program, truth, claimed) = case();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let ends = *arena.chain.game.claim(claim.id).expect("a claim");
    // The liar disputes itself, and says nothing when it is its turn.
    let mut decoy = arena.open_by(EXECUTOR, &claim, Digest::default());
    let outcome = arena.play(&mut decoy, &mut answering(&program, &claimed), &mut |_: &Follower| None);
    assert_eq!(outcome.state.phase, Phase::Lost);
    let finalise = Call::Finalise { posted: claim.posted };
    assert_eq!(arena.send(EXECUTOR, NOTHING, finalise.clone()), Err(Refusal::NotYet), "no claim ends early");
    assert!(arena.chain.now() < ends.window_end);
    // It keeps another open: that keeps nobody out.
    arena.open_by(EXECUTOR, &claim, Digest::default());
    let mut one = arena.open(&claim);
    assert_eq!(one.follower.number(), 2);
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won());
    // Losing to itself has cost it: of its bond it owes itself a part, the rest is burned.
    let paid = arena.chain.game.owed(EXECUTOR);
    assert!(paid.0 < arena.bond().0 / 2, "{paid:?} of {:?}", arena.bond());
}

#[test]
fn attack_16_refuting_oneself_in_one_transaction_costs_half_the_bond_too() {
    let program = copies::program(3, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let lie = DoctoredOperator { operator: OperatorIndex(1), element: 7, delta: 1 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let shown = refutation(&program, &truth, &claimed, None).expect("a fault");
    let call = Call::Refute { posted: claim.posted, refutation: Box::new(shown) };
    arena.send(EXECUTOR, NOTHING, call).expect("refuted by itself");
    // Nobody committed to anything: even the reward is burned.
    arena.chain.advance(arena.chain.parameters().reward_seconds.into());
    let receipt = arena.send(EXECUTOR, NOTHING, Call::CollectReward { claim: claim.id }).expect("collected");
    let [Event::RewardCollected { winner, .. }] = receipt.events[..] else { panic!("a reward") };
    assert_eq!(winner, Account::default());
    assert_eq!(arena.chain.game.owed(EXECUTOR), NOTHING);
    assert_eq!(arena.chain.game.burned(), arena.stake());
}
