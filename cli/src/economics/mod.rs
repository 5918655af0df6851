//! What a model costs to check and to dispute, what it makes liars and nuisances pay, and how long anything can take.
//!
//! | module | what it holds |
//! |---|---|
//! | `worst` | the longest dispute about the model, really played |
//! | `frivolous`, `toward`, `mirror` | challengers who are wrong, really played: one for its gas, many for the money |
//! | `delay` | how long a claim can be held up, and the floods that parameters rule out |

mod delay;
mod frivolous;
mod mirror;
mod toward;
mod worst;

use anyhow::{Context as _, Result};
use narrows_bisection::{Parameters, Wei};
use narrows_program::Program;
use serde::Serialize;

pub use delay::{Delay, Flood, OTHERS};
pub use frivolous::Frivolous;
pub use worst::{Cost, Dispute};

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Economics {
    /// What checking costs.
    pub check: Check,
    /// What a dispute costs.
    pub dispute: Dispute,
    /// What is staked and paid.
    pub stakes: Stakes,
    /// What nuisances cost, and whom.
    pub frivolous: Frivolous,
    /// How long a claim can take.
    pub delay: Delay,
    /// Whether an attacker could fill the chain.
    pub flood: Flood,
}

/// What one check takes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Check {
    /// Terms folded.
    pub work: u64,
    /// Bytes of weights and records.
    pub constant_bytes: u64,
    /// Bytes of a job's input.
    pub input_bytes: u64,
    /// Bytes of a claim's output.
    pub output_bytes: u64,
    /// Bytes hashed on the honest path.
    pub exported_bytes: u64,
    /// Bytes of a whole trace: what an executor serves.
    pub trace_bytes: u64,
}

impl Check {
    fn of(program: &Program) -> Self {
        let header = program.header();
        let outputs: u64 = program.operators().iter().map(|operator| operator.output_bytes()).sum();
        Self {
            work: header.work,
            constant_bytes: program.constants().iter().map(|constant| constant.bytes.len() as u64).sum(),
            input_bytes: header.input.bytes(),
            output_bytes: header.output.bytes(),
            exported_bytes: program.exported_bytes(),
            trace_bytes: header.input.bytes() + outputs,
        }
    }
}

/// What is staked and paid, in wei.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stakes {
    /// The executor's, on each claim.
    pub executor_bond: Wei,
    /// Burned with each claim.
    pub claim_fee: Wei,
    /// The challenger's, on each match.
    pub challenger_bond: Wei,
    /// What a refutation pays.
    pub reward: Wei,
    /// What a refutation burns.
    pub burned: Wei,
}

/// Plays and computes everything about `program` under `parameters`, at `gas_price` wei a gas.
pub fn of(program: &Program, parameters: Parameters, gas_price: Wei, frivolous: u64) -> Result<Economics> {
    parameters.check()?;
    let worst = worst::play(program, parameters, gas_price)?;
    let too_much = "comes to more wei than there are; lower the prices in the parameters";
    let challenger_bond =
        worst.registered.bond(&parameters).context("the challenger's bond").context(too_much)?;
    let claim_fee = worst.registered.claim_fee(&parameters).context("the claim fee").context(too_much)?;
    let reward = Wei(parameters.executor_bond.0 / 2);
    Ok(Economics {
        check: Check::of(program),
        stakes: Stakes {
            executor_bond: parameters.executor_bond,
            claim_fee,
            challenger_bond,
            reward,
            burned: Wei(parameters.executor_bond.0 - reward.0),
        },
        frivolous: frivolous::play(program, parameters, gas_price, frivolous, &worst)?,
        delay: Delay::of(&worst.registered, &parameters, &worst.dispute),
        flood: Flood::of(&worst.registered, &parameters, challenger_bond),
        dispute: worst.dispute,
    })
}
