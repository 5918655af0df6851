//! Layer normalisation and RMS norm, by whatever way the variance and its root were computed.

use super::rows::{Form, Row};
use super::{makers, replace};
use crate::graph::{Binary, Function, Graph, Node, Norm, Op, Reduction, Tensor, ValueId};

/// What a value is of an activation's rows.
#[derive(Debug, Clone)]
enum Meaning {
    /// One number a row.
    Statistic(Statistic, Row, Form),
    /// x less its row's mean.
    Centred(Row),
    /// The square of a value.
    Square(ValueId),
    /// x by the inverse deviation, not centred yet.
    Stretched(Row, f32, Option<Tensor>),
    /// The whole.
    Normal(Row, Norm),
}

#[derive(Debug, Clone)]
enum Statistic {
    Sum,
    Mean,
    SquaredMean,
    /// The sum of squares, of what is centred or not.
    SumSquare {
        centred: bool,
    },
    /// The mean of squares, plus something.
    Variance {
        centred: bool,
        epsilon: f32,
    },
    Deviation {
        centred: bool,
        epsilon: f32,
    },
    /// One over the deviation, times a factor for each element.
    Inverse {
        centred: bool,
        epsilon: f32,
        scale: Option<Tensor>,
    },
    /// The mean by that, negated, plus an offset.
    Shift {
        epsilon: f32,
        scale: Option<Tensor>,
        offset: Option<Tensor>,
        negated: bool,
    },
}

pub(super) fn recognise(graph: &mut Graph) {
    let makers = makers(graph);
    let mut meanings: Vec<Option<Meaning>> = vec![None; graph.values.len()];
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let found = meaning(graph, node, &meanings);
        let output = node.output;
        if let Some(Meaning::Normal(row, norm)) = &found {
            replace(graph, &makers, index, Op::Norm(norm.clone()), vec![row.x]);
        }
        meanings[output.0] = found;
    }
}

fn meaning(graph: &Graph, node: &Node, meanings: &[Option<Meaning>]) -> Option<Meaning> {
    let of = |input: usize| meanings[node.inputs[input].0].as_ref();
    match &node.op {
        Op::Reduce { reduction, axes, .. } => reduce(graph, node, *reduction, axes, meanings),
        Op::Binary(op) => binary(graph, node, *op, [of(0), of(1)]),
        Op::Affine { scale, offset } => affine(graph, node, scale, offset, of(0)?),
        Op::Clip { low, high } => match of(0)? {
            // A variance is no less than 0; rounding may say so.
            Meaning::Statistic(s @ Statistic::Variance { epsilon: 0.0, .. }, row, form)
                if *low <= 0.0 && *high == f32::INFINITY =>
            {
                Some(Meaning::Statistic(s.clone(), row.clone(), *form))
            }
            _ => None,
        },
        Op::Function(function) => {
            let Meaning::Statistic(statistic, row, form) = of(0)? else { return None };
            let statistic = match (function, statistic) {
                (Function::Sqrt, &Statistic::Variance { centred, epsilon }) => {
                    Statistic::Deviation { centred, epsilon }
                }
                (Function::ReciprocalSqrt, &Statistic::Variance { centred, epsilon })
                | (Function::Reciprocal, &Statistic::Deviation { centred, epsilon }) => {
                    Statistic::Inverse { centred, epsilon, scale: None }
                }
                _ => return None,
            };
            Some(Meaning::Statistic(statistic, row.clone(), *form))
        }
        Op::Reshape | Op::Expand => match of(0)? {
            Meaning::Statistic(Statistic::Inverse { scale: Some(_), .. } | Statistic::Shift { .. }, ..) => {
                None
            }
            Meaning::Statistic(statistic, row, form) => row
                .passed(graph, node, *form)
                .map(|form| Meaning::Statistic(statistic.clone(), row.clone(), form)),
            _ => None,
        },
        _ => None,
    }
}

fn reduce(
    graph: &Graph,
    node: &Node,
    reduction: Reduction,
    axes: &[usize],
    meanings: &[Option<Meaning>],
) -> Option<Meaning> {
    let of = meanings[node.inputs[0].0].as_ref();
    let plain = Row { x: node.inputs[0], axes: axes.to_vec() };
    let statistic = |statistic: Statistic, row: Row| {
        let form = row.reduced(graph, node);
        Some(Meaning::Statistic(statistic, row, form))
    };
    // Of which rows the squares are: x's own, or those of a centred value with the same axes.
    let squares = |of: ValueId| match &meanings[of.0] {
        Some(Meaning::Centred(row)) if row.axes == axes => (row.clone(), true),
        _ => (Row { x: of, axes: axes.to_vec() }, false),
    };
    match (reduction, of) {
        (Reduction::Sum | Reduction::Mean, Some(Meaning::Square(inner))) => {
            let (row, centred) = squares(*inner);
            let mean = Statistic::Variance { centred, epsilon: 0.0 };
            statistic(if reduction == Reduction::Mean { mean } else { Statistic::SumSquare { centred } }, row)
        }
        (Reduction::SumSquare, _) => {
            let (row, centred) = squares(node.inputs[0]);
            statistic(Statistic::SumSquare { centred }, row)
        }
        (Reduction::Sum, _) => statistic(Statistic::Sum, plain),
        (Reduction::Mean, _) => statistic(Statistic::Mean, plain),
        _ => None,
    }
}

