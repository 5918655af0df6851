//! What is done to each row of a table after it was looked up, done to the table: products with one-hot rows,
//! offsets and functions.

use super::{makers, reader_counts, replace};
use crate::float::host;
use crate::graph::{Graph, Linear, Node, Op, Tensor};
use crate::limits::MAX_CONSTANT_ELEMENTS;

pub(super) fn fold(graph: &mut Graph) {
    let (makers, counts) = (makers(graph), reader_counts(graph));
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let &[input] = &node.inputs[..] else { continue };
        let Some(lookup) = makers[input.0].map(|maker| &graph.nodes[maker]) else { continue };
        let Op::Embedding(table) = &lookup.op else { continue };
        if counts[input.0] != 1 {
            continue;
        }
        let Some(changed) = change(node, table) else { continue };
        let indices = lookup.inputs.clone();
        replace(graph, &makers, index, Op::Embedding(changed), indices);
    }
}

/// The table behind a node, where the node does the same to every lookup of a row.
fn change(node: &Node, table: &Tensor) -> Option<Tensor> {
    let row = &table.shape[1..];
    let within = |constant: &Tensor| {
        let lead = constant.shape.iter().take_while(|&&d| d == 1).count();
        constant.shape.len() - lead <= row.len()
    };
    match &node.op {
        Op::Linear(linear) => product(linear, table),
        Op::Affine { scale, offset } if within(scale) && within(offset) => {
            let strip = |constant: &Tensor| {
                let surplus = constant.shape.len().saturating_sub(row.len());
                Tensor { shape: constant.shape[surplus..].to_vec(), values: constant.values.clone() }
            };
            let op = Op::Affine { scale: strip(scale), offset: strip(offset) };
            Some(applied(&op, table))
        }
        Op::Clip { .. } | Op::Function(_) | Op::Cast => Some(applied(&node.op, table)),
        _ => None,
    }
}

fn applied(op: &Op, table: &Tensor) -> Tensor {
    let values = host::apply(op, &[(&table.values, &table.shape)], &table.shape);
    Tensor { shape: table.shape.clone(), values }
}

/// A product with each row, where the table does not grow by more than the weights it takes in.
fn product(linear: &Linear, table: &Tensor) -> Option<Tensor> {
    let (&inputs, lead) = table.shape.split_last()?;
    let rows: usize = lead.iter().product();
    let size = rows.checked_mul(linear.outputs)?;
    if lead.is_empty() || size > MAX_CONSTANT_ELEMENTS || size > table.values.len() + linear.weights.len() {
        return None;
    }
    let mut values = Vec::with_capacity(size);
    for row in table.values.chunks_exact(inputs) {
        // One-hot rows are nearly all zeros.
        let filled: Vec<(usize, f64)> =
            row.iter().enumerate().filter(|(_, v)| **v != 0.0).map(|(i, &v)| (i, f64::from(v))).collect();
        for (output, weights) in linear.weights.chunks_exact(inputs).enumerate() {
            let bias = linear.bias.as_ref().map_or(0.0, |bias| f64::from(bias[output]));
            let sum: f64 = filled.iter().map(|&(i, v)| v * f64::from(weights[i])).sum();
            values.push((sum + bias) as f32);
        }
    }
    Some(Tensor { shape: [lead, &[linear.outputs]].concat(), values })
}
