//! The compiler's own graph: typed operators over named activations, shapes known everywhere.

use std::path::Path;

use narrows_commitment::{Digest, keccak};

use crate::build;
use crate::error::CompileError;
use crate::limits::MAX_FILE_BYTES;
use crate::onnx::{self, DimensionSizes};
use crate::window::Window;

/// Index of an activation in [`Graph::values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub usize);

/// An activation: a tensor that depends on the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The source name.
    pub name: String,
    /// ONNX order with the batch dimension, which is 1: `[1, features]`, `[1, channels, length]`
    /// or `[1, channels, height, width]`.
    pub shape: Vec<usize>,
}

impl Value {
    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The shape as channels, height and width; missing dimensions are 1.
    #[must_use]
    pub fn channels_height_width(&self) -> [usize; 3] {
        let at = |i: usize| self.shape.get(i).copied().unwrap_or(1);
        [at(1), at(2), at(3)]
    }
}

/// A 2-D convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// `[output channel][input channel of its group][kernel row][kernel column]`.
    pub weights: Vec<f32>,
    /// One per output channel.
    pub bias: Option<Vec<f32>>,
    /// Number of output channels.
    pub outputs: usize,
    /// Number of groups.
    pub groups: usize,
    /// The sliding window.
    pub window: Window,
}

/// A matrix product with constant weights: ONNX `Gemm` or `MatMul`, scaled by `alpha` and `beta`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// `[output][input]`.
    pub weights: Vec<f32>,
    /// One per output.
    pub bias: Option<Vec<f32>>,
    /// Number of outputs.
    pub outputs: usize,
}

/// A per-channel affine map: ONNX `BatchNormalization` at inference, or a constant `Add`.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// One factor per channel.
    pub scale: Vec<f64>,
    /// One offset per channel.
    pub offset: Vec<f64>,
}

/// What a node does. Constants are part of it; only activations are inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Convolution of one activation.
    Conv(Conv),
    /// Matrix product of one activation of shape `[1, inputs]`.
    Linear(Linear),
    /// `x * scale + offset`, per channel.
    Affine(Affine),
    /// `min(max(x, low), high)`, either bound possibly infinite; `Relu` is `[0, inf]`.
    Clip {
        /// The lower bound.
        low: f32,
        /// The upper bound.
        high: f32,
    },
    /// Maximum over windows; padding never wins.
    MaxPool(Window),
    /// Mean over windows.
    AveragePool {
        /// The sliding window.
        window: Window,
        /// Whether padding counts in the divisor.
        count_padding: bool,
    },
    /// Sum of two activations of one shape.
    Add,
    /// The same elements in ONNX's row-major order under another shape, or under the same one.
    Reshape,
    /// A final softmax or its logarithm. It keeps the order of the outputs and is not compiled: the
    /// model's output is what comes into it.
    Softmax {
        /// Whether the logarithm is taken.
        log: bool,
    },
}

impl Op {
    /// Number of weights held, biases aside.
    pub(crate) fn weights(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.weights.len(),
            Self::Linear(linear) => linear.weights.len(),
            Self::Affine(affine) => affine.scale.len(),
            _ => 0,
        }
    }
}

/// One node in topological order.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The source name, or its first output's where the source names no node.
    pub name: String,
    /// The source's operator, for messages.
    pub operator: String,
    /// What it does.
    pub op: Op,
    /// The activations it reads.
    pub inputs: Vec<ValueId>,
    /// The activation it makes.
    pub output: ValueId,
}

/// A model with one input and one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The source's name for the graph.
    pub name: String,
    /// Hash of the file's bytes.
    pub source: Digest,
    /// Every activation.
    pub values: Vec<Value>,
    /// Every node that the output depends on, in topological order.
    pub nodes: Vec<Node>,
    /// The model's input.
    pub input: ValueId,
    /// The model's output.
    pub output: ValueId,
}

impl Graph {
    /// Reads a model file.
    ///
    /// # Errors
    /// Any [`CompileError`] about a file, a graph, a tensor or a node.
    pub fn load(path: &Path, sizes: &DimensionSizes) -> Result<Self, CompileError> {
        let bytes = read_file(path)?;
        Self::parse(&bytes, path, sizes)
    }

    /// Reads a model from bytes; `path` only names them in errors.
    ///
    /// # Errors
    /// As [`Graph::load`].
    pub fn parse(bytes: &[u8], path: &Path, sizes: &DimensionSizes) -> Result<Self, CompileError> {
        build::build(onnx::decode(bytes, path, sizes)?, keccak(bytes), path)
    }

    /// The activation behind an index.
    #[must_use]
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// Nodes that read an activation.
    pub fn readers(&self, id: ValueId) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.inputs.contains(&id))
    }

    /// Terms folded by one inference: multiply-adds, comparisons and sums.
    #[must_use]
    pub fn terms(&self) -> u64 {
        self.nodes.iter().fold(0u64, |n, node| n.saturating_add(self.node_terms(node)))
    }

    fn node_terms(&self, node: &Node) -> u64 {
        let inputs = self.value(node.inputs[0]).elements();
        let each = match &node.op {
            Op::Conv(conv) => conv.weights.len() / conv.outputs.max(1),
            Op::Linear(_) => inputs,
            Op::MaxPool(window) | Op::AveragePool { window, .. } => window.taps(),
            _ => 1,
        };
        (self.value(node.output).elements() as u64).saturating_mul(each as u64)
    }
}

/// Reads a file whose size is within bounds.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CompileError> {
    let io = |source| CompileError::Io { path: path.into(), source };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(CompileError::FileTooLarge { path: path.into(), bytes, limit: MAX_FILE_BYTES });
    }
    std::fs::read(path).map_err(io)
}
