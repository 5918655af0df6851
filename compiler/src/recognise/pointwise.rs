//! Functions of one number that are spelled as several nodes.
//!
//! Whatever the factoring, a chain of element-wise nodes that starts at one value is a function of one number; it is
//! one of the known ones when it agrees with it everywhere on a grid.

use std::collections::{BTreeMap, BTreeSet};

use super::{makers, replace};
use crate::graph::{Binary, Function, Graph, Node, Op, ValueId};

/// Most nodes in a chain.
const MOST_NODES: usize = 16;
/// Greatest difference from a known function, relative to values beyond 1.
const TOLERANCE: f64 = 1e-5;

/// What a chain may turn out to be.
const KNOWN: [Function; 8] = [
    Function::Gelu,
    Function::GeluTanh,
    Function::Silu,
    Function::Sigmoid,
    Function::Softplus,
    Function::HardSwish,
    Function::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 },
    Function::ReciprocalSqrt,
];

pub(super) fn recognise(graph: &mut Graph) {
    let makers = makers(graph);
    for index in 0..graph.nodes.len() {
        if let Some((function, x)) = known(graph, &makers, index) {
            replace(graph, &makers, index, Op::Function(function), vec![x]);
        }
    }
}

/// The function that a node is of an earlier value, if it is a known one.
fn known(graph: &Graph, makers: &[Option<usize>], index: usize) -> Option<(Function, ValueId)> {
    if !is_pointwise(graph, &graph.nodes[index]) {
        return None;
    }
    let mut chain = BTreeSet::from([index]);
    let mut open: BTreeSet<ValueId> = graph.nodes[index].inputs.iter().copied().collect();
    while chain.len() < MOST_NODES {
        if open.len() == 1
            && chain.len() > 1
            && let Some(&x) = open.first()
            && let Some(function) = KNOWN.into_iter().find(|&f| agrees(graph, &chain, x, index, f))
        {
            return Some((function, x));
        }
        // The value made last cannot be the one where all paths begin.
        let next = open.iter().filter_map(|id| makers[id.0].map(|maker| (maker, *id))).max()?;
        let (maker, id) = next;
        if !is_pointwise(graph, &graph.nodes[maker]) {
            return None;
        }
        open.remove(&id);
        open.extend(&graph.nodes[maker].inputs);
        chain.insert(maker);
    }
    None
}

fn is_pointwise(graph: &Graph, node: &Node) -> bool {
    match &node.op {
        Op::Affine { scale, offset } => scale.uniform().is_some() && offset.uniform().is_some(),
        Op::Clip { .. } | Op::Function(_) => true,
        Op::Binary(op) => {
            let shape = &graph.value(node.output).shape;
            *op != Binary::Equal && node.inputs.iter().all(|&id| graph.value(id).shape == *shape)
        }
        _ => false,
    }
}

/// Whether the chain from `x` to the last node is the function wherever that is finite.
fn agrees(graph: &Graph, chain: &BTreeSet<usize>, x: ValueId, last: usize, function: Function) -> bool {
    let steps = (-480..=480).map(|i| f64::from(i) * 0.025 + 0.003);
    steps.filter(|&at| function.apply(at).is_finite()).all(|at| {
        let expected = function.apply(at);
        let found = run(graph, chain, x, last, at);
        (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
    })
}

fn run(graph: &Graph, chain: &BTreeSet<usize>, x: ValueId, last: usize, at: f64) -> f64 {
    let mut values = BTreeMap::from([(x, at)]);
    for &index in chain {
        let node = &graph.nodes[index];
        let input = |i: usize| values.get(&node.inputs[i]).copied().unwrap_or(f64::NAN);
        let value = match &node.op {
            Op::Affine { scale, offset } => {
                let (scale, offset) = (f64::from(scale.values[0]), f64::from(offset.values[0]));
                input(0) * scale + offset
            }
            Op::Clip { low, high } => input(0).max(f64::from(*low)).min(f64::from(*high)),
            Op::Function(function) => function.apply(input(0)),
            Op::Binary(op) => match op {
                Binary::Add => input(0) + input(1),
                Binary::Sub => input(0) - input(1),
                Binary::Mul => input(0) * input(1),
                Binary::Div => input(0) / input(1),
                Binary::Min => input(0).min(input(1)),
                Binary::Max => input(0).max(input(1)),
                Binary::Equal => f64::NAN,
            },
            _ => f64::NAN,
        };
        values.insert(node.output, value);
    }
    values.get(&graph.nodes[last].output).copied().unwrap_or(f64::NAN)
}
