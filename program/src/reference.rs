//! How an operator names the tensors that it reads (SPEC 4.2: kind, index, rank, exports).

use crate::layer::Layers;
use crate::{ConstantIndex, Layer, LayerIndex, OperatorIndex, Source};

/// A tensor as seen from the operator that reads it: what a step must open, and under which root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// The program's input.
    Input,
    /// A constant.
    Constant(ConstantIndex),
    /// An export of an earlier layer.
    Export {
        /// The layer.
        layer: LayerIndex,
        /// Which of its exports, from 0.
        rank: u8,
        /// How many exports it has.
        exports: u8,
    },
    /// An earlier operator of the same layer.
    Local {
        /// Its position in the layer.
        position: u8,
    },
}

/// A reference's fields in a descriptor: kind, index, rank, exports.
pub(crate) type Code = (u8, u32, u8, u8);

impl Reference {
    /// The fields of the encoding.
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::Input => (0, 0, 0, 0),
            Self::Constant(index) => (1, index.0, 0, 0),
            Self::Export { layer, rank, exports } => (2, layer.0, rank, exports),
            Self::Local { position } => (3, position as u32, 0, 0),
        }
    }

    /// The reference with these fields; `None` when there is none.
    pub(crate) fn from_code(code: Code) -> Option<Self> {
        match code {
            (0, 0, 0, 0) => Some(Self::Input),
            (1, index, 0, 0) => Some(Self::Constant(ConstantIndex(index))),
            (2, layer, rank, exports) => Some(Self::Export { layer: LayerIndex(layer), rank, exports }),
            (3, position, 0, 0) => Some(Self::Local { position: u8::try_from(position).ok()? }),
            _ => None,
        }
    }

    /// The tensor that this names for an operator of layer `own`; `None` where `layers` have no such tensor.
    pub(crate) fn resolve(self, layers: &[Layer], own: LayerIndex) -> Option<Source> {
        let at = |layer: &Layer, position: u8| {
            (position < layer.count).then(|| OperatorIndex(layer.first.0 + u32::from(position)))
        };
        match self {
            Self::Input => Some(Source::Input),
            Self::Constant(index) => Some(Source::Constant(index)),
            Self::Export { layer, rank, exports } => {
                let layer = layers.get(layer.0 as usize).filter(|_| layer < own)?;
                let position = layer.exports.get(usize::from(rank))?;
                let counted = usize::from(exports) == layer.exports.len();
                at(layer, *position).filter(|_| counted).map(Source::Operator)
            }
            Self::Local { position } => at(layers.get(own.0 as usize)?, position).map(Source::Operator),
        }
    }
}

impl Layers {
    /// How an operator of layer `own` names `source`.
    ///
    /// # Panics
    /// When `source` is an operator of a later layer, or one of an earlier layer that is not exported.
    pub fn reference(&self, own: LayerIndex, source: Source) -> Reference {
        match source {
            Source::Input => Reference::Input,
            Source::Constant(index) => Reference::Constant(index),
            Source::Operator(index) => {
                let (layer, position) = self.place(index);
                if layer == own {
                    return Reference::Local { position };
                }
                assert!(layer < own, "operator {index} stands in a later layer than {own}");
                let described = &self.list[layer.0 as usize];
                let rank = described.rank(position).expect("what a later layer reads is exported");
                Reference::Export { layer, rank, exports: described.exports.len() as u8 }
            }
        }
    }
}
