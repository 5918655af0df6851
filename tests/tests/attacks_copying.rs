//! Copied openings, picks, steps and claims (17), on both machines at once.

use narrows_bisection::refute::{refutation, reward_opening};
use narrows_bisection::{Account, Call, ClaimStatus, Parameters, Phase, Refusal, Trace, Wei, game::ids};
use narrows_commitment::{Digest, keccak};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::Conduct as _;
use narrows_program::{ElementIndex, OperatorIndex, Program};
use narrows_tests::arena::{
    Arena, CHALLENGER, Claimed, Dispute, EXECUTOR, STRANGER, answering, honest, silent,
};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);
/// Another liar.
const SECOND: Account = Account([0x55; 20]);
const FAULT: (OperatorIndex, usize) = (OperatorIndex(1), 7);

/// Layers of one operator each: whatever is said hangs on the roots alone. Or one layer of three.
fn case(groups: &[u8]) -> (Arena, Program, Trace, Trace) {
    let program = copies::grouped(groups, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let lie = DoctoredOperator { operator: FAULT.0, element: FAULT.1, delta: 1 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    arena.chain.fund(SECOND);
    (arena, program, truth, claimed)
}

/// What a challenger commits to its own trace by.
fn own_commitment(account: Account, claim: &Claimed, truth: &Trace) -> Digest {
    let depth = truth.own_tree().depth() as u8;
    ids::own_commitment(keccak(&account.0), account, claim.id, depth, truth.own_root())
}

/// What opens it after the verdict.
fn opening(arena: &Arena, program: &Program, truth: &Trace, one: &Dispute, account: Account) -> Call {
    let (point, tile, path) = reward_opening(program, truth, FAULT.0, ElementIndex(FAULT.1 as u32));
    let state = arena.state(one.id);
    Call::OpenReward {
        claim: one.follower.claim(),
        number: one.follower.number(),
        standing: state.standing(),
        node: state.node,
        seat: one.follower.seated().seat,
        point,
        salt: keccak(&account.0),
        depth: truth.own_tree().depth() as u8,
        tile,
        path,
    }
}

#[test]
fn attack_17_a_copied_opening_has_a_match_of_its_own_and_no_reward() {
    for copier_first in [false, true] {
        let (mut arena, program, truth, claimed) = case(&[1, 1, 1]);
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let commitment = own_commitment(CHALLENGER, &claim, &truth);
        let accounts = if copier_first { [STRANGER, CHALLENGER] } else { [CHALLENGER, STRANGER] };
        let mut matches = accounts.map(|account| arena.open_by(account, &claim, commitment));
        assert_ne!(matches[0].id, matches[1].id);
        let copy = usize::from(!copier_first);
        arena.chain.advance(1);
        // The copier repeats every move of the challenger, always first, and so it is its match that refutes.
        let outcome =
            arena.play(&mut matches[copy], &mut answering(&program, &claimed), &mut honest(&program, &truth));
        assert!(outcome.won());
        // Its commitment names the challenger, so it opens nothing; even with what the challenger opens its own with.
        let theirs = opening(&arena, &program, &truth, &matches[copy], CHALLENGER);
        assert_eq!(arena.send(STRANGER, NOTHING, theirs), Err(Refusal::BadOpening));
        let ours = opening(&arena, &program, &truth, &matches[1 - copy], CHALLENGER);
        assert_eq!(arena.send(STRANGER, NOTHING, ours.clone()), Err(Refusal::WrongState));
        arena.send(CHALLENGER, NOTHING, ours).expect("the reward is the challenger's");
        arena.chain.advance(arena.chain.parameters().reward_seconds.into());
        arena.send(STRANGER, NOTHING, Call::CollectReward { claim: claim.id }).expect("whoever asks");
        for one in &matches {
            let reclaim = arena.reclaim(one.id);
            arena.send(EXECUTOR, NOTHING, reclaim).expect("both bonds go back");
        }
        let deadline = arena.chain.game.job(job).expect("a job").deadline;
        arena.chain.advance_to(deadline);
        arena.send(STRANGER, NOTHING, Call::Refund { job }).expect("nobody answered");
        arena.chain.close_books();
        assert_eq!(arena.chain.gain(STRANGER), 0);
        assert_eq!(arena.chain.gain(CHALLENGER), (arena.chain.parameters().executor_bond.0 / 2) as i128);
    }
}

#[test]
fn attack_17_a_copied_pick_or_step_is_nobodys() {
    // Every move of the challenger, sent first by others: its seat is not theirs.
    for groups in [&[1, 1, 1][..], &[3]] {
        let (mut arena, program, truth, claimed) = case(groups);
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let mut one = arena.open(&claim);
        let mut moves = 0;
        while let Some(side) = one.follower.state().phase.turn() {
            let (from, call) = match side {
                narrows_bisection::Side::Executor => (EXECUTOR, answering(&program, &claimed)(&one.follower)),
                narrows_bisection::Side::Challenger => (CHALLENGER, honest(&program, &truth)(&one.follower)),
            };
            let call = call.expect("a move");
            if from == CHALLENGER {
                for thief in [STRANGER, EXECUTOR] {
                    assert_eq!(arena.send(thief, NOTHING, call.clone()), Err(Refusal::WrongState));
                }
                moves += 1;
            }
            arena.act(&mut one, from, call).expect("its own move");
        }
        assert!(moves >= 2);
        assert_eq!(arena.state(one.id).phase, Phase::Won);
    }
}

#[test]
fn attack_17_a_reveal_sent_by_another_is_the_executors_answer() {
    // A preimage is one whoever sends it: copying it, early or late, changes nothing.
    let (mut arena, program, truth, claimed) = case(&[1, 1, 1]);
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let mut one = arena.open(&claim);
    let call = answering(&program, &claimed)(&one.follower).expect("a reveal");
    arena.act(&mut one, STRANGER, call.clone()).expect("a stranger's reveal");
    assert_eq!(arena.act(&mut one, EXECUTOR, call), Err(Refusal::WrongState), "it was said");
    assert_eq!(one.follower.state().answers, 1, "and is counted as the executor's");
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won());
}

#[test]
fn attack_17_a_copy_of_a_refuted_claim_falls_with_it() {
    let (mut arena, program, truth, claimed) = case(&[1, 1, 1]);
    let job = arena.job(truth.input());
    let original = arena.claim(job, &claimed);
    let copy = arena.claim_by(SECOND, job, &claimed);
    let right = arena.claim_by(STRANGER, job, &truth);
    let elsewhere = arena.job(truth.input());
    let other_job = arena.claim_by(SECOND, elsewhere, &claimed);
    let refute_copy = |original: &Claimed, copy: &Claimed| Call::RefuteCopy {
        original: original.posted,
        copy: copy.posted,
    };
    assert_eq!(arena.send(CHALLENGER, NOTHING, refute_copy(&original, &copy)), Err(Refusal::NotACopy));
    let shown = Box::new(refutation(&program, &truth, &claimed, None).expect("a fault"));
    let call = Call::Refute { posted: original.posted, refutation: shown };
    arena.send(CHALLENGER, NOTHING, call).expect("refuted");
    // What is no copy does not fall: another trace, another job, the original itself.
    assert_eq!(arena.send(CHALLENGER, NOTHING, refute_copy(&original, &right)), Err(Refusal::NotACopy));
    assert_eq!(arena.send(CHALLENGER, NOTHING, refute_copy(&original, &other_job)), Err(Refusal::NotACopy));
    assert_eq!(arena.send(CHALLENGER, NOTHING, refute_copy(&original, &original)), Err(Refusal::ClaimClosed));
    assert_eq!(arena.send(CHALLENGER, NOTHING, refute_copy(&right, &copy)), Err(Refusal::NotACopy));
    // The copy does, in one call, and pays whoever shows it.
    arena.send(CHALLENGER, NOTHING, refute_copy(&original, &copy)).expect("the copy is refuted");
    assert_eq!(arena.chain.game.owed(CHALLENGER).0, arena.chain.parameters().executor_bond.0 / 2);
    assert_eq!(arena.send(CHALLENGER, NOTHING, refute_copy(&original, &copy)), Err(Refusal::ClaimClosed));
    assert_eq!(arena.send(STRANGER, NOTHING, Call::CollectReward { claim: copy.id }), Err(Refusal::NoReward));
    // A copy of the copy has to be held to the original: the copy fell by no evidence of its own.
    arena.chain.fund(Account([0x77; 20]));
    let third = arena.claim_by(Account([0x77; 20]), job, &claimed);
    assert_eq!(arena.send(STRANGER, NOTHING, refute_copy(&copy, &third)), Err(Refusal::NotACopy));
    arena.send(STRANGER, NOTHING, refute_copy(&original, &third)).expect("the third is refuted");
}

#[test]
fn attack_17_what_fell_by_silence_padding_or_a_statement_takes_no_copy_with_it() {
    // A layer of three operators: the verdict hangs on what the executor stated.
    let (mut arena, program, truth, claimed) = case(&[3]);
    let job = arena.job(truth.input());
    let original = arena.claim(job, &claimed);
    let copy = arena.claim_by(SECOND, job, &claimed);
    let mut one = arena.open(&original);
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won() && outcome.last() == "name");
    let call = Call::RefuteCopy { original: original.posted, copy: copy.posted };
    assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::NotACopy));
    // By silence.
    let (mut arena, program, truth, claimed) = case(&[1, 1, 1]);
    let job = arena.job(truth.input());
    let original = arena.claim(job, &claimed);
    let copy = arena.claim_by(SECOND, job, &claimed);
    let mut one = arena.open(&original);
    let outcome = arena.play(&mut one, &mut silent(), &mut honest(&program, &truth));
    assert!(outcome.won() && outcome.last() == "timeout");
    let call = Call::RefuteCopy { original: original.posted, copy: copy.posted };
    assert_eq!(arena.send(STRANGER, NOTHING, call.clone()), Err(Refusal::NotACopy));
    // Who was silent may have been right: each claim is judged by itself.
    let mut one = arena.open(&copy);
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won());
    assert_eq!(arena.chain.game.claim(copy.id).expect("a claim").status, ClaimStatus::Refuted);
}

#[test]
fn attack_17_a_match_that_ends_by_name_on_the_roots_takes_copies_with_it() {
    let (mut arena, program, truth, claimed) = case(&[1, 1, 1]);
    let job = arena.job(truth.input());
    let original = arena.claim(job, &claimed);
    let copy = arena.claim_by(SECOND, job, &claimed);
    let mut one = arena.open(&original);
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won() && outcome.last() == "name");
    // A copy that is finalisable is beyond anybody's reach.
    let end = arena.chain.game.claim(copy.id).expect("a claim").window_end;
    let call = Call::RefuteCopy { original: original.posted, copy: copy.posted };
    let mut late = arena.chain.game.clone();
    let block = narrows_bisection::Block { time: end, base_fee: Wei(1) };
    assert_eq!(late.apply(block, STRANGER, NOTHING, &call), Err(Refusal::ClaimClosed));
    arena.send(STRANGER, NOTHING, call).expect("the copy is refuted");
}
