//! Time: deadlines to the second, charges, silence, and the end that nothing extends.

mod game_support;

use game_support::*;
use narrows_bisection::{Call, ClaimStatus, Phase, Refusal, Side, Wei};

const GRACE: u64 = 5;

#[test]
fn attack_14_at_its_deadline_a_move_is_refused_and_the_timeout_stands() {
    for world in everywhere() {
        let (phase, timeout) = (world.phase(), world.timeout());
        let (sender, call) = world.next();
        let side = phase.turn().expect("open");
        assert_eq!(world.deadline(), START + GRACE + u64::from(world.state().clock(side)));

        let mut before = world.clone();
        before.now = world.deadline() - 1;
        assert_eq!(before.send(STRANGER, NOTHING, &timeout), Err(Refusal::NotYet), "{phase:?}");
        assert!(before.send(sender, NOTHING, &call).is_ok(), "{phase:?}");

        let mut at = world.clone();
        at.now = world.deadline();
        assert_eq!(at.send(sender, NOTHING, &call), Err(Refusal::TooLate), "{phase:?}");
        assert!(at.send(STRANGER, NOTHING, &timeout).is_ok(), "{phase:?}");
    }
}

#[test]
fn attack_14_a_challenger_that_answers_itself_keeps_the_executors_deadline() {
    for phase in [Phase::LayerE, Phase::TileE, Phase::DataE] {
        let mut world = in_phase(phase, true);
        let call = world.early();
        world.now = world.deadline();
        assert_eq!(world.clone().send(CHALLENGER, NOTHING, &call), Err(Refusal::TooLate), "{phase:?}");
        world.now -= 1;
        assert!(world.send(CHALLENGER, NOTHING, &call).is_ok(), "{phase:?}");
        assert_eq!(world.state().executor_clock, 1, "{phase:?}");
    }
}

#[test]
fn attack_19_at_every_second_exactly_one_of_move_and_timeout_is_legal() {
    for world in everywhere() {
        let (sender, call) = world.next();
        let timeout = world.timeout();
        for now in START..world.hard_end() + 3 {
            let (mut moving, mut ending) = (world.clone(), world.clone());
            (moving.now, ending.now) = (now, now);
            let moved = moving.send(sender, NOTHING, &call);
            let ended = ending.send(STRANGER, NOTHING, &timeout);
            let over = now >= world.hard_end();
            let legal = u8::from(moved.is_ok()) + u8::from(ended.is_ok());
            assert_eq!(legal, u8::from(!over), "{:?} {now}", world.phase());
            // Whichever comes first in a block, the other cannot change what it did.
            if ended.is_ok() {
                assert_eq!(ending.send(sender, NOTHING, &call), Err(Refusal::WrongState));
            }
            if moved.is_ok() {
                assert_eq!(moving.send(STRANGER, NOTHING, &timeout), Err(Refusal::WrongState));
            }
        }
    }
}

#[test]
fn attack_04_silence_loses_in_every_phase() {
    let mut seen = Vec::new();
    for mut world in everywhere() {
        let before = world.state();
        let side = before.phase.turn().expect("open");
        let rest = before.answers;
        world.now = world.deadline() + 3;
        world.send(STRANGER, NOTHING, &world.timeout()).expect("stands");
        let bond = bond(1).0;
        let (end, money) = match side {
            // Half of the executor's bond at once, and one's own back.
            Side::Executor => {
                world.send(STRANGER, NOTHING, &world.reclaim()).expect("won");
                (Phase::Reclaimed, [0, 0, 500 + bond, 500 + bond + 77, CLAIM_FEE + 501])
            }
            // The answers so far at a base fee of 2, and the delay.
            Side::Challenger => {
                let paid = u128::from(rest) * answer_gas(1) * 2 + 17;
                (Phase::Lost, [0, paid, 0, paid + 1_001 + 77, CLAIM_FEE + bond - paid])
            }
        };
        assert_eq!((world.phase(), world.money()), (end, money), "{:?}", before.phase);
        // The silent clock is empty, the other as it was; nothing else of the state has changed.
        let mut expected = before;
        (expected.phase, expected.turn_start.0) = (end, world.now);
        match side {
            Side::Executor => expected.executor_clock = 0,
            Side::Challenger => expected.challenger_clock = 0,
        }
        assert_eq!(world.state(), expected);
        assert_eq!(world.claim_entry().point, narrows_commitment::Digest::default(), "nobody knows better");
        seen.push(before.phase);
    }
    let once = [&OPEN_PHASES[..], &[Phase::Ready]].concat();
    assert_eq!(seen, [once.clone(), once].concat());
}

