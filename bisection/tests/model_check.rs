//! The model check (see `model`): every play of small games, on the production rules.

mod model;
mod stage;

use model::jobs::Plan;
use model::reduced::Parts;
use model::walk::{Report, Walk};
use model::{Cast, Role, Timing, begin, jobs, rewards};
use narrows_program::Program;
use stage::claimed::{Claimed, lies};
use stage::programs::{
    chain, divided, exports, fold, local, long, looked_up, padded, pairs, segments, tiles,
};
use stage::scene::{CHALLENGERS, executor};

/// Runs on a stack that holds the longest play.
fn deep<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1 << 28).spawn_scoped(scope, run);
        thread.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// An honest executor against one challenger, and every lie against one honest challenger.
fn single(program: &Program, leaves: usize, timing: Timing, probing: bool) -> Report {
    let mut report = Report::default();
    let mut play = |claimed: Claimed, cast: Cast| {
        let (scene, start) = begin(program, claimed, timing);
        let mut walk = Walk::new(&scene, &cast);
        walk.probing = probing;
        walk.walk(&start);
        assert!(u64::from(walk.report.longest) <= 2 * rounds(program) + 8, "a match outlasts its bound");
        report.add(&walk.report);
    };
    play(Claimed::truth(program), Cast { honest_executor: true, challengers: vec![Role::Adversary] });
    for lie in lies(program, leaves) {
        play(lie, Cast { honest_executor: false, challengers: vec![Role::Honest] });
    }
    report
}

/// R of PROTOCOL 2.
fn rounds(program: &Program) -> u64 {
    let bits = u64::from(program.header().reveal_bits);
    let layers = u64::from(program.header().layers).next_power_of_two().trailing_zeros();
    let tensor = u64::from(program.header().max_tensor_depth).saturating_sub(2);
    u64::from(layers).div_ceil(bits) + tensor.div_ceil(bits)
}

/// Three adversaries against an honest executor.
fn besieged() -> Cast {
    Cast { honest_executor: true, challengers: vec![Role::Adversary; 3] }
}

/// An honest challenger and two adversaries against a liar.
fn watched() -> Cast {
    Cast { honest_executor: false, challengers: vec![Role::Honest, Role::Adversary, Role::Adversary] }
}

/// Three matches, joined; in full too, to hold the joining to it.
fn three(program: &Program, claimed: Claimed, timing: Timing, cast: &Cast, in_full: bool) -> Report {
    let (scene, start) = begin(program, claimed, timing);
    let with_honest = cast.challengers.contains(&Role::Honest);
    let (parts, _) = Parts::new(&scene, &start, cast.honest_executor, with_honest);
    let mut joined = Walk::new(&scene, cast);
    (joined.parts, joined.reducing) = (Some(&parts), true);
    joined.walk(&start);
    if !in_full {
        return joined.report;
    }
    let mut full = Walk::new(&scene, cast);
    full.parts = Some(&parts);
    full.walk(&start);
    assert!(
        full.image == joined.seen.keys().copied().collect(),
        "joined positions are those of the full game"
    );
    assert!(full.report.ends.keys().eq(joined.report.ends.keys()), "joining lost an end");
    println!("  in full {} positions, joined {}", full.report.positions, joined.report.positions);
    full.report
}

/// Prints what was walked and checks that it ended in every one of these ways.
fn conclude(what: &str, report: &Report, ends: &[&str]) {
    println!("{what}: {report}");
    for end in ends {
        assert!(report.ends.contains_key(*end), "no game ended {end}");
    }
}

const FINAL: &str = "Final by finalise";
const TIMEOUT: &str = "Refuted by timeout";
const NAME: &str = "Refuted by name";
const PICK: &str = "Refuted by pick";
const SEGMENT: &str = "Refuted by segment";
const REFUTE: &str = "Refuted by refute";

fn all(what: &str, programs: &[Program], ends: &[&str], play: impl Fn(&Program) -> Report + Send + Sync) {
    let mut report = Report::default();
    deep(|| programs.iter().for_each(|program| report.add(&play(program))));
    conclude(what, &report, ends);
}

#[test]
fn every_lie_in_layers_against_one_challenger() {
    let programs =
        [chain(8, 1), chain(8, 2), chain(8, 3), pairs(4, 1), pairs(4, 2), exports(1), local(1), divided(1)];
    let ends = [FINAL, TIMEOUT, NAME, REFUTE];
    all("layers", &programs, &ends, |program| single(program, 1, Timing::FULL, true));
}

#[test]
fn every_lie_in_tensors_against_one_challenger() {
    let programs = [
        tiles(1),
        tiles(3),
        long(1),
        long(2),
        segments(1),
        segments(2),
        padded(1),
        padded(3),
        fold(1),
        looked_up(2),
    ];
    let ends = [FINAL, TIMEOUT, NAME, PICK, SEGMENT, REFUTE];
    all("tensors", &programs, &ends, |program| single(program, 1, Timing::FULL, true));
}

