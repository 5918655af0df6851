//! Which integers hold an activation: type, scale and range.

use narrows_program::DType;

use super::one;
use crate::calibrate::Range;
use crate::error::CompileError;
use crate::fuse::{Maker, Plan, Stage};
use crate::graph::{Binary, Graph, Kind, Op, ValueId};
use crate::overrides::Overrides;
use crate::profile::Profile;
use crate::requantise::Scale;
use crate::unroll::sampler::NOISE_EXPONENT;

/// Steps of a residual stream on either side of 0: it is clamped there, so that a normalisation's squares have a bound.
const WIDE_STEPS: i64 = 1 << 26;
/// What they leave free above the greatest calibrated magnitude, which so has 24 bits.
const WIDE_MARGIN: f64 = 4.0;
/// Binary exponent of the step of what goes into a softmax.
pub(super) const SCORE_EXPONENT: i32 = -10;
/// Above this ratio of a kept affine map's greatest factor to its least, 8 bits hold its output badly:
/// the channels then differ by as much in range. On the MNIST model, whose first normalisation spreads
/// by 200, 16 bits there bring the output from 23 to 31 dB.
const WIDE_SPREAD: f64 = 16.0;

/// The integers behind a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Form {
    /// Their type.
    pub dtype: DType,
    /// The real value of a step.
    pub scale: Scale,
    /// The least that there may be.
    pub lo: i64,
    /// The greatest that there may be.
    pub hi: i64,
}

impl Form {
    /// The whole symmetric range of a type at a scale.
    pub fn whole(dtype: DType, scale: Scale) -> Self {
        Self { dtype, scale, lo: -dtype.max(), hi: dtype.max() }
    }

    /// Integers as they are.
    pub fn integer() -> Self {
        Self::whole(DType::I32, one())
    }

    /// What goes into a softmax.
    pub fn scores() -> Self {
        Self::whole(DType::I32, Scale::power_of_two(SCORE_EXPONENT))
    }

    /// A magnitude as the last value of a type.
    pub fn covering(greatest: f64, dtype: DType) -> Option<Self> {
        if dtype != DType::I32 {
            return Scale::covering(greatest, dtype).map(|scale| Self::whole(dtype, scale));
        }
        let scale = Scale::reaching(greatest, WIDE_STEPS as f64)?;
        Some(Self { dtype, scale, lo: -WIDE_STEPS, hi: WIDE_STEPS })
    }

    /// Within real bounds too, either of them possibly infinite.
    pub fn bounded(self, low: f32, high: f32) -> Self {
        let steps = |bound: f32| {
            let steps = (f64::from(bound) / self.scale.real()).round();
            steps.clamp(self.lo as f64, self.hi as f64) as i64
        };
        Self { lo: steps(low), hi: steps(high), ..self }
    }

    /// The greatest magnitude.
    pub fn reach(self) -> u128 {
        u128::from(self.lo.unsigned_abs().max(self.hi.unsigned_abs()))
    }

    /// A real value in steps, within range; ties away from 0.
    pub fn quantise(self, value: f64) -> i64 {
        (value / self.scale.real()).round().clamp(self.lo as f64, self.hi as f64) as i64
    }
}

/// The form of every activation that is stored.
#[derive(Debug, Clone)]
pub(crate) struct Forms {
    forms: Vec<Option<Form>>,
    /// The narrow form, for products, of those with a wide one.
    narrow: Vec<Option<Form>>,
}

impl Forms {
    /// The form of the input or of a stage's output.
    pub fn of(&self, id: ValueId) -> Form {
        self.forms[id.0].expect("every stage's output has a form")
    }

    /// The form in which products read it: narrow.
    pub fn narrow(&self, id: ValueId) -> Form {
        self.narrow[id.0].unwrap_or_else(|| self.of(id))
    }

