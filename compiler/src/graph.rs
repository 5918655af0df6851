//! The compiler's own graph: typed operators over named activations of any rank, shapes known everywhere.
//!
//! ONNX's many spellings end here: constants are folded into operators, shape arithmetic is gone, decomposed
//! normalisations and activations are one node again, and every dimension is a number.

use std::path::Path;

use narrows_commitment::{Digest, keccak};

use crate::build;
use crate::error::CompileError;
use crate::limits::MAX_FILE_BYTES;
use crate::onnx::{self, ModelOptions};
use crate::recognise;

mod op;

pub use op::{Binary, Conv, Function, Linear, Norm, Op, Reduction, Tensor};

/// Index of an activation in [`Graph::values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub usize);

/// What an activation's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Real numbers, stored at a scale.
    Real,
    /// Integers, stored as they are: tokens, labels, truth values.
    Integer,
}

/// An activation: a tensor that depends on the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The source name.
    pub name: String,
    /// ONNX order with every dimension, the batch's included. Empty for a scalar.
    pub shape: Vec<usize>,
    /// What its elements are.
    pub kind: Kind,
}

impl Value {
    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A node of the file that a node of the graph stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The source name, or its first output's where the source names no node.
    pub name: String,
    /// The source's operator.
    pub operator: String,
}

/// One node in topological order.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The source name; of several nodes made from one of the file, all but the last add what they are to it.
    pub name: String,
    /// The source's operator, for messages.
    pub operator: String,
    /// Every node of the file that this one stands for, in order, constants aside.
    pub sources: Vec<Origin>,
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
    /// Every activation. Those that no node makes or reads are left from what was recognised.
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
    pub fn load(path: &Path, options: &ModelOptions) -> Result<Self, CompileError> {
        let bytes = read_file(path)?;
        Self::parse(&bytes, path, options)
    }

    /// Reads a model from bytes; `path` only names them in errors.
    ///
    /// # Errors
    /// As [`Graph::load`].
    pub fn parse(bytes: &[u8], path: &Path, options: &ModelOptions) -> Result<Self, CompileError> {
        let mut graph = build::build(onnx::decode(bytes, path, options)?, keccak(bytes), path)?;
        recognise::recognise(&mut graph);
        Ok(graph)
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

    /// Drops the nodes that the output does not depend on.
    pub(crate) fn prune(&mut self) {
        let mut needed = vec![false; self.values.len()];
        needed[self.output.0] = true;
        for node in self.nodes.iter().rev() {
            if needed[node.output.0] {
                for input in &node.inputs {
                    needed[input.0] = true;
                }
            }
        }
        self.nodes.retain(|node| needed[node.output.0]);
    }

    /// Terms folded by one inference: multiply-adds, comparisons and sums.
    #[must_use]
    pub fn terms(&self) -> u64 {
        self.nodes.iter().fold(0u64, |n, node| n.saturating_add(self.node_terms(node)))
    }

    fn node_terms(&self, node: &Node) -> u64 {
        let input = self.value(node.inputs[0]);
        let each = match &node.op {
            Op::Conv(conv) => conv.weights.len() / conv.outputs.max(1),
            Op::Linear(linear) => linear.weights.len() / linear.outputs.max(1),
            Op::MatMul => input.shape.last().copied().unwrap_or(1),
            Op::MaxPool(window) | Op::AveragePool { window, .. } => window.taps(),
            Op::Reduce { .. } | Op::ArgMax { .. } => return input.elements() as u64,
            Op::Softmax { .. } | Op::Norm(_) => 3,
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
