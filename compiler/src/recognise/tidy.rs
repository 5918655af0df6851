//! Moves that undo each other.

use super::makers;
use crate::graph::{Graph, Op, ValueId};

/// Joins reshapes of reshapes and transposes of transposes, and drops those that change nothing.
pub(super) fn tidy(graph: &mut Graph) {
    let makers = makers(graph);
    let mut stands_for: Vec<ValueId> = (0..graph.values.len()).map(ValueId).collect();
    for index in 0..graph.nodes.len() {
        for at in 0..graph.nodes[index].inputs.len() {
            let input = graph.nodes[index].inputs[at];
            graph.nodes[index].inputs[at] = stands_for[input.0];
        }
        let node = &graph.nodes[index];
        let input = node.inputs[0];
        let before = makers[input.0].map(|maker| &graph.nodes[maker]);
        let joined = match (&node.op, before.map(|before| &before.op)) {
            (Op::Reshape, Some(Op::Reshape)) => Op::Reshape,
            (Op::Transpose { order }, Some(Op::Transpose { order: first })) => {
                Op::Transpose { order: order.iter().map(|&d| first[d]).collect() }
            }
            (Op::Reshape, _) => Op::Reshape,
            _ => continue,
        };
        let merged =
            before.filter(|before| std::mem::discriminant(&before.op) == std::mem::discriminant(&joined));
        let from = merged.map_or(input, |before| before.inputs[0]);
        let same = graph.value(from).shape == graph.value(node.output).shape;
        let idle = match &joined {
            Op::Transpose { order } => order.iter().enumerate().all(|(i, &d)| i == d),
            _ => same,
        };
        let output = node.output;
        if idle {
            stands_for[output.0] = from;
        } else if let Some(before) = merged {
            let sources = before.sources.iter().chain(&node.sources).cloned().collect();
            let node = &mut graph.nodes[index];
            (node.op, node.inputs, node.sources) = (joined, vec![from], sources);
        }
    }
    // A model that does nothing else still needs its one node.
    if stands_for[graph.output.0] != graph.input {
        graph.output = stands_for[graph.output.0];
    }
}
