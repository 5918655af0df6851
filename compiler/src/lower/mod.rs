//! Stages to integer operators: index maps, quantised weights and requantisation records.

mod moves;
mod product;
mod segments;

use std::collections::BTreeMap;

use narrows_program::{
    Constant, ConstantIndex, DType, Fold, IndexMap, Operand, Operator, OperatorIndex, Params, Source,
    TensorType, Window,
};

use crate::error::CompileError;
use crate::fuse::{From, Kind, Plan, Reading, Stage};
use crate::graph::Graph;
use crate::layout::{Dims, Layout, Steps};
use crate::profile::Profile;
use crate::requantise::{Scale, record};

/// A stored tensor with what its integers mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    pub source: Source,
    pub dtype: DType,
    pub scale: Scale,
    pub layout: Layout,
}

/// Type and scale of one stage's output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutputType {
    pub dtype: DType,
    pub scale: Scale,
}

/// What the lowering of a plan gives.
pub(crate) struct Lowered {
    pub input: Stored,
    pub operators: Vec<Operator>,
    pub constants: Vec<Constant>,
    /// For each operator: the stage it came from, or the stage that needed it moved, and its output.
    pub outputs: Vec<Output>,
}

/// One operator's part in the plan. Stages never decrease along the operators.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub stage: usize,
    /// Whether it only puts an input of that stage in another order.
    pub is_move: bool,
    pub stored: Stored,
}

/// The lowering in progress.
struct Lowering<'a> {
    graph: &'a Graph,
    profile: Profile,
    split: u32,
    input: Stored,
    operators: Vec<Operator>,
    constants: Vec<Constant>,
    known: BTreeMap<(u8, Vec<u8>), ConstantIndex>,
    outputs: Vec<Output>,
    /// What each stage ended in.
    made: Vec<Stored>,
}

/// Lowers a plan whose input and stages have the given types.
pub(crate) fn lower(
    graph: &Graph,
    plan: &Plan,
    profile: Profile,
    split: u32,
    input: OutputType,
    types: &[OutputType],
) -> Result<Lowered, CompileError> {
    let layout = Layout(graph.value(graph.input).channels_height_width());
    let input = Stored { source: Source::Input, dtype: input.dtype, scale: input.scale, layout };
    let mut lowering = Lowering {
        graph,
        profile,
        split,
        input,
        operators: Vec::new(),
        constants: Vec::new(),
        known: BTreeMap::new(),
        outputs: Vec::new(),
        made: Vec::new(),
    };
    for (index, stage) in plan.stages.iter().enumerate() {
        lowering.stage(index, stage, types[index])?;
    }
    lowering.finish(plan);
    let Lowering { operators, constants, outputs, .. } = lowering;
    Ok(Lowered { input, operators, constants, outputs })
}

