//! Every play of small games, on the production `Game`.
//!
//! **What is explored.** A *position* ([`Position`]) is a `Game` and a time. From it lead all calls that anybody may make with
//! effect: both sides' moves with every content that the claim allows ([`crate::stage::moves`]), timeouts by a stranger,
//! openings, refutations, `finalise`; and the *tick*, by which a second passes. Time is not abstracted: the parameters are a
//! few seconds each, and every second of the claim's life is a second in which everybody may move. So the instants at which
//! guards change their mind (the last legal second of a turn, the first illegal one, windowEnd, hardEnd) are all reached with
//! every content, in every order. A side that says nothing is the tick.
//!
//! **Who is honest.** An honest executor and an honest challenger are the production players. Their moves are theirs, their
//! time is not: they may move in any second of their turn, as long as it is before the turn runs out; so the tick that
//! would make an honest player late is no play of the game ([`Cast`]). All else is free.
//!
//! **Completeness.** The walk ([`walk`]) is a depth-first search of all plays without any bound on depth: it ends because
//! plays do. Positions are told apart by all that a later move can read ([`Position::key`]), as 128 bits of keccak.
//!
//! **Reduction.** Three matches side by side have the product of their positions, which is too many for larger games.
//! [`reduced`] says how positions are joined there, why that leaves nothing out, and is held to the walk without reduction.

#![allow(dead_code, reason = "each test uses a part")]

pub mod jobs;
pub mod money;
pub mod position;
pub mod reduced;
pub mod replay;
pub mod rewards;
pub mod settle;
pub mod spec;
pub mod walk;

use narrows_bisection::{BlockTime, Parameters, Wei};
use narrows_commitment::keccak;
use narrows_program::Program;

use super::stage::claimed::Claimed;
use super::stage::scene::{Light, Machine, Scene, post_job};
use position::Position;

/// How a challenger plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It opens one match before the window ends and plays the first difference, always in time.
    Honest,
    /// It opens a match or none, and does with it what it likes.
    Adversary,
}

/// Who plays.
#[derive(Debug, Clone)]
pub struct Cast {
    /// Whether the executor answers in time, from a true trace. If not, it says what it likes, or nothing.
    pub honest_executor: bool,
    /// The challengers, one match each.
    pub challengers: Vec<Role>,
}

/// The seconds of a game.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub window: u32,
    pub executor_clock: u32,
    pub challenger_clock: u32,
    pub grace: u32,
    pub slack: u32,
}

impl Timing {
    /// Two seconds on every clock, and one of grace in every turn.
    pub const FULL: Self = Self { window: 2, executor_clock: 2, challenger_clock: 2, grace: 1, slack: 1 };
    /// Two seconds on every clock.
    pub const CLOCKS: Self = Self { window: 2, executor_clock: 2, challenger_clock: 2, grace: 0, slack: 1 };
    /// Every turn lasts for the second in which it begins.
    pub const SHORT: Self = Self { window: 1, executor_clock: 1, challenger_clock: 1, grace: 0, slack: 1 };
}

/// Seconds for opening commitments.
pub const REWARD_SECONDS: u32 = 2;

/// Odd amounts, so that halves are rounded; nobody can buy a flood.
pub fn parameters(timing: Timing) -> Parameters {
    Parameters {
        window_seconds: timing.window,
        executor_clock_seconds: timing.executor_clock,
        challenger_clock_seconds: timing.challenger_clock,
        grace_seconds: timing.grace,
        slack_seconds: timing.slack,
        reveal_seconds: 2,
        reward_seconds: REWARD_SECONDS,
        block_seconds: 12,
        block_gas: 30_000_000,
        executor_bond: Wei(1_001),
        // Below the blocks' base fee, so that the cap binds.
        fee_cap: Wei(900_000_007),
        delay_fee: Wei(13),
        work_price: Wei(1 << 20),
        attacker_budget: Wei(0),
    }
}

/// A claim on a new chain, at the second in which it was posted.
pub fn begin(program: &Program, claimed: Claimed, timing: Timing) -> (Scene, Position) {
    let mut machine = Light::new(parameters(timing));
    let (scene, now) = begin_on(&mut machine, program, claimed);
    (scene, Position::new(machine.game, now))
}

/// The same on any chain; gives the time too.
pub fn begin_on(machine: &mut impl Machine, program: &Program, claimed: Claimed) -> (Scene, u64) {
    let salt = keccak(&machine.now().to_be_bytes());
    let deadline = BlockTime(machine.now() + 2);
    let job = post_job(machine, program, salt, deadline);
    let scene = Scene::new(machine, program, claimed, job);
    (scene, machine.now())
}
