//! What is fixed when a game is deployed (PROTOCOL 2).

use serde::{Deserialize, Serialize};

use crate::Wei;

/// The parameters of a game, bound into every claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// How long a claim may be challenged: fetch, re-run and a budget for censorship.
    pub window_seconds: u32,
    /// The executor's total thinking time in a match.
    pub executor_clock_seconds: u32,
    /// The challenger's total thinking time in a match.
    pub challenger_clock_seconds: u32,
    /// Time in each turn that is not charged: a few blocks.
    pub grace_seconds: u32,
    /// Time after the last possible move before an undecided match is void.
    pub slack_seconds: u32,
    /// What an executor stakes on a claim.
    pub executor_bond: Wei,
    /// What a challenger stakes on a match.
    pub challenger_bond: Wei,
}

/// Parameters out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "bad parameters: seconds must be below 2^31 (window and clocks at least 1), bonds from 2 wei to 2^128 - 1"
)]
pub struct BadParameters;

impl Default for Parameters {
    /// Two minutes of window and short clocks: for an embedded chain, not for a public one.
    fn default() -> Self {
        Self {
            window_seconds: 120,
            executor_clock_seconds: 60,
            challenger_clock_seconds: 60,
            grace_seconds: 5,
            slack_seconds: 10,
            executor_bond: Wei(1_000_000_000_000_000_000),
            challenger_bond: Wei(100_000_000_000_000_000),
        }
    }
}

impl Parameters {
    /// Checks the ranges.
    ///
    /// # Errors
    /// When a value is out of the range that PROTOCOL 2 gives.
    pub fn check(&self) -> Result<(), BadParameters> {
        let timed = [self.window_seconds, self.executor_clock_seconds, self.challenger_clock_seconds];
        let all = [self.grace_seconds, self.slack_seconds];
        let below = |seconds: &u32| *seconds < 1 << 31;
        let seconds = timed.iter().all(|s| *s >= 1 && below(s)) && all.iter().all(below);
        let bonds = self.executor_bond.0 >= 2 && self.challenger_bond.0 >= 2;
        if seconds && bonds { Ok(()) } else { Err(BadParameters) }
    }
}
