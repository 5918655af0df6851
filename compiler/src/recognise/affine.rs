//! Two scalings and shifts in a row, as one.

use super::{makers, reader_counts, replace};
use crate::graph::{Graph, Op, Tensor};
use crate::moves;

pub(super) fn join(graph: &mut Graph) {
    let (makers, counts) = (makers(graph), reader_counts(graph));
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let Op::Affine { scale, offset } = &node.op else { continue };
        let input = node.inputs[0];
        let Some(before) = makers[input.0].map(|maker| &graph.nodes[maker]) else { continue };
        let Op::Affine { scale: first, offset: shift } = &before.op else { continue };
        if counts[input.0] != 1 {
            continue;
        }
        // (x a + b) c + d is x (a c) + (b c + d).
        let joined = combine(first, scale, |a, c| a * c)
            .zip(combine(shift, scale, |b, c| b * c).and_then(|bc| combine(&bc, offset, |bc, d| bc + d)));
        let Some((scale, offset)) = joined else { continue };
        let most = [first, shift].into_iter().chain(constants(&node.op)).map(|t| t.values.len()).max();
        let finite = scale.values.iter().chain(&offset.values).all(|v| v.is_finite());
        if finite && Some(scale.values.len().max(offset.values.len())) <= most {
            let x = before.inputs.clone();
            replace(graph, &makers, index, Op::Affine { scale, offset }, x);
        }
    }
}

fn constants(op: &Op) -> Vec<&Tensor> {
    match op {
        Op::Affine { scale, offset } => vec![scale, offset],
        _ => Vec::new(),
    }
}

/// Two constants combined element by element, in 64 bits.
fn combine(a: &Tensor, b: &Tensor, with: fn(f64, f64) -> f64) -> Option<Tensor> {
    let shape = moves::broadcast(&a.shape, &b.shape)?;
    let (x, y) = (moves::expand(&a.values, &a.shape, &shape), moves::expand(&b.values, &b.shape, &shape));
    let values = x.iter().zip(&y).map(|(&x, &y)| with(f64::from(x), f64::from(y)) as f32).collect();
    Some(Tensor { shape, values })
}
