//! Nodes of the file to typed operators: arity, attributes, constants and output shapes, all checked.

mod arguments;
mod arithmetic;
mod conv;
mod einsum;
mod function;
mod logic;
mod moves;
mod norm;
mod pieces;
mod pool;
mod product;
mod recurrent;
mod reduce;
mod resize;
mod shape;
mod supported;

use std::rc::Rc;

use crate::build::{Builder, Made, Term, unique};
use crate::error::{CompileError, Names};
use crate::fold;
use crate::graph::{Kind, Op, ValueId};
use crate::limits::MAX_ALL_WEIGHTS;
use crate::onnx::RawNode;
use crate::unroll::sampler::NOISE;

pub use supported::SUPPORTED_OPERATORS;

/// One node together with all it may refer to.
pub(crate) struct Reader<'a> {
    pub node: RawNode,
    pub builder: &'a mut Builder,
}

impl Reader<'_> {
    /// Reads the node, adds what it stands for, and refuses it if any attribute or input is left over.
    pub(crate) fn read(mut self) -> Result<(), CompileError> {
        if self.node.outputs.iter().all(String::is_empty) {
            return Err(self.fail("it has no output"));
        }
        let operator = self.node.operator.clone();
        if !self.moved(&operator)? {
            if self.all_constant()? {
                let constant = fold::fold(&mut self)?;
                self.bind(0, constant.into());
            } else if !self.computed(&operator)? {
                return Err(self.unsupported());
            }
        }
        if self.builder.folded > MAX_ALL_WEIGHTS {
            return Err(self.fail(format!(
                "up to it the model folds constants of more than {MAX_ALL_WEIGHTS} elements; simplify it first"
            )));
        }
        self.node.attributes.finish()
    }

    /// Operators that compute nothing, of constants and of activations.
    fn moved(&mut self, operator: &str) -> Result<bool, CompileError> {
        match operator {
            "Cast" => self.cast(),
            "Concat" => self.concat_node(),
            "Constant" => self.constant_node(),
            "ConstantOfShape" => self.constant_of_shape(),
            "DepthToSpace" => self.depth_to_space(),
            "Dropout" => self.dropout(),
            "Expand" => self.expand_node(),
            "Flatten" => self.flatten(),
            "Gather" => self.gather(),
            "Identity" => self.identity(),
            "Pad" => self.pad_node(),
            "Reshape" => self.reshape_node(),
            "Resize" | "Upsample" => self.resize(),
            "Shape" => self.shape_node(),
            "Size" => self.size_node(),
            "Slice" => self.slice_node(),
            "SpaceToDepth" => self.space_to_depth(),
            "Split" => self.split(),
            "Squeeze" => self.squeeze(),
            "Tile" => self.tile(),
            "Transpose" => self.transpose_node(),
            "Unsqueeze" => self.unsqueeze(),
            _ => return Ok(false),
        }
        .map(|()| true)
    }

    /// Operators on at least one activation.
    fn computed(&mut self, operator: &str) -> Result<bool, CompileError> {
        match operator {
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(operator),
            "And" | "Or" => self.and_or(operator),
            "ArgMax" => self.arg_max(),
            "AveragePool" => self.average_pool(),
            "BatchNormalization" => self.batch_normalization(),
            "Clip" => self.clip(),
            "Conv" => self.conv(),
            "ConvTranspose" => self.conv_transpose(),
            "Einsum" => self.einsum(),
            "Equal" => self.equal(),
            "Gemm" => self.gemm(),
            "GlobalAveragePool" | "GlobalMaxPool" => self.global_pool(operator == "GlobalMaxPool"),
            "GroupNormalization" => self.group_normalization(),
            "GRU" => self.gru(),
            "InstanceNormalization" => self.instance_normalization(),
            "LayerNormalization" => self.layer_normalization(true),
            "RMSNormalization" | "SimplifiedLayerNormalization" => self.layer_normalization(false),
            "LogSoftmax" | "Softmax" => self.softmax(operator == "LogSoftmax"),
            "LSTM" => self.lstm(),
            "MatMul" => self.mat_mul(),
            "Max" | "Min" => self.extreme(operator == "Max"),
            "MaxPool" => self.max_pool(),
            "Mish" => self.mish(),
            "Neg" => self.neg(),
            NOISE => self.noise(),
            "Not" => self.not(),
            "OneHot" => self.one_hot(),
            "Pow" => self.pow(),
            "PRelu" => self.p_relu(),
            "ReduceL1" | "ReduceL2" | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum"
            | "ReduceSumSquare" => self.reduce(operator),
            "Relu" => self.relu(),
            "Sum" => self.sum(),
            "Where" => self.select(),
            _ => return self.function(operator),
        }
        .map(|()| true)
    }

    fn unsupported(&self) -> CompileError {
        CompileError::UnsupportedOperator {
            operator: self.node.operator.clone(),
            node: self.node.name.clone(),
            supported: Names(SUPPORTED_OPERATORS.iter().map(|&name| name.into()).collect()),
        }
    }

    /// An error about this node.
    pub(crate) fn fail(&self, detail: impl Into<String>) -> CompileError {
        CompileError::Node {
            operator: self.node.operator.clone(),
            node: self.node.name.clone(),
            detail: detail.into(),
        }
    }

    /// Adds a node that is a part of this one.
    fn emit(
        &mut self,
        part: &str,
        op: Op,
        inputs: Vec<ValueId>,
        shape: Vec<usize>,
        kind: Kind,
    ) -> Result<ValueId, CompileError> {
        self.builder.add(&self.node, part, op, inputs, Made { shape, kind })
    }

    /// Adds a node whose output is like its one input.
    fn emit_like(&mut self, part: &str, op: Op, x: ValueId) -> Result<ValueId, CompileError> {
        let (shape, kind) = (self.shape_of(x).to_vec(), self.kind_of(x));
        self.emit(part, op, vec![x], shape, kind)
    }

    /// Says what an output of this node is. The node that makes it takes the source's names.
    pub(crate) fn bind(&mut self, index: usize, term: Term) {
        let Some(output) = self.node.outputs.get(index).filter(|name| !name.is_empty()) else { return };
        if let Term::Constant(constant) = &term
            && Rc::strong_count(constant) == 1
        {
            self.builder.folded += constant.len();
        }
        if let Term::Value(id) = term
            && let Some(maker) = self.builder.makers[id.0]
            && let node = &mut self.builder.nodes[maker]
            && node.sources.iter().all(|origin| origin.name == self.node.name)
            && self.builder.values[id.0].name == node.name
        {
            if index == 0 {
                node.name = unique(&mut self.builder.taken, self.node.name.clone());
            }
            self.builder.values[id.0].name.clone_from(output);
        }
        self.builder.names.insert(output.clone(), term);
    }

    fn bind_value(&mut self, id: ValueId) {
        self.bind(0, Term::Value(id));
    }
}
