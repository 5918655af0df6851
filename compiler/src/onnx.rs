//! ONNX bytes to a list of nodes with their source names, and the model's constants.
//!
//! Only the protobuf types of `onnx-ir` are used. Nothing here knows an operator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use onnx_ir::{GraphProto, Message, ModelProto, NodeProto, ValueInfoProto};

use crate::attributes::Attributes;
use crate::constant::{Constant, ConstantData, element, element_count};
use crate::error::{CompileError, quote};
use crate::limits::{MAX_ACTIVATION_ELEMENTS, MAX_NODES};
use crate::unroll::{self, Generation};

/// Oldest operator set read: before it several operators broadcast by attributes.
const OLDEST_OPSET: i64 = 7;
/// Newest operator set read: later ones may give an operator another meaning.
const NEWEST_OPSET: i64 = 23;

/// Sizes that a file leaves open, by name: the whole shape of the input, or the size of a symbolic dimension.
pub type DimensionSizes = BTreeMap<String, Vec<usize>>;

/// What a model file leaves open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelOptions {
    /// Sizes of dimensions. A first dimension that is not listed is 1.
    pub sizes: DimensionSizes,
    /// The output to compile, which a model with several must be told.
    pub output: Option<String>,
    /// Inputs that are constants here, and the one number that fills each: an attention mask of ones, say. One input
    /// must be left.
    pub fixed: BTreeMap<String, f32>,
    /// Repeats the model, one step of a decoder, so that it generates.
    pub generation: Option<Generation>,
}

/// A text that is not `name=1`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} fills no input; write the name of an input and a number, as in attention_mask=1")]
pub struct ParseFixedError(String);

/// A text that is not `name=1x128`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no shape; write the name of the input or of a dimension and its sizes, as in tokens=1x128")]
pub struct ParseShapeError(String);

impl ModelOptions {
    /// Reads `name=1x128` (an input's whole shape) or `name=128` (a symbolic dimension's size).
    ///
    /// # Errors
    /// [`ParseShapeError`] where the text is neither.
    pub fn pin(&mut self, text: &str) -> Result<(), ParseShapeError> {
        let fail = || ParseShapeError(quote(text));
        let (name, sizes) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(fail)?;
        let sizes: Option<Vec<usize>> =
            sizes.split('x').map(|size| size.trim().parse().ok().filter(|&size| size > 0)).collect();
        self.sizes.insert(name.into(), sizes.ok_or_else(fail)?);
        Ok(())
    }

    /// Reads `name=1`: an input that is a constant of that number.
    ///
    /// # Errors
    /// [`ParseFixedError`] where the text is not that.
    pub fn fix(&mut self, text: &str) -> Result<(), ParseFixedError> {
        let fail = || ParseFixedError(quote(text));
        let (name, number) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(fail)?;
        let number: Option<f32> = number.trim().parse().ok().filter(|number: &f32| number.is_finite());
        self.fixed.insert(name.into(), number.ok_or_else(fail)?);
        Ok(())
    }
}

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
    /// The standard operator set's version.
    pub opset: i64,
    pub input: String,
    pub input_shape: Vec<usize>,
    /// ONNX's number of the input's element type.
    pub input_type: i32,
    pub output: String,
    pub nodes: Vec<RawNode>,
    pub constants: BTreeMap<String, Constant>,
}

/// Decodes a model. `path` only names the file in errors.
pub(crate) fn decode(bytes: &[u8], path: &Path, options: &ModelOptions) -> Result<RawModel, CompileError> {
    if let Some(generation) = &options.generation {
        return unroll::decode(bytes, path, generation);
    }
    let fail = |detail: String| CompileError::Graph { path: path.into(), detail };
    let model = parse(bytes, path)?;
    let graph = graph(&model, path)?;
    let opset = check_opset(&model).map_err(fail)?;
    let mut constants = initializers(graph, path)?;
    fix_inputs(graph, options, &mut constants)?;
    if let Some(name) = options.fixed.keys().find(|name| graph.input.iter().all(|i| i.name != **name)) {
        return Err(fail(format!("it has no input {} to fill", quote(name))));
    }
    let input = single_input(graph, &constants).map_err(fail)?;
    let (input_shape, input_type) = input_shape(input, &options.sizes)?;
    let output = chosen_output(graph, options.output.as_deref()).map_err(fail)?;
    let nodes = topological(raw_nodes(graph)?, &input.name, &constants).map_err(fail)?;
    Ok(RawModel {
        name: graph.name.clone(),
        opset,
        input: input.name.clone(),
        input_shape,
        input_type,
        output,
        nodes,
        constants,
    })
}

