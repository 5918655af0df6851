//! Random calls (see `bisection/tests/calls`) on the contracts and their mirror at once: the same machine.

#[path = "../../bisection/tests/calls/mod.rs"]
mod calls;
#[path = "../../bisection/tests/stage/mod.rs"]
mod stage;

use calls::library::Library;
use calls::tally::{REFUSALS, Tally};
use calls::world::ACCOUNTS;
use calls::{SEEDS, is_kept, line, parameters, play};
use narrows_bisection::{Account, Call, Event, Game, Refusal, Wei};
use narrows_contracts::{Chain as _, Transaction};
use narrows_tests::twin::TwinChain;
use stage::scene::{Machine, executor};

/// The contracts and the mirror, which panic where they differ: in an answer, a state's hash, or a wei.
struct Twin(TwinChain);

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

#[test]
fn the_contracts_and_their_mirror_are_one_machine() {
    let library = Library::new();
    let mut tally = Tally::default();
    let mut answers = String::new();
    let mut wrong = Vec::new();
    for seed in SEEDS {
        let mut twin = TwinChain::new(parameters(seed));
        ACCOUNTS.into_iter().chain([executor()]).for_each(|account| twin.fund(account));
        println!("seed {seed}");
        let digest = play(&mut Twin(twin), &library, seed, &mut tally);
        answers.push_str(&line(seed, digest));
        answers.push('\n');
        if !is_kept(seed, digest) {
            wrong.push(seed);
        }
    }
    tally.print();
    println!("{} calls, {} refusals of {}", tally.total(), REFUSALS.len(), REFUSALS.len() + 1);
    tally.check();
    // What the light test of the rules is held to.
    assert!(wrong.is_empty(), "bisection/tests/calls/answers.txt should be:\n{answers}");
}
