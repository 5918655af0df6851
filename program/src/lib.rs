//! What a Narrows model is: integer tensors, operators in layers, legality and canonical encoding.
//!
//! This crate says what a program *means* only by its specification, `SPEC.md`: it evaluates nothing, so that the
//! engines and the referee stay independent of each other. A [`Program`] value is legal by construction.

#![forbid(unsafe_code)]

mod bounds;
mod bytes;
mod decode;
mod descriptor;
mod error;
pub mod example;
mod index;
mod layer;
mod legal;
mod meta;
mod operator;
mod parts;
mod program;
mod reference;
mod step;
mod types;

pub use bytes::{Bytes, Owner};
pub use decode::{DecodeError, LoadError};
pub use descriptor::{DESCRIPTOR_BYTES, EXTENDED_BYTES};
pub use error::{Illegal, Rule};
pub use index::{ConstantIndex, ElementIndex, LayerIndex, OperatorIndex, SegmentIndex, TileIndex};
pub use layer::Layer;
pub use legal::limits;
pub use meta::{BoundFile, Meta, OperatorMeta, TensorMeta};
pub use operator::{Finalise, IndexMap, Operand, Operator, Params, Window};
pub use parts::{Constant, HEADER_BYTES, Header, ProgramParts, TensorType};
pub use program::Program;
pub use reference::Reference;
pub use step::step_fits;
pub use types::{DType, Fold, Source, record};

#[cfg(test)]
mod tests;