/// The model behind a file's bytes; `path` only names it in errors.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<ModelProto, CompileError> {
    let not_onnx = |detail: String| CompileError::NotOnnx { path: path.into(), detail };
    ModelProto::parse_from_bytes(bytes).map_err(|e| not_onnx(quote(&e.to_string())))
}

/// A model's graph, with nodes and without too many of them.
pub(crate) fn graph<'a>(model: &'a ModelProto, path: &Path) -> Result<&'a GraphProto, CompileError> {
    let not_onnx = |detail: String| CompileError::NotOnnx { path: path.into(), detail };
    let graph = model.graph.as_ref().ok_or_else(|| not_onnx("it holds no graph".into()))?;
    if graph.node.is_empty() {
        return Err(not_onnx("its graph has no nodes".into()));
    }
    if graph.node.len() > MAX_NODES {
        let detail = format!("it has more than {MAX_NODES} nodes; split the model");
        return Err(CompileError::Graph { path: path.into(), detail });
    }
    Ok(graph)
}

/// A graph's initializers by name.
pub(crate) fn initializers(
    graph: &GraphProto,
    path: &Path,
) -> Result<BTreeMap<String, Constant>, CompileError> {
    let fail = |detail: String| CompileError::Graph { path: path.into(), detail };
    if !graph.sparse_initializer.is_empty() {
        return Err(fail("it has sparse initializers; export it with dense ones".into()));
    }
    let mut constants = BTreeMap::new();
    for tensor in &graph.initializer {
        if constants.insert(tensor.name.clone(), Constant::decode(tensor)?).is_some() {
            return Err(fail(format!("two initializers are named {}", quote(&tensor.name))));
        }
    }
    Ok(constants)
}

/// A graph's nodes in the file's order.
pub(crate) fn raw_nodes(graph: &GraphProto) -> Result<Vec<RawNode>, CompileError> {
    graph.node.iter().map(raw_node).collect()
}

/// The standard operator set's version, when it is one that is read.
pub(crate) fn check_opset(model: &ModelProto) -> Result<i64, String> {
    if !model.functions.is_empty() {
        return Err("it defines functions of its own; export it with them inlined".into());
    }
    let standard = model.opset_import.iter().find(|o| o.domain.is_empty() || o.domain == "ai.onnx");
    let Some(version) = standard.map(|o| o.version) else {
        return Err("it names no standard operator set; export it again".into());
    };
    if (OLDEST_OPSET..=NEWEST_OPSET).contains(&version) {
        return Ok(version);
    }
    Err(format!(
        "its operator set is {version}; export it with one from operator set {OLDEST_OPSET} to {NEWEST_OPSET}"
    ))
}

fn chosen_output(graph: &GraphProto, chosen: Option<&str>) -> Result<String, String> {
    let names = || graph.output.iter().map(|o| quote(&o.name)).collect::<Vec<_>>().join(", ");
    match (chosen, &graph.output[..]) {
        (None, [output]) => Ok(output.name.clone()),
        (None, []) => Err("it has no output; export it with one".into()),
        (None, _) => Err(format!(
            "it has {} outputs, and one is compiled; choose one of {}",
            graph.output.len(),
            names()
        )),
        (Some(name), outputs) if outputs.iter().any(|o| o.name == name) => Ok(name.into()),
        (Some(name), _) => Err(format!("it has no output {}; choose one of {}", quote(name), names())),
    }
}

/// Makes constants of the inputs that are to be.
fn fix_inputs(
    graph: &GraphProto,
    options: &ModelOptions,
    constants: &mut BTreeMap<String, Constant>,
) -> Result<(), CompileError> {
    for input in &graph.input {
        let Some(&number) = options.fixed.get(&input.name) else { continue };
        let (shape, kind) = input_shape(input, &options.sizes)?;
        let n = element_count(&shape, MAX_ACTIVATION_ELEMENTS).ok_or_else(|| CompileError::Input {
            input: quote(&input.name),
            detail: format!("it has more than {MAX_ACTIVATION_ELEMENTS} elements"),
        })?;
        let data = match element::is_integer(kind) {
            Some(true) => ConstantData::Integer(vec![number as i64; n]),
            _ => ConstantData::Float(vec![number; n]),
        };
        constants.insert(input.name.clone(), Constant { shape, data });
    }
    Ok(())
}

