//! The graph in 32-bit floats: products and convolutions by burn's own operators on a device, the rest here. For
//! calibration and for comparison only.
//!
//! Nothing computed here is ever committed to.

mod device;
pub(crate) mod host;

use burn::tensor::Device;

use crate::graph::{Graph, ValueId};
use device::Placed;

/// A graph with its weights on a device.
pub struct FloatModel<'a> {
    graph: &'a Graph,
    device: Device,
    weights: Vec<Placed>,
}

/// Every activation of a batch of samples.
#[derive(Debug, Clone)]
pub struct FloatValues {
    /// For each [`ValueId`], the samples one after another, each in ONNX's row-major order; empty
    /// for an activation that the output does not depend on.
    values: Vec<Vec<f32>>,
    samples: usize,
}

impl FloatValues {
    /// Number of samples in the batch.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// One activation for all samples, one after another. Integers are whole numbers here.
    #[must_use]
    pub fn all(&self, id: ValueId) -> &[f32] {
        &self.values[id.0]
    }

    /// One activation for one sample.
    #[must_use]
    pub fn sample(&self, id: ValueId, sample: usize) -> &[f32] {
        let each = self.values[id.0].len() / self.samples.max(1);
        &self.values[id.0][sample * each..(sample + 1) * each]
    }
}

impl<'a> FloatModel<'a> {
    /// Puts the graph's weights on a device; [`Device::flex`] is the CPU.
    #[must_use]
    pub fn new(graph: &'a Graph, device: Device) -> Self {
        let weights = graph.nodes.iter().map(|node| Placed::new(&node.op, &device)).collect();
        Self { graph, device, weights }
    }

    /// Runs a batch of samples, each of the model's input shape in ONNX's order, and returns
    /// every activation.
    ///
    /// # Panics
    /// When a sample's length is not that of the model's input, which the loader of samples
    /// guarantees.
    #[must_use]
    pub fn run(&self, samples: &[&[f32]]) -> FloatValues {
        let graph = self.graph;
        let input = graph.value(graph.input);
        assert!(samples.iter().all(|s| s.len() == input.elements()), "a sample of another length");
        let mut values = FloatValues { values: vec![Vec::new(); graph.values.len()], samples: samples.len() };
        values.values[graph.input.0] = samples.concat();
        for (node, weights) in graph.nodes.iter().zip(&self.weights) {
            let output = graph.value(node.output);
            let all: Vec<(&[f32], &[usize])> =
                node.inputs.iter().map(|&id| (values.all(id), &graph.value(id).shape[..])).collect();
            let made = match weights {
                Placed::None => {
                    let mut made = Vec::with_capacity(output.elements() * samples.len());
                    for sample in 0..samples.len() {
                        let inputs: Vec<(&[f32], &[usize])> = node
                            .inputs
                            .iter()
                            .map(|&id| (values.sample(id, sample), &graph.value(id).shape[..]))
                            .collect();
                        made.extend(host::apply(&node.op, &inputs, &output.shape));
                    }
                    made
                }
                placed => placed.apply(&node.op, &all, &output.shape, samples.len(), &self.device),
            };
            assert_eq!(made.len(), output.elements() * samples.len(), "node {} has its shape", node.name);
            values.values[node.output.0] = made;
        }
        values
    }
}
