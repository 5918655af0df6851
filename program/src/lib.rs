//! What a Narrows model is: integer tensors, operator descriptors, legality and canonical encoding.
//!
//! This crate says what a program *means* only by its specification, `SPEC.md`: it evaluates nothing, so that the
//! engines and the referee stay independent of each other. A [`Program`] value is legal by construction.

#![forbid(unsafe_code)]

mod decode;
mod descriptor;
mod error;
mod index;
mod legal;
mod meta;
mod operator;
mod program;
mod types;

pub use decode::{DecodeError, LoadError};
pub use descriptor::DESCRIPTOR_BYTES;
pub use error::{Illegal, Rule};
pub use index::{ConstantIndex, ElementIndex, LayerIndex, SegmentIndex, TileIndex};
pub use legal::limits;
pub use meta::{LayerMeta, Meta, TensorMeta};
pub use operator::{IndexMap, Operand, Operator, Params, Window};
pub use program::{Constant, HEADER_BYTES, Header, Program, ProgramParts, TensorType};
pub use types::{DType, Fold, Source, record};

#[cfg(test)]
mod tests;
