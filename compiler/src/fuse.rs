//! Groups the graph's nodes into stages: what becomes one integer operator each.
//!
//! Batch normalisations and biases go into the product before them: every output channel has a
//! weight scale and a record of its own, so that costs no precision however far their factors
//! spread. One that follows anything else stays an operator of its own; folding it *forward* into
//! a product would put its factors on one scale (37 dB fell to 22 on the MNIST model).

use crate::error::CompileError;
use crate::graph::{Affine, Graph, Node, Op, ValueId};
use crate::layout::Dims;
use crate::window::Window;

/// Index of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StageId(pub usize);

/// Who makes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Input,
    Stage(StageId),
}

/// A value as one stage reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub from: From,
    /// The dimensions it is read as, after any reshapes.
    pub dims: Dims,
}

/// The arithmetic of a stage, before its bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Weights `[output][input channel of its group][row][column]`.
    Conv {
        weights: Vec<f64>,
        bias: Vec<f64>,
        groups: usize,
        window: Window,
    },
    /// Weights `[output][input]`.
    Linear {
        weights: Vec<f64>,
        bias: Vec<f64>,
    },
    Affine(Affine),
    MaxPool(Window),
    AveragePool {
        window: Window,
        count_padding: bool,
    },
    Add,
}

/// Above this ratio of a kept affine map's greatest factor to its least, 8 bits hold its output badly:
/// the channels then differ by as much in range. On the MNIST model, whose first normalisation spreads
/// by 200, 16 bits there bring the output from 23 to 31 dB.
const WIDE_SPREAD: f64 = 16.0;

impl Kind {
    /// Whether its output needs 16 bits in every profile.
    pub(crate) fn is_wide(&self) -> bool {
        let Self::Affine(affine) = self else { return false };
        let factors = affine.scale.iter().map(|f| f.abs()).filter(|&f| f > 0.0);
        let (least, greatest) = factors.fold((f64::INFINITY, 0.0f64), |(l, g), f| (l.min(f), g.max(f)));
        greatest > least * WIDE_SPREAD
    }
}

/// What becomes one operator of the program.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stage {
    pub kind: Kind,
    pub low: f32,
    pub high: f32,
    pub inputs: Vec<Reading>,
    /// Indices of the graph's nodes it computes, in order.
    pub nodes: Vec<usize>,
    /// The activation it makes: the last of those nodes' output.
    pub output: ValueId,
    /// Dimensions of its output, before any reshape.
    pub dims: Dims,
}

/// The stages of a graph in order; the last one makes the output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub stages: Vec<Stage>,
    /// Indices of the nodes that compute nothing, or that are dropped.
    pub vanished: Vec<usize>,
}

/// Groups the nodes of a graph.
pub(crate) fn plan(graph: &Graph) -> Result<Plan, CompileError> {
    let mut makers = vec![From::Input; graph.values.len()];
    let mut plan = Plan { stages: Vec::new(), vanished: Vec::new() };
    let readers = reader_counts(graph);
    for (index, node) in graph.nodes.iter().enumerate() {
        if is_free(&node.op) {
            makers[node.output.0] = makers[node.inputs[0].0];
            plan.vanished.push(index);
            continue;
        }
        if let From::Stage(id) = makers[node.inputs[0].0]
            && readers[node.inputs[0].0] == 1
            && plan.stages[id.0].absorb(graph, index, node)
        {
            makers[node.output.0] = From::Stage(id);
            continue;
        }
        makers[node.output.0] = From::Stage(StageId(plan.stages.len()));
        plan.stages.push(stage(graph, index, node, &makers));
    }
    if plan.stages.is_empty() {
        let node = graph.nodes.first().expect("a graph has at least one node");
        return Err(CompileError::Node {
            operator: node.operator.clone(),
            node: node.name.clone(),
            detail: "the model computes nothing but reshapes and a softmax; give a model that does".into(),
        });
    }
    Ok(plan)
}

