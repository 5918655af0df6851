//! Attacks on clocks (14, 19, 20, 21, 22), on both machines at once.

use narrows_bisection::players::Follower;
use narrows_bisection::{BlockTime, Call, MatchState, Parameters, Phase, Refusal, Side, Trace, Wei};
use narrows_commitment::Digest;
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::Program;
use narrows_tests::arena::{
    Arena, CHALLENGER, Claimed, Dispute, EXECUTOR, Outcome, REQUESTER, STRANGER, answering, honest,
};
use narrows_tests::digits;

const NOTHING: Wei = Wei(0);

/// A lie that takes a match through every phase, and the truth.
struct Case {
    program: Program,
    truth: Trace,
    claimed: Trace,
}

impl Case {
    fn new() -> Self {
        let program = digits::program();
        let truth = Honest.trace(&program, digits::input()).expect("runs");
        let operator = digits::segmented_operator(&program);
        let lie = DoctoredOperator { operator, element: 0, delta: 1 };
        let claimed = lie.trace(&program, digits::input()).expect("runs");
        Self { program, truth, claimed }
    }

    fn arena(&self) -> Arena {
        Arena::new(self.program.clone(), Parameters::default())
    }

    fn claim(&self, arena: &mut Arena) -> Claimed {
        let job = arena.job(self.truth.input());
        arena.claim(job, &self.claimed)
    }

    /// Whoever's turn it is, and its next move.
    fn next(&self, follower: &Follower) -> Option<(Side, Call)> {
        let side = follower.state().phase.turn()?;
        let call = match side {
            Side::Executor => answering(&self.program, &self.claimed)(follower),
            Side::Challenger => honest(&self.program, &self.truth)(follower),
        };
        Some((side, call.expect("both sides know what to say")))
    }

    /// Plays on until a phase.
    fn until(&self, arena: &mut Arena, one: &mut Dispute, phase: Phase) -> Outcome {
        let (mut executor, mut challenger) =
            (answering(&self.program, &self.claimed), honest(&self.program, &self.truth));
        arena.play_until(one, &mut executor, &mut challenger, |state| state.phase == phase)
    }
}

fn account(side: Side) -> narrows_bisection::Account {
    match side {
        Side::Executor => EXECUTOR,
        Side::Challenger => CHALLENGER,
    }
}

fn deadline(arena: &Arena, one: &Dispute) -> BlockTime {
    arena.state(one.id).deadline(arena.chain.game.parameters()).expect("a turn")
}

const PHASES: [Phase; 10] = [
    Phase::LayerE,
    Phase::LayerC,
    Phase::SubE,
    Phase::SubC,
    Phase::TileE,
    Phase::TileC,
    Phase::DataE,
    Phase::Name,
    Phase::FoldE,
    Phase::Seg,
];

#[test]
fn attack_14_the_window_ends_on_the_second() {
    let case = Case::new();
    let mut arena = case.arena();
    let claim = case.claim(&mut arena);
    let end = arena.chain.game.claim(claim.id).expect("a claim").window_end;
    let (bond, open) = (arena.bond(), Call::Open { posted: claim.posted, commitment: Digest::default() });
    let finalise = Call::Finalise { posted: claim.posted };
    arena.chain.advance_to(BlockTime(end.0 - 1));
    assert_eq!(arena.send(STRANGER, NOTHING, finalise.clone()), Err(Refusal::NotYet));
    let mut one = arena.open(&claim);
    arena.chain.advance(1);
    assert_eq!(arena.send(CHALLENGER, bond, open), Err(Refusal::TooLate));
    assert_eq!(arena.send(STRANGER, NOTHING, finalise.clone()), Err(Refusal::NotYet), "a match is open");
    // The match that was opened in the last second has all its time.
    let outcome = arena.play(
        &mut one,
        &mut answering(&case.program, &case.claimed),
        &mut honest(&case.program, &case.truth),
    );
    assert!(outcome.won());
    assert_eq!(arena.send(STRANGER, NOTHING, finalise), Err(Refusal::ClaimClosed));
}

