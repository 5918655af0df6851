//! Stages to integer operators: index maps, quantised weights and requantisation records.

mod binary;
pub(crate) mod forms;
mod job;
mod joins;
mod map;
mod matrix;
mod nest;
mod noise;
mod norm;
mod pool;
mod product;
mod reduce;
mod segments;
mod softmax;
mod values;

use std::collections::BTreeMap;

use narrows_commitment::{Digest, keccak};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Operand, Operator, OperatorIndex, Params,
    Source, TensorType, Window,
};

use crate::calibrate::Range;
use crate::error::CompileError;
use crate::fuse::{Plan, Stage};
use crate::graph::{Binary, Graph, Op, ValueId};
use crate::profile::Profile;
use crate::requantise::{Scale, identity, record};
use crate::view::View;
use forms::{Form, Forms};
pub(crate) use job::Stored;
use job::{End, Job, Read};
use nest::{Nest, Order, Reduction};

/// What the lowering of a plan gives.
pub(crate) struct Lowered {
    /// The program's input.
    pub input: Stored,
    /// The operators.
    pub operators: Vec<Operator>,
    /// The constants.
    pub constants: Vec<Constant>,
    /// For each operator what it is.
    pub outputs: Vec<Output>,
}

/// One operator's part in the plan. Stages never decrease along the operators.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The stage it came from, or the stage that needed it.
    pub stage: usize,
    /// What it does in that stage; empty for the whole of it or the end.
    pub role: &'static str,
    /// The activation it holds, if it is one of the graph's.
    pub value: Option<ValueId>,
    /// The output.
    pub stored: Stored,
}

/// The role of an operator that puts a tensor in another order.
pub(crate) const REORDER: &str = "reorder";

/// The lowering in progress.
struct Lowering<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    ranges: &'a [Range],
    forms: Forms,
    profile: Profile,
    split: u32,
    input: Stored,
    operators: Vec<Operator>,
    constants: Vec<Constant>,
    known: BTreeMap<Digest, ConstantIndex>,
    outputs: Vec<Output>,
    values: values::Values,
    /// The stage in hand.
    stage: usize,
}

/// Lowers a plan whose activations have the given forms.
pub(crate) fn lower(
    graph: &Graph,
    plan: &Plan,
    ranges: &[Range],
    forms: Forms,
    profile: Profile,
    split: u32,
) -> Result<Lowered, CompileError> {
    let shape = &graph.value(graph.input).shape;
    let view = View::ordered(shape, &public_order(shape.len()));
    let input = Stored { source: Source::Input, form: forms.of(graph.input), view };
    let mut lowering = Lowering {
        graph,
        plan,
        ranges,
        forms,
        profile,
        split,
        input: input.clone(),
        operators: Vec::new(),
        constants: Vec::new(),
        known: BTreeMap::new(),
        outputs: Vec::new(),
        values: values::Values::new(graph, input.clone()),
        stage: 0,
    };
    for (index, stage) in plan.stages.iter().enumerate() {
        lowering.stage = index;
        lowering.lower_stage(stage)?;
    }
    lowering.finish()?;
    let Lowering { operators, constants, outputs, .. } = lowering;
    Ok(Lowered { input, operators, constants, outputs })
}

/// The order in which a public tensor of so many dimensions is stored, the slowest first: images channels-last,
/// everything else row-major.
pub(crate) fn public_order(rank: usize) -> Vec<usize> {
    if rank == 4 { vec![0, 2, 3, 1] } else { (0..rank).collect() }
}