fn is_free(op: &Op) -> bool {
    matches!(op, Op::Reshape | Op::Softmax { .. })
}

/// How many nodes that compute something read each value, through reshapes.
fn reader_counts(graph: &Graph) -> Vec<usize> {
    let mut counts = vec![0; graph.values.len()];
    for node in graph.nodes.iter().rev() {
        for input in &node.inputs {
            counts[input.0] += if is_free(&node.op) { counts[node.output.0] } else { 1 };
        }
    }
    counts
}

fn stage(graph: &Graph, index: usize, node: &Node, makers: &[From]) -> Stage {
    let output = graph.value(node.output);
    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let bias = |bias: &Option<Vec<f32>>, outputs| match bias {
        Some(bias) => wide(bias),
        None => vec![0.0; outputs],
    };
    let (mut low, mut high) = (f32::NEG_INFINITY, f32::INFINITY);
    let kind = match &node.op {
        Op::Conv(conv) => Kind::Conv {
            weights: wide(&conv.weights),
            bias: bias(&conv.bias, conv.outputs),
            groups: conv.groups,
            window: conv.window,
        },
        Op::Linear(linear) => {
            Kind::Linear { weights: wide(&linear.weights), bias: bias(&linear.bias, linear.outputs) }
        }
        Op::Affine(affine) => Kind::Affine(affine.clone()),
        Op::MaxPool(window) => Kind::MaxPool(*window),
        Op::AveragePool { window, count_padding } => {
            Kind::AveragePool { window: *window, count_padding: *count_padding }
        }
        Op::Add => Kind::Add,
        Op::Clip { low: least, high: greatest } => {
            (low, high) = (*least, *greatest);
            let channels = output.channels_height_width()[0];
            Kind::Affine(Affine { scale: vec![1.0; channels], offset: vec![0.0; channels] })
        }
        Op::Reshape | Op::Softmax { .. } => unreachable!("these are passed over before"),
    };
    let reading =
        |id: &ValueId| Reading { from: makers[id.0], dims: graph.value(*id).channels_height_width() };
    Stage {
        kind,
        low,
        high,
        inputs: node.inputs.iter().map(reading).collect(),
        nodes: vec![index],
        output: node.output,
        dims: output.channels_height_width(),
    }
}

impl Stage {
    /// Takes a node that alone reads this stage's output into it, if its arithmetic allows.
    fn absorb(&mut self, graph: &Graph, index: usize, node: &Node) -> bool {
        match &node.op {
            Op::Clip { low, high } => {
                self.low = self.low.clamp(*low, *high);
                self.high = self.high.clamp(*low, *high);
            }
            Op::Affine(affine) if self.takes(affine) => self.scale(affine),
            _ => return false,
        }
        assert_eq!(graph.value(node.output).elements(), self.dims.iter().product::<usize>());
        self.nodes.push(index);
        self.output = node.output;
        true
    }

    fn takes(&self, affine: &Affine) -> bool {
        let unclipped = self.low == f32::NEG_INFINITY && self.high == f32::INFINITY;
        let product = matches!(self.kind, Kind::Conv { .. } | Kind::Linear { .. } | Kind::Affine(_));
        unclipped && product && affine.scale.len() == self.dims[0]
    }

    fn scale(&mut self, affine: &Affine) {
        let (weights, bias) = match &mut self.kind {
            Kind::Conv { weights, bias, .. } | Kind::Linear { weights, bias } => (weights, bias),
            Kind::Affine(own) => (&mut own.scale, &mut own.offset),
            _ => unreachable!("only products take a scale"),
        };
        let each = weights.len() / bias.len();
        for (channel, row) in weights.chunks_mut(each).enumerate() {
            row.iter_mut().for_each(|w| *w *= affine.scale[channel]);
            bias[channel] = bias[channel] * affine.scale[channel] + affine.offset[channel];
        }
    }
}
