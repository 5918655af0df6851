//! `exp(x - max x) / sum exp(x - max x)` along one axis, with or without the greatest value, and its logarithm.

use super::rows::{Form, Row};
use super::{makers, replace};
use crate::graph::{Binary, Function, Graph, Node, Op, Reduction, ValueId};

/// What a value is of an activation's rows.
#[derive(Debug, Clone)]
enum Meaning {
    /// The greatest of each row.
    Greatest(Row, Form),
    /// x less its row's greatest. Any x shifted along the rows has the same softmax.
    Shifted(Row),
    /// e to the power of a value, which may be a shifted one.
    Exp(ValueId),
    /// The sum of such powers over each row.
    Sum(ValueId, Row, Form),
    /// One over that sum.
    Inverse(ValueId, Row, Form),
    /// The logarithm of that sum.
    LogSum(ValueId, Row, Form),
}

pub(super) fn recognise(graph: &mut Graph) {
    let makers = makers(graph);
    let mut meanings: Vec<Option<Meaning>> = vec![None; graph.values.len()];
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        if let Some((row, log)) = softmax(graph, node, &meanings) {
            let source = match &meanings[row.x.0] {
                Some(Meaning::Shifted(inner)) if inner.axes == row.axes => inner.x,
                _ => row.x,
            };
            let op = Op::Softmax { axis: row.axes[0], log };
            replace(graph, &makers, index, op, vec![source]);
            continue;
        }
        meanings[node.output.0] = meaning(graph, node, &meanings);
    }
}

fn meaning(graph: &Graph, node: &Node, meanings: &[Option<Meaning>]) -> Option<Meaning> {
    let of = |input: usize| meanings[node.inputs[input].0].as_ref();
    match &node.op {
        Op::Reduce { reduction: Reduction::Max, axes, .. } if axes.len() == 1 => {
            let row = Row { x: node.inputs[0], axes: axes.clone() };
            let form = row.reduced(graph, node);
            Some(Meaning::Greatest(row, form))
        }
        Op::Reduce { reduction: Reduction::Sum, axes, .. } if axes.len() == 1 => {
            let Some(Meaning::Exp(x)) = of(0) else { return None };
            let row = Row { x: *x, axes: axes.clone() };
            let form = row.reduced(graph, node);
            Some(Meaning::Sum(node.inputs[0], row, form))
        }
        Op::Binary(Binary::Sub) => match of(1) {
            Some(Meaning::Greatest(row, form)) if row.x == node.inputs[0] && *form != Form::Flat => {
                Some(Meaning::Shifted(row.clone()))
            }
            _ => None,
        },
        Op::Function(Function::Exp) => Some(Meaning::Exp(node.inputs[0])),
        Op::Function(Function::Reciprocal) => match of(0) {
            Some(Meaning::Sum(exp, row, form)) => Some(Meaning::Inverse(*exp, row.clone(), *form)),
            _ => None,
        },
        Op::Function(Function::Log) => match of(0) {
            Some(Meaning::Sum(exp, row, form)) => Some(Meaning::LogSum(*exp, row.clone(), *form)),
            _ => None,
        },
        Op::Reshape | Op::Expand => match of(0)?.clone() {
            Meaning::Greatest(row, form) => {
                row.passed(graph, node, form).map(|form| Meaning::Greatest(row.clone(), form))
            }
            Meaning::Sum(exp, row, form) => {
                row.passed(graph, node, form).map(|form| Meaning::Sum(exp, row.clone(), form))
            }
            Meaning::Inverse(exp, row, form) => {
                row.passed(graph, node, form).map(|form| Meaning::Inverse(exp, row.clone(), form))
            }
            Meaning::LogSum(exp, row, form) => {
                row.passed(graph, node, form).map(|form| Meaning::LogSum(exp, row.clone(), form))
            }
            Meaning::Shifted(_) | Meaning::Exp(_) => None,
        },
        _ => None,
    }
}

/// The rows that a node is the softmax of, and whether it is the logarithm.
fn softmax(graph: &Graph, node: &Node, meanings: &[Option<Meaning>]) -> Option<(Row, bool)> {
    let Op::Binary(op) = node.op else { return None };
    let [a, b] = node.inputs[..] else { return None };
    let of = |id: ValueId| meanings[id.0].as_ref();
    if graph.value(node.output).shape != graph.value(a).shape && op != Binary::Mul {
        return None;
    }
    match (op, of(a), of(b)) {
        (Binary::Div, _, Some(Meaning::Sum(exp, row, form))) if *exp == a && *form != Form::Flat => {
            Some((row.clone(), false))
        }
        (Binary::Mul, _, Some(Meaning::Inverse(exp, row, form))) if *exp == a && *form != Form::Flat => {
            Some((row.clone(), false))
        }
        (Binary::Mul, Some(Meaning::Inverse(exp, row, form)), _) if *exp == b && *form != Form::Flat => {
            Some((row.clone(), false))
        }
        (Binary::Sub, _, Some(Meaning::LogSum(_, row, form))) if row.x == a && *form != Form::Flat => {
            Some((row.clone(), true))
        }
        _ => None,
    }
}
