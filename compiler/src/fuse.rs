//! Groups the graph's nodes into stages: what is lowered as one thing.
//!
//! Batch normalisations and biases go into the product before them: every output channel has a weight scale and a record
//! of its own, so that costs no precision however far their factors spread. One that follows anything else stays an
//! operator of its own; folding it *forward* into a product would put its factors on one scale (37 dB fell to 22 on the
//! MNIST model). A function of one value becomes the table that ends the operator before it.

use crate::curve::Point;
use crate::error::CompileError;
use crate::graph::{Binary, Graph, Node, Op, Reduction, Tensor, ValueId};

/// Index of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StageId(pub usize);

/// Who makes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// The model's input.
    Input,
    /// A stage.
    Stage(StageId),
    /// A node that only changes the view of its input.
    View(usize),
    /// A node whose work is left out: the value is its input.
    Dropped(usize),
    /// A node inside a stage: nobody reads the value.
    Inside,
}

/// Real numbers of some shape, broadcast as ONNX broadcasts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f64>,
}

/// Above this many elements a joint field of two is not made.
const MOST_JOINED: usize = 1 << 12;

impl Field {
    /// One number.
    pub fn scalar(value: f64) -> Self {
        Self { shape: Vec::new(), values: vec![value] }
    }

    /// A constant of the graph.
    pub fn of(tensor: &Tensor) -> Self {
        Self { shape: tensor.shape.clone(), values: tensor.values.iter().map(|&v| f64::from(v)).collect() }
    }

    /// The number that stands everywhere.
    pub fn uniform(&self) -> Option<f64> {
        let first = *self.values.first()?;
        self.values.iter().all(|v| *v == first).then_some(first)
    }

    /// The values along one dimension of an activation of a shape, where they change along no other.
    pub fn along(&self, dim: usize, shape: &[usize]) -> Option<Vec<f64>> {
        if let Some(value) = self.uniform() {
            return Some(vec![value; shape[dim]]);
        }
        let missing = shape.len().checked_sub(self.shape.len())?;
        let others = self.shape.iter().enumerate().all(|(at, &size)| size == 1 || at + missing == dim);
        (others && self.values.len() == shape[dim]).then(|| self.values.clone())
    }

    /// Two fields element by element.
    pub fn zip(&self, other: &Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        let rank = self.shape.len().max(other.shape.len());
        let length = |field: &Self, dim: usize| {
            (dim + field.shape.len()).checked_sub(rank).map_or(1, |dim| field.shape[dim])
        };
        let shape: Vec<usize> = (0..rank).map(|dim| length(self, dim).max(length(other, dim))).collect();
        let (a, b) = (self.spread(&shape), other.spread(&shape));
        Self { values: a.iter().zip(&b).map(|(a, b)| combine(*a, *b)).collect(), shape }
    }

    /// The values broadcast to a shape.
    pub fn spread(&self, shape: &[usize]) -> Vec<f64> {
        let view = crate::view::View::dense(&self.shape).expand(shape);
        view.addresses().into_iter().map(|at| self.values[at]).collect()
    }

    fn joins(&self, other: &Self) -> bool {
        let most = self.values.len().max(other.values.len());
        most <= MOST_JOINED || self.values.len() == 1 || other.values.len() == 1
    }
}

/// What is lowered as one thing: the main node, then `x * scale + offset`, bounds, and a curve.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stage {
    /// The node whose operator it is. Of an affine map, a clip or a function the main operator is a copy.
    pub node: usize,
    /// Indices of the graph's nodes it computes, in order.
    pub nodes: Vec<usize>,
    /// The activations it reads.
    pub inputs: Vec<ValueId>,
    /// The activation it makes: the last of those nodes' output.
    pub output: ValueId,
    /// Factors after the main operator.
    pub scale: Field,
    /// Offsets after that.
    pub offset: Field,
    /// The lower bound after that.
    pub low: f32,
    /// The upper bound.
    pub high: f32,
    /// What is done with each element in the end, by a table.
    pub curve: Vec<Point>,
    /// The activation that the curve is a function of.
    pub before_curve: ValueId,
}

