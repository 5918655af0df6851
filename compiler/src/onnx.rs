//! ONNX bytes to a list of nodes with their source names, and the model's constants.
//!
//! Only the protobuf types of `onnx-ir` are used. Nothing here knows an operator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use onnx_ir::{GraphProto, Message, ModelProto, NodeProto, ValueInfoProto};

use crate::attributes::Attributes;
use crate::constant::Constant;
use crate::error::{CompileError, quote};
use crate::limits::MAX_NODES;

/// Oldest operator set read: before it several operators broadcast by attributes.
const OLDEST_OPSET: i64 = 7;
/// ONNX's number for the element type `FLOAT`.
const FLOAT: i32 = 1;

/// Sizes for symbolic dimensions, by name. A first dimension that is not listed is 1.
pub type DimensionSizes = BTreeMap<String, usize>;

/// One node as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct RawNode {
    /// The source name, or the first output's name where the source gives none.
    pub name: String,
    pub operator: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: Attributes,
}

/// A model as the file has it: nodes in topological order, one input, one output.
#[derive(Debug, Clone)]
pub(crate) struct RawModel {
    pub name: String,
    pub input: String,
    /// With the batch dimension, which is 1.
    pub input_shape: Vec<usize>,
    pub output: String,
    pub nodes: Vec<RawNode>,
    pub constants: BTreeMap<String, Constant>,
}

/// Decodes a model. `path` only names the file in errors.
pub(crate) fn decode(bytes: &[u8], path: &Path, sizes: &DimensionSizes) -> Result<RawModel, CompileError> {
    let not_onnx = |detail: String| CompileError::NotOnnx { path: path.into(), detail };
    let fail = |detail: String| CompileError::Graph { path: path.into(), detail };
    let model = ModelProto::parse_from_bytes(bytes).map_err(|e| not_onnx(quote(&e.to_string())))?;
    let graph = model.graph.as_ref().ok_or_else(|| not_onnx("it holds no graph".into()))?;
    if graph.node.is_empty() {
        return Err(not_onnx("its graph has no nodes".into()));
    }
    check_opset(&model).map_err(fail)?;
    if graph.node.len() > MAX_NODES {
        return Err(fail(format!("it has more than {MAX_NODES} nodes; split the model")));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(fail("it has sparse initializers; export it with dense ones".into()));
    }
    let mut constants = BTreeMap::new();
    for tensor in &graph.initializer {
        if constants.insert(tensor.name.clone(), Constant::decode(tensor)?).is_some() {
            return Err(fail(format!("two initializers are named {}", quote(&tensor.name))));
        }
    }
    let input = single_input(graph, &constants).map_err(fail)?;
    let input_shape = input_shape(input, sizes)?;
    let [output] = &graph.output[..] else {
        return Err(fail(format!(
            "it has {} outputs, and one is compiled; export it with one output",
            graph.output.len()
        )));
    };
    let nodes = graph.node.iter().map(raw_node).collect::<Result<Vec<_>, _>>()?;
    let nodes = topological(nodes, &input.name, &constants).map_err(fail)?;
    Ok(RawModel {
        name: graph.name.clone(),
        input: input.name.clone(),
        input_shape,
        output: output.name.clone(),
        nodes,
        constants,
    })
}

fn check_opset(model: &ModelProto) -> Result<(), String> {
    if !model.functions.is_empty() {
        return Err("it defines functions of its own; export it with them inlined".into());
    }
    for opset in &model.opset_import {
        let standard = opset.domain.is_empty() || opset.domain == "ai.onnx";
        if standard && opset.version < OLDEST_OPSET {
            return Err(format!(
                "its operator set is {}; export it with operator set {OLDEST_OPSET} or later",
                opset.version
            ));
        }
    }
    Ok(())
}

fn single_input<'a>(
    graph: &'a GraphProto,
    constants: &BTreeMap<String, Constant>,
) -> Result<&'a ValueInfoProto, String> {
    let mut inputs = graph.input.iter().filter(|i| !constants.contains_key(&i.name));
    let first = inputs.next().ok_or("it has no input")?;
    let others = inputs.count();
    if others > 0 {
        return Err(format!("it has {} inputs, and one is compiled; export it with one input", others + 1));
    }
    Ok(first)
}

