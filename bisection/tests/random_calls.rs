//! Random calls (see `calls`) on the rules alone: their answers are those that the contracts gave.

mod calls;
mod stage;

use calls::library::Library;
use calls::tally::Tally;
use calls::{SEEDS, is_kept, line, parameters, play};
use stage::scene::Light;

/// When the embedded chain begins.
const START: u64 = 1_700_000_000;

#[test]
fn the_rules_answer_as_the_contracts_did() {
    let library = Library::new();
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    for seed in SEEDS {
        let mut chain = Light { now: START, ..Light::new(parameters(seed)) };
        let digest = play(&mut chain, &library, seed, &mut tally);
        println!("{}", line(seed, digest));
        if !is_kept(seed, digest) {
            wrong.push(seed);
        }
    }
    tally.print();
    println!("{} calls", tally.total());
    tally.check();
    assert!(wrong.is_empty(), "other answers than in calls/answers.txt for the seeds {wrong:?}");
}
