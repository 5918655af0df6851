//! Attacks by numbers (15), on both machines at once; the largest crowd on the mirror alone.

use narrows_bisection::players::{Choice, Follower};
use narrows_bisection::{
    Account, BlockTime, Call, ClaimStatus, MatchId, Parameters, Phase, Refusal, Side, Trace, Wei,
};
use narrows_commitment::{Digest, TensorRoot, Tile};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{OperatorIndex, Program, ProgramParts};
use narrows_tests::arena::{
    Arena, CHALLENGER, Dispute, EXECUTOR, REQUESTER, STRANGER, answering, choosing, honest,
};
use narrows_tests::mirror::Mirror;
use narrows_tests::{copies, digits};

const NOTHING: Wei = Wei(0);

fn stranger(number: u32) -> Account {
    let mut out = [0x99; 20];
    out[..4].copy_from_slice(&number.to_be_bytes());
    Account(out)
}

/// A program of two layers, a true trace of it, and a lie in its second operator.
fn case() -> (Program, Trace, Trace) {
    let program = copies::grouped(&[2, 1], 700);
    let truth = copies::truth(&program, &copies::input(700));
    let lie = DoctoredOperator { operator: OperatorIndex(1), element: 650, delta: 3 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    (program, truth, claimed)
}

/// `count` challengers of an honest claim: some silent, some playing as far as they get. When it is final, and what the
/// executor has gained beyond its bond.
fn crowd_against_the_truth(count: u32) -> (u64, i128) {
    let (program, truth, accused) = case();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let posted_at = arena.chain.now();
    let ends = *arena.chain.game.claim(claim.id).expect("a claim");
    let crowd: Vec<Account> = (0..count).map(stranger).collect();
    let mut matches: Vec<Dispute> = Vec::new();
    for account in &crowd {
        arena.chain.fund(*account);
        matches.push(arena.open_by(*account, &claim, Digest::default()));
    }
    // Each plays a different number of moves, all in the same few seconds; the executor answers every one.
    for (number, one) in matches.iter_mut().enumerate() {
        for _ in 0..number % 12 {
            let Some(side) = one.follower.state().phase.turn() else { break };
            let (account, call) = match side {
                Side::Executor => (EXECUTOR, answering(&program, &truth)(&one.follower)),
                Side::Challenger => (crowd[number], honest(&program, &accused)(&one.follower)),
            };
            let Some(call) = call else { break };
            arena.act(one, account, call).expect("a move");
        }
        if one.follower.state().phase.turn() == Some(Side::Executor) {
            let call = answering(&program, &truth)(&one.follower).expect("an answer");
            arena.act(one, EXECUTOR, call).expect("an answer");
        }
    }
    // Nobody comes back. One match stays open, so that the claim cannot end before its hard end.
    let finalise = Call::Finalise { posted: claim.posted };
    arena.chain.advance_to(ends.window_end);
    assert_eq!(arena.send(STRANGER, NOTHING, finalise.clone()), Err(Refusal::NotYet));
    for one in &matches[1..] {
        if one.follower.state().phase.turn().is_some() {
            assert_eq!(one.follower.state().phase.turn(), Some(Side::Challenger));
            arena.send(EXECUTOR, NOTHING, arena.timeout(one.id)).expect("the challenger's time is up");
        }
    }
    arena.chain.advance_to(BlockTime(ends.hard_end.0 - 1));
    assert_eq!(arena.send(STRANGER, NOTHING, finalise.clone()), Err(Refusal::NotYet));
    arena.chain.advance(1);
    arena.send(STRANGER, NOTHING, finalise).expect("final");
    let reclaim = arena.reclaim(matches[0].id);
    arena.send(STRANGER, NOTHING, reclaim).expect("the open one is void");
    arena.chain.close_books();
    assert_eq!(arena.chain.gain(crowd[0]), 0, "it got its bond back");
    for account in &crowd[1..] {
        assert!(arena.chain.gain(*account) < 0);
    }
    (arena.chain.now().0 - posted_at.0, arena.chain.gain(EXECUTOR))
}

#[test]
fn attack_15_a_crowd_delays_an_honest_claim_no_longer_than_one_does() {
    let (alone, gain_alone) = crowd_against_the_truth(1);
    let (crowd, gain_crowd) = crowd_against_the_truth(100);
    assert_eq!(alone, crowd, "seconds from the claim to its end");
    assert!(gain_crowd > gain_alone, "and each of them paid for it");
}

#[test]
fn attack_15_what_a_lost_match_pays_covers_the_answers_gas() {
    // Through every phase, with reveals of every size.
    for bits in 1..=6 {
        let parts = digits::program().parts();
        lost_matches_pay(&Program::new(ProgramParts { reveal_bits: bits, ..parts }).expect("legal"));
    }
}

/// Loses matches against an honest claim at every kind of base fee.
fn lost_matches_pay(program: &Program) {
    let truth = Honest.trace(program, digits::input()).expect("runs");
    let lie = DoctoredOperator { operator: digits::segmented_operator(program), element: 0, delta: 1 };
    let accuser = lie.trace(program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let cap = arena.chain.game.parameters().fee_cap;
    for base_fee in [Wei(1), Wei(1_000_000_000), cap, Wei(cap.0 * 3)] {
        arena.chain.chain.set_base_fee(base_fee).expect("a base fee");
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &truth);
        let mut one = arena.open(&claim);
        let before = arena.chain.game.owed(EXECUTOR);
        // It follows the true nodes to where it believes a fault, and then has nothing to show.
        let mut accuse = honest(program, &accuser);
        let mut along = choosing(program, &truth, Along);
        let mut challenger = |follower: &Follower| match follower.state().phase {
            Phase::Seg => accuse(follower),
            _ => along(follower),
        };
        let outcome = arena.play(&mut one, &mut answering(program, &truth), &mut challenger);
        assert_eq!(outcome.state.phase, Phase::Lost);
        let answered = outcome.moves.iter().filter(|(side, ..)| *side == Side::Executor);
        let gas: u64 = answered.map(|(_, _, receipt)| receipt.gas_used).sum();
        let paid = arena.chain.game.owed(EXECUTOR).0 - before.0;
        let delay = arena.chain.game.parameters().delay_fee.0;
        let insured = u128::from(gas) * base_fee.0.min(cap.0);
        assert!(paid >= insured + delay, "{paid} wei for {gas} gas at {base_fee:?}, and the delay");
        assert!(paid <= arena.bond().0, "and never more than the bond");
        assert!(outcome.state.answers >= 5, "reveals of layers and of tiles, roots, tiles and sums");
    }
}

/// The second operator of the first layer, its first element, and no segment.
struct Along;

impl Choice for Along {
    fn child(&mut self, _: &[Digest], _: &[Digest]) -> Option<usize> {
        Some(0)
    }

    fn operator(&mut self, _: &[TensorRoot], _: &[TensorRoot]) -> Option<usize> {
        Some(1)
    }

    fn element(&mut self, _: &[Tile], _: &[Tile], _: usize) -> Option<(usize, usize)> {
        Some((0, 0))
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        None
    }
}

#[test]
fn attack_15_one_honest_challenger_in_a_crowd_of_silent_ones_refutes_a_lie() {
    let (program, truth, claimed) = case();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let crowd: Vec<Account> = (0..99).map(stranger).collect();
    let mut matches = Vec::new();
    for (number, account) in crowd.iter().enumerate() {
        arena.chain.fund(*account);
        matches.push(arena.open_by(*account, &claim, Digest::default()));
        if number == 50 {
            matches.push(arena.open(&claim));
        }
    }
    let mut one = matches.remove(51);
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won());
    // The others were neither in its way nor robbed.
    for other in matches.iter().chain([&one]) {
        let reclaim = arena.reclaim(other.id);
        arena.send(STRANGER, NOTHING, reclaim).expect("a bond");
    }
    arena.chain.advance(arena.chain.parameters().reward_seconds.into());
    arena.send(STRANGER, NOTHING, Call::CollectReward { claim: claim.id }).expect("nobody had committed");
    let deadline = arena.chain.game.job(job).expect("a job").deadline;
    arena.chain.advance_to(deadline);
    arena.send(STRANGER, NOTHING, Call::Refund { job }).expect("nobody answered");
    arena.chain.close_books();
    assert!(crowd.iter().all(|account| arena.chain.gain(*account) == 0));
    assert_eq!(arena.chain.gain(EXECUTOR), -(arena.stake().0 as i128));
    assert_eq!(arena.chain.gain(REQUESTER), 0);
}