fn input_shape(input: &ValueInfoProto, sizes: &DimensionSizes) -> Result<Vec<usize>, CompileError> {
    let name = quote(&input.name);
    let fail = |detail: String| CompileError::Input { input: name.clone(), detail };
    let kind = input.type_.as_ref().ok_or_else(|| fail("it has no type; export the model again".into()))?;
    if !kind.has_tensor_type() {
        return Err(fail("it is not a tensor; export the model with a tensor".into()));
    }
    let tensor = kind.tensor_type();
    if tensor.elem_type != FLOAT {
        return Err(fail(format!(
            "its element type is {}, and float (1) is compiled; export the model with a float input",
            tensor.elem_type
        )));
    }
    let dims =
        &tensor.shape.as_ref().ok_or_else(|| fail("it has no shape; export the model with one".into()))?.dim;
    let mut shape = Vec::with_capacity(dims.len());
    for (axis, dim) in dims.iter().enumerate() {
        let symbol = dim.dim_param();
        let size = if dim.has_dim_value() && dim.dim_value() > 0 {
            usize::try_from(dim.dim_value()).map_err(|_| fail("it is too large".into()))?
        } else if let Some(&size) = sizes.get(symbol).filter(|_| !symbol.is_empty()) {
            size
        } else if axis == 0 {
            1
        } else {
            let dimension = if symbol.is_empty() { "unnamed".into() } else { quote(symbol) };
            return Err(CompileError::UnknownDimension { input: name, axis, dimension });
        };
        shape.push(size);
    }
    match shape.first() {
        Some(1) if (2..=4).contains(&shape.len()) => Ok(shape),
        Some(1) | None => Err(fail(format!(
            "it has {} dimensions; 2 to 4 are compiled, the first being the batch",
            shape.len()
        ))),
        Some(n) => {
            Err(fail(format!("its batch dimension is {n}; export with a batch of 1 or a dynamic one")))
        }
    }
}

fn raw_node(node: &NodeProto) -> Result<RawNode, CompileError> {
    let name = match (node.name.as_str(), node.output.first()) {
        ("", Some(output)) => quote(output),
        (name, _) => quote(name),
    };
    let standard = node.domain.is_empty() || node.domain == "ai.onnx";
    let operator =
        if standard { quote(&node.op_type) } else { quote(&format!("{}.{}", node.domain, node.op_type)) };
    let attributes = Attributes::decode(&operator, &name, &node.attribute)?;
    let inputs = node.input.clone();
    let outputs = node.output.clone();
    Ok(RawNode { name, operator, inputs, outputs, attributes })
}

/// Sorts nodes so that each follows its inputs, keeping the file's order where that allows.
fn topological(
    nodes: Vec<RawNode>,
    input: &str,
    constants: &BTreeMap<String, Constant>,
) -> Result<Vec<RawNode>, String> {
    let mut producer: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|o| !o.is_empty()) {
            let taken = output == input || constants.contains_key(output);
            if taken || producer.insert(output, index).is_some() {
                return Err(format!("two things produce the value {}", quote(output)));
            }
        }
    }
    let mut missing = vec![0usize; nodes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let named: BTreeSet<&str> =
            node.inputs.iter().map(String::as_str).filter(|i| !i.is_empty()).collect();
        for name in named {
            if let Some(&from) = producer.get(name) {
                missing[index] += 1;
                readers[from].push(index);
            } else if name != input && !constants.contains_key(name) {
                return Err(format!(
                    "node {} reads {}, which nothing produces; the file is damaged",
                    node.name,
                    quote(name)
                ));
            }
        }
    }
    let mut ready: BTreeSet<usize> =
        missing.iter().enumerate().filter(|&(_, &m)| m == 0).map(|(i, _)| i).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &reader in &readers[index] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    if order.len() != nodes.len() {
        let stuck = missing.iter().position(|&m| m > 0).expect("a node was left out of the order");
        return Err(format!("node {} is part of a cycle", nodes[stuck].name));
    }
    let mut slots: Vec<Option<RawNode>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|index| slots[index].take()).collect())
}
