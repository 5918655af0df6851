//! Challengers who are wrong: each opens a match against an honest claim and walks on until it loses.
//!
//! One such match is played on the embedded chain, for its gas; many at once on the rules' mirror, for the money.

use anyhow::{Result, ensure};
use narrows_bisection::{Parameters, Phase, Wei};
use narrows_program::Program;
use serde::Serialize;

use super::delay::clamped;
use super::mirror::Crowd;
use super::toward::Toward;
use super::worst::Worst;
use crate::dispute::{Spent, Venue, gas};

/// The most matches that are really played at once; beyond, their sums are multiplied.
const MAX_PLAYED: u64 = 256;

/// What frivolous matches cost, all at once.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Frivolous {
    /// How many are meant.
    pub matches: u64,
    /// How many were played; the rest is multiplied from these.
    pub played: u64,
    /// The executor's answers in one match.
    pub answers: u64,
    /// Gas of these answers.
    pub answering_gas: u64,
    /// Gas of the challenger's opening and moves in one match.
    pub attacking_gas: u64,
    /// What the executor has bound: its bond and the claim fee.
    pub capital: Wei,
    /// What answering costs the executor before anything comes back, all matches together.
    pub outlay: Wei,
    /// What lost matches pay the executor, all together.
    pub compensation: Wei,
    /// What the attackers had bound in bonds.
    pub attackers_capital: Wei,
    /// What the attackers lose: bonds and gas.
    pub attackers_loss: Wei,
    /// The attackers' loss for each wei that the executor spends, in thousandths; `None` where it spends nothing.
    pub ratio_thousandths: Option<u64>,
}

/// Plays `matches` of them, or [`MAX_PLAYED`] and multiplies.
pub fn play(
    program: &Program,
    parameters: Parameters,
    gas_price: Wei,
    matches: u64,
    worst: &Worst,
) -> Result<Frivolous> {
    let (operator, element) = (worst.dispute.operator, worst.dispute.element);
    let one = measure(program, parameters, gas_price, worst)?;
    let answering: Vec<Spent> = one.iter().filter(|spent| is_answer(spent.call)).copied().collect();
    let (answering_gas, whole) = (gas(&answering), gas(&one));
    let played = matches.min(MAX_PLAYED);
    let crowd = Crowd::play(program, parameters, gas_price, played, &worst.truth, operator, element)?;
    let times = |amount: u128| match played {
        0 => Wei(0),
        _ => Wei(amount.saturating_mul(u128::from(matches)) / u128::from(played)),
    };
    let price = |gas: u64| u128::from(gas).saturating_mul(gas_price.0);
    ensure!(
        crowd.answers == answering.len() as u64 * played,
        "the mirror plays other matches than the chain"
    );
    let attacking_gas = whole - answering_gas;
    let outlay = times(price(answering_gas).saturating_mul(u128::from(played)));
    let spent = price(attacking_gas).saturating_mul(u128::from(played));
    let attackers_loss = times(crowd.bonds.0.saturating_add(spent));
    let ratio = attackers_loss.0.checked_mul(1000).and_then(|loss| loss.checked_div(outlay.0));
    Ok(Frivolous {
        matches,
        played,
        answers: answering.len() as u64,
        answering_gas,
        attacking_gas,
        capital: crowd.capital,
        outlay,
        compensation: times(crowd.compensation.0),
        attackers_capital: times(crowd.bonds.0),
        attackers_loss,
        ratio_thousandths: ratio.map(clamped),
    })
}

/// Whether a call is the executor's answer in a match.
pub fn is_answer(call: &str) -> bool {
    matches!(call, "reveal" | "subTrace" | "revealTiles" | "fold")
}

/// One frivolous match on the embedded chain, from its opening on.
fn measure(program: &Program, parameters: Parameters, gas_price: Wei, worst: &Worst) -> Result<Vec<Spent>> {
    let truth = &worst.truth;
    let mut venue = Venue::new(program, parameters)?;
    venue.chain.set_base_fee(gas_price)?;
    let job = venue.job(truth.input())?;
    let claim = venue.claim(job, truth)?;
    let begun = venue.spent.len();
    let toward = Toward::new(program, worst.dispute.operator, worst.dispute.element);
    let fought = venue.fight(&claim, truth, truth, toward)?;
    ensure!(fought.phase == Phase::Lost, "an honest claim lost; report this with the program");
    Ok(venue.spent.split_off(begun))
}