#[test]
fn attack_14_opened_in_the_last_second_and_played_to_the_last_second_of_every_clock() {
    let case = Case::new();
    let mut arena = case.arena();
    let claim = case.claim(&mut arena);
    let ends = *arena.chain.game.claim(claim.id).expect("a claim");
    arena.chain.advance_to(BlockTime(ends.window_end.0 - 1));
    let mut one = arena.open(&claim);
    while let Some((side, call)) = case.next(&one.follower) {
        let last = BlockTime(deadline(&arena, &one).0 - 1);
        arena.chain.advance_to(last);
        assert_eq!(arena.send(STRANGER, NOTHING, one.follower.timeout()), Err(Refusal::NotYet));
        arena.act(&mut one, account(side), call).expect("in the last second of the turn");
    }
    assert_eq!(arena.state(one.id).phase, Phase::Won);
    assert!(arena.chain.now() < ends.hard_end, "the claim's end leaves room for every match");
}

#[test]
fn attack_14_at_the_deadline_the_move_is_late_and_the_timeout_is_due() {
    let case = Case::new();
    let mut arena = case.arena();
    for phase in PHASES {
        let claim = case.claim(&mut arena);
        let mut one = arena.open(&claim);
        case.until(&mut arena, &mut one, phase);
        let (side, call) = case.next(&one.follower).expect("a turn");
        let end = deadline(&arena, &one);
        arena.chain.advance_to(end);
        let late = arena.act(&mut one, account(side), call);
        assert_eq!(late, Err(Refusal::TooLate), "{phase:?}");
        let timeout = one.follower.timeout();
        arena.act(&mut one, STRANGER, timeout).expect("the turn has run out");
        let expected = if side == Side::Executor { Phase::Won } else { Phase::Lost };
        assert_eq!(arena.state(one.id).phase, expected, "{phase:?}");
    }
}

#[test]
fn attack_19_the_order_in_a_block_does_not_pick_the_winner() {
    let case = Case::new();
    for phase in PHASES {
        // Two matches in step; in one the move comes first in the block, in the other the timeout.
        for late in [false, true] {
            let mut arena = case.arena();
            let claim = case.claim(&mut arena);
            let (mut one, mut other) = (arena.open(&claim), arena.open(&claim));
            while arena.state(one.id).phase != phase {
                for dispute in [&mut one, &mut other] {
                    let (side, call) = case.next(&dispute.follower).expect("a turn");
                    arena.act(dispute, account(side), call).expect("a move");
                }
                arena.chain.advance(1);
            }
            let end = deadline(&arena, &one);
            assert_eq!(end, deadline(&arena, &other));
            arena.chain.advance_to(BlockTime(end.0 - u64::from(!late)));
            // Whatever of the two is legal is so in either order, and the other in neither.
            let mut answers = Vec::new();
            for (dispute, move_first) in [(&mut one, true), (&mut other, false)] {
                // What ends one match ends the claim: look at each alone.
                let mut alone = arena.chain.game.clone();
                let (side, call) = case.next(&dispute.follower).expect("a turn");
                let timeout = dispute.follower.timeout();
                let mut both = [(account(side), call), (STRANGER, timeout)];
                if !move_first {
                    both.reverse();
                }
                let block = narrows_bisection::Block {
                    time: arena.chain.now(),
                    base_fee: arena.chain.chain.base_fee(),
                };
                let mut done = Vec::new();
                for (from, call) in both {
                    if alone.apply(block, from, NOTHING, &call).is_ok() {
                        done.push(call.name());
                    }
                }
                answers.push((done, alone.match_of(dispute.id).expect("a match").state.phase));
            }
            assert_eq!(answers[0], answers[1], "{phase:?}, late: {late}");
            assert_eq!(answers[0].0.len(), 1, "{phase:?}, late: {late}: exactly one is legal");
            assert_eq!(answers[0].0[0] == "timeout", late);
            // The contracts agree on one of them.
            let (side, call) = case.next(&one.follower).expect("a turn");
            assert_eq!(arena.act(&mut one, account(side), call).is_ok(), !late);
        }
    }
}

