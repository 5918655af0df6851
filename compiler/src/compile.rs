//! A graph and calibration samples to a legal program.

use burn::tensor::Device;
use narrows_commitment::{Digest, keccak};
use narrows_program::{BoundFile, Meta, OperatorMeta, Program, ProgramParts, TensorMeta, TensorType};

use crate::calibrate::{self, Range};
use crate::error::CompileError;
use crate::float::FloatModel;
use crate::fuse::{self, Plan};
use crate::graph::{Graph, Value};
use crate::layers::{self, LayersOption};
use crate::lower::forms::Forms;
use crate::lower::{Lowered, Output, REORDER, lower};
use crate::overrides::Overrides;
use crate::profile::Profile;
use crate::progress::Progress;
use crate::requantise::Scale;
use crate::samples::Samples;

/// What a compilation may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Integer types; by the graph's operators where nobody chooses ([`Profile::suited`]).
    pub profile: Option<Profile>,
    /// What is set otherwise for single tensors.
    pub overrides: Overrides,
    /// Most terms in a segment of a fold; less is taken where a step would open too much.
    pub split: u32,
    /// Levels of a tree that one reveal covers, 1 to 6.
    pub reveal_bits: u8,
    /// Where the operators are cut into layers.
    pub layers: LayersOption,
    /// Files that belong to the model, such as a tokenizer: their hashes become part of the program's root.
    pub bound: Vec<BoundFile>,
    /// Where the float runs are done.
    pub device: Device,
}

impl Default for Options {
    fn default() -> Self {
        let layers = LayersOption::default();
        let overrides = Overrides::default();
        Self {
            profile: None,
            overrides,
            split: 1024,
            reveal_bits: 4,
            layers,
            bound: Vec::new(),
            device: Device::flex(),
        }
    }
}

/// A compiled model, ready to be saved and to be compared with its source.
pub struct Compiled<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) device: Device,
    pub(crate) profile: Profile,
    pub(crate) layers: LayersOption,
    pub(crate) plan: Plan,
    pub(crate) ranges: Vec<Range>,
    pub(crate) outputs: Vec<Output>,
    program: Program,
}

impl Compiled<'_> {
    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program alone.
    #[must_use]
    pub fn into_program(self) -> Program {
        self.program
    }
}

/// Compiles a graph. The calibration samples should be like those the model will run on: the
/// greatest magnitude they reach in each activation becomes the last value of its integer type.
///
/// # Errors
/// [`CompileError::Samples`] for unusable samples, [`CompileError::ActivationNotFinite`],
/// [`CompileError::Node`] where a node's numbers fit no integers, [`CompileError::Layers`] for layers
/// of no or too many operators, [`CompileError::Illegal`] for a model past the protocol's limits.
pub fn compile<'a>(
    graph: &'a Graph,
    calibration: &Samples,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Compiled<'a>, CompileError> {
    options.layers.check()?;
    options.overrides.check(graph)?;
    check_samples("calibration", graph, &calibration.inputs)?;
    let profile = options.profile.unwrap_or_else(|| Profile::suited(graph));
    let plan = fuse::plan(graph)?;
    let model = FloatModel::new(graph, options.device.clone());
    let ranges = calibrate::ranges(graph, &model, &calibration.inputs, progress)?;
    drop(model);
    let forms = Forms::new(graph, &plan, &ranges, profile, &options.overrides)?;
    let lowered = lower(graph, &plan, &ranges, forms, profile, options.split)?;
    let mut meta = meta(graph, &plan, &lowered, profile, &calibration.inputs);
    meta.bound.clone_from(&options.bound);
    let outputs = lowered.outputs;
    let stages: Vec<usize> = outputs.iter().map(|output| output.stage).collect();
    let groups = layers::groups(options.layers, &lowered.operators, &stages);
    let program = Program::new(ProgramParts {
        input: TensorType {
            dtype: lowered.input.form.dtype,
            elements: graph.value(graph.input).elements() as u64,
        },
        operators: lowered.operators,
        groups,
        constants: lowered.constants,
        reveal_bits: options.reveal_bits,
        meta,
    })?;
    let (device, layers) = (options.device.clone(), options.layers);
    Ok(Compiled { graph, device, profile, layers, plan, ranges, outputs, program })
}

/// Refuses a set of samples that is empty or of another shape.
pub(crate) fn check_samples(
    what: &'static str,
    graph: &Graph,
    samples: &[Vec<f32>],
) -> Result<(), CompileError> {
    let expected = graph.value(graph.input).elements();
    let detail = match samples.iter().position(|sample| sample.len() != expected) {
        Some(at) => format!(
            "sample {at} has {} elements, and the model takes {expected}; load them for this model",
            samples[at].len()
        ),
        None if samples.is_empty() => "there are none; give at least one".into(),
        None => return Ok(()),
    };
    Err(CompileError::Samples { what, detail })
}

fn meta(graph: &Graph, plan: &Plan, lowered: &Lowered, profile: Profile, calibration: &[Vec<f32>]) -> Meta {
    let tensor = |value: &Value, scale: Scale| TensorMeta {
        name: value.name.clone(),
        shape: value.shape.iter().map(|&d| d as u32).collect(),
        scale_bits: scale.bits(),
    };
    let last = &lowered.outputs.last().expect("a plan has at least one stage").stored;
    let operators = lowered.outputs.iter().map(|output| {
        let nodes: &[usize] = if output.role == REORDER { &[] } else { &plan.stages[output.stage].nodes };
        let origins: Vec<_> = nodes.iter().flat_map(|&n| &graph.nodes[n].sources).collect();
        OperatorMeta {
            nodes: origins.iter().map(|origin| origin.name.clone()).collect(),
            operators: origins.iter().map(|origin| origin.operator.clone()).collect(),
            scale_bits: output.stored.form.scale.bits(),
            shape: output.stored.view.shape().into_iter().map(|d| d as u32).collect(),
        }
    });
    Meta {
        name: graph.name.clone(),
        source: graph.source,
        compiler: concat!("narrows-compiler ", env!("CARGO_PKG_VERSION")).into(),
        calibration: samples_hash(calibration),
        profile: profile.name().into(),
        bound: Vec::new(),
        input: tensor(graph.value(graph.input), lowered.input.form.scale),
        output: tensor(graph.value(graph.output), last.form.scale),
        operators: operators.collect(),
    }
}

/// Hash of samples: their number and length, then their values as little-endian `f32`.
fn samples_hash(samples: &[Vec<f32>]) -> Digest {
    let each = samples.first().map_or(0, Vec::len);
    let mut bytes = Vec::with_capacity(16 + samples.len() * each * 4);
    bytes.extend((samples.len() as u64).to_le_bytes());
    bytes.extend((each as u64).to_le_bytes());
    for value in samples.iter().flatten() {
        bytes.extend(value.to_le_bytes());
    }
    keccak(&bytes)
}