#[test]
fn every_two_lies_against_one_challenger() {
    let programs =
        [chain(8, 1), pairs(4, 2), tiles(2), long(1), segments(2), padded(1), exports(2), local(3)];
    let ends = [FINAL, TIMEOUT, NAME, PICK, SEGMENT, REFUTE];
    all("two lies", &programs, &ends, |program| single(program, 2, Timing::SHORT, false));
}

/// Nobody is honest: whatever is played, the money adds up and the end comes. Statements come signed too, and a true claim's
/// executor may state what is false.
#[test]
fn nobody_is_honest() {
    let programs = [chain(4, 1), pairs(2, 1), exports(1), local(1), segments(1), fold(1), long(2)];
    all("nobody honest", &programs, &[FINAL, TIMEOUT, NAME, PICK, SEGMENT, REFUTE], |program| {
        let mut report = Report::default();
        let cast = Cast { honest_executor: false, challengers: vec![Role::Adversary] };
        let claims = lies(program, 1).into_iter().chain([Claimed::truth(program).with_statements()]);
        for claimed in claims {
            let (mut scene, start) = begin(program, claimed, Timing::SHORT);
            scene.signing = true;
            let mut walk = Walk::new(&scene, &cast);
            walk.probing = true;
            walk.walk(&start);
            report.add(&walk.report);
        }
        report
    });
}

#[test]
fn an_honest_executor_against_three() {
    let games = [
        (chain(8, 1), Timing::CLOCKS),
        (chain(8, 3), Timing::FULL),
        (pairs(4, 2), Timing::CLOCKS),
        (tiles(1), Timing::FULL),
        (segments(2), Timing::CLOCKS),
        (local(1), Timing::CLOCKS),
    ];
    let mut report = Report::default();
    deep(|| {
        for (program, timing) in &games {
            report.add(&three(program, Claimed::truth(program), *timing, &besieged(), false));
        }
    });
    conclude("honest executor, three challengers", &report, &[FINAL]);
}

#[test]
fn an_honest_challenger_and_two_adversaries_against_every_lie() {
    let programs =
        [chain(8, 1), pairs(4, 2), tiles(1), long(2), segments(2), padded(3), exports(1), local(1)];
    let mut report = Report::default();
    deep(|| {
        for program in &programs {
            for lie in lies(program, 1) {
                report.add(&three(program, lie, Timing::SHORT, &watched(), false));
            }
        }
        for program in [chain(4, 1), segments(2), fold(1), tiles(2)] {
            let lie = lies(&program, 1).swap_remove(0);
            report.add(&three(&program, lie, Timing::CLOCKS, &watched(), false));
        }
    });
    conclude("lies, three challengers", &report, &[TIMEOUT, NAME, PICK, SEGMENT, REFUTE]);
}

/// The walk of three joined matches sees what the walk without joining sees.
#[test]
fn joining_leaves_nothing_out() {
    let mut report = Report::default();
    deep(|| {
        for program in [fold(1), chain(2, 1)] {
            report.add(&three(&program, Claimed::truth(&program), Timing::SHORT, &besieged(), true));
            for lie in lies(&program, 1) {
                report.add(&three(&program, lie, Timing::SHORT, &watched(), true));
            }
        }
        let program = chain(2, 1);
        let lie = lies(&program, 1).swap_remove(0);
        report.add(&three(&program, lie, Timing::CLOCKS, &watched(), true));
    });
    conclude("in full", &report, &[FINAL, TIMEOUT, NAME, SEGMENT, REFUTE]);
}

#[test]
fn every_order_of_claims_on_a_job() {
    let program = chain(2, 1);
    let plan = |executor, claimed: &Claimed, is_true| Plan { executor, claimed: claimed.clone(), is_true };
    let (truth, lie) = (Claimed::truth(&program), jobs::lie(&program));
    // An honest executor, a liar and its copy; and a liar that makes the same claim twice.
    let copied = vec![
        plan(executor(), &truth, true),
        plan(CHALLENGERS[0], &lie, false),
        plan(CHALLENGERS[1], &lie, false),
    ];
    let twice = vec![
        plan(executor(), &truth, true),
        plan(CHALLENGERS[0], &lie, false),
        plan(CHALLENGERS[0], &lie, false),
    ];
    for plans in [copied, twice] {
        println!("claims on a job: {:?}", jobs::walk(&program, plans, 6));
    }
}

#[test]
fn every_order_of_opening_rewards() {
    let report = rewards::walk(&chain(3, 1));
    println!("rewards: {report:?}");
    assert!(report.winners.iter().all(|count| *count > 0), "somebody never wins: {report:?}");
}
