//! Plays that the model check found (`bisection/tests/model_check.rs`), played again on the contracts and their mirror at once.

#[path = "../../bisection/tests/model/mod.rs"]
mod model;
#[path = "../../bisection/tests/stage/mod.rs"]
mod stage;

use model::replay::{replay, samples};
use model::{Cast, Role, Timing, parameters};
use narrows_bisection::{Account, Call, Event, Game, Refusal, Wei};
use narrows_contracts::{Chain as _, Transaction};
use narrows_program::Program;
use narrows_tests::twin::TwinChain;
use stage::claimed::{Claimed, lies};
use stage::programs::{
    chain, divided, exports, fold, local, long, looked_up, padded, pairs, segments, tiles,
};
use stage::scene::{BASE_FEE, CHALLENGERS, Machine, REQUESTER, STRANGER, executor};

/// Both machines, which panic where they differ.
struct Twin(TwinChain);

impl Twin {
    fn new(timing: Timing) -> Self {
        let mut twin = TwinChain::new(parameters(timing));
        let accounts = [REQUESTER, STRANGER, executor()].into_iter().chain(CHALLENGERS);
        accounts.for_each(|account| twin.fund(account));
        assert_eq!(twin.chain.base_fee(), BASE_FEE, "money is reckoned at the same price");
        Self(twin)
    }
}

impl Machine for Twin {
    fn game(&self) -> &Game {
        &self.0.game
    }

    fn now(&self) -> u64 {
        self.0.now().0
    }

    fn wait(&mut self, seconds: u64) {
        if seconds > 0 {
            self.0.advance(seconds);
        }
    }

    fn set_base_fee(&mut self, base_fee: Wei) {
        self.0.chain.set_base_fee(base_fee).expect("the base fee");
    }

    fn send(&mut self, from: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        self.0.both(Transaction { from, value, call: call.clone() }).map(|receipt| receipt.events)
    }
}

/// The most plays of one game.
const PLAYS: usize = 6;

/// Plays some of the endings of a game, one in `sampled`, each on a new job; gives how many, and the calls.
fn plays(program: &Program, claimed: &Claimed, timing: Timing, cast: &Cast, sampled: u64) -> (usize, u64) {
    let found = samples(program, claimed, timing, cast, sampled);
    assert!(!found.is_empty(), "no play of {} was kept", claimed.label);
    let mut twin = Twin::new(timing);
    let step = found.len().div_ceil(PLAYS);
    let chosen: Vec<_> = found.into_iter().step_by(step).collect();
    let calls = chosen.iter().map(|sample| replay(&mut twin, program, claimed, cast, sample));
    let calls = calls.sum();
    (chosen.len(), calls)
}

/// Runs on a stack that holds the longest play.
fn deep<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1 << 28).spawn_scoped(scope, run);
        thread.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn the_contracts_play_the_same_games() {
    let honest = |challengers| Cast { honest_executor: true, challengers };
    let lying = |challengers| Cast { honest_executor: false, challengers };
    let (one, three) = (vec![Role::Adversary], vec![Role::Adversary; 3]);
    let watched = vec![Role::Honest, Role::Adversary, Role::Adversary];
    let programs = [
        chain(8, 1),
        pairs(4, 2),
        tiles(1),
        long(1),
        segments(2),
        padded(3),
        exports(1),
        local(1),
        fold(1),
        divided(1),
        looked_up(2),
    ];
    let (mut games, mut calls) = (0, 0);
    deep(|| {
        let mut add = |(some, more): (usize, u64)| {
            games += some;
            calls += more;
        };
        for program in &programs {
            let truth = Claimed::truth(program);
            add(plays(program, &truth, Timing::FULL, &honest(one.clone()), 7));
            let lies = lies(program, 1);
            for lie in lies.iter().step_by(lies.len().div_ceil(3)) {
                add(plays(program, lie, Timing::FULL, &lying(vec![Role::Honest]), 5));
                add(plays(program, lie, Timing::SHORT, &lying(one.clone()), 5));
            }
        }
        for program in [&programs[1], &programs[6], &programs[8]] {
            add(plays(program, &Claimed::truth(program), Timing::CLOCKS, &honest(three.clone()), 2));
            let lie = lies(program, 1).swap_remove(0);
            add(plays(program, &lie, Timing::SHORT, &lying(watched.clone()), 11));
        }
    });
    println!("{games} plays, {calls} calls, on both machines");
    assert!(games > 100, "only {games} plays");
}
