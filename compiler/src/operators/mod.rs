//! Nodes of the file to typed operators: arity, attributes, constants and output shapes, all checked.

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

use std::rc::Rc;

use crate::build::{Builder, Made, Term, unique};
use crate::constant::Constant;
use crate::error::{CompileError, Names, quote};
use crate::fold;
use crate::graph::{Kind, Op, Tensor, ValueId};
use crate::limits::MAX_ALL_WEIGHTS;
use crate::onnx::RawNode;
use crate::unroll::sampler::NOISE;

/// Every ONNX operator that is compiled, in alphabetical order; of constants alone, those that are folded too.
pub const SUPPORTED_OPERATORS: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil (constants)",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv (constant weights)",
    "ConvTranspose (constant weights)",
    "Cos",
    "CumSum (constants)",
    "DepthToSpace",
    "Div",
    "Dropout",
    "Einsum (two terms)",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor (constants)",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater (constants)",
    "GreaterOrEqual (constants)",
    "GroupNormalization",
    "GRU (constant weights)",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "LeakyRelu",
    "Less (constants)",
    "LessOrEqual (constants)",
    "Log",
    "LogSoftmax",
    "LSTM (constant weights)",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mish",
    "Mod (constants)",
    "Mul",
    "Neg",
    "Not",
    "OneHot",
    "Or",
    "Pad",
    "Pow (a constant exponent or base)",
    "PRelu (constant slope)",
    "Range (constants)",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize (nearest)",
    "RMSNormalization",
    "Round (constants)",
    "Shape",
    "Sigmoid",
    "Sign (constants)",
    "SimplifiedLayerNormalization",
    "Sin",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "Tile",
    "Transpose",
    "Trilu (constants)",
    "Unsqueeze",
    "Upsample (nearest)",
    "Where",
];

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

    /// Number of inputs; empty names at the end do not count.
    fn given(&self) -> usize {
        self.node.inputs.iter().rposition(|i| !i.is_empty()).map_or(0, |last| last + 1)
    }

    /// Refuses a node with another number of inputs.
    pub(crate) fn arity(&self, least: usize, most: usize) -> Result<(), CompileError> {
        let n = self.given();
        if (least..=most).contains(&n) {
            return Ok(());
        }
        Err(self.fail(format!("it has {n} inputs, {least} to {most} are expected")))
    }

    /// An input that may be left out.
    pub(crate) fn optional(&self, index: usize) -> Result<Option<Term>, CompileError> {
        let Some(name) = self.node.inputs.get(index).filter(|name| !name.is_empty()) else { return Ok(None) };
        match self.builder.names.get(name) {
            Some(term) => Ok(Some(term.clone())),
            None => Err(self.fail(format!(
                "its input {} is an output of another node that is not compiled; export the model without it",
                quote(name)
            ))),
        }
    }

    pub(crate) fn term(&self, index: usize) -> Result<Term, CompileError> {
        self.optional(index)?.ok_or_else(|| self.missing(index))
    }

    fn all_constant(&self) -> Result<bool, CompileError> {
        for index in 0..self.node.inputs.len() {
            if matches!(self.optional(index)?, Some(Term::Value(_))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An input that must be an activation.
    fn activation(&self, index: usize) -> Result<ValueId, CompileError> {
        match self.term(index)? {
            Term::Value(id) => Ok(id),
            Term::Constant(_) => Err(self.fail(format!(
                "its input {} is constant, where a value that depends on the model's input is expected",
                quote(&self.node.inputs[index])
            ))),
        }
    }

    /// An input that must be an activation of real numbers.
    fn real(&self, index: usize) -> Result<ValueId, CompileError> {
        let x = self.activation(index)?;
        self.check_real(x)?;
        Ok(x)
    }

    fn check_real(&self, x: ValueId) -> Result<(), CompileError> {
        if self.kind_of(x) == Kind::Real {
            return Ok(());
        }
        Err(self.fail("it computes with integers that depend on the input; cast them to float before it"))
    }

    fn shape_of(&self, id: ValueId) -> &[usize] {
        &self.builder.values[id.0].shape
    }

    fn kind_of(&self, id: ValueId) -> Kind {
        self.builder.values[id.0].kind
    }

    fn term_shape(&self, term: &Term) -> Vec<usize> {
        match term {
            Term::Constant(constant) => constant.shape.clone(),
            Term::Value(id) => self.shape_of(*id).to_vec(),
        }
    }

    /// An input that may be left out and must be constant.
    fn optional_constant(&self, index: usize) -> Result<Option<Rc<Constant>>, CompileError> {
        match self.optional(index)? {
            None => Ok(None),
            Some(Term::Constant(constant)) => Ok(Some(constant)),
            Some(Term::Value(_)) => Err(self.fail(format!(
                "its input {} depends on the model's input, where a constant is expected",
                quote(&self.node.inputs[index])
            ))),
        }
    }

    /// An input that must be constant.
    pub(crate) fn constant(&self, index: usize) -> Result<Rc<Constant>, CompileError> {
        self.optional_constant(index)?.ok_or_else(|| self.missing(index))
    }

    /// The elements of a constant as floats, which must be finite.
    fn floats(&self, constant: &Constant, index: usize) -> Result<Vec<f32>, CompileError> {
        let values = constant.to_f32();
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(at) => Err(self.fail(format!("its input {index} holds {} at {at}", values[at]))),
        }
    }

    fn tensor(&self, constant: &Constant, index: usize) -> Result<Tensor, CompileError> {
        Ok(Tensor { shape: constant.shape.clone(), values: self.floats(constant, index)? })
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
        self.floats(&constant, index)
    }

    /// A list of integers given as an attribute (old) or as a constant input (new).
    fn listed(&mut self, name: &str, index: usize) -> Result<Option<Vec<i64>>, CompileError> {
        let attribute = self.node.attributes.ints(name)?;
        let Some(constant) = self.optional_constant(index)? else { return Ok(attribute) };
        match constant.to_i64() {
            Some(values) if attribute.is_none() && constant.shape.len() <= 1 => Ok(Some(values.to_vec())),
            _ => Err(self.fail(format!("its {name} are not one list of integers given once"))),
        }
    }

    /// An axis that may count from the end, of a shape with so many dimensions.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Result<usize, CompileError> {
        let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        from_front.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank).ok_or_else(|| {
            self.node.attributes.refuse("axis", format!("it is {axis}, and there are {rank} dimensions"))
        })
    }

    fn missing(&self, index: usize) -> CompileError {
        self.fail(format!("its input {index} is missing"))
    }
}
