//! Disputes about chains of operators, really played: one lie, a match and a refutation in one transaction.

use anyhow::{Context as _, Result, bail, ensure};
use narrows_bisection::players::FirstDifference;
use narrows_bisection::{Parameters, Phase, Side, Trace};
use narrows_executor::engine::Engine;
use narrows_program::OperatorIndex;

use super::figures::{Calls, Dispute, Size};
use super::honest::peak;
use super::models::{CHAIN_BLOCK, Made, Model};
use crate::dispute::{Spent, Venue, doctor_with, gas};

/// Which operator of a block lies: its second product, which the trace root does not commit to by itself.
const LIAR: u32 = 2;

/// The operator of a chain that lies: in the block two thirds of the way.
pub fn liar(operators: u32) -> OperatorIndex {
    OperatorIndex(operators / CHAIN_BLOCK * 2 / 3 * CHAIN_BLOCK + LIAR)
}

/// Plays a dispute about a chain.
pub fn measure(model: Model) -> Result<Dispute> {
    let Model::Chain { operators } = model else { bail!("disputes are measured on chains of operators") };
    let Made { program, input } = model.make()?;
    let engine = Engine::new(&program);
    let truth = Trace::new(&program, input.clone(), engine.run(&input)?)?;
    let operator = liar(operators);
    let doctored = doctor_with(&engine, &program, &truth, operator)?;
    drop(engine);
    let (element, claimed) = doctored.context("the lie does not show")?;

    let mut venue = Venue::new(&program, Parameters::default())?;
    let job = venue.job(&input)?;
    let claim = venue.claim(job, &claimed)?;
    let begun = venue.spent.len();
    let fought = venue.fight(&claim, &claimed, &truth, FirstDifference)?;
    ensure!(fought.phase == Phase::Won, "the lie won");
    ensure!(fought.operator() == Some(operator), "the match ended elsewhere than at the lie");
    let verdict = venue.spent.len();
    venue.settle(&claim, &fought, &truth, operator, element)?;
    let settled = venue.spent.len();
    let interactive = Calls::of(&venue.spent[begun..verdict]);
    let settlement = Calls::of(&venue.spent[verdict..settled]);

    // As if the match had not been: no tree that it built is left.
    let anew = |trace: Trace| Trace::new(&program, input.clone(), trace.outputs().to_vec());
    let (truth, claimed) = (anew(truth)?, anew(claimed)?);
    let job = venue.job(&input)?;
    let claim = venue.claim(job, &claimed)?;
    let begun = venue.spent.len();
    let refutation = venue.refutation(&claim, &claimed, &truth);
    let refutation = refutation.context("the lie takes a match")?;
    ensure!(
        program.layer_of(operator) == (narrows_program::LayerIndex(refutation.layer_index), LIAR as u8),
        "the refutation is of another operator than the one that lied"
    );
    let fought = venue.refute(&claim, &truth, refutation)?;
    ensure!(fought.point != Default::default(), "the refutation leaves no point");
    let at_once = Calls::of(&venue.spent[begun..]);
    Ok(Dispute {
        size: Size::of(&program),
        root: truth.root(),
        operator: operator.0,
        most_moves: venue.registered().moves(),
        interactive,
        at_once,
        settlement,
        peak_bytes: peak(),
    })
}

impl Calls {
    /// What these calls took.
    fn of(calls: &[Spent]) -> Self {
        let thought = |of: fn(&Spent) -> bool| {
            let own = calls.iter().filter(|spent| of(spent));
            own.map(|spent| spent.thought.as_secs_f64() * 1e3).fold(0.0, |sum, ms| sum + ms)
        };
        Self {
            transactions: calls.len() as u64,
            gas: gas(calls),
            calldata: calls.iter().map(|spent| spent.calldata as u64).sum(),
            executor_ms: thought(|spent| spent.side == Some(Side::Executor)),
            challenger_ms: thought(|spent| spent.side == Some(Side::Challenger) && !commits(spent)),
            commitment_ms: thought(commits),
        }
    }
}

/// Whether a call commits its sender to its own trace.
fn commits(spent: &Spent) -> bool {
    matches!(spent.call, "open" | "commit")
}