/// The stages of a graph in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// In order of evaluation.
    pub stages: Vec<Stage>,
    /// Who makes each activation.
    pub makers: Vec<Maker>,
    /// The activation whose float values the program's output is compared with: the same elements in the same order.
    pub compared: ValueId,
    /// Indices of the nodes that compute nothing, or that are dropped.
    pub vanished: Vec<usize>,
    /// The final softmax that is dropped, if there is one.
    pub softmax: Option<usize>,
}

/// Groups the nodes of a graph.
pub(crate) fn plan(graph: &Graph) -> Result<Plan, CompileError> {
    let (softmax, compared) = final_softmax(graph);
    let mut plan = Plan {
        stages: Vec::new(),
        makers: vec![Maker::Inside; graph.values.len()],
        compared,
        vanished: Vec::new(),
        softmax,
    };
    plan.makers[graph.input.0] = Maker::Input;
    let mut uses = vec![0; graph.values.len()];
    graph.nodes.iter().flat_map(|node| &node.inputs).chain([&graph.output]).for_each(|id| uses[id.0] += 1);
    for (index, node) in graph.nodes.iter().enumerate() {
        if softmax == Some(index) || is_view(graph, node) {
            let free = if softmax == Some(index) { Maker::Dropped(index) } else { Maker::View(index) };
            plan.makers[node.output.0] = free;
            plan.vanished.push(index);
            continue;
        }
        let first = node.inputs[0];
        if let Maker::Stage(id) = plan.makers[first.0]
            && uses[first.0] == 1
            && plan.stages[id.0].absorb(graph, index, node)
        {
            plan.makers[first.0] = Maker::Inside;
            plan.makers[node.output.0] = Maker::Stage(id);
            continue;
        }
        plan.makers[node.output.0] = Maker::Stage(StageId(plan.stages.len()));
        plan.stages.push(stage(index, node));
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

impl Plan {
    /// The activation made by a stage, or the input, that a value is a view of.
    pub fn root(&self, graph: &Graph, id: ValueId) -> ValueId {
        match self.makers[id.0] {
            Maker::View(node) | Maker::Dropped(node) => self.root(graph, graph.nodes[node].inputs[0]),
            Maker::Input | Maker::Stage(_) | Maker::Inside => id,
        }
    }

    /// For each activation the stages that read it, through views, and at which of their inputs.
    pub fn readers(&self, graph: &Graph) -> Vec<Vec<(usize, usize)>> {
        let mut readers = vec![Vec::new(); graph.values.len()];
        for (index, stage) in self.stages.iter().enumerate() {
            for (slot, &input) in stage.inputs.iter().enumerate() {
                readers[self.root(graph, input).0].push((index, slot));
            }
        }
        readers
    }
}

/// A softmax that only reshapes separate from the output, and what goes into it.
fn final_softmax(graph: &Graph) -> (Option<usize>, ValueId) {
    let mut id = graph.output;
    loop {
        let uses = graph.nodes.iter().filter(|node| node.inputs.contains(&id)).count();
        let maker = graph.nodes.iter().position(|node| node.output == id);
        let (Some(maker), true) = (maker, uses == 0 || id != graph.output) else {
            return (None, graph.output);
        };
        let node = &graph.nodes[maker];
        match node.op {
            _ if uses > 1 => return (None, graph.output),
            Op::Softmax { .. } => return (Some(maker), node.inputs[0]),
            Op::Reshape => id = node.inputs[0],
            _ => return (None, graph.output),
        }
    }
}

/// Whether a node only reads its input otherwise.
fn is_view(graph: &Graph, node: &Node) -> bool {
    match node.op {
        Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::Expand | Op::Repeat { .. } => true,
        // Integers are stored at scale 1, which is what a real number of theirs may be stored at as well.
        Op::Cast => graph.value(node.inputs[0]).kind == crate::graph::Kind::Integer,
        Op::Concat { .. } => node.inputs.len() == 1,
        _ => false,
    }
}

fn stage(index: usize, node: &Node) -> Stage {
    let mut stage = Stage {
        node: index,
        nodes: vec![index],
        inputs: node.inputs.clone(),
        output: node.output,
        scale: Field::scalar(1.0),
        offset: Field::scalar(0.0),
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
        curve: Vec::new(),
        before_curve: node.output,
    };
    match &node.op {
        Op::Affine { scale, offset } => {
            (stage.scale, stage.offset) = (Field::of(scale), Field::of(offset));
        }
        Op::Clip { low, high } => (stage.low, stage.high) = (*low, *high),
        Op::Function(function) => {
            stage.curve.push(Point::Function(*function));
            stage.before_curve = node.inputs[0];
        }
        _ => {}
    }
    stage
}

/// What the main operator of a stage lets follow in the same operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Takes {
    affine: Affine,
    clip: bool,
    curve: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affine {
    No,
    /// One positive factor and one offset: they go into the record.
    Uniform,
    /// By the output's channel, its dimension so many places from the end or, for images, the second.
    Channel,
    /// Any.
    Any,
}

fn takes(op: &Op) -> Takes {
    let (affine, clip, curve) = match op {
        Op::Conv(_) | Op::Linear(_) => (Affine::Channel, true, true),
        Op::Affine { .. } | Op::Clip { .. } | Op::Function(_) => (Affine::Any, true, true),
        Op::MatMul => (Affine::Uniform, true, false),
        Op::Binary(Binary::Mul) | Op::AveragePool { .. } => (Affine::Uniform, true, true),
        Op::Reduce { reduction: Reduction::Sum | Reduction::Mean | Reduction::SumSquare, .. } => {
            (Affine::Uniform, true, true)
        }
        Op::Binary(Binary::Add | Binary::Sub) => (Affine::No, true, true),
        Op::Binary(Binary::Min | Binary::Max | Binary::Div) | Op::Norm(_) | Op::MaxPool(_) | Op::Select => {
            (Affine::No, true, false)
        }
        _ => (Affine::No, false, false),
    };
    Takes { affine, clip, curve }
}

impl Stage {
    /// Takes a node that alone reads this stage's output into it, if its arithmetic allows.
    fn absorb(&mut self, graph: &Graph, index: usize, node: &Node) -> bool {
        let takes = takes(&graph.nodes[self.node].op);
        let curved = !self.curve.is_empty();
        let clipped = self.low > f32::NEG_INFINITY || self.high < f32::INFINITY;
        match &node.op {
            Op::Clip { low, high } if curved => self.curve.push(Point::Clip { low: *low, high: *high }),
            Op::Clip { low, high } if takes.clip => {
                self.low = self.low.clamp(*low, *high);
                self.high = self.high.clamp(*low, *high);
            }
            Op::Affine { scale, offset } if curved => {
                let (scale, offset) = (Field::of(scale).uniform(), Field::of(offset).uniform());
                let (Some(scale), Some(offset)) = (scale, offset) else { return false };
                self.curve.push(Point::Affine { scale, offset });
            }
            Op::Affine { scale, offset } if !clipped => {
                let shape = &graph.value(node.output).shape;
                let (scale, offset) = (Field::of(scale), Field::of(offset));
                let fits = match takes.affine {
                    Affine::No => false,
                    Affine::Uniform => scale.uniform().is_some_and(|s| s > 0.0) && offset.uniform().is_some(),
                    Affine::Channel => {
                        let dim = channel(&graph.nodes[self.node].op, shape.len());
                        scale.along(dim, shape).is_some() && offset.along(dim, shape).is_some()
                    }
                    Affine::Any => {
                        self.scale.joins(&scale) && self.offset.joins(&scale) && self.offset.joins(&offset)
                    }
                };
                if !fits || shape != &graph.value(self.output).shape {
                    return false;
                }
                self.offset = self.offset.zip(&scale, |a, b| a * b).zip(&offset, |a, b| a + b);
                self.scale = self.scale.zip(&scale, |a, b| a * b);
            }
            Op::Function(function) if takes.curve => {
                if !curved {
                    self.before_curve = self.output;
                }
                self.curve.push(Point::Function(*function));
            }
            _ => return false,
        }
        self.nodes.push(index);
        self.output = node.output;
        if self.curve.is_empty() {
            self.before_curve = node.output;
        }
        true
    }
}

/// The dimension of a product's output along which every position has weights of its own.
pub(crate) fn channel(op: &Op, rank: usize) -> usize {
    if matches!(op, Op::Conv(_)) { 1 } else { rank - 1 }
}
