//! Plays that the walk found, played again on any chain.

use narrows_program::Program;

use super::position::{Position, Step};
use super::reduced::Parts;
use super::walk::Walk;
use super::{Cast, Role, Timing, begin, begin_on, settle};
use crate::stage::claimed::Claimed;
use crate::stage::scene::Machine;

/// One in `sampled` of the endings of a game, each as the steps that lead there; `cast` of one or of three challengers.
pub fn samples(
    program: &Program,
    claimed: &Claimed,
    timing: Timing,
    cast: &Cast,
    sampled: u64,
) -> Vec<Vec<u16>> {
    let (scene, start) = begin(program, claimed.clone(), timing);
    let several = cast.challengers.len() > 1;
    let with_honest = cast.challengers.contains(&Role::Honest);
    let parts = several.then(|| Parts::new(&scene, &start, cast.honest_executor, with_honest).0);
    let mut walk = Walk::new(&scene, cast);
    walk.parts = parts.as_ref();
    walk.reducing = several;
    walk.sampled = sampled;
    walk.walk(&start);
    walk.samples
}

/// Plays a sample on `machine`, to its end and its settlement; gives the number of calls.
pub fn replay(
    machine: &mut impl Machine,
    program: &Program,
    claimed: &Claimed,
    cast: &Cast,
    sample: &[u16],
) -> u64 {
    let (mut scene, now) = begin_on(machine, program, claimed.clone());
    // Indices count the steps that the walk saw.
    scene.signing = false;
    let mut at = Position::new(machine.game().clone(), now);
    let mut calls = 0;
    for index in sample {
        let step = at.steps(&scene, cast).swap_remove((*index).into());
        let (next, events) = at.play(&scene, &step).expect("it stood when it was found");
        match &step {
            Step::Tick => machine.wait(1),
            Step::Call { from, value, call, .. } => {
                assert_eq!(machine.send(*from, *value, call), Ok(events), "{}", call.name());
                calls += 1;
            }
        }
        assert!(*machine.game() == next.game, "{}: the games differ", step.name());
        at = next;
    }
    assert!(!at.is_pending(&scene), "a sample leads to an end");
    // What earlier games on this chain left owed is withdrawn too, so that the sums are this game's alone.
    for (now, step) in settle::settle(&scene, cast, &at) {
        let Step::Call { from, value, call, .. } = step else { continue };
        machine.wait(now - machine.now());
        let _ = machine.send(from, value, &call);
        calls += 1;
    }
    calls
}