#[test]
fn attack_19_at_the_windows_end_refuting_and_finalising_exclude_each_other() {
    let case = Case::new();
    let refutation = |arena: &Arena, claim: &Claimed| {
        // Of the second layer's first operator: it reads the first layer's export, so it hangs on the roots alone.
        let (program, truth) = (&arena.program, &case.truth);
        let lie = DoctoredOperator { operator: narrows_program::OperatorIndex(2), element: 0, delta: 1 };
        let claimed = lie.trace(program, truth.input().to_vec()).expect("runs");
        assert_eq!(claimed.root(), claim.posted.trace_root);
        let refutation =
            narrows_bisection::refute::refutation(program, truth, &claimed, None).expect("a fault");
        Call::Refute { posted: claim.posted, refutation: Box::new(refutation) }
    };
    let lie = DoctoredOperator { operator: narrows_program::OperatorIndex(2), element: 0, delta: 1 };
    let claimed = lie.trace(&case.program, digits::input()).expect("runs");
    for (early, with_match) in [(1, false), (0, false), (0, true)] {
        let mut arena = case.arena();
        let job = arena.job(case.truth.input());
        let claim = arena.claim(job, &claimed);
        let ends = *arena.chain.game.claim(claim.id).expect("a claim");
        if with_match {
            arena.open(&claim);
        }
        let (refute, finalise) = (refutation(&arena, &claim), Call::Finalise { posted: claim.posted });
        arena.chain.advance_to(BlockTime(ends.window_end.0 - early));
        let mut orders = Vec::new();
        for order in [[&refute, &finalise], [&finalise, &refute]] {
            let mut alone = arena.chain.game.clone();
            let block = narrows_bisection::Block { time: arena.chain.now(), base_fee: Wei(1) };
            let accepted = order.map(|call| alone.apply(block, STRANGER, NOTHING, call).is_ok());
            let status = alone.claim(claim.id).expect("a claim").status;
            orders.push((accepted.iter().filter(|one| **one).count(), status));
        }
        assert_eq!(orders[0], orders[1]);
        assert_eq!(orders[0].0, 1, "exactly one is legal");
        // The contracts agree, at the window's end and at the hard end.
        if with_match {
            assert_eq!(arena.send(STRANGER, NOTHING, finalise.clone()), Err(Refusal::NotYet));
            arena.chain.advance_to(ends.hard_end);
            assert_eq!(arena.send(STRANGER, NOTHING, refute), Err(Refusal::ClaimClosed));
            arena.send(STRANGER, NOTHING, finalise).expect("final at its hard end");
        } else if early > 0 {
            assert_eq!(arena.send(STRANGER, NOTHING, finalise), Err(Refusal::NotYet));
            arena.send(STRANGER, NOTHING, refute).expect("refuted in the last second");
        } else {
            assert_eq!(arena.send(STRANGER, NOTHING, refute), Err(Refusal::ClaimClosed));
            arena.send(STRANGER, NOTHING, finalise).expect("final at the window's end");
        }
    }
}

#[test]
fn attack_20_each_second_beyond_the_grace_is_charged_once_to_one_side() {
    let case = Case::new();
    let parameters = Parameters::default();
    for seed in 0..6u64 {
        let mut arena = case.arena();
        let claim = case.claim(&mut arena);
        let mut one = arena.open(&claim);
        let mut clocks = [parameters.executor_clock_seconds, parameters.challenger_clock_seconds];
        let mut turn = 0u64;
        while let Some((side, call)) = case.next(&one.follower) {
            let before = arena.state(one.id);
            assert_eq!([before.executor_clock, before.challenger_clock], clocks);
            turn += 1;
            // Delays around the grace, and once in a while a long one.
            let delay = [0, 4, 5, 6, 1, 9, 14][((seed * 31 + turn * 17) % 7) as usize];
            arena.chain.advance(delay);
            arena.act(&mut one, account(side), call).expect("in time");
            let charged =
                u32::try_from(delay.saturating_sub(u64::from(parameters.grace_seconds))).expect("small");
            clocks[usize::from(side == Side::Challenger)] -= charged;
            let after = arena.state(one.id);
            assert_eq!([after.executor_clock, after.challenger_clock], clocks, "after {delay} s of {side:?}");
            assert_eq!(after.turn_start, arena.chain.now());
        }
        assert!(turn >= 10);
    }
}

