//! The file's nodes, in order, to a [`Graph`] within the limits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use narrows_commitment::Digest;

use crate::constant::{Constant, element, element_count};
use crate::error::{CompileError, Dimensions, quote};
use crate::graph::{Graph, Kind, Node, Op, Origin, Value, ValueId};
use crate::limits::{
    MAX_ACTIVATION_ELEMENTS, MAX_ALL_ACTIVATIONS, MAX_ALL_WEIGHTS, MAX_MULTIPLY_ADDS, MAX_NODES, MAX_RANK,
};
use crate::onnx::{RawModel, RawNode};
use crate::operators::Reader;

/// What a name of the file stands for.
#[derive(Debug, Clone)]
pub(crate) enum Term {
    /// A tensor that does not depend on the input.
    Constant(Rc<Constant>),
    /// An activation.
    Value(ValueId),
}

impl From<Constant> for Term {
    fn from(constant: Constant) -> Self {
        Self::Constant(Rc::new(constant))
    }
}

/// A graph under construction.
pub(crate) struct Builder {
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    pub names: BTreeMap<String, Term>,
    /// For each activation the node that makes it.
    pub makers: Vec<Option<usize>>,
    /// Activations that are 0 or 1 everywhere.
    pub booleans: BTreeSet<ValueId>,
    /// The standard operator set's version.
    pub opset: i64,
    /// Names of nodes so far.
    pub taken: BTreeSet<String>,
    /// Elements of all constants that were made of others.
    pub folded: usize,
    activations: usize,
    weights: usize,
}

/// An output of a node under construction.
pub(crate) struct Made {
    pub shape: Vec<usize>,
    pub kind: Kind,
}

impl Builder {
    /// Adds a node, named after a part of a node of the file.
    pub(crate) fn add(
        &mut self,
        source: &RawNode,
        part: &str,
        op: Op,
        inputs: Vec<ValueId>,
        made: Made,
    ) -> Result<ValueId, CompileError> {
        let Made { shape, kind } = made;
        let fail = |detail: String| CompileError::Node {
            operator: source.operator.clone(),
            node: source.name.clone(),
            detail,
        };
        let elements = element_count(&shape, MAX_ACTIVATION_ELEMENTS).filter(|&n| n > 0);
        let Some(elements) = elements.filter(|_| shape.len() <= MAX_RANK) else {
            let input = quote(&self.values[0].name);
            return Err(fail(format!(
                "its output shape {} is empty, has more than {MAX_RANK} dimensions or more than \
                 {MAX_ACTIVATION_ELEMENTS} elements; check the shape given for {input}",
                Dimensions(shape)
            )));
        };
        self.activations += elements;
        self.weights += op.weights();
        let (activations, weights) = (self.activations, self.weights);
        if activations > MAX_ALL_ACTIVATIONS || weights > MAX_ALL_WEIGHTS || self.nodes.len() >= MAX_NODES {
            return Err(fail(format!(
                "up to it the model has {activations} activations, {weights} weights and {} operators; at most \
                 {MAX_ALL_ACTIVATIONS}, {MAX_ALL_WEIGHTS} and {MAX_NODES} are compiled",
                self.nodes.len()
            )));
        }
        let output = ValueId(self.values.len());
        let name = unique(&mut self.taken, format!("{}.{part}", source.name));
        self.makers.push(Some(self.nodes.len()));
        self.values.push(Value { name: name.clone(), shape, kind });
        let sources = vec![Origin { name: source.name.clone(), operator: source.operator.clone() }];
        self.nodes.push(Node { name, operator: source.operator.clone(), sources, op, inputs, output });
        Ok(output)
    }
}

/// A name that no other node has: the one wanted, or with a number behind it.
pub(crate) fn unique(taken: &mut BTreeSet<String>, wanted: String) -> String {
    let mut name = wanted.clone();
    let mut count = 1;
    while !taken.insert(name.clone()) {
        count += 1;
        name = format!("{wanted}.{count}");
    }
    name
}

/// Builds the graph of a decoded file; `path` only names it in errors.
pub(crate) fn build(raw: RawModel, source: Digest, path: &Path) -> Result<Graph, CompileError> {
    let fail = |detail: String| CompileError::Graph { path: path.into(), detail };
    let RawModel { name, opset, input, input_shape, input_type, output, nodes, constants } = raw;
    let elements = element_count(&input_shape, MAX_ACTIVATION_ELEMENTS).filter(|&n| n > 0);
    let Some(elements) = elements.filter(|_| input_shape.len() <= MAX_RANK) else {
        return Err(fail(format!(
            "its input {} of shape {input_shape:?} has more than {MAX_RANK} dimensions or {MAX_ACTIVATION_ELEMENTS} elements",
            quote(&input)
        )));
    };
    let kind = if element::is_integer(input_type) == Some(true) { Kind::Integer } else { Kind::Real };
    let mut names: BTreeMap<String, Term> =
        constants.into_iter().map(|(name, constant)| (name, constant.into())).collect();
    names.insert(input.clone(), Term::Value(ValueId(0)));
    let mut booleans = BTreeSet::new();
    if input_type == element::BOOL {
        booleans.insert(ValueId(0));
    }
    let values = vec![Value { name: input, shape: input_shape, kind }];
    let mut builder = Builder {
        values,
        nodes: Vec::new(),
        names,
        makers: vec![None],
        booleans,
        opset,
        taken: BTreeSet::new(),
        folded: 0,
        activations: elements,
        weights: 0,
    };
    for node in nodes {
        Reader { node, builder: &mut builder }.read()?;
    }
    let output = match builder.names.get(&output) {
        Some(Term::Value(id)) => *id,
        _ => return Err(fail(format!("its output {} does not depend on its input", quote(&output)))),
    };
    let Builder { values, nodes, .. } = builder;
    let mut graph = Graph { name, source, values, nodes, input: ValueId(0), output };
    graph.prune();
    if graph.nodes.is_empty() {
        return Err(fail("its output is its input; there is nothing to compile".into()));
    }
    if graph.terms() > MAX_MULTIPLY_ADDS {
        return Err(fail(format!(
            "one inference takes {} multiply-adds, more than the limit of {MAX_MULTIPLY_ADDS}",
            graph.terms()
        )));
    }
    Ok(graph)
}
