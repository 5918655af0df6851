//! Builds small graphs by hand.

use narrows_commitment::Digest;
use narrows_compiler::{Graph, Kind, Node, Op, Origin, Value, ValueId};

/// A graph under construction.
pub struct Net(pub Graph);

impl Net {
    /// With a real input of a shape.
    pub fn new(shape: &[usize]) -> Self {
        Self::of(shape, Kind::Real)
    }

    /// With an input of integers.
    pub fn integers(shape: &[usize]) -> Self {
        Self::of(shape, Kind::Integer)
    }

    fn of(shape: &[usize], kind: Kind) -> Self {
        let value = Value { name: "x".into(), shape: shape.to_vec(), kind };
        Self(Graph {
            name: "net".into(),
            source: Digest([7; 32]),
            values: vec![value],
            nodes: Vec::new(),
            input: ValueId(0),
            output: ValueId(0),
        })
    }

    /// Adds a node with a real output, which becomes the graph's.
    pub fn op(&mut self, op: Op, inputs: &[ValueId], shape: &[usize]) -> ValueId {
        self.typed(op, inputs, shape, Kind::Real)
    }

    /// Adds a node with an output of a kind.
    pub fn typed(&mut self, op: Op, inputs: &[ValueId], shape: &[usize], kind: Kind) -> ValueId {
        let output = ValueId(self.0.values.len());
        let name = format!("n{}", output.0);
        let operator = format!("{op:?}").chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
        self.0.values.push(Value { name: format!("v{}", output.0), shape: shape.to_vec(), kind });
        let sources = vec![Origin { name: name.clone(), operator: operator.clone() }];
        self.0.nodes.push(Node { name, operator, sources, op, inputs: inputs.to_vec(), output });
        self.0.output = output;
        output
    }

    /// The input.
    pub fn input(&self) -> ValueId {
        self.0.input
    }
}