impl Lowering<'_> {
    fn stage(&mut self, index: usize, stage: &Stage, output: OutputType) -> Result<(), CompileError> {
        let (mut operator, layout) = match &stage.kind {
            Kind::Conv { weights, bias, groups, window } => {
                self.conv(index, stage, (weights, bias), *groups, window, output)?
            }
            Kind::Linear { weights, bias } => self.linear(stage, weights, bias, output)?,
            Kind::Affine(affine) => self.affine(index, stage, affine, output)?,
            Kind::MaxPool(window) => self.max_pool(index, stage, window)?,
            Kind::AveragePool { window, count_padding } => {
                self.average_pool(index, stage, window, *count_padding, output)?
            }
            Kind::Add => self.pair(index, stage, output)?,
        };
        // A pool keeps its input's steps.
        let output = match stage.kind {
            Kind::MaxPool(_) => {
                let input = self.stored(stage.inputs[0].from);
                OutputType { dtype: input.dtype, scale: input.scale }
            }
            _ => output,
        };
        operator.dtype = output.dtype;
        operator.lo = bound(stage.low, output);
        operator.hi = bound(stage.high, output);
        let stored = self.push(index, false, operator, output, layout);
        self.made.push(stored);
        Ok(())
    }

    /// Adds an operator whose operands are set.
    fn push(
        &mut self,
        stage: usize,
        is_move: bool,
        mut operator: Operator,
        output: OutputType,
        layout: Layout,
    ) -> Stored {
        operator.split = segments::split(&operator, self.split, |source| self.tensor(source));
        let source = Source::Operator(OperatorIndex(narrow(self.operators.len())));
        let stored = Stored { source, dtype: output.dtype, scale: output.scale, layout };
        self.operators.push(operator);
        self.outputs.push(Output { stage, is_move, stored });
        stored
    }

    /// The tensor behind a reading.
    fn stored(&self, from: From) -> Stored {
        match from {
            From::Input => self.input,
            From::Stage(id) => self.made[id.0],
        }
    }

    /// A reading as an image of its dimensions, after a move where no steps would do.
    fn image(&mut self, stage: usize, reading: Reading) -> (Stored, Steps) {
        self.image_of(stage, self.stored(reading.from), reading.dims)
    }

    fn image_of(&mut self, stage: usize, stored: Stored, dims: Dims) -> (Stored, Steps) {
        match stored.layout.view(dims) {
            Some(steps) => (stored, steps),
            None => {
                let moved = self.plain_copy(stage, stored);
                let steps = moved.layout.view(dims).expect("a plain layout reads as anything");
                (moved, steps)
            }
        }
    }

    /// Adds a constant, or finds the same one.
    fn constant(&mut self, dtype: DType, bytes: Vec<u8>) -> ConstantIndex {
        let next = ConstantIndex(narrow(self.constants.len()));
        let index = *self.known.entry((dtype as u8, bytes.clone())).or_insert(next);
        if index == next {
            self.constants.push(Constant { dtype, bytes });
        }
        index
    }

    /// Type and size of a tensor made so far.
    fn tensor(&self, source: Source) -> TensorType {
        match source {
            Source::Input => {
                TensorType { dtype: self.input.dtype, elements: self.input.layout.elements() as u64 }
            }
            Source::Constant(index) => self.constants[index.0 as usize].tensor(),
            Source::Operator(index) => self.operators[index.0 as usize].tensor(),
        }
    }

    /// A record for one channel of a stage.
    fn record(
        &self,
        stage: &Stage,
        unit: f64,
        bias: f64,
        output: OutputType,
        accumulator: u128,
    ) -> Result<[u8; 16], CompileError> {
        record(unit, bias, output.scale, accumulator).ok_or_else(|| {
            self.fail(
                stage,
                "its weights are so large beside its calibrated outputs that no multiplier fits; \
                 calibrate with samples like those it will run on",
            )
        })
    }

    fn fail(&self, stage: &Stage, detail: impl Into<String>) -> CompileError {
        let node = &self.graph.nodes[stage.nodes[0]];
        CompileError::Node { operator: node.operator.clone(), node: node.name.clone(), detail: detail.into() }
    }
}

/// An operator with nothing but its first operand.
fn bare(fold: Fold, a: &Stored, map: IndexMap, params: ConstantIndex) -> Operator {
    Operator {
        fold,
        dtype: a.dtype,
        out: [1; 4],
        red: [1; 3],
        a: Operand { source: a.source, dtype: a.dtype, map },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        params: Params { constant: params, out: [0; 4] },
        lo: 0,
        hi: 0,
        split: 1,
    }
}

/// Steps for an output of height x width x channels.
fn out_steps(steps: Steps) -> [u32; 4] {
    [narrow(steps[1]), narrow(steps[2]), narrow(steps[0]), 0]
}

/// An output of height x width x channels.
fn out_dims(dims: Dims) -> [u32; 4] {
    [narrow(dims[1]), narrow(dims[2]), narrow(dims[0]), 1]
}

/// A real bound in output steps, within the symmetric range of the type.
fn bound(real: f32, output: OutputType) -> i32 {
    output.scale.quantise(f64::from(real), output.dtype) as i32
}

/// The greatest magnitude of a type's values.
fn reach(dtype: DType) -> u128 {
    u128::from(dtype.min().unsigned_abs())
}

/// Sizes and steps are bounded by the limits on activations, constants and windows.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("the limits on tensors keep sizes below 2^32")
}
