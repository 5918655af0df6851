//! Ranges of the activations over the calibration samples.

use crate::error::CompileError;
use crate::float::{FloatModel, FloatValues};
use crate::graph::Graph;
use crate::progress::{Progress, Step};

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
    run_batches(graph, model, samples, |first, values| {
        widen(&mut ranges[graph.input.0], values.all(graph.input));
        for node in &graph.nodes {
            if let Some(at) = widen(&mut ranges[node.output.0], values.all(node.output)) {
                let each = graph.value(node.output).elements();
                let sample = first + at / each;
                return Err(CompileError::ActivationNotFinite { node: node.name.clone(), sample });
            }
        }
        progress(Progress { step: Step::Calibrating, done: first + values.samples(), total: samples.len() });
        Ok(())
    })?;
    Ok(ranges)
}

/// Widens a range by values; the place of the first value that is not finite, if any.
fn widen(range: &mut Range, values: &[f32]) -> Option<usize> {
    for (at, &value) in values.iter().enumerate() {
        if !value.is_finite() {
            return Some(at);
        }
        range.least = range.least.min(value);
        range.greatest = range.greatest.max(value);
    }
    None
}