fn affine(graph: &Graph, node: &Node, scale: &Tensor, offset: &Tensor, of: &Meaning) -> Option<Meaning> {
    let (factor, addend) = (scale.uniform(), offset.uniform());
    match of {
        Meaning::Statistic(statistic, row, form) => {
            let n = row.length(graph) as f32;
            let divides = factor.is_some_and(|f| (f * n - 1.0).abs() < 1e-5) && addend == Some(0.0);
            let new = match statistic {
                Statistic::Sum if divides => Statistic::Mean,
                &Statistic::SumSquare { centred } if divides => Statistic::Variance { centred, epsilon: 0.0 },
                &Statistic::Variance { centred, epsilon } => {
                    let more = addend.filter(|&more| more >= 0.0 && factor == Some(1.0))?;
                    Statistic::Variance { centred, epsilon: epsilon + more }
                }
                &Statistic::Inverse { centred, epsilon, scale: None }
                    if addend == Some(0.0) && *form != Form::Flat =>
                {
                    Statistic::Inverse { centred, epsilon, scale: Some(scale.clone()) }
                }
                Statistic::Shift { epsilon, scale, offset: None, negated: false } if factor == Some(-1.0) => {
                    let offset = Some(offset.clone());
                    Statistic::Shift { epsilon: *epsilon, scale: scale.clone(), offset, negated: true }
                }
                _ => return None,
            };
            Some(Meaning::Statistic(new, row.clone(), *form))
        }
        Meaning::Normal(row, norm) if graph.value(node.output).shape == graph.value(row.x).shape => {
            let mut norm = norm.clone();
            if factor != Some(1.0) {
                if norm.scale.is_some() || norm.offset.is_some() {
                    return None;
                }
                norm.scale = Some(scale.clone());
            }
            if addend != Some(0.0) {
                if norm.offset.is_some() {
                    return None;
                }
                norm.offset = Some(offset.clone());
            }
            Some(Meaning::Normal(row.clone(), norm))
        }
        _ => None,
    }
}

fn binary(graph: &Graph, node: &Node, op: Binary, of: [Option<&Meaning>; 2]) -> Option<Meaning> {
    let [a, b] = node.inputs[..] else { return None };
    let shape = &graph.value(node.output).shape;
    let statistic = |of: Option<&Meaning>| match of {
        Some(Meaning::Statistic(s, row, form)) => Some((s.clone(), row.clone(), *form)),
        _ => None,
    };
    let whole = |row: &Row| graph.value(row.x).shape == *shape;
    match op {
        Binary::Mul if a == b => match of[0] {
            Some(Meaning::Statistic(Statistic::Mean, row, form)) => {
                Some(Meaning::Statistic(Statistic::SquaredMean, row.clone(), *form))
            }
            _ => Some(Meaning::Square(a)),
        },
        Binary::Sub => match (of[0], statistic(of[1])) {
            (_, Some((Statistic::Mean, row, form))) if row.x == a && form != Form::Flat && whole(&row) => {
                Some(Meaning::Centred(row))
            }
            (
                Some(Meaning::Statistic(Statistic::Variance { centred: false, epsilon }, of, form)),
                Some((Statistic::SquaredMean, row, other)),
            ) if *of == row && *form == other => {
                Some(Meaning::Statistic(Statistic::Variance { centred: true, epsilon: *epsilon }, row, other))
            }
            (
                Some(Meaning::Stretched(of, epsilon, scale)),
                Some((Statistic::Shift { epsilon: e, scale: s, offset: None, negated: false }, row, form)),
            ) if *of == row && *epsilon == e && *scale == s && form != Form::Flat => {
                normal(row, true, e, s, None)
            }
            _ => None,
        },
        Binary::Div => match statistic(of[1]) {
            Some((Statistic::Deviation { centred, epsilon }, row, form))
                if form != Form::Flat && whole(&row) =>
            {
                scaled(a, of[0], row, centred, epsilon, None)
            }
            _ => None,
        },
        Binary::Mul => {
            for (x, x_of, other) in [(a, of[0], of[1]), (b, of[1], of[0])] {
                let Some((Statistic::Inverse { centred, epsilon, scale }, row, form)) = statistic(other)
                else {
                    continue;
                };
                if let Some((Statistic::Mean, of, mean)) = statistic(x_of) {
                    let shift = Statistic::Shift { epsilon, scale, offset: None, negated: false };
                    let fits = of == row && centred && mean != Form::Flat && form != Form::Flat;
                    return fits.then_some(Meaning::Statistic(shift, row, form));
                }
                if form != Form::Flat && whole(&row) {
                    return scaled(x, x_of, row, centred, epsilon, scale);
                }
            }
            None
        }
        Binary::Add => {
            for (x, other) in [(of[0], of[1]), (of[1], of[0])] {
                if let Some(Meaning::Stretched(of, epsilon, scale)) = x
                    && let Some((Statistic::Shift { epsilon: e, scale: s, offset, negated: true }, row, form)) =
                        statistic(other)
                    && *of == row
                    && *epsilon == e
                    && *scale == s
                    && form != Form::Flat
                {
                    return normal(row, true, e, s, offset);
                }
            }
            None
        }
        _ => None,
    }
}

/// x, or x centred, by its inverse deviation.
fn scaled(
    x: ValueId,
    of: Option<&Meaning>,
    row: Row,
    centred: bool,
    epsilon: f32,
    scale: Option<Tensor>,
) -> Option<Meaning> {
    match of {
        Some(Meaning::Centred(inner)) if *inner == row && centred => normal(row, true, epsilon, scale, None),
        _ if x == row.x && !centred => normal(row, false, epsilon, scale, None),
        _ if x == row.x => Some(Meaning::Stretched(row, epsilon, scale)),
        _ => None,
    }
}

fn normal(
    row: Row,
    centred: bool,
    epsilon: f32,
    scale: Option<Tensor>,
    offset: Option<Tensor>,
) -> Option<Meaning> {
    let offset = offset.filter(|offset| offset.uniform() != Some(0.0));
    let norm = Norm { centred, axes: row.axes.clone(), epsilon, scale, offset };
    Some(Meaning::Normal(row, norm))
}
