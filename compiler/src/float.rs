//! The graph in 32-bit floats, by burn's own operators: for calibration and for comparison only.
//!
//! Nothing computed here is ever committed to.

use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use crate::graph::{Graph, Op, Value, ValueId};
use crate::window::Window;

/// A graph with its weights on a device.
pub struct FloatModel<'a> {
    graph: &'a Graph,
    device: Device,
    weights: Vec<Weights>,
}

/// The constants of one node on the device.
enum Weights {
    None,
    Conv { kernel: Tensor<4>, bias: Option<Tensor<1>> },
    Linear { matrix: Tensor<2>, bias: Option<Tensor<2>> },
    Affine { scale: Tensor<4>, offset: Tensor<4> },
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

    /// One activation for all samples, one after another.
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
        let weights = graph
            .nodes
            .iter()
            .map(|node| {
                let channels = graph.value(node.inputs[0]).channels_height_width()[0];
                place(&node.op, channels, &device)
            })
            .collect();
        Self { graph, device, weights }
    }

    /// Runs a batch of samples, each of the model's input shape in ONNX's order, and returns
    /// every activation. A softmax is passed over: its output is its input.
    ///
    /// # Panics
    /// When a sample's length is not that of the model's input, which the loader of samples
    /// guarantees.
    #[must_use]
    pub fn run(&self, samples: &[&[f32]]) -> FloatValues {
        let input = self.graph.value(self.graph.input);
        assert!(samples.iter().all(|s| s.len() == input.elements()), "a sample of another length");
        let mut tensors: Vec<Option<Tensor<4>>> = vec![None; self.graph.values.len()];
        let flat = TensorData::new(samples.concat(), batch_shape(input, samples.len()));
        tensors[self.graph.input.0] = Some(Tensor::from_data(flat, &self.device));
        for (node, weights) in self.graph.nodes.iter().zip(&self.weights) {
            let inputs: Vec<Tensor<4>> = node
                .inputs
                .iter()
                .map(|id| tensors[id.0].clone().expect("nodes are in topological order"))
                .collect();
            let shape = batch_shape(self.graph.value(node.output), samples.len());
            tensors[node.output.0] = Some(apply(&node.op, weights, inputs, shape));
        }
        let values = tensors
            .into_iter()
            .map(|tensor| match tensor {
                Some(tensor) => tensor.into_data().try_to_vec::<f32>().expect("the device computes in f32"),
                None => Vec::new(),
            })
            .collect();
        FloatValues { values, samples: samples.len() }
    }
}

fn batch_shape(value: &Value, samples: usize) -> [usize; 4] {
    let [c, h, w] = value.channels_height_width();
    [samples, c, h, w]
}

fn place(op: &Op, channels: usize, device: &Device) -> Weights {
    let vector =
        |values: &[f32]| Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), device);
    match op {
        Op::Conv(conv) => {
            let [kh, kw] = conv.window.kernel;
            let shape = [conv.outputs, channels / conv.groups, kh, kw];
            let kernel = Tensor::from_data(TensorData::new(conv.weights.clone(), shape), device);
            Weights::Conv { kernel, bias: conv.bias.as_deref().map(vector) }
        }
        Op::Linear(linear) => {
            let shape = [linear.outputs, linear.weights.len() / linear.outputs];
            let matrix = Tensor::<2>::from_data(TensorData::new(linear.weights.clone(), shape), device);
            let bias = linear.bias.as_deref().map(|b| vector(b).reshape([1, linear.outputs]));
            Weights::Linear { matrix: matrix.transpose(), bias }
        }
        Op::Affine(affine) => {
            let column = |values: &[f64]| {
                let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
                vector(&values).reshape([1, values.len(), 1, 1])
            };
            Weights::Affine { scale: column(&affine.scale), offset: column(&affine.offset) }
        }
        _ => Weights::None,
    }
}

fn padding(window: &Window) -> [(usize, usize); 2] {
    [(window.begin[0], window.end[0]), (window.begin[1], window.end[1])]
}

fn apply(op: &Op, weights: &Weights, inputs: Vec<Tensor<4>>, shape: [usize; 4]) -> Tensor<4> {
    let mut inputs = inputs.into_iter();
    let mut next = || inputs.next().expect("the reader checked the number of inputs");
    let x = next();
    match (op, weights) {
        (Op::Conv(conv), Weights::Conv { kernel, bias }) => {
            let window = &conv.window;
            let mut options = ConvOptions::new(window.stride, [0, 0], window.dilation, conv.groups);
            options.padding = padding(window);
            conv2d(x, kernel.clone(), bias.clone(), options)
        }
        (Op::Linear(_), Weights::Linear { matrix, bias }) => {
            let [samples, features, _, _] = x.dims();
            let y = x.reshape([samples, features]).matmul(matrix.clone());
            let y = match bias {
                Some(bias) => y + bias.clone(),
                None => y,
            };
            y.reshape(shape)
        }
        (Op::Affine(_), Weights::Affine { scale, offset }) => x * scale.clone() + offset.clone(),
        (Op::Clip { low, high }, _) => {
            let x = if *low > f32::NEG_INFINITY { x.clamp_min(*low) } else { x };
            if *high < f32::INFINITY { x.clamp_max(*high) } else { x }
        }
        (Op::MaxPool(window), _) => {
            let mut options = MaxPoolOptions::new(window.kernel).with_stride(window.stride);
            options.padding = padding(window);
            max_pool2d(x, options)
        }
        (Op::AveragePool { window, count_padding }, _) => {
            let mut options = AvgPoolOptions::new(window.kernel).with_stride(window.stride);
            options.count_include_pad = *count_padding;
            options.padding = padding(window);
            avg_pool2d(x, options)
        }
        (Op::Add, _) => x + next(),
        (Op::Reshape | Op::Softmax { .. }, _) => x.reshape(shape),
        (Op::Conv(_) | Op::Linear(_) | Op::Affine(_), _) => {
            unreachable!("weights are placed by the same match on the operator")
        }
    }
}