#[test]
fn attack_20_a_clock_loses_what_exceeds_the_grace_and_never_gets_it_back() {
    for think in 0..14u64 {
        let mut world = in_phase(Phase::LayerE, true);
        let mut left = [50u32, 40];
        let mut turns = 0;
        while world.phase() != Phase::Seg {
            let side = world.phase().turn().expect("open");
            // Instant answers in between give nothing back.
            let pause = if turns % 3 == 2 { 0 } else { think };
            let slot = &mut left[usize::from(side == Side::Challenger)];
            let charge = pause.saturating_sub(GRACE) as u32;
            if charge >= *slot {
                break;
            }
            world.now += pause;
            world.step();
            *slot -= charge;
            turns += 1;
            let state = world.state();
            assert_eq!([state.executor_clock, state.challenger_clock], left);
            assert_eq!(state.turn_start.0, world.now);
        }
        assert!(turns > 8, "{think}");
    }
}

#[test]
fn attack_20_a_clock_may_reach_one_and_then_only_the_grace_is_left() {
    let mut world = in_phase(Phase::LayerE, true);
    world.now = world.deadline() - 1;
    world.step();
    assert_eq!(world.state().executor_clock, 50 - 49);
    world.step();
    // One second and the grace: the move at the fifth second still stands, at the sixth it does not.
    assert_eq!(world.deadline(), world.now + 6);
    world.now += 5;
    world.step();
    assert_eq!(world.state().executor_clock, 1, "the grace is not charged");
}

#[test]
fn attack_22_the_hard_end_covers_every_clock_and_every_grace() {
    // R = 3 + 3 rounds of one level, or 2 + 2 of two, or 1 + 1: 2 R + 8 moves.
    for (bits, moves) in [(1, 20), (2, 16), (6, 12)] {
        let claim = World::new(bits, TARGET, true).claim_entry();
        assert_eq!(claim.window_end.0, START + 100);
        assert_eq!(claim.hard_end.0, START + 100 + 50 + 40 + moves * GRACE + 7);
    }
}

#[test]
fn attack_22_the_slowest_match_opened_last_ends_before_the_hard_end() {
    let cuts = [program(1), program(3), grouped(1, &[7]), grouped(1, &[1; 7]), single(6)];
    for program in cuts {
        for lies in [true, false] {
            let target = if program.operators().len() == 1 { (0, 1_199) } else { TARGET };
            let (right, wrong) = (truth(&program), doctored(&program, target));
            let (claimed, own) = if lies { (wrong, right) } else { (right, wrong) };
            let mut world = World::posted(program.clone(), claimed, own);
            world.now = START + 99;
            world.open(CHALLENGER).expect("the window is open");
            // Each side spends the grace every time, and its whole clock but a second in its first turn.
            let mut spent = [false; 2];
            while let Some(side) = world.phase().turn() {
                let spent = &mut spent[usize::from(side == Side::Challenger)];
                world.now += if *spent { GRACE } else { GRACE + u64::from(world.state().clock(side)) - 1 };
                *spent = true;
                world.step();
            }
            assert!(world.now < world.hard_end());
            assert_eq!(world.phase(), if lies { Phase::Won } else { Phase::Lost });
        }
    }
}

#[test]
fn from_the_hard_end_on_every_open_match_is_void() {
    for mut world in everywhere() {
        let hard_end = world.hard_end();
        let (sender, call) = world.next();
        let (timeout, reclaim, finalise) = (world.timeout(), world.reclaim(), world.finalise());
        world.now = hard_end - 1;
        assert_eq!(world.send(STRANGER, NOTHING, &finalise), Err(Refusal::NotYet));
        world.now = hard_end;
        // Its turn has run out long before; what looks at the claim finds that out first.
        let judged = matches!(
            call,
            Call::Prepare { .. } | Call::Name { .. } | Call::Fold { .. } | Call::Segment { .. }
        );
        let over = if judged { Refusal::ClaimClosed } else { Refusal::TooLate };
        assert_eq!(world.send(sender, NOTHING, &call), Err(over));
        assert_eq!(world.send(STRANGER, NOTHING, &timeout), Err(Refusal::ClaimClosed));
        assert_eq!(world.send(CHALLENGER, NOTHING, &reclaim), Err(Refusal::NotYet));
        world.send(STRANGER, NOTHING, &finalise).expect("final");
        assert_eq!(world.send(sender, NOTHING, &call), Err(over));
        assert_eq!(world.send(STRANGER, NOTHING, &timeout), Err(Refusal::ClaimClosed));
        world.send(STRANGER, NOTHING, &reclaim).expect("reclaims");
        assert_eq!(world.phase(), Phase::Reclaimed);
        let bond = bond(1).0;
        assert_eq!(world.money(), [0, 1_001 + 77, bond, 1_001 + 77 + bond, CLAIM_FEE]);
        assert_eq!(world.send(STRANGER, NOTHING, &world.reclaim()), Err(Refusal::WrongPhase));
    }
}

