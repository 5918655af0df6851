//! The file's nodes, in order, to a [`Graph`] within the limits.

use std::collections::BTreeMap;
use std::path::Path;

use narrows_commitment::Digest;

use crate::constant::element_count;
use crate::error::{CompileError, quote};
use crate::graph::{Graph, Node, Op, Value, ValueId};
use crate::limits::{MAX_ACTIVATION_ELEMENTS, MAX_ALL_ACTIVATIONS, MAX_ALL_WEIGHTS, MAX_MULTIPLY_ADDS};
use crate::onnx::{self, RawModel};
use crate::operators;

/// Builds the graph of a decoded file; `path` only names it in errors.
pub(crate) fn build(raw: RawModel, source: Digest, path: &Path) -> Result<Graph, CompileError> {
    let fail = |detail: String| CompileError::Graph { path: path.into(), detail };
    let RawModel { name, input, input_shape, output, nodes: raw_nodes, mut constants } = raw;
    if element_count(&input_shape, MAX_ACTIVATION_ELEMENTS).is_none_or(|n| n == 0) {
        return Err(fail(format!(
            "its input {} of shape {input_shape:?} has more than {MAX_ACTIVATION_ELEMENTS} elements",
            quote(&input)
        )));
    }
    let mut values = vec![Value { name: input.clone(), shape: input_shape }];
    let mut known = BTreeMap::from([(input, ValueId(0))]);
    let mut nodes = Vec::new();
    let (mut activations, mut weights) = (values[0].elements(), 0);
    for raw in raw_nodes {
        let first_output = raw.outputs.first().cloned().unwrap_or_default();
        let mut reader =
            operators::Reader { node: raw, values: &values, known: &known, constants: &constants };
        match reader.read()? {
            operators::Read::Constant(constant) => {
                constants.insert(first_output, constant);
            }
            operators::Read::Node { op, inputs, shape } => {
                let node = reader.node;
                check_shape(&values[0].name, &node, &shape)?;
                activations += shape.iter().product::<usize>();
                weights += op.weights();
                if activations > MAX_ALL_ACTIVATIONS || weights > MAX_ALL_WEIGHTS {
                    return Err(fail(format!(
                        "up to node {} it has {activations} activations and {weights} weights; at most \
                         {MAX_ALL_ACTIVATIONS} and {MAX_ALL_WEIGHTS} are compiled",
                        node.name
                    )));
                }
                let id = ValueId(values.len());
                known.insert(first_output.clone(), id);
                values.push(Value { name: first_output, shape });
                nodes.push(Node { name: node.name, operator: node.operator, op, inputs, output: id });
            }
        }
    }
    let output = *known
        .get(&output)
        .ok_or_else(|| fail(format!("its output {} does not depend on its input", quote(&output))))?;
    let mut graph = Graph { name, source, values, nodes, input: ValueId(0), output };
    prune(&mut graph);
    if graph.nodes.is_empty() {
        return Err(fail("its output is its input; there is nothing to compile".into()));
    }
    check_softmax(&graph)?;
    if graph.terms() > MAX_MULTIPLY_ADDS {
        return Err(fail(format!(
            "one inference takes {} multiply-adds, more than the limit of {MAX_MULTIPLY_ADDS}",
            graph.terms()
        )));
    }
    Ok(graph)
}

fn check_shape(input: &str, node: &onnx::RawNode, shape: &[usize]) -> Result<(), CompileError> {
    let batch = shape.first() == Some(&1) && (2..=4).contains(&shape.len());
    let size = element_count(shape, MAX_ACTIVATION_ELEMENTS).filter(|&n| n > 0);
    if batch && size.is_some() {
        return Ok(());
    }
    Err(CompileError::Node {
        operator: node.operator.clone(),
        node: node.name.clone(),
        detail: format!(
            "its output shape {shape:?} is not a batch of 1 with up to 3 further dimensions and \
             {MAX_ACTIVATION_ELEMENTS} elements; check the shape given for {}",
            quote(input)
        ),
    })
}

/// Drops the nodes that the output does not depend on.
fn prune(graph: &mut Graph) {
    let mut needed = vec![false; graph.values.len()];
    needed[graph.output.0] = true;
    for node in graph.nodes.iter().rev() {
        if needed[node.output.0] {
            for input in &node.inputs {
                needed[input.0] = true;
            }
        }
    }
    graph.nodes.retain(|node| needed[node.output.0]);
}

/// A softmax is dropped, so nothing but reshapes may follow it on the way to the output.
fn check_softmax(graph: &Graph) -> Result<(), CompileError> {
    for (index, node) in graph.nodes.iter().enumerate() {
        let last = || graph.nodes[index + 1..].iter().all(|later| later.op == Op::Reshape);
        if matches!(node.op, Op::Softmax { .. }) && !last() {
            return Err(CompileError::Node {
                operator: node.operator.clone(),
                node: node.name.clone(),
                detail: "it is compiled only as the last operator of a model".into(),
            });
        }
    }
    Ok(())
}