#[test]
fn attack_15_ten_thousand_challengers_on_the_mirror() {
    const CROWD: u32 = 10_000;
    let (program, truth, claimed) = case();

    // Against the truth: final at its hard end, which their number does not move.
    let mut mirror = Mirror::new(program.clone());
    let said = mirror.claim(&truth);
    let id = mirror.game.claim_id(&said);
    let ends = *mirror.game.claim(id).expect("a claim");
    let matches: Vec<MatchId> = (0..CROWD).map(|n| mirror.open(stranger(n), said).0).collect();
    let after = mirror.game.claim(id).expect("a claim");
    assert_eq!((after.window_end, after.hard_end), (ends.window_end, ends.hard_end));
    mirror.time = ends.hard_end.0 - 1;
    let finalise = Call::Finalise { posted: said };
    assert_eq!(mirror.apply(STRANGER, NOTHING, &finalise), Err(Refusal::NotYet));
    mirror.time += 1;
    mirror.send(STRANGER, NOTHING, finalise);
    for one in &matches {
        let reclaim = mirror.reclaim(*one);
        mirror.send(STRANGER, NOTHING, reclaim);
    }
    assert_eq!(mirror.game.owed(stranger(77)), mirror.bond());
    assert_eq!(mirror.game.locked().0, mirror.game.owed(EXECUTOR).0 + u128::from(CROWD) * mirror.bond().0);

    // Against a lie: one honest challenger among them, opened last, wins as it would alone.
    let mut mirror = Mirror::new(program.clone());
    let said = mirror.claim(&claimed);
    let id = mirror.game.claim_id(&said);
    let matches: Vec<MatchId> = (0..CROWD).map(|n| mirror.open(stranger(n), said).0).collect();
    let (own, opened) = mirror.open(CHALLENGER, said);
    let parameters = *mirror.game.parameters();
    let follower = Follower::new(&program, &parameters, BlockTime(mirror.time), said, &opened);
    let mut follower = follower.expect("a match");
    let mut moves = 0;
    while let Some(side) = follower.state().phase.turn() {
        mirror.time += 1;
        let (account, call) = match side {
            Side::Executor => (EXECUTOR, answering(&program, &claimed)(&follower)),
            Side::Challenger => (CHALLENGER, honest(&program, &truth)(&follower)),
        };
        let events = mirror.send(account, NOTHING, call.expect("a move"));
        events.iter().for_each(|event| follower.observe(&program, event));
        moves += 1;
    }
    assert_eq!(follower.state().phase, Phase::Won);
    assert!(moves < 12, "{moves} moves, whatever the others do");
    assert_eq!(mirror.game.claim(id).expect("a claim").status, ClaimStatus::Refuted);
    for one in matches.iter().chain([&own]) {
        let reclaim = mirror.reclaim(*one);
        mirror.send(STRANGER, NOTHING, reclaim);
    }
    assert_eq!(mirror.game.owed(CHALLENGER), mirror.bond());
}
