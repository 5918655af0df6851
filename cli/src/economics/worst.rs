//! The longest dispute about a model: about the last element of the operator that takes the most moves to reach.

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::players::FirstDifference;
use narrows_bisection::{Parameters, Phase, Registered, Trace, Wei};
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{ElementIndex, OperatorIndex, Program};
use serde::Serialize;

use crate::dispute::{Spent, Venue, doctor, gas, noise};

/// The most operators that are tried: most show at once.
const MAX_CANDIDATES: usize = 8;

/// What some transactions cost together.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// How many.
    pub transactions: u64,
    /// Gas.
    pub gas: u64,
    /// Bytes of calldata.
    pub calldata: u64,
    /// Bytes of the largest one's calldata.
    pub largest: u64,
    /// Bytes of the largest witness.
    pub witness: u64,
    /// What it costs at the gas price.
    pub wei: Wei,
}

impl Cost {
    /// The cost of these calls.
    pub fn of(calls: &[Spent], gas_price: Wei) -> Self {
        let gas = gas(calls);
        Self {
            transactions: calls.len() as u64,
            gas,
            calldata: calls.iter().map(|spent| spent.calldata as u64).sum(),
            largest: calls.iter().map(|spent| spent.calldata as u64).max().unwrap_or_default(),
            witness: calls.iter().map(|spent| spent.witness as u64).max().unwrap_or_default(),
            wei: Wei(u128::from(gas).saturating_mul(gas_price.0)),
        }
    }
}

/// A dispute about a model.
#[derive(Debug, Clone, Serialize)]
pub struct Dispute {
    /// The operator that lied.
    pub operator: OperatorIndex,
    /// What to call it.
    pub label: String,
    /// Its wrong element.
    pub element: ElementIndex,
    /// The most reveals that a match about the model may need, R.
    pub reveal_rounds: u64,
    /// The most moves, 2 R + 8.
    pub moves: u64,
    /// The match, from opening to verdict.
    pub interactive: Cost,
    /// The refutation with its commitment; `None` where the element's fold is more than one transaction may open.
    pub at_once: Option<Cost>,
    /// Opening the reward, collecting it, taking the bond back, withdrawing, after the match.
    pub settlement: Cost,
}

/// A played dispute, and what it was played with.
pub struct Worst {
    pub dispute: Dispute,
    pub registered: Registered,
    pub truth: Trace,
}

/// Plays it as a match and as a refutation.
pub fn play(program: &Program, parameters: Parameters, gas_price: Wei) -> Result<Worst> {
    let input = noise(b"economics", usize::try_from(program.header().input.bytes())?);
    let truth = Honest.trace(program, input.clone()).map_err(anyhow::Error::msg)?;
    let (operator, element, claimed) = lie(program, &truth)?;
    let mut venue = Venue::new(program, parameters)?;
    venue.chain.set_base_fee(gas_price)?;
    let job = venue.job(&input)?;
    let claim = venue.claim(job, &claimed)?;
    let begun = venue.spent.len();
    let fought = venue.fight(&claim, &claimed, &truth, FirstDifference)?;
    ensure!(fought.phase == Phase::Won, "the lie won; report this with the program");
    let verdict = venue.spent.len();
    venue.settle(&claim, &fought, &truth, operator, element)?;
    let interactive = Cost::of(&venue.spent[begun..verdict], gas_price);
    let settlement = Cost::of(&venue.spent[verdict..], gas_price);

    let job = venue.job(&input)?;
    let claim = venue.claim(job, &claimed)?;
    let at_once = match venue.refutation(&claim, &claimed, &truth) {
        Some(refutation) => {
            let begun = venue.spent.len();
            venue.refute(&claim, &truth, refutation)?;
            Some(Cost::of(&venue.spent[begun..], gas_price))
        }
        None => None,
    };
    let registered = *venue.registered();
    let dispute = Dispute {
        operator,
        label: program.operator_label(operator),
        element,
        reveal_rounds: registered.reveal_rounds(),
        moves: registered.moves(),
        interactive,
        at_once,
        settlement,
    };
    Ok(Worst { dispute, registered, truth })
}

/// The operators by the moves that a match about them takes, the most first; the last one after those.
fn candidates(program: &Program) -> Vec<OperatorIndex> {
    let bits = u32::from(program.header().reveal_bits);
    let moves = |index: &OperatorIndex| {
        let operator = program.operator(*index);
        let rounds = operator.tensor().depth().saturating_sub(2).div_ceil(bits);
        let together = program.layer(program.layer_of(*index).0).count > 1;
        let whole = operator.terms().min(u64::from(operator.split));
        (2 * rounds + 2 * u32::from(together) + 2 * u32::from(operator.segments() > 1), whole)
    };
    let mut all: Vec<OperatorIndex> = (0..program.header().operators).map(OperatorIndex).collect();
    let last = all[all.len() - 1];
    all.sort_by_key(|index| std::cmp::Reverse(moves(index)));
    all.truncate(MAX_CANDIDATES);
    all.push(last);
    all
}

/// A claim that is wrong in the last element of the worst operator where that shows.
fn lie(program: &Program, truth: &Trace) -> Result<(OperatorIndex, ElementIndex, Trace)> {
    for operator in candidates(program) {
        if let Some((element, claimed)) = doctor(program, truth, operator)? {
            return Ok((operator, element, claimed));
        }
    }
    None.context("no change of an element reaches what layers export: the model does not depend on its input")
}
