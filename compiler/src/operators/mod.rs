//! Nodes of the file to typed operators: arity, attributes, constants and output shapes, all checked.

mod linear;
mod pointwise;
mod pool;
mod shape;

use std::collections::BTreeMap;

use crate::constant::Constant;
use crate::error::{CompileError, Names, quote};
use crate::graph::{Op, Value, ValueId};
use crate::onnx::RawNode;

/// Every ONNX operator that is compiled, in alphabetical order.
pub const SUPPORTED_OPERATORS: [&str; 17] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Constant",
    "Conv",
    "Dropout",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LogSoftmax (last)",
    "MatMul (constant right side)",
    "MaxPool",
    "Relu",
    "Reshape (constant shape)",
    "Softmax (last)",
];

/// What a node turned out to be.
pub(crate) enum Read {
    /// A tensor that does not depend on the input.
    Constant(Constant),
    /// An operator on activations.
    Node {
        op: Op,
        inputs: Vec<ValueId>,
        /// Of the output, with the batch dimension.
        shape: Vec<usize>,
    },
}

/// One node together with all it may refer to.
pub(crate) struct Reader<'a> {
    pub node: RawNode,
    pub values: &'a [Value],
    pub known: &'a BTreeMap<String, ValueId>,
    pub constants: &'a BTreeMap<String, Constant>,
}

impl<'a> Reader<'a> {
    /// Reads the node, and refuses it if any attribute or input is left over.
    pub(crate) fn read(&mut self) -> Result<Read, CompileError> {
        let operator = self.node.operator.clone();
        if self.node.outputs.first().is_none_or(String::is_empty) {
            return Err(self.fail("it has no output"));
        }
        let read = match operator.as_str() {
            "Add" => self.add(),
            "AveragePool" => self.average_pool(),
            "BatchNormalization" => self.batch_normalization(),
            "Clip" => self.clip(),
            "Constant" => self.constant_node(),
            "Conv" => self.conv(),
            "Dropout" => self.dropout(),
            "Flatten" => self.flatten(),
            "Gemm" => self.gemm(),
            "GlobalAveragePool" => self.global_average_pool(),
            "Identity" => self.identity(),
            "LogSoftmax" | "Softmax" => self.softmax(operator == "LogSoftmax"),
            "MatMul" => self.mat_mul(),
            "MaxPool" => self.max_pool(),
            "Relu" => self.relu(),
            "Reshape" => self.reshape(),
            _ => Err(CompileError::UnsupportedOperator {
                operator,
                node: self.node.name.clone(),
                supported: Names(SUPPORTED_OPERATORS.map(String::from).to_vec()),
            }),
        }?;
        self.node.attributes.finish()?;
        Ok(read)
    }

    /// An error about this node.
    fn fail(&self, detail: impl Into<String>) -> CompileError {
        CompileError::Node {
            operator: self.node.operator.clone(),
            node: self.node.name.clone(),
            detail: detail.into(),
        }
    }

    /// Refuses a node with another number of inputs; empty names at the end do not count.
    fn arity(&self, least: usize, most: usize) -> Result<(), CompileError> {
        let n = self.node.inputs.iter().rposition(|i| !i.is_empty()).map_or(0, |last| last + 1);
        if (least..=most).contains(&n) {
            return Ok(());
        }
        Err(self.fail(format!("it has {n} inputs, {least} to {most} are expected")))
    }

    fn input_name(&self, index: usize) -> Option<&str> {
        self.node.inputs.get(index).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// An input that must be an activation.
    fn activation(&self, index: usize) -> Result<ValueId, CompileError> {
        let name = self.input_name(index).ok_or_else(|| self.missing(index))?;
        self.known.get(name).copied().ok_or_else(|| {
            let what = if self.constants.contains_key(name) {
                "is constant, where a value that depends on the model's input is expected"
            } else {
                "is a second output of another node, and only first outputs are compiled"
            };
            self.fail(format!("its input {} {what}", quote(name)))
        })
    }

    fn shape_of(&self, id: ValueId) -> &'a [usize] {
        &self.values[id.0].shape
    }

    /// The shape of an activation of four dimensions, without the batch: channels, height, width.
    fn image(&self, id: ValueId) -> Result<[usize; 3], CompileError> {
        match *self.shape_of(id) {
            [1, c, h, w] => Ok([c, h, w]),
            ref other => Err(self.fail(format!(
                "its input has shape {other:?}; a batch of 1 of channels x height x width is expected"
            ))),
        }
    }

    /// An input that may be left out and must be constant.
    fn optional_constant(&self, index: usize) -> Result<Option<&'a Constant>, CompileError> {
        let Some(name) = self.input_name(index) else { return Ok(None) };
        self.constants.get(name).map(Some).ok_or_else(|| {
            self.fail(format!(
                "its input {} depends on the model's input, where a constant is expected",
                quote(name)
            ))
        })
    }

    /// An input that must be constant.
    fn constant(&self, index: usize) -> Result<&'a Constant, CompileError> {
        self.optional_constant(index)?.ok_or_else(|| self.missing(index))
    }

    /// The elements of a constant, which must be finite floats.
    fn floats(&self, constant: &Constant, index: usize) -> Result<Vec<f32>, CompileError> {
        let values = constant
            .to_f32()
            .ok_or_else(|| self.fail(format!("its input {index} holds integers, not floats")))?;
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(at) => Err(self.fail(format!("its input {index} holds {} at {at}", values[at]))),
        }
    }

    /// A constant vector with one finite float per channel.
    fn per_channel(&self, index: usize, channels: usize) -> Result<Vec<f32>, CompileError> {
        let constant = self.constant(index)?;
        if constant.shape != [channels] {
            return Err(self.fail(format!(
                "its input {index} has shape {:?}, [{channels}] is expected",
                constant.shape
            )));
        }
        self.floats(constant, index)
    }

    fn missing(&self, index: usize) -> CompileError {
        self.fail(format!("its input {index} is missing"))
    }
}
