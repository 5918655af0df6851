//! What disputes cost: fixed programs, inputs, accounts and salts, so that the figures are the same on every machine.

mod cases;
pub mod targets;

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::players::{Choice, FirstDifference};
use narrows_bisection::{Parameters, Phase, Witness};
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::ElementIndex;
use serde::Serialize;

use crate::dispute::{Spent, Venue, doctored, gas};
use cases::Case;
use targets::{COMMIT, MOVE, SUB_TRACE, WITNESS};

/// What an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Gas of whole transactions.
    Gas,
    /// Bytes.
    Bytes,
    /// Transactions.
    Transactions,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which dispute.
    pub dispute: String,
    /// Which call, in which phase; or a sum.
    pub what: String,
    /// How much.
    pub amount: u64,
    /// Of what.
    pub unit: Unit,
    /// Bytes of a call's calldata.
    pub calldata: Option<usize>,
    /// The most that it should be.
    pub target: Option<u64>,
}

/// The honest choice, which prepares no step.
struct Unprepared;

impl Choice for Unprepared {
    fn prepares(&mut self, _witness: &Witness, _left: &Witness) -> bool {
        false
    }
}

/// Plays every case and gives what each call cost.
pub fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut largest = 0;
    for (index, build) in cases::cases().into_iter().enumerate() {
        let case = build()?;
        let witness = play(&case, index == 0, &mut rows).with_context(|| case.name.to_owned())?;
        largest = largest.max(witness);
    }
    let what = "largest witness of a match".to_owned();
    let target = Some(WITNESS);
    rows.push(Row {
        dispute: "all".into(),
        what,
        amount: largest,
        unit: Unit::Bytes,
        calldata: None,
        target,
    });
    Ok(rows)
}

/// Plays a case as a match and as a refutation, the first case as an honest claim too; gives the match's largest witness.
fn play(case: &Case, honest: bool, rows: &mut Vec<Row>) -> Result<u64> {
    let Case { program, input, lie, .. } = case;
    let truth = Honest.trace(program, input.clone()).map_err(anyhow::Error::msg)?;
    let claimed = doctored(program, input, *lie)?;
    let element = ElementIndex(u32::try_from(lie.element)?);
    let mut venue = Venue::new(program, Parameters::default())?;
    if honest {
        let job = venue.job(input)?;
        let claim = venue.claim(job, &truth)?;
        venue.finalise(&claim)?;
        venue.pay_executor()?;
        calls(case, "an honest claim", &venue.spent, rows);
    }

    let job = venue.job(input)?;
    let claim = venue.claim(job, &claimed)?;
    let begun = venue.spent.len();
    let fought = venue.fight(&claim, &claimed, &truth, FirstDifference)?;
    ensure!(fought.phase == Phase::Won, "the lie won");
    let verdict = venue.spent.len();
    venue.settle(&claim, &fought, &truth, lie.operator, element)?;
    let name = case.name;
    let played = &venue.spent[begun..verdict];
    calls(case, name, &venue.spent[begun - 2..verdict], rows);
    let (whole, transactions) = case.whole.unzip();
    sum(name, "whole match, opening to verdict", gas(played), Unit::Gas, whole, rows);
    sum(
        name,
        "transactions, opening to verdict",
        played.len() as u64,
        Unit::Transactions,
        transactions,
        rows,
    );
    let witness = played.iter().map(|spent| spent.witness).max().unwrap_or_default() as u64;
    sum(name, "largest witness", witness, Unit::Bytes, Some(WITNESS), rows);
    let calldata = played.iter().map(|spent| spent.calldata).max().unwrap_or_default() as u64;
    sum(name, "largest calldata", calldata, Unit::Bytes, None, rows);
    calls(case, name, &venue.spent[verdict..], rows);
    sum(name, "settlement", gas(&venue.spent[verdict..]), Unit::Gas, None, rows);
    if venue.spent[begun..verdict].iter().any(|spent| spent.call == "prepare") {
        let job = venue.job(input)?;
        let claim = venue.claim(job, &claimed)?;
        let begun = venue.spent.len();
        let fought = venue.fight(&claim, &claimed, &truth, Unprepared)?;
        ensure!(fought.phase == Phase::Won, "the lie won");
        let name = format!("{name}: step in one move");
        let Some(step) = venue.spent.last() else { return Ok(witness) };
        rows.push(Row {
            dispute: name.clone(),
            what: step.call.into(),
            amount: step.gas,
            unit: Unit::Gas,
            calldata: Some(step.calldata),
            target: None,
        });
        let whole = gas(&venue.spent[begun..]);
        sum(&name, "whole match, opening to verdict", whole, Unit::Gas, None, rows);
    }

    let job = venue.job(input)?;
    let claim = venue.claim(job, &claimed)?;
    let Some(refutation) = venue.refutation(&claim, &claimed, &truth) else { return Ok(witness) };
    let begun = venue.spent.len();
    let fought = venue.refute(&claim, &truth, refutation)?;
    let verdict = venue.spent.len();
    venue.settle(&claim, &fought, &truth, lie.operator, element)?;
    let name = format!("{name}: at once");
    calls(case, &name, &venue.spent[begun..verdict], rows);
    let most = case.refute.map(|refute| COMMIT + refute);
    sum(&name, "whole, commit and refute", gas(&venue.spent[begun..verdict]), Unit::Gas, most, rows);
    calls(case, &name, &venue.spent[verdict..], rows);
    sum(&name, "settlement", gas(&venue.spent[verdict..]), Unit::Gas, None, rows);
    Ok(witness)
}

fn sum(dispute: &str, what: &str, amount: u64, unit: Unit, target: Option<u64>, rows: &mut Vec<Row>) {
    rows.push(Row { dispute: dispute.into(), what: what.into(), amount, unit, calldata: None, target });
}

fn calls(case: &Case, dispute: &str, spent: &[Spent], rows: &mut Vec<Row>) {
    rows.extend(spent.iter().map(|spent| Row {
        dispute: dispute.into(),
        what: match spent.phase {
            Some(phase) => format!("{} ({phase:?})", spent.call),
            None => spent.call.into(),
        },
        amount: spent.gas,
        unit: Unit::Gas,
        calldata: Some(spent.calldata),
        target: target(case, spent),
    }));
}

/// The most that a call should cost.
fn target(case: &Case, spent: &Spent) -> Option<u64> {
    match spent.call {
        "reveal" | "revealTiles" | "pick" | "enter" | "pickOperator" => Some(MOVE),
        "subTrace" => Some(SUB_TRACE),
        // A name without a witness is no step: partial values follow.
        "name" if spent.witness > 0 => case.step,
        "segment" => case.step,
        "commit" => Some(COMMIT),
        "refute" => case.refute,
        _ => None,
    }
}