fn single_input<'a>(
    graph: &'a GraphProto,
    constants: &BTreeMap<String, Constant>,
) -> Result<&'a ValueInfoProto, String> {
    let inputs: Vec<_> = graph.input.iter().filter(|i| !constants.contains_key(&i.name)).collect();
    match inputs[..] {
        [input] => Ok(input),
        [] => Err("it has no input".into()),
        _ => Err(format!(
            "it has {} inputs, and one is compiled; fill all but one of {} with a number each",
            inputs.len(),
            inputs.iter().map(|input| quote(&input.name)).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// The input's shape and ONNX's number of its element type.
fn input_shape(input: &ValueInfoProto, sizes: &DimensionSizes) -> Result<(Vec<usize>, i32), CompileError> {
    let name = quote(&input.name);
    let fail = |detail: String| CompileError::Input { input: name.clone(), detail };
    let kind = input.type_.as_ref().ok_or_else(|| fail("it has no type; export the model again".into()))?;
    if !kind.has_tensor_type() {
        return Err(fail("it is not a tensor; export the model with a tensor".into()));
    }
    let tensor = kind.tensor_type();
    if element::is_integer(tensor.elem_type).is_none() {
        return Err(fail(format!(
            "its element type is {}, and float (1), double and integers are compiled; export the model with such an input",
            tensor.elem_type
        )));
    }
    let whole = sizes.get(&input.name);
    let Some(declared) = tensor.shape.as_ref() else {
        let shape =
            whole.ok_or_else(|| fail("it has no shape; export the model with one, or give one".into()))?;
        return Ok((shape.clone(), tensor.elem_type));
    };
    if whole.is_some_and(|shape| shape.len() != declared.dim.len()) {
        return Err(fail(format!("it has {} dimensions; give as many sizes", declared.dim.len())));
    }
    let mut shape = Vec::with_capacity(declared.dim.len());
    for (axis, dim) in declared.dim.iter().enumerate() {
        let symbol = dim.dim_param();
        let given = whole.map(|shape| shape[axis]);
        let fixed = (dim.has_dim_value() && dim.dim_value() > 0).then(|| dim.dim_value());
        let named = sizes.get(symbol).filter(|_| !symbol.is_empty());
        let size = match (fixed, given, named.map(Vec::as_slice)) {
            (Some(fixed), given, _) => {
                let fixed = usize::try_from(fixed).map_err(|_| fail("it is too large".into()))?;
                if given.is_some_and(|given| given != fixed) {
                    return Err(fail(format!("its dimension {axis} is fixed at {fixed}; give that size")));
                }
                fixed
            }
            (None, Some(given), _) => given,
            (None, None, Some(&[size])) => size,
            (None, None, Some(_)) => {
                return Err(fail(format!("its dimension {} needs one size; give one", quote(symbol))));
            }
            (None, None, None) if axis == 0 => 1,
            (None, None, None) => {
                let dimension = if symbol.is_empty() { "unnamed".into() } else { quote(symbol) };
                return Err(CompileError::UnknownDimension { input: name, axis, dimension });
            }
        };
        if size == 0 {
            return Err(fail(format!("its dimension {axis} is given the size 0; give at least 1")));
        }
        shape.push(size);
    }
    Ok((shape, tensor.elem_type))
}

fn raw_node(node: &NodeProto) -> Result<RawNode, CompileError> {
    let name = match (node.name.as_str(), node.output.first()) {
        ("", Some(output)) => quote(output),
        (name, _) => quote(name),
    };
    // Written by ONNX Runtime under either domain.
    let simplified = node.op_type == "SimplifiedLayerNormalization";
    let standard = node.domain.is_empty() || node.domain == "ai.onnx" || simplified;
    let operator =
        if standard { quote(&node.op_type) } else { quote(&format!("{}.{}", node.domain, node.op_type)) };
    let attributes = Attributes::decode(&operator, &name, &node.attribute)?;
    let inputs = node.input.clone();
    let outputs = node.output.clone();
    Ok(RawNode { name, operator, inputs, outputs, attributes })
}

/// Sorts nodes so that each follows its inputs, keeping the file's order where that allows.
pub(crate) fn topological(
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