#[test]
fn attack_25_a_claim_is_final_at_the_windows_end_unless_a_match_is_open() {
    let mut world = World::posted(program(2), truth(&program(2)), doctored(&program(2), (4, 9)));
    let finalise = world.finalise();
    world.now = START + 99;
    assert_eq!(world.send(executor(), NOTHING, &finalise), Err(Refusal::NotYet));
    let mut disputed = world.clone();
    world.now = START + 100;
    assert!(world.send(STRANGER, NOTHING, &finalise).is_ok(), "anybody may");
    assert_eq!(world.money(), [0, 1_001 + 77, 0, 1_001 + 77, CLAIM_FEE]);
    assert_eq!(world.open(CHALLENGER), Err(Refusal::ClaimClosed));

    disputed.open(CHALLENGER).expect("the last second");
    disputed.now = START + 150;
    assert_eq!(disputed.send(executor(), NOTHING, &finalise), Err(Refusal::NotYet), "a match is open");
    disputed.finish();
    assert!(disputed.send(executor(), NOTHING, &finalise).is_ok(), "the match was lost");
    assert_eq!(disputed.status(), ClaimStatus::Final);
}

#[test]
fn attack_25_a_claim_is_refuted_and_committed_against_until_it_is_finalisable() {
    let program = program(2);
    let lie = doctored(&program, (0, 4));
    let mut alone = World::posted(program.clone(), lie.clone(), truth(&program));
    // The copy's window ends two seconds after the original's.
    let copy = alone.claim_by(account(9), &lie);
    let mut disputed = alone.clone();
    disputed.open(CHALLENGER).expect("opens");
    for (world, end) in [(&alone, START + 100), (&disputed, disputed.hard_end())] {
        let commit = Call::Commit { claim: world.claim, commitment: SALT };
        for call in [world.refute(), commit] {
            let mut world = world.clone();
            world.now = end;
            assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::ClaimClosed), "{}", call.name());
            world.now = end - 1;
            assert!(world.send(STRANGER, NOTHING, &call).is_ok(), "{}", call.name());
        }
    }
    alone.send(STRANGER, NOTHING, &alone.refute()).expect("in the window");
    let call = Call::RefuteCopy { original: alone.posted, copy };
    alone.now = START + 101;
    assert_eq!(alone.clone().send(STRANGER, NOTHING, &call), Err(Refusal::ClaimClosed));
    alone.now -= 1;
    assert!(alone.send(STRANGER, NOTHING, &call).is_ok());
}

#[test]
fn attack_14_a_refutation_needs_no_match_and_ends_all_of_them() {
    for phase in OPEN_PHASES {
        let mut world = in_phase(phase, true);
        let (sender, call) = world.next();
        world.now += 4;
        world.send(STRANGER, NOTHING, &world.refute()).expect("a fault, whatever is being played");
        // What ends nothing may still be said; no wei moves by it, and neither silence nor a verdict counts any more.
        let money = world.money();
        let judged = matches!(
            call,
            Call::Prepare { .. } | Call::Name { .. } | Call::Fold { .. } | Call::Segment { .. }
        );
        match world.send(sender, NOTHING, &call) {
            Ok(_) => assert!(!judged, "{phase:?}"),
            Err(refusal) => assert!(judged && refusal == Refusal::ClaimClosed, "{phase:?}: {refusal}"),
        }
        assert_eq!(world.money(), money);
        assert_eq!(world.send(sender, NOTHING, &world.timeout()), Err(Refusal::ClaimClosed), "{phase:?}");
        world.send(STRANGER, NOTHING, &world.reclaim()).expect("overtaken");
        assert_eq!(world.game.owed(CHALLENGER), bond(1));
        assert_eq!(world.state().phase, Phase::Reclaimed);
        // The challenger committed to the right trace before, so the reward is its own.
        world.send(CHALLENGER, NOTHING, &world.open_reward(0, TARGET)).expect("knew it");
        world.now += 20;
        world.send(STRANGER, NOTHING, &Call::CollectReward { claim: world.claim }).expect("is due");
        assert_eq!(world.game.owed(CHALLENGER), Wei(bond(1).0 + 500));
    }
}

#[test]
fn attack_33_no_time_makes_it_panic() {
    for now in [0, START, 1 << 40, u64::MAX - 1, u64::MAX] {
        for phase in OPEN_PHASES {
            let mut world = in_phase(phase, true);
            let (sender, call) = world.next();
            let program = world.program.clone();
            world.now = now;
            let mut calls = vec![
                (sender, NOTHING, call),
                (STRANGER, NOTHING, world.timeout()),
                (STRANGER, NOTHING, world.refute()),
                (STRANGER, NOTHING, world.finalise()),
                (STRANGER, NOTHING, Call::Commit { claim: world.claim, commitment: SALT }),
                (STRANGER, NOTHING, Call::Refund { job: world.job }),
                (STRANGER, STAKE, Call::CommitClaim { job: world.job, commitment: SALT }),
                (STRANGER, world.bond(), Call::Open { posted: world.posted, commitment: SALT }),
                (REQUESTER, Wei(5), post_job(&program, 1)),
            ];
            for (sender, value, call) in &calls {
                let _ = world.clone().send(*sender, *value, call);
            }
            calls.reverse();
            for (sender, value, call) in &calls {
                let _ = world.send(*sender, *value, call);
            }
            let trace = world.claimed.clone();
            let _ = world.send(STRANGER, NOTHING, &world.post_claim(1, now, &trace));
        }
    }
}