    /// Chooses forms by profile, ranges and what reads an activation.
    pub fn new(
        graph: &Graph,
        plan: &Plan,
        ranges: &[Range],
        profile: Profile,
        overrides: &Overrides,
    ) -> Result<Self, CompileError> {
        let classes = classes(graph, plan, profile);
        let empty = vec![None; graph.values.len()];
        let mut forms = Self { forms: empty.clone(), narrow: empty };
        let inputs = [(graph.input, None)].into_iter();
        let stages = plan.stages.iter().map(|stage| (stage.output, Some(stage)));
        let output = plan.root(graph, graph.output);
        // What a spreading map reads has channels of as many sizes.
        let mut spread = vec![false; graph.values.len()];
        for stage in plan.stages.iter().filter(|stage| spreads(stage)) {
            spread[plan.root(graph, stage.inputs[0]).0] = true;
        }
        for (id, stage) in inputs.chain(stages) {
            let wish = stage.map(|stage| {
                let sources = stage.nodes.iter().flat_map(|n| &graph.nodes[*n].sources);
                overrides.of(sources.map(|origin| &origin.name[..]))
            });
            let wish = wish.unwrap_or_default();
            let greatest = wish.range.unwrap_or_else(|| ranges[id.0].magnitude());
            let class = classes[id.0];
            let covering = |dtype: DType, margin: f64| {
                let margin = wish.margin.unwrap_or(margin);
                Form::covering(greatest * margin, dtype).ok_or_else(|| unfit(graph, stage, greatest))
            };
            let own = profile.activations();
            let form = match (class, wish.dtype) {
                (Class::Integer, _) => Form::integer(),
                (_, Some(DType::I32)) => covering(DType::I32, WIDE_MARGIN)?,
                (_, Some(dtype)) => covering(dtype, Profile::margin(dtype, id == output))?,
                (Class::Output, None) => covering(profile.wide(), Profile::margin(profile.wide(), true))?,
                (Class::Scores, None) => Form::scores(),
                (Class::Wide, None) => covering(DType::I32, WIDE_MARGIN)?,
                (Class::Narrow, None) => match stage.map(|stage| &graph.nodes[stage.node].op) {
                    // A greatest value is one of its inputs, so it has their type.
                    Some(Op::MaxPool(_)) => forms.of(plan.root(graph, stage.map_or(id, |s| s.inputs[0]))),
                    Some(Op::Noise { .. }) => Form::whole(DType::I16, Scale::power_of_two(NOISE_EXPONENT)),
                    Some(Op::Softmax { log: false, .. }) => {
                        Form { lo: 0, ..Form::whole(DType::I16, Scale::power_of_two(-15)) }
                    }
                    Some(Op::Embedding(table)) => {
                        let most = table.values.iter().fold(0f32, |most, v| most.max(v.abs()));
                        let scale = Scale::covering(most.into(), DType::I16);
                        Form::whole(DType::I16, scale.ok_or_else(|| unfit(graph, stage, most.into()))?)
                    }
                    _ if stage.is_some_and(spreads) || spread[id.0] => {
                        covering(profile.wide(), Profile::margin(profile.wide(), false))?
                    }
                    _ => covering(own, Profile::margin(own, false))?,
                },
            };
            if form.dtype == DType::I32 && class != Class::Integer {
                // Scores reach further than any scale where a mask is infinite; no product reads those.
                forms.narrow[id.0] = covering(own, Profile::margin(own, false)).ok();
            }
            let (low, high) = stage.map_or((f32::NEG_INFINITY, f32::INFINITY), |s| (s.low, s.high));
            let curved = stage.is_some_and(|stage| !stage.curve.is_empty());
            forms.forms[id.0] = Some(if curved { form } else { form.bounded(low, high) });
        }
        // Inputs are bounded by their type alone.
        if let Some(form) = &mut forms.forms[graph.input.0] {
            form.lo = form.dtype.min();
            form.hi = form.dtype.max();
        }
        Ok(forms)
    }
}

fn unfit(graph: &Graph, stage: Option<&Stage>, greatest: f64) -> CompileError {
    let node = &graph.nodes[stage.map_or(0, |stage| stage.node)];
    CompileError::Node {
        operator: node.operator.clone(),
        node: node.name.clone(),
        detail: format!("values of up to {greatest} cannot be scaled to integers; check the samples"),
    }
}

