//! Disputes really played on an embedded chain, for what they cost: fixed accounts, keys and salts, so that the same calls
//! cost the same gas on every machine.

mod venue;

pub use venue::Venue;

use std::time::Duration;

use anyhow::{Context as _, Result};
use narrows_bisection::{Call, Phase, Side, Trace};
use narrows_commitment::keccak;
use narrows_executor::adversary::{DoctoredOperator, shift_element};
use narrows_executor::engine::Engine;
use narrows_program::{ElementIndex, OperatorIndex, Program};

use crate::lies::first_fault;

/// What one call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The contract function's name.
    pub call: &'static str,
    /// The match's phase before it.
    pub phase: Option<Phase>,
    /// Gas of the whole transaction.
    pub gas: u64,
    /// Bytes of calldata.
    pub calldata: usize,
    /// Bytes of the witness in it: tiles, their indices, and all nodes that open them.
    pub witness: usize,
    /// Whose call it is; `None` for the requester.
    pub side: Option<Side>,
    /// What that side's computing took since its last call: processor time.
    pub thought: Duration,
}

/// Bytes of the witness that a call carries.
fn witness_bytes(call: &Call) -> usize {
    match call {
        Call::Prepare { witness, .. } | Call::Name { witness, .. } | Call::Segment { witness, .. } => {
            witness.bytes()
        }
        Call::Refute { refutation, .. } => refutation.witness.bytes(),
        Call::Fold { params, third, .. } => params.bytes() + third.bytes(),
        _ => 0,
    }
}

/// All gas of some calls.
pub fn gas(calls: &[Spent]) -> u64 {
    calls.iter().map(|spent| spent.gas).sum()
}

/// The most elements of an operator that [`doctor`] tries.
const MAX_TRIES: usize = 8;

/// A trace that first goes wrong in `operator`: in its last element, or where that changes nothing that a layer exports, in
/// another one. The rest is recomputed from it. `None` when none of a few elements shows.
pub fn doctor(
    program: &Program,
    truth: &Trace,
    operator: OperatorIndex,
) -> Result<Option<(ElementIndex, Trace)>> {
    doctor_with(&Engine::new(program), program, truth, operator)
}

/// As [`doctor`], with the program's engine.
pub fn doctor_with(
    engine: &Engine,
    program: &Program,
    truth: &Trace,
    operator: OperatorIndex,
) -> Result<Option<(ElementIndex, Trace)>> {
    let parts = program.operator(operator);
    let count = usize::try_from(parts.elements()).context("a tensor that fits the memory")?;
    let step = (count / MAX_TRIES).max(1);
    for element in (0..count).rev().step_by(step).take(MAX_TRIES) {
        let own = parts.dtype.read(truth.operator(operator), element).context("an element")?;
        let ends = [i64::from(parts.hi), i64::from(parts.lo)];
        for delta in ends.iter().map(|end| end - own).filter(|delta| *delta != 0) {
            let outputs = engine.run_with(truth.input(), &mut |index, bytes| {
                if index == operator {
                    shift_element(parts.dtype, bytes, element, delta);
                }
            })?;
            let claimed = Trace::new(program, truth.input().to_vec(), outputs)?;
            if first_fault(program, truth, &claimed) == Some(operator) {
                return Ok(Some((ElementIndex(u32::try_from(element)?), claimed)));
            }
        }
    }
    Ok(None)
}

/// A trace whose operator `lie.operator` is wrong as `lie` says.
pub fn doctored(program: &Program, input: &[u8], lie: DoctoredOperator) -> Result<Trace> {
    use narrows_executor::node::Conduct as _;
    lie.trace(program, input.to_vec()).map_err(anyhow::Error::msg)
}

/// Bytes that look random and are the same everywhere.
pub fn noise(label: &[u8], count: usize) -> Vec<u8> {
    let blocks = (0..count.div_ceil(32) as u64).map(|i| keccak(&[label, &i.to_be_bytes()].concat()).0);
    blocks.flatten().take(count).collect()
}
