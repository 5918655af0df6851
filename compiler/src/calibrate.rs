//! Ranges of the activations over the calibration samples.

use std::collections::BTreeMap;

use crate::error::CompileError;
use crate::float::{FloatModel, FloatValues};
use crate::graph::{Graph, Op};
use crate::progress::{Progress, Step};
use crate::unroll::shared_name;

/// Most elements of all activations together in one batch of the float run.
const BATCH_ELEMENTS: usize = 1 << 24;
/// Most samples in one batch.
const BATCH_SAMPLES: usize = 64;

/// The least and the greatest value of an activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub least: f32,
    pub greatest: f32,
}

impl Range {
    /// The greatest magnitude.
    pub(crate) fn magnitude(self) -> f64 {
        f64::from(self.least.abs().max(self.greatest.abs()))
    }
}

/// Samples that run together in floats.
pub(crate) fn batch_size(graph: &Graph) -> usize {
    let each: usize = graph.values.iter().map(|value| value.elements()).sum();
    (BATCH_ELEMENTS / each.max(1)).clamp(1, BATCH_SAMPLES)
}

/// Runs samples in floats, batch by batch, and hands each batch on with its first sample's index.
pub(crate) fn run_batches(
    graph: &Graph,
    model: &FloatModel<'_>,
    samples: &[Vec<f32>],
    mut each: impl FnMut(usize, &FloatValues) -> Result<(), CompileError>,
) -> Result<(), CompileError> {
    let size = batch_size(graph);
    for (batch, chunk) in samples.chunks(size).enumerate() {
        let refs: Vec<&[f32]> = chunk.iter().map(Vec::as_slice).collect();
        each(batch * size, &model.run(&refs))?;
    }
    Ok(())
}

/// The range of every activation that the output depends on, by index of the activation.
pub(crate) fn ranges(
    graph: &Graph,
    model: &FloatModel<'_>,
    samples: &[Vec<f32>],
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Range>, CompileError> {
    let mut ranges = vec![Range { least: f32::INFINITY, greatest: f32::NEG_INFINITY }; graph.values.len()];
    // A mask may be infinite, and what is made from it until a softmax.
    let mut infinite = vec![false; graph.values.len()];
    for node in &graph.nodes {
        let mask = matches!(&node.op, Op::Mask { other, .. } if other.values.iter().any(|v| v.is_infinite()));
        let after = node.inputs.iter().any(|id| infinite[id.0]) && !matches!(node.op, Op::Softmax { .. });
        infinite[node.output.0] = mask || after;
    }
    run_batches(graph, model, samples, |first, values| {
        widen(&mut ranges[graph.input.0], values.all(graph.input), false);
        for node in &graph.nodes {
            if let Some(at) =
                widen(&mut ranges[node.output.0], values.all(node.output), infinite[node.output.0])
            {
                let each = graph.value(node.output).elements();
                let sample = first + at / each;
                return Err(CompileError::ActivationNotFinite { node: node.name.clone(), sample });
            }
        }
        progress(Progress { step: Step::Calibrating, done: first + values.samples(), total: samples.len() });
        Ok(())
    })?;
    share(graph, &mut ranges);
    Ok(ranges)
}

/// Gives the copies of one activation in a repeated step one range, so that they have one scale: a cache then passes from
/// position to position as it is, and the copies share their weights and tables.
fn share(graph: &Graph, ranges: &mut [Range]) {
    let mut widest: BTreeMap<&str, Range> = BTreeMap::new();
    for (value, range) in graph.values.iter().zip(&*ranges) {
        let shared = widest.entry(shared_name(&value.name)).or_insert(*range);
        shared.least = shared.least.min(range.least);
        shared.greatest = shared.greatest.max(range.greatest);
    }
    for (value, range) in graph.values.iter().zip(ranges) {
        *range = widest[shared_name(&value.name)];
    }
}

/// Widens a range by values; the place of the first value that is not finite, if any. Infinities are passed over where
/// they are expected.
fn widen(range: &mut Range, values: &[f32], infinite: bool) -> Option<usize> {
    for (at, &value) in values.iter().enumerate() {
        if infinite && value.is_infinite() {
            continue;
        }
        if !value.is_finite() {
            return Some(at);
        }
        range.least = range.least.min(value);
        range.greatest = range.greatest.max(value);
    }
    None
}
