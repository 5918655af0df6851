//! Who takes part in a run and what goes wrong in it.

use std::sync::Arc;

use narrows_bisection::Parameters;
use narrows_executor::adversary::{DoctoredOperator, FlippedWeight, Withholding, WrongOutput};
use narrows_executor::node::Conduct;
use narrows_program::{OperatorIndex, Program};

use super::actor::Journal;
use super::port::Kill;
use super::programs::PROGRAMS;
use super::rng::Rng;
use super::world::Faults;

/// What a lying executor claims, and how it stands by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// One element of one operator's output, by the operator's number modulo theirs.
    Doctored(u32, bool),
    /// Another answer, all else true.
    WrongOutput(bool),
    /// Another weight; where there are none, as [`Lie::Doctored`].
    FlippedWeight,
}

impl Lie {
    /// As a node's conduct. The flag in a lie withholds every answer.
    #[must_use]
    pub fn conduct(self, program: &Program) -> Arc<dyn Conduct> {
        let operators = program.operators().len() as u32;
        let doctored = |which: u32| {
            let operator = OperatorIndex(which % operators);
            let last = program.operator(operator).elements() as usize - 1;
            DoctoredOperator { operator, element: last.min(which as usize), delta: 7 }
        };
        let weighted = program.operators().iter().position(|one| one.terms() > 64 && one.b.is_some());
        match (self, weighted) {
            (Self::Doctored(which, false), _) => Arc::new(doctored(which)),
            (Self::Doctored(which, true), _) => Arc::new(Withholding(doctored(which))),
            (Self::WrongOutput(false), _) => Arc::new(WrongOutput),
            (Self::WrongOutput(true), _) => Arc::new(Withholding(WrongOutput)),
            (Self::FlippedWeight, Some(operator)) => {
                Arc::new(FlippedWeight { operator: OperatorIndex(operator as u32), byte: 77, bit: 6 })
            }
            (Self::FlippedWeight, None) => Arc::new(doctored(0)),
        }
    }
}

/// What executors hand out when they are asked for a claim's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    /// What is on the shelf.
    True,
    /// Nothing.
    Nothing,
    /// The trace with a byte changed.
    Bent,
    /// Bytes that are no trace.
    Garbage,
    /// The trace, with signatures that are not the executor's.
    Forged,
}

/// The enemies in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cast {
    /// An executor that lies, beside the honest one.
    pub liar: Option<Lie>,
    /// A watchtower that disputes everything.
    pub griefer: bool,
    /// Matches that a flooder opens against each claim and never plays.
    pub flood: u32,
    /// Commitments to claims on each job that are never posted.
    pub squatters: u32,
    /// An executor that copies revealed claims.
    pub copycat: bool,
    /// Somebody who copies every pending transaction and is placed first.
    pub front_runner: bool,
    /// Seconds in all by which the honest side's transactions are held back.
    pub censor_seconds: u64,
    /// Jobs, commitments and claims on a program that no node knows.
    pub strange: bool,
    /// The liar (or, where there is none, the griefer) moves in the last legal block of its turns.
    pub slow: bool,
}

/// A kill that is planned: of the honest executor or watchtower, in its tick of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Whether the watchtower, and not the executor, is killed.
    pub watchtower: bool,
    /// In which of its ticks, from 0.
    pub tick: u32,
    /// When in it.
    pub kill: Kill,
    /// What is left of its journal.
    pub journal: Journal,
}

/// A run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// What all chance follows from.
    pub seed: u64,
    /// Which program.
    pub program: usize,
    /// How many jobs are posted.
    pub jobs: u8,
    /// Who takes part beside the requester, the honest executor and the honest watchtower.
    pub cast: Cast,
    /// What executors hand out.
    pub serving: Serving,
    /// What goes wrong on the chain.
    pub faults: Faults,
    /// Confirmations of events.
    pub confirmations: u64,
    /// How often each node is killed at most, by chance.
    pub kills: u32,
    /// The height at which a reorganisation goes deeper than the confirmations, and whether the honest nodes are down then.
    pub deep: Option<(u64, bool)>,
    /// A kill that is not left to chance.
    pub plan: Option<Plan>,
}

impl Scenario {
    /// A quiet chain with nobody but the honest.
    #[must_use]
    pub fn calm(seed: u64, program: usize) -> Self {
        Self {
            seed,
            program,
            jobs: 1,
            cast: Cast::default(),
            serving: Serving::True,
            faults: Faults::default(),
            confirmations: 2,
            kills: 0,
            deep: None,
            plan: None,
        }
    }

    /// The run of a seed: everything may happen, and something does.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let often = |rng: &mut Rng, permille, most: u64| {
            if rng.chance(permille) { 1 + rng.upto(most - 1) } else { 0 }
        };
        let lie = match rng.upto(3) {
            0 => Lie::FlippedWeight,
            1 => Lie::WrongOutput(rng.chance(300)),
            _ => Lie::Doctored(rng.upto(9) as u32, rng.chance(300)),
        };
        let cast = Cast {
            liar: rng.chance(650).then_some(lie),
            griefer: rng.chance(300),
            flood: often(&mut rng, 250, 6) as u32,
            squatters: often(&mut rng, 250, 2) as u32,
            copycat: rng.chance(250),
            front_runner: rng.chance(250),
            censor_seconds: often(&mut rng, 250, 480),
            slow: rng.chance(250),
            strange: rng.chance(200),
        };
        let faults = Faults {
            delay_blocks: rng.upto(2),
            lost: often(&mut rng, 400, 200) as u32,
            transport: often(&mut rng, 400, 60) as u32,
            late: often(&mut rng, 400, 300) as u32,
            short: often(&mut rng, 400, 300) as u32,
            reorg: often(&mut rng, 400, 150) as u32,
            asleep: often(&mut rng, 400, 300) as u32,
        };
        Self {
            seed,
            program: rng.upto(PROGRAMS as u64 - 1) as usize,
            jobs: 1 + rng.upto(1) as u8,
            cast,
            serving: rng.pick(&[
                Serving::True,
                Serving::Nothing,
                Serving::Nothing,
                Serving::Bent,
                Serving::Garbage,
                Serving::Forged,
            ]),
            faults,
            confirmations: 1 + rng.upto(2),
            kills: often(&mut rng, 600, 3) as u32,
            deep: None,
            plan: None,
        }
    }
}

/// Windows and clocks that leave room for delays, kills and a censor: 100 blocks to dispute, 150 for each side to think.
#[must_use]
pub fn parameters() -> Parameters {
    Parameters {
        window_seconds: 1_200,
        executor_clock_seconds: 1_800,
        challenger_clock_seconds: 1_800,
        grace_seconds: 24,
        slack_seconds: 60,
        reveal_seconds: 720,
        reward_seconds: 480,
        ..Parameters::default()
    }
}