/// Whether a map spreads its channels.
fn spreads(stage: &Stage) -> bool {
    let factors = stage.scale.values.iter().map(|f| f.abs()).filter(|&f| f > 0.0);
    let (least, greatest) = factors.fold((f64::INFINITY, 0.0f64), |(l, g), f| (l.min(f), g.max(f)));
    greatest > least * WIDE_SPREAD && stage.curve.is_empty()
}

/// What decides about an activation's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Narrow,
    /// Part of a residual stream.
    Wide,
    /// Read by softmaxes, at once or after sums and masks.
    Scores,
    Integer,
    Output,
}

fn classes(graph: &Graph, plan: &Plan, profile: Profile) -> Vec<Class> {
    let readers = plan.readers(graph);
    let output = plan.root(graph, graph.output);
    let norms = graph.nodes.iter().any(|node| matches!(node.op, Op::Norm(_)));
    let residual = profile != Profile::Fast || norms;
    let mut classes = vec![Class::Narrow; graph.values.len()];
    let op = |stage: &Stage| &graph.nodes[stage.node].op;
    for stage in plan.stages.iter().rev() {
        let id = stage.output;
        let read = &readers[id.0];
        let by = |test: &dyn Fn(&Stage, usize) -> bool| {
            read.iter().filter(|(s, slot)| test(&plan.stages[*s], *slot)).count()
        };
        let scores = by(&|reader: &Stage, slot| match op(reader) {
            Op::Softmax { .. } => true,
            Op::Binary(Binary::Add | Binary::Sub) | Op::Mask { .. } => {
                classes[reader.output.0] == Class::Scores
            }
            Op::Select => slot > 0 && classes[reader.output.0] == Class::Scores,
            _ => reader.is_shift() && classes[reader.output.0] == Class::Scores,
        });
        let makes_scores =
            matches!(op(stage), Op::MatMul | Op::Linear(_) | Op::Affine { .. } | Op::Clip { .. })
                || matches!(op(stage), Op::Mask { .. } | Op::Select)
                || matches!(op(stage), Op::Binary(Binary::Add | Binary::Sub | Binary::Mul));
        let sum = |stage: &Stage| is_sum(graph, stage);
        let by_sum = by(&|reader, _| sum(reader));
        let by_norm = by(&|reader, _| matches!(op(reader), Op::Norm(_)));
        let wide = match op(stage) {
            // A normalised row is of one size, so 16 bits lose nothing beside 8-bit weights (MiniLM: cosine .9995 either way).
            Op::Norm(_) => profile == Profile::Exact && by_sum > 0,
            _ => sum(stage) && by_sum + by_norm > 0,
        };
        // Before a softmax that is left out a mask still has to say "never".
        let masked = plan.softmax.is_some() && matches!(op(stage), Op::Mask { .. });
        classes[id.0] = if graph.value(id).kind == Kind::Integer {
            Class::Integer
        } else if id == output {
            if masked { Class::Scores } else { Class::Output }
        } else if scores > 0 && scores == read.len() && makes_scores && stage.curve.is_empty() {
            Class::Scores
        } else if residual && wide && stage.curve.is_empty() {
            Class::Wide
        } else {
            Class::Narrow
        };
    }
    if graph.value(graph.input).kind == Kind::Integer {
        classes[graph.input.0] = Class::Integer;
    }
    debug_assert!(plan.makers[graph.input.0] == Maker::Input);
    classes
}

/// A sum of two activations, or of one and constants that differ: a step of a residual stream.
fn is_sum(graph: &Graph, stage: &Stage) -> bool {
    match graph.nodes[stage.node].op {
        Op::Binary(Binary::Add | Binary::Sub) => stage.curve.is_empty(),
        _ => stage.is_shift() && stage.offset.uniform().is_none(),
    }
}

impl Stage {
    /// Whether it is a map that only adds: no factors but 1, no curve.
    fn is_shift(&self) -> bool {
        self.curve.is_empty()
            && self.inputs.len() == 1
            && self.scale.uniform() == Some(1.0)
            && self.nodes.len() == 1
            && self.offset.uniform() != Some(0.0)
    }
}
