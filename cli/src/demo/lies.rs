//! Choosing a lie that matters: one that changes the label.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use narrows_executor::adversary::{CopiedClaim, DoctoredLayer, FlippedWeight, Withholding, WrongOutput};
use narrows_executor::engine::Engine;
use narrows_executor::node::Conduct;
use narrows_program::{LayerIndex, Program, Source};

use super::Cheat;
use crate::files::integers;

/// The label that an output says: the first greatest value's index.
pub fn label(program: &Program, output: &[u8]) -> usize {
    let values = integers(program.header().output.dtype, output);
    (0..values.len()).max_by_key(|i| (values[*i], std::cmp::Reverse(*i))).unwrap_or_default()
}

/// A conduct for `cheat` whose claim about `input` has another label than the truth where that is possible, and the layer where it
/// first leaves the truth.
pub fn choose(program: &Program, input: &[u8], cheat: Cheat) -> Result<Arc<dyn Conduct>> {
    Ok(match cheat {
        Cheat::Layer => Arc::new(doctored(program, input)?),
        Cheat::Withhold => Arc::new(Withholding(doctored(program, input)?)),
        Cheat::Output => Arc::new(WrongOutput),
        Cheat::Weight => Arc::new(flipped(program, input)?),
        Cheat::Copy => Arc::new(CopiedClaim::default()),
        Cheat::None => Arc::new(narrows_executor::node::Honest),
    })
}

/// The layers, from the middle outwards.
fn from_the_middle(program: &Program) -> Vec<LayerIndex> {
    let count = program.layers().len() as u32;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by_key(|layer| layer.abs_diff(count / 2));
    order.into_iter().map(LayerIndex).collect()
}

/// One element of a middle layer, set to an end of its range so that the label changes.
fn doctored(program: &Program, input: &[u8]) -> Result<DoctoredLayer> {
    let engine = Engine::new(program);
    let truth = engine.run(input)?;
    let honest = label(program, &truth[truth.len() - 1]);
    let mut fallback = None;
    for layer in from_the_middle(program) {
        let operator = program.layer(layer);
        if operator.segments() < 2 {
            continue;
        }
        for element in 0..operator.elements() as usize {
            let own = operator.dtype.read(&truth[layer.0 as usize], element).context("an element")?;
            for end in [i64::from(operator.hi), i64::from(operator.lo)].into_iter().filter(|end| *end != own)
            {
                let lie = DoctoredLayer { layer, element, delta: end - own };
                fallback.get_or_insert(lie);
                let outputs = engine.run_with(input, &mut |at, bytes| {
                    if at == layer {
                        narrows_executor::adversary::shift_element(operator.dtype, bytes, element, end - own);
                    }
                })?;
                if label(program, &outputs[outputs.len() - 1]) != honest {
                    return Ok(lie);
                }
            }
        }
    }
    fallback.context("no layer can be doctored")
}

/// The first weight whose highest bit, flipped, changes the label; or else the trace.
fn flipped(program: &Program, input: &[u8]) -> Result<FlippedWeight> {
    let honest = Engine::new(program).run(input)?;
    let mut fallback = None;
    for layer in from_the_middle(program) {
        let Some(Source::Constant(constant)) = program.layer(layer).b.map(|b| b.source) else { continue };
        let bytes = program.constant(constant).bytes.len();
        for byte in (0..bytes).step_by((bytes / 64).max(1)) {
            let lie = FlippedWeight { layer, byte, bit: 6 };
            let trace = lie.trace(program, input.to_vec()).map_err(anyhow::Error::msg)?;
            if trace.outputs() == honest {
                continue;
            }
            fallback.get_or_insert(lie);
            if label(program, trace.output()) != label(program, &honest[honest.len() - 1]) {
                return Ok(lie);
            }
        }
    }
    fallback.context("no weight matters to this input")
}