impl Lowering<'_> {
    fn lower_stage(&mut self, stage: &Stage) -> Result<(), CompileError> {
        let node = &self.graph.nodes[stage.node];
        let stored = match &node.op {
            Op::Conv(conv) => self.conv(stage, conv)?,
            Op::Linear(linear) => self.linear(stage, linear)?,
            Op::MatMul => self.matmul(stage)?,
            Op::Affine { .. } | Op::Clip { .. } | Op::Function(_) | Op::Cast => self.map(stage)?,
            Op::Binary(Binary::Add) => self.sum(stage, 1.0)?,
            Op::Binary(Binary::Sub) => self.sum(stage, -1.0)?,
            Op::Binary(Binary::Mul) => self.multiply(stage)?,
            Op::Binary(Binary::Div) => self.divide(stage)?,
            Op::Binary(Binary::Min) => self.extreme(stage, -1.0)?,
            Op::Binary(Binary::Max) => self.extreme(stage, 1.0)?,
            Op::Binary(Binary::Equal) => self.equal(stage)?,
            Op::Mask { keep, other } => self.mask(stage, keep, other)?,
            Op::Select => self.select(stage)?,
            Op::Softmax { axis, log } => return self.softmax(stage, *axis, *log),
            Op::Norm(norm) => self.norm(stage, norm)?,
            Op::Reduce { reduction, axes, keep } => self.reduce(stage, *reduction, axes, *keep)?,
            Op::ArgMax { axis, keep } => self.argmax(stage, *axis, *keep)?,
            Op::MaxPool(window) => self.max_pool(stage, window)?,
            Op::AveragePool { window, count_padding } => self.average_pool(stage, window, *count_padding)?,
            Op::Embedding(table) => self.embedding(stage, table)?,
            Op::Noise { step } => self.noise(stage, *step)?,
            Op::Concat { axis } => self.concat(stage, *axis)?,
            Op::Pad { before } => self.pad(stage, before)?,
            Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::Expand | Op::Repeat { .. } => {
                unreachable!("these only change a view")
            }
        };
        assert_eq!(stored.shape(), self.graph.value(stage.output).shape, "{} in its shape", node.name);
        // The operator is told of in the activation's own dimensions.
        if let Some(last) = self.outputs.last_mut().filter(|last| last.value == Some(stage.output)) {
            last.stored.view.clone_from(&stored.view);
        }
        self.values.set(stage.output, stored);
        Ok(())
    }

    /// A copy, as it stands: one term, one record, no more.
    fn job(&self, fold: Fold, a: Read, records: Read, form: Form) -> Job {
        let rank = a.view.dims.len();
        Job {
            fold,
            a,
            b: None,
            scales: (0, 0),
            records,
            end: End::Requantise,
            windows: Vec::new(),
            rank,
            order: Order::Follow,
            reduction: Reduction::Free,
            lo: form.lo,
            hi: form.hi,
            form,
        }
    }

    /// Adds an operator, with copies before it where its operands do not fit four loops and three.
    fn emit(
        &mut self,
        role: &'static str,
        value: Option<ValueId>,
        mut job: Job,
    ) -> Result<Stored, CompileError> {
        let nest = match job.nest() {
            Some(nest) => nest,
            None => self.loosened(&mut job)?,
        };
        let operand = |read: &Read, at: usize| Operand {
            source: read.source,
            dtype: read.dtype,
            map: IndexMap {
                base: narrow(read.view.base),
                out: nest.out_steps[at].map(narrow),
                red: nest.red_steps[at].map(narrow),
            },
        };
        let mut windows = [Window::default(); 2];
        let first = nest.windows - job.windows.len();
        windows[first..nest.windows].copy_from_slice(&job.windows);
        let finalise = match &job.end {
            End::Requantise => Finalise::Requantise,
            End::Table(table) => Finalise::Table(*table),
            End::Divide { by, lift } => {
                let mut by = operand(by, job.views().len() - 1);
                by.map.red = [0; 3];
                Finalise::Divide { by, lift: *lift }
            }
            End::Root => Finalise::Root,
        };
        let Source::Constant(constant) = job.records.source else { unreachable!("records are constants") };
        let mut operator = Operator {
            fold: job.fold,
            dtype: job.form.dtype,
            out: nest.out.map(narrow),
            red: nest.red.map(narrow),
            a: operand(&job.a, 0),
            windows,
            pad: if job.fold == Fold::Max { job.a.dtype.min() as i32 } else { 0 },
            b: job.b.as_ref().map(|b| operand(b, 2)),
            scale_a: job.scales.0,
            scale_b: job.scales.1,
            finalise,
            params: Params { constant, out: nest.out_steps[1].map(narrow) },
            lo: job.lo as i32,
            hi: job.hi as i32,
            split: 1,
        };
        operator.split = segments::split(&operator, self.split, |source| self.tensor(source));
        let source = Source::Operator(OperatorIndex(narrow(self.operators.len())));
        let stored = Stored { source, form: job.form, view: nest.view };
        self.operators.push(operator);
        self.outputs.push(Output { stage: self.stage, role, value, stored: stored.clone() });
        Ok(stored)
    }

    /// Copies operands into dense order, one after another, until the loops fit.
    fn loosened(&mut self, job: &mut Job) -> Result<Nest, CompileError> {
        for which in 0..3 {
            let read = match (which, &mut job.end) {
                (0, _) if job.windows.is_empty() => &mut job.a,
                (1, _) => match &mut job.b {
                    Some(b) => b,
                    None => continue,
                },
                (2, End::Divide { by, .. }) => by,
                _ => continue,
            };
            if matches!(read.source, Source::Constant(_)) {
                continue;
            }
            let mut dense = read.clone();
            self.densify(&mut dense)?;
            match which {
                0 => job.a = dense,
                1 => job.b = Some(dense),
                _ => {
                    if let End::Divide { by, .. } = &mut job.end {
                        *by = dense;
                    }
                }
            }
            if let Some(nest) = job.nest() {
                return Ok(nest);
            }
        }
        Err(self
            .fail("its operands have more dimensions in more orders than an operator walks; split the node"))
    }

    /// Adds a constant, or finds the same one.
    fn constant(&mut self, dtype: DType, bytes: Vec<u8>) -> ConstantIndex {
        let next = ConstantIndex(narrow(self.constants.len()));
        let digest = keccak(&bytes);
        let key = keccak(&[&digest.0[..], &[dtype as u8]].concat());
        let index = *self.known.entry(key).or_insert(next);
        if index == next {
            self.constants.push(Constant { dtype, bytes });
        }
        index
    }

    /// A constant of integers, read through a view.
    fn integers(&mut self, dtype: DType, values: impl IntoIterator<Item = i64>, view: View) -> Read {
        let mut bytes = Vec::new();
        values.into_iter().for_each(|value| dtype.write(value, &mut bytes));
        Read { source: Source::Constant(self.constant(dtype, bytes)), dtype, view }
    }

    /// Records of a shape that broadcasts to the operator's dimensions.
    fn records(&mut self, records: &[[u8; 16]], shape: &[usize], to: &[usize]) -> Read {
        let same = records.iter().all(|record| *record == records[0]);
        let (bytes, view) = if same {
            (records[0].to_vec(), View::repeated(to))
        } else {
            (records.concat(), View::dense(shape).expand(to))
        };
        let dtype = DType::Params;
        Read { source: Source::Constant(self.constant(dtype, bytes)), dtype, view }
    }

    fn identity(&mut self, to: &[usize]) -> Read {
        self.records(&[identity()], &[], to)
    }

    /// Type and size of a tensor made so far.
    fn tensor(&self, source: Source) -> TensorType {
        match source {
            Source::Input => {
                let elements = self.input.view.elements() as u64;
                TensorType { dtype: self.input.form.dtype, elements }
            }
            Source::Constant(index) => self.constants[index.0 as usize].tensor(),
            Source::Operator(index) => self.operators[index.0 as usize].tensor(),
        }
    }

    /// A record, or a refusal that names the stage.
    fn record(&self, unit: f64, bias: f64, step: f64, accumulator: u128) -> Result<[u8; 16], CompileError> {
        if unit == step && bias == 0.0 {
            return Ok(identity());
        }
        record(unit, bias, step, accumulator).ok_or_else(|| {
            self.fail(
                "its weights are so large beside its calibrated outputs that no multiplier fits; \
                 calibrate with samples like those it will run on",
            )
        })
    }

    fn fail(&self, detail: impl Into<String>) -> CompileError {
        let node = &self.graph.nodes[self.plan.stages[self.stage].node];
        CompileError::Node { operator: node.operator.clone(), node: node.name.clone(), detail: detail.into() }
    }

    fn shape(&self, id: ValueId) -> &[usize] {
        &self.graph.value(id).shape
    }
}

/// Sizes and steps are bounded by the limits on activations, constants and windows.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("the limits on tensors keep sizes below 2^32")
}

/// The greatest magnitude of a type's values.
fn reach(dtype: DType) -> u128 {
    u128::from(dtype.min().unsigned_abs())
}

/// The dimensions that are not among `axes`, and then those.
fn axes_last(rank: usize, axes: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let kept: Vec<usize> = (0..rank).filter(|dim| !axes.contains(dim)).collect();
    let order = kept.iter().chain(axes).copied().collect();
    (kept, order)
}

/// A scale of one.
fn one() -> Scale {
    Scale::power_of_two(0)
}
