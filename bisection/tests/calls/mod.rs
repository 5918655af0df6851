//! Random calls, most of them legal and the rest nearly so, from a seed.
//!
//! A [`world::World`] keeps what somebody at the contracts' door could know (programs, jobs, commitments, claims with their
//! true and doctored traces, challengers' seats) and makes calls of all kinds that fit the present state; [`bend`] makes
//! nearly right ones of them. Which call comes next depends on the seed and on the rules' answers alone, never on a digest,
//! so that a seed plays the same game on every chain. What a seed was answered is kept as a digest in `answers.txt`: the
//! test of the workspace checks it against the contracts, the light one against the rules alone.

#![allow(dead_code, reason = "each test uses a part")]

pub mod bend;
pub mod library;
pub mod rng;
pub mod tally;
pub mod world;

use narrows_bisection::{Parameters, Wei};
use narrows_commitment::Digest;

use crate::stage::scene::Machine;
use library::Library;
use rng::Rng;
use tally::Tally;
use world::World;

/// The seeds that every run plays, and the calls of each.
pub const SEEDS: std::ops::Range<u64> = 1..201;
/// Calls of a seed.
pub const CALLS: usize = 300;

/// What the seeds were answered: `seed digest` a line.
pub const ANSWERS: &str = include_str!("answers.txt");

/// Windows and clocks of tens of seconds, odd amounts, a cap among the base fees; some seeds without grace, slack, delay or
/// work fee.
pub fn parameters(seed: u64) -> Parameters {
    let mut parameters = Parameters {
        window_seconds: 100,
        executor_clock_seconds: 50,
        challenger_clock_seconds: 40,
        grace_seconds: 5,
        slack_seconds: 7,
        reveal_seconds: 30,
        reward_seconds: 20,
        block_seconds: 12,
        block_gas: 30_000_000,
        executor_bond: Wei(1_001),
        fee_cap: Wei(900_000_007),
        delay_fee: Wei(17),
        work_price: Wei(1 << 20),
        attacker_budget: Wei(0),
    };
    if seed.is_multiple_of(3) {
        (parameters.grace_seconds, parameters.slack_seconds) = (0, 0);
    }
    if seed.is_multiple_of(5) {
        (parameters.delay_fee, parameters.work_price) = (Wei(0), Wei(0));
    }
    if seed.is_multiple_of(7) {
        // A bond that the answers of a long match use up, and more.
        parameters.delay_fee = Wei(1 << 70);
    }
    parameters
}

/// Plays a seed; gives the digest of all answers.
pub fn play(machine: &mut impl Machine, library: &Library, seed: u64, tally: &mut Tally) -> Digest {
    let mut world = World::new(machine, library, Rng::new(seed));
    for _ in 0..CALLS {
        world.step(tally);
    }
    world.close(tally);
    world.digest
}

/// The line of `answers.txt` that a seed should have.
pub fn line(seed: u64, digest: Digest) -> String {
    let hex: String = digest.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{seed} {hex}")
}

/// Whether the answers are those that are kept.
pub fn is_kept(seed: u64, digest: Digest) -> bool {
    ANSWERS.lines().any(|kept| kept == line(seed, digest))
}
