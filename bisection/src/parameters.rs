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
    /// From a claim's commitment to its posting.
    pub reveal_seconds: u32,
    /// For opening reward commitments after a verdict.
    pub reward_seconds: u32,
    /// Of the chain's blocks.
    pub block_seconds: u32,
    /// Of the chain's blocks.
    pub block_gas: u64,
    /// What an executor stakes on a claim.
    pub executor_bond: Wei,
    /// Wei a gas that answering is insured up to.
    pub fee_cap: Wei,
    /// What a lost challenge pays for the executor's locked bond.
    pub delay_fee: Wei,
    /// Wei for 2^30 terms, burned with each claim.
    pub work_price: Wei,
    /// Wei that an attacker may lock in bonds at once.
    pub attacker_budget: Wei,
}

/// Parameters out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    /// A number out of its range.
    #[error(
        "bad parameters: seconds must be below 2^31 (all but grace and slack at least 1), the executor's bond at least 2 wei, \
         the fee cap from 1 to 2^64 - 1, the block's gas from 1 to 2^32 - 1, the attacker's budget below 2^92 wei"
    )]
    Range,
    /// Cheap matches could fill the chain.
    #[error(
        "bad parameters: an attacker with this budget could fill more than a tenth of the blocks while the executor's clock runs; \
         raise the fee cap or the executor's clock"
    )]
    Flood,
}

impl Default for Parameters {
    /// Two minutes of window and short clocks: for an embedded chain, not for a public one.
    fn default() -> Self {
        Self {
            window_seconds: 120,
            executor_clock_seconds: 60,
            challenger_clock_seconds: 60,
            grace_seconds: 5,
            slack_seconds: 10,
            reveal_seconds: 60,
            reward_seconds: 60,
            block_seconds: 12,
            block_gas: 60_000_000,
            executor_bond: Wei(1_000_000_000_000_000_000),
            fee_cap: Wei(50_000_000_000),
            delay_fee: Wei(10_000_000_000_000_000),
            work_price: Wei(10_000_000_000_000),
            attacker_budget: Wei(3_000_000_000_000_000_000),
        }
    }
}

impl Parameters {
    /// Checks the ranges.
    ///
    /// # Errors
    /// When a value is out of the range that PROTOCOL 2 gives, or a flood would be affordable.
    pub fn check(&self) -> Result<(), BadParameters> {
        let least_one = [
            self.window_seconds,
            self.executor_clock_seconds,
            self.challenger_clock_seconds,
            self.reveal_seconds,
            self.reward_seconds,
            self.block_seconds,
        ];
        let all = [self.grace_seconds, self.slack_seconds];
        let below = |seconds: &u32| *seconds < 1 << 31;
        let seconds = least_one.iter().all(|s| *s >= 1 && below(s)) && all.iter().all(below);
        let money = self.executor_bond.0 >= 2
            && (1..1 << 64).contains(&self.fee_cap.0)
            && self.attacker_budget.0 < 1 << 92;
        if !seconds || !money || !(1..1 << 32).contains(&self.block_gas) {
            return Err(BadParameters::Range);
        }
        // Below 2^92 * 10 * 2^31, which 128 bits hold; more room than they hold is enough for any budget.
        let flood = self.attacker_budget.0 * 10 * u128::from(self.block_seconds);
        let clock = u128::from(self.executor_clock_seconds);
        let room =
            [self.fee_cap.0, clock, u128::from(self.block_gas)].into_iter().fold(2, u128::saturating_mul);
        if flood > room { Err(BadParameters::Flood) } else { Ok(()) }
    }
}
