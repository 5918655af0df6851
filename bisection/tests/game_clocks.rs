//! Time: deadlines to the second, charges, silence, and the end that nothing extends.

mod game_support;

use game_support::*;
use narrows_bisection::game::ClaimStatus;
use narrows_bisection::{Call, MatchState, Phase, Refusal, Side, Wei};

const GRACE: u64 = 5;

fn clock(state: &MatchState, side: Side) -> u32 {
    match side {
        Side::Executor => state.executor_clock,
        Side::Challenger => state.challenger_clock,
    }
}

/// Every phase, of a lie and of an honest claim.
fn everywhere() -> impl Iterator<Item = World> {
    [true, false].into_iter().flat_map(|lies| OPEN_PHASES.map(|phase| in_phase(phase, lies)))
}

#[test]
fn attack_14_at_its_deadline_a_move_is_refused_and_the_timeout_stands() {
    for world in everywhere() {
        let (phase, timeout) = (world.phase(), Call::Timeout { match_id: world.id });
        let (sender, call) = world.next();
        let side = phase.turn().expect("open");
        assert_eq!(world.deadline(), START + GRACE + u64::from(clock(&world.state(), side)));

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
fn attack_19_at_every_second_exactly_one_of_move_and_timeout_is_legal() {
    for world in everywhere() {
        let (sender, call) = world.next();
        for now in START..world.game.claim(world.claim).expect("exists").hard_end.0 + 3 {
            let mut moving = world.clone();
            let mut ending = world.clone();
            (moving.now, ending.now) = (now, now);
            let moved = moving.send(sender, NOTHING, &call);
            let ended = ending.send(STRANGER, NOTHING, &Call::Timeout { match_id: world.id });
            let over = now >= world.game.claim(world.claim).expect("exists").hard_end.0;
            assert_eq!(
                moved.is_ok() as u8 + ended.is_ok() as u8,
                u8::from(!over),
                "{:?} {now}",
                world.phase()
            );
            // Whichever comes first in a block, the other cannot change what it did.
            if ended.is_ok() {
                assert!(ending.send(sender, NOTHING, &call).is_err());
            }
            if moved.is_ok() {
                assert!(moving.send(STRANGER, NOTHING, &Call::Timeout { match_id: world.id }).is_err());
            }
        }
    }
}

#[test]
fn attack_04_silence_loses_in_every_phase() {
    for mut world in everywhere() {
        let side = world.phase().turn().expect("open");
        world.now = world.deadline();
        world.send(STRANGER, NOTHING, &Call::Timeout { match_id: world.id }).expect("stands");
        let (end, money) = match side {
            Side::Executor => (Phase::Won, [0, 0, 601, 601 + 77, 501]),
            Side::Challenger => (Phase::Lost, [0, 50, 0, 50 + 1_001 + 77, 51]),
        };
        assert_eq!((world.phase(), world.money()), (end, money));
    }
}

#[test]
fn attack_20_a_clock_loses_what_exceeds_the_grace_and_never_gets_it_back() {
    for think in 0..14u64 {
        let mut world = in_phase(Phase::LayerE, true);
        let mut left = [50u32, 40];
        while world.phase().turn().is_some() && world.phase() != Phase::FoldE {
            let side = world.phase().turn().expect("open");
            // Instant answers in between give nothing back.
            let pause = if left[0].is_multiple_of(2) { think } else { 0 };
            let slot = &mut left[usize::from(side == Side::Challenger)];
            let charge = pause.saturating_sub(GRACE) as u32;
            if charge >= *slot {
                break;
            }
            world.now += pause;
            world.step();
            *slot -= charge;
            let state = world.state();
            assert_eq!([state.executor_clock, state.challenger_clock], left);
            assert_eq!(state.turn_start.0, world.now);
        }
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
    let start = world.now;
    world.now = start + 5;
    world.step();
    assert_eq!(world.state().executor_clock, 1, "the grace is not charged");
}

#[test]
fn a_timeout_empties_the_clock() {
    let mut world = in_phase(Phase::LayerE, true);
    world.now = world.deadline() + 20;
    world.send(STRANGER, NOTHING, &Call::Timeout { match_id: world.id }).expect("stands");
    let state = world.state();
    assert_eq!((state.executor_clock, state.challenger_clock), (0, 40));
    assert_eq!(state.turn_start.0, world.now);
}

#[test]
fn attack_22_the_hard_end_covers_every_clock_and_every_grace() {
    // L = 3, T = 2, b = 1: 2 (3 + 2) + 6 moves.
    let world = in_phase(Phase::LayerE, true);
    let claim = *world.game.claim(world.claim).expect("exists");
    assert_eq!(claim.window_end.0, START + 100);
    assert_eq!(claim.hard_end.0, START + 100 + 50 + 40 + 16 * GRACE + 7);
    // A single layer of one tile, b = 4: 2 (1 + 1) + 6 moves.
    let world = World::new(1, 4, (0, 0), true);
    let claim = *world.game.claim(world.claim).expect("exists");
    assert_eq!(claim.hard_end.0, START + 100 + 50 + 40 + 10 * GRACE + 7);
}

#[test]
fn attack_22_the_slowest_match_opened_last_ends_before_the_hard_end() {
    for (layers, bits, target) in [(5, 1, (1, 150)), (5, 3, (1, 299)), (2, 1, (0, 0)), (1, 6, (0, 0))] {
        for lies in [true, false] {
            let claimed = Run::new(&program(layers, bits), lies.then_some((target.0, target.1, 1)));
            let mut world = World::posted(program(layers, bits), claimed, target);
            world.now = START + 99;
            world.open(CHALLENGER).expect("the window is open");
            // Each side spends the grace every time, and its whole clock but a second in its first turn.
            let mut spent = [false; 2];
            while let Some(side) = world.phase().turn() {
                let spent = &mut spent[usize::from(side == Side::Challenger)];
                world.now += if *spent { GRACE } else { GRACE + u64::from(clock(&world.state(), side)) - 1 };
                *spent = true;
                world.step();
            }
            assert!(world.now < world.game.claim(world.claim).expect("exists").hard_end.0);
            assert_eq!(world.phase(), if lies { Phase::Won } else { Phase::Lost });
        }
    }
}

#[test]
fn from_the_hard_end_on_every_open_match_is_void() {
    for mut world in everywhere() {
        // No clock runs out before it: the match is moved to just before the hard end by hand of nobody but time.
        let hard_end = world.game.claim(world.claim).expect("exists").hard_end.0;
        let (sender, call) = world.next();
        let timeout = Call::Timeout { match_id: world.id };
        let reclaim = Call::Reclaim { match_id: world.id };
        world.now = hard_end - 1;
        assert_eq!(
            world.send(STRANGER, NOTHING, &Call::Finalise { claim: world.claim }),
            Err(Refusal::NotYet)
        );
        world.now = hard_end;
        assert_eq!(world.send(sender, NOTHING, &call), Err(Refusal::ClaimClosed));
        assert_eq!(world.send(STRANGER, NOTHING, &timeout), Err(Refusal::ClaimClosed));
        assert_eq!(world.send(CHALLENGER, NOTHING, &reclaim), Err(Refusal::NotYet));
        world.send(STRANGER, NOTHING, &Call::Finalise { claim: world.claim }).expect("final");
        assert_eq!(world.send(sender, NOTHING, &call), Err(Refusal::ClaimClosed));
        assert_eq!(world.send(STRANGER, NOTHING, &timeout), Err(Refusal::ClaimClosed));
        world.send(STRANGER, NOTHING, &reclaim).expect("reclaims");
        assert_eq!(world.phase(), Phase::Reclaimed);
        assert_eq!(world.money(), [0, 1_001 + 77, 101, 1_001 + 77 + 101, 0]);
        assert_eq!(world.send(STRANGER, NOTHING, &reclaim), Err(Refusal::WrongPhase));
    }
}

#[test]
fn attack_25_a_claim_is_final_at_the_windows_end_unless_a_match_is_open() {
    let finalise = |world: &mut World, sender| {
        let claim = world.claim;
        world.send(sender, NOTHING, &Call::Finalise { claim })
    };
    let honest = Run::new(&program(5, 2), None);
    let mut world = World::posted(program(5, 2), honest, (0, 0));
    world.now = START + 99;
    assert_eq!(finalise(&mut world, EXECUTOR), Err(Refusal::NotYet));
    let mut disputed = world.clone();
    world.now = START + 100;
    assert!(finalise(&mut world, STRANGER).is_ok(), "anybody may");
    assert_eq!(world.money(), [0, 1_001 + 77, 0, 1_001 + 77, 0]);
    assert_eq!(finalise(&mut world, EXECUTOR), Err(Refusal::ClaimClosed));
    assert_eq!(world.open(CHALLENGER), Err(Refusal::ClaimClosed));

    disputed.open(CHALLENGER).expect("the last second");
    disputed.now = START + 150;
    assert_eq!(finalise(&mut disputed, EXECUTOR), Err(Refusal::NotYet), "a match is open");
    while disputed.phase().turn().is_some() {
        disputed.step();
    }
    assert!(finalise(&mut disputed, EXECUTOR).is_ok(), "the match was lost");
    assert_eq!(disputed.game.claim(disputed.claim).expect("exists").status, ClaimStatus::Final);
}

#[test]
fn attack_33_no_time_makes_it_panic() {
    for now in [0, START, 1 << 40, u64::MAX - 1, u64::MAX] {
        let mut world = in_phase(Phase::DataE, true);
        world.now = now;
        let (sender, call) = world.next();
        let _ = world.send(sender, NOTHING, &call);
        let _ = world.send(REQUESTER, Wei(5), &post_job(&world.program, 1));
        let _ = world.open(STRANGER);
        let claim = post_claim(world.job, &world.claimed);
        let _ = world.send(STRANGER, Wei(1_001), &claim);
        let _ = world.send(STRANGER, NOTHING, &Call::Timeout { match_id: world.id });
        let _ = world.send(STRANGER, NOTHING, &Call::Finalise { claim: world.claim });
    }
}
