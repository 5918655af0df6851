//! What is measured, as it travels from the process that measured it, and as machines read it.

use narrows_commitment::TraceRoot;
use narrows_program::Program;
use serde::{Deserialize, Serialize};

use super::models::Model;
use crate::meter::Took;

/// What is measured about a model, in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Writing the program file, and reading it again with all rules of legality.
    Load,
    /// The executor's honest path: plan, run, commit.
    Run,
    /// The watchtower's: plan, re-run in burn, commit.
    Check,
    /// A dispute, in a match and by one transaction.
    Dispute,
    /// A watchtower node that checks claim after claim.
    Claims,
}

/// One process's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The model.
    pub model: Model,
    /// What is measured about it.
    pub part: Part,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Time {
    /// Of all threads' processors.
    pub processor_ms: f64,
    /// On the clock.
    pub wall_ms: f64,
}

impl From<Took> for Time {
    fn from(took: Took) -> Self {
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        Self { processor_ms: ms(took.processor), wall_ms: ms(took.wall) }
    }
}

impl Time {
    /// Of one of `count` works that took this together.
    pub fn each(self, count: u32) -> Self {
        let count = f64::from(count);
        Self { processor_ms: self.processor_ms / count, wall_ms: self.wall_ms / count }
    }

    /// The least of each of several measurements of the same work; zeros of none.
    pub fn least(times: &[Self]) -> Self {
        let least = |of: fn(&Self) -> f64| times.iter().map(of).min_by(f64::total_cmp).unwrap_or_default();
        Self { processor_ms: least(|t| t.processor_ms), wall_ms: least(|t| t.wall_ms) }
    }
}

/// How large a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Operators.
    pub operators: u64,
    /// Layers.
    pub layers: u64,
    /// Terms that one evaluation folds.
    pub terms: u64,
    /// Bytes of all constants.
    pub constant_bytes: u64,
    /// Bytes hashed on the honest path.
    pub exported_bytes: u64,
    /// Bytes of all operators' outputs.
    pub trace_bytes: u64,
}

impl Size {
    /// The size of `program`.
    pub fn of(program: &Program) -> Self {
        Self {
            operators: program.operators().len() as u64,
            layers: program.layers().len() as u64,
            terms: program.header().work,
            constant_bytes: program.constants().iter().map(|constant| constant.bytes.len() as u64).sum(),
            exported_bytes: program.exported_bytes(),
            trace_bytes: program.operators().iter().map(|operator| operator.output_bytes()).sum(),
        }
    }
}

/// [`Part::Load`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Load {
    /// How large the program is.
    pub size: Size,
    /// Bytes of the program file.
    pub file_bytes: u64,
    /// Making the file's bytes.
    pub encode: Time,
    /// Reading them: every rule of legality, every digest.
    pub decode: Time,
    /// The most memory held.
    pub peak_bytes: u64,
}

/// [`Part::Run`] and [`Part::Check`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Path {
    /// How large the program is.
    pub size: Size,
    /// What was claimed.
    pub root: TraceRoot,
    /// Planning, once for a program.
    pub plan: Time,
    /// A run, the least of several.
    pub run: Time,
    /// A run with its commitment, the least of several.
    pub commit: Time,
    /// Measurements of each.
    pub measured: u32,
    /// The most memory held, the program's included.
    pub peak_bytes: u64,
}

/// What some transactions took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Calls {
    /// How many.
    pub transactions: u64,
    /// Gas of the whole transactions.
    pub gas: u64,
    /// Bytes of calldata.
    pub calldata: u64,
    /// The executor's computing, processor milliseconds.
    pub executor_ms: f64,
    /// The challenger's: finding the first difference level by level, and all evidence.
    pub challenger_ms: f64,
    /// What the challenger took before, to hash its whole trace for its commitment.
    #[serde(default)]
    pub commitment_ms: f64,
}

/// [`Part::Dispute`]. Traces are made before: what that takes is in [`Path`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dispute {
    /// How large the program is.
    pub size: Size,
    /// The right trace root.
    pub root: TraceRoot,
    /// The operator that lied, and that the dispute found.
    pub operator: u32,
    /// The greatest number of moves by the rules, 2 R + 8.
    pub most_moves: u64,
    /// The match, from opening (with the commitment to one's own trace) to verdict.
    pub interactive: Calls,
    /// Commitment and refutation.
    pub at_once: Calls,
    /// What follows a match: opening the reward, collecting it, the bond, withdrawing.
    pub settlement: Calls,
    /// The most memory held: both sides' traces and the chain.
    pub peak_bytes: u64,
}

/// [`Part::Claims`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Claims {
    /// How large the program is.
    pub size: Size,
    /// Claims that the node checked.
    pub claims: u64,
    /// What the node took for all of them: events, journal, re-runs, roots, decisions.
    pub node: Time,
    /// What re-running and hashing alone took for as many.
    pub check: Time,
    /// The most memory held, the chain's included.
    pub peak_bytes: u64,
}

/// What a process measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figures {
    /// Of [`Part::Load`].
    Load(Load),
    /// Of [`Part::Run`].
    Run(Path),
    /// Of [`Part::Check`].
    Check(Path),
    /// Of [`Part::Dispute`].
    Dispute(Box<Dispute>),
    /// Of [`Part::Claims`].
    Claims(Claims),
}
