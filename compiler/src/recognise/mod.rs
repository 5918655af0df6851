//! Decomposed normalisations, activations, softmaxes and lookups made one node again.
//!
//! Each pattern is found by what values *mean*, not by how an exporter spelled them: a forward pass says of each
//! value what it is of which other value. A recognised node takes the place and the name of the last node of its
//! pattern; what nothing reads any more is pruned.

mod affine;
mod lookup;
mod norm;
mod pointwise;
mod rows;
mod softmax;
mod tidy;

use std::collections::BTreeSet;

use crate::graph::{Graph, Op, Origin, ValueId};

/// Rewrites the graph; its output and every name that stays keep their meaning.
pub(crate) fn recognise(graph: &mut Graph) {
    let passes = [
        tidy::tidy,
        lookup::fold,
        softmax::recognise,
        norm::recognise,
        pointwise::recognise,
        lookup::fold,
        affine::join,
        tidy::tidy,
    ];
    for pass in passes {
        pass(graph);
        graph.prune();
    }
}

/// For each activation the node that makes it.
fn makers(graph: &Graph) -> Vec<Option<usize>> {
    let mut makers = vec![None; graph.values.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        makers[node.output.0] = Some(index);
    }
    makers
}

/// For each activation how many nodes read it, the graph's output once more.
fn reader_counts(graph: &Graph) -> Vec<usize> {
    let mut counts = vec![0; graph.values.len()];
    counts[graph.output.0] += 1;
    for node in &graph.nodes {
        let read: BTreeSet<ValueId> = node.inputs.iter().copied().collect();
        read.iter().for_each(|id| counts[id.0] += 1);
    }
    counts
}

/// Puts an operator on `inputs` in the place of a node and of all between it and them. The makers are those of before.
fn replace(graph: &mut Graph, makers: &[Option<usize>], index: usize, op: Op, inputs: Vec<ValueId>) {
    let mut within = BTreeSet::from([index]);
    let mut open = vec![index];
    while let Some(at) = open.pop() {
        for input in &graph.nodes[at].inputs {
            if let Some(maker) = makers[input.0]
                && !inputs.contains(input)
                && within.insert(maker)
            {
                open.push(maker);
            }
        }
    }
    let mut sources: Vec<Origin> = Vec::new();
    for &at in &within {
        for origin in &graph.nodes[at].sources {
            if !sources.contains(origin) {
                sources.push(origin.clone());
            }
        }
    }
    let node = &mut graph.nodes[index];
    (node.op, node.inputs, node.sources) = (op, inputs, sources);
}
