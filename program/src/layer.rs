//! Layers: runs of operators, and which of their outputs are committed (SPEC 3).

use std::ops::Range;

use crate::parts::SharedParts;
use crate::{LayerIndex, OperatorIndex, Source};

/// A run of consecutive operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its first operator.
    pub first: OperatorIndex,
    /// How many operators it has, 1 to 32.
    pub count: u8,
    /// Positions in the layer, increasing, of the operators that it exports: never empty.
    pub exports: Vec<u8>,
}

impl Layer {
    /// The bytes that stand before the operators root in a layer leaf (SPEC 3):
    /// be32(first) | count | number of exports | positions.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mut out = self.first.0.to_be_bytes().to_vec();
        self.describe(&mut out);
        out
    }

    /// Appends what a program file says of the layer (SPEC 4.3): count | number of exports | positions.
    pub(crate) fn describe(&self, out: &mut Vec<u8>) {
        out.extend([self.count, self.exports.len() as u8]);
        out.extend_from_slice(&self.exports);
    }

    /// Its operators, as positions in the program.
    #[must_use]
    pub fn operators(&self) -> Range<u32> {
        self.first.0..self.first.0 + u32::from(self.count)
    }

    /// The operator at `position` in the layer.
    ///
    /// # Panics
    /// When the layer has no such position.
    #[must_use]
    pub fn operator(&self, position: u8) -> OperatorIndex {
        assert!(position < self.count, "a layer of {} operators has no position {position}", self.count);
        OperatorIndex(self.first.0 + u32::from(position))
    }

    /// The exported operators, in order.
    pub fn exported(&self) -> impl Iterator<Item = OperatorIndex> {
        self.exports.iter().map(|position| OperatorIndex(self.first.0 + u32::from(*position)))
    }

    /// Whether the operator at `position` in the layer is exported.
    #[must_use]
    pub fn is_exported(&self, position: u8) -> bool {
        self.rank(position).is_some()
    }

    /// Which of the layer's exports, from 0, the operator at `position` is; `None` when it is not exported.
    #[must_use]
    pub fn rank(&self, position: u8) -> Option<u8> {
        self.exports.binary_search(&position).ok().map(|rank| rank as u8)
    }
}

/// A program's layers, and the layer of each operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers {
    pub list: Vec<Layer>,
    /// For each operator its layer.
    of: Vec<LayerIndex>,
}

impl Layers {
    /// Cuts the operators as `parts` say and finds what each layer exports. The counts must be legal, and
    /// operators may read only earlier ones.
    pub fn new(parts: &SharedParts) -> Self {
        let mut list = Vec::with_capacity(parts.groups.len());
        let mut of = Vec::with_capacity(parts.operators.len());
        for (index, &count) in parts.groups.iter().enumerate() {
            let first = OperatorIndex(of.len() as u32);
            list.push(Layer { first, count, exports: Vec::new() });
            of.resize(of.len() + usize::from(count), LayerIndex(index as u32));
        }
        assert_eq!(of.len(), parts.operators.len(), "the layers hold all operators");
        let mut exported = vec![false; of.len()];
        for (reader, operator) in parts.operators.iter().enumerate() {
            for source in operator.sources() {
                if let Source::Operator(read) = source {
                    exported[read.0 as usize] |= of[read.0 as usize] < of[reader];
                }
            }
        }
        for layer in &mut list {
            let read = |position: &u8| exported[layer.first.0 as usize + usize::from(*position)];
            layer.exports = (0..layer.count).filter(read).collect();
            if layer.exports.is_empty() {
                layer.exports.push(layer.count - 1);
            }
        }
        Self { list, of }
    }

    /// The layer of an operator, and its position there.
    pub fn place(&self, operator: OperatorIndex) -> (LayerIndex, u8) {
        let layer = self.of[operator.0 as usize];
        (layer, (operator.0 - self.list[layer.0 as usize].first.0) as u8)
    }
}