#[test]
fn attack_20_who_waits_loses_nothing_however_long() {
    let case = Case::new();
    // The executor falls silent; nobody ends the turn until the second before the claim's own end.
    let mut arena = case.arena();
    let claim = case.claim(&mut arena);
    let ends = *arena.chain.game.claim(claim.id).expect("a claim");
    let mut one = arena.open(&claim);
    case.until(&mut arena, &mut one, Phase::SubE);
    let clock = arena.state(one.id).challenger_clock;
    arena.chain.advance_to(BlockTime(ends.hard_end.0 - 1));
    let timeout = one.follower.timeout();
    arena.act(&mut one, STRANGER, timeout).expect("still due");
    let state: MatchState = arena.state(one.id);
    assert_eq!((state.phase, state.challenger_clock, state.executor_clock), (Phase::Won, clock, 0));
    // One second more, and the match is void: the claim is final, and the bond goes back.
    let mut arena = case.arena();
    let claim = case.claim(&mut arena);
    let ends = *arena.chain.game.claim(claim.id).expect("a claim");
    let mut one = arena.open(&claim);
    case.until(&mut arena, &mut one, Phase::SubE);
    arena.chain.advance_to(ends.hard_end);
    let timeout = one.follower.timeout();
    assert_eq!(arena.act(&mut one, STRANGER, timeout), Err(Refusal::ClaimClosed));
    let reclaim = arena.reclaim(one.id);
    assert_eq!(arena.send(STRANGER, NOTHING, reclaim.clone()), Err(Refusal::NotYet), "it is not final yet");
    arena.send(STRANGER, NOTHING, Call::Finalise { posted: claim.posted }).expect("final");
    arena.send(STRANGER, NOTHING, reclaim).expect("the bond");
    arena.chain.close_books();
    assert_eq!(arena.chain.gain(CHALLENGER), 0);
}

#[test]
fn attack_21_clocks_count_seconds_and_not_blocks() {
    let case = Case::new();
    let mut arena = case.arena();
    let claim = case.claim(&mut arena);
    let mut one = arena.open(&claim);
    case.until(&mut arena, &mut one, Phase::LayerC);
    // Two hundred blocks in one second charge nobody, and end nothing.
    let (before, block) = (arena.state(one.id), arena.chain.chain.block());
    for _ in 0..200 {
        arena.job(case.truth.input());
    }
    assert_eq!(arena.chain.chain.block(), block + 200);
    assert_eq!(arena.send(STRANGER, NOTHING, one.follower.timeout()), Err(Refusal::NotYet));
    let (side, call) = case.next(&one.follower).expect("a turn");
    arena.act(&mut one, account(side), call).expect("a move");
    let after = arena.state(one.id);
    assert_eq!(
        (after.executor_clock, after.challenger_clock),
        (before.executor_clock, before.challenger_clock)
    );
    // No block for a whole clock, and the turn is over.
    let end = deadline(&arena, &one);
    arena.chain.advance_to(end);
    let timeout = one.follower.timeout();
    arena.act(&mut one, REQUESTER, timeout).expect("its time is up");
}

/// What the challenger moves in a match through every phase.
const TURNS: u64 = 5;

/// Plays with every move of the challenger held back: by the grace, and by its share of `total` seconds more.
fn censored(case: &Case, total: u64) -> (Phase, u64) {
    let mut arena = case.arena();
    let claim = case.claim(&mut arena);
    let mut one = arena.open(&claim);
    let grace = u64::from(Parameters::default().grace_seconds);
    let (mut turns, mut left) = (0, total);
    while let Some((side, call)) = case.next(&one.follower) {
        if side == Side::Challenger {
            turns += 1;
            // Spread evenly.
            let share = left.div_ceil((TURNS + 1).saturating_sub(turns).max(1));
            left -= share;
            arena.chain.advance(grace + share);
        }
        if arena.act(&mut one, account(side), call) == Err(Refusal::TooLate) {
            let timeout = one.follower.timeout();
            arena.act(&mut one, EXECUTOR, timeout).expect("censored for too long");
        }
    }
    assert_eq!(left, 0, "{turns} turns");
    (arena.state(one.id).phase, turns)
}

#[test]
fn attack_22_censorship_spread_over_the_moves_costs_no_more_than_its_sum() {
    let case = Case::new();
    let clock = u64::from(Parameters::default().challenger_clock_seconds);
    // Every move held back by the grace costs nothing.
    assert_eq!(censored(&case, 0), (Phase::Won, TURNS));
    // So does all of the clock but a second, however it is cut; one second more loses the match, and only that.
    assert_eq!(censored(&case, clock - 1).0, Phase::Won);
    assert_eq!(censored(&case, clock).0, Phase::Lost);
}
