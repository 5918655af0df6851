//! What a program is made of, and the header that sums it up.

use narrows_commitment::{Digest, keccak, tensor_depth, tile_count};

use crate::legal::limits::MAX_WORK;
use crate::{Bytes, DType, Meta, Operator, Source};

/// Bytes of an encoded header (SPEC 4.1).
pub const HEADER_BYTES: usize = 64;

/// A tensor's element type and number of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Number of elements.
    pub elements: u64,
}

impl TensorType {
    /// Bytes of the canonical encoding.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.elements.saturating_mul(self.dtype.bytes() as u64)
    }

    /// Tiles of the canonical encoding.
    #[must_use]
    pub fn tiles(&self) -> u64 {
        tile_count(self.bytes())
    }

    /// Depth of the tensor's tree.
    #[must_use]
    pub fn depth(&self) -> u32 {
        tensor_depth(self.tiles())
    }
}

/// A weight tensor, a table or a list of requantisation records. `B` holds its bytes: a vector while a program is put
/// together, shared [`Bytes`] in a [`Program`](crate::Program).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant<B = Vec<u8>> {
    /// Element type.
    pub dtype: DType,
    /// Canonical bytes.
    pub bytes: B,
}

impl<B: AsRef<[u8]>> Constant<B> {
    /// Type and number of elements.
    #[must_use]
    pub fn tensor(&self) -> TensorType {
        let elements = self.bytes.as_ref().len() / self.dtype.bytes();
        TensorType { dtype: self.dtype, elements: elements as u64 }
    }
}

/// What a program is made of, before it is known to be legal. `B` holds the bytes of its constants, see [`Constant`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramParts<B = Vec<u8>> {
    /// The input tensor.
    pub input: TensorType,
    /// In order of evaluation.
    pub operators: Vec<Operator>,
    /// How many operators each layer has, in order: the layers are runs of the operators above.
    pub groups: Vec<u8>,
    /// Weights and records.
    pub constants: Vec<Constant<B>>,
    /// Levels of a tree that one reveal covers, b.
    pub reveal_bits: u8,
    /// What people want to know.
    pub meta: Meta,
}

/// The header (SPEC 4.1): what the contracts store of a program beside its layers root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Number of layers.
    pub layers: u32,
    /// Number of operators.
    pub operators: u32,
    /// The input tensor.
    pub input: TensorType,
    /// The output tensor: the last operator's.
    pub output: TensorType,
    /// Levels of a tree that one reveal covers, b.
    pub reveal_bits: u8,
    /// Greatest depth of an operator output's tree.
    pub max_tensor_depth: u8,
    /// Terms that one evaluation folds.
    pub work: u64,
    /// Hash of the meta section.
    pub meta_hash: Digest,
}

impl<B: AsRef<[u8]>> ProgramParts<B> {
    /// Type and number of elements of the tensor that `source` names, if there is one.
    #[must_use]
    pub fn tensor(&self, source: Source) -> Option<TensorType> {
        match source {
            Source::Input => Some(self.input),
            Source::Constant(index) => self.constants.get(index.0 as usize).map(Constant::tensor),
            Source::Operator(index) => self.operators.get(index.0 as usize).map(Operator::tensor),
        }
    }

    /// The header that these parts ask for; `None` without operators or with more work than is legal. Counts must be
    /// within limits.
    pub(crate) fn header(&self, meta_bytes: &[u8]) -> Option<Header> {
        let work = |op: &Operator| u128::from(op.elements()) * u128::from(op.terms());
        let work: u128 = self.operators.iter().map(work).sum();
        Some(Header {
            layers: self.groups.len() as u32,
            operators: self.operators.len() as u32,
            input: self.input,
            output: self.operators.last()?.tensor(),
            reveal_bits: self.reveal_bits,
            max_tensor_depth: self.operators.iter().map(|op| op.tensor().depth()).max()? as u8,
            work: u64::try_from(work).ok().filter(|work| *work <= MAX_WORK)?,
            meta_hash: keccak(meta_bytes),
        })
    }
}

/// The parts of a program: their constants are shared.
pub(crate) type SharedParts = ProgramParts<Bytes>;

impl<B> ProgramParts<B> {
    /// The same parts with the constants' bytes held otherwise.
    pub(crate) fn held<C>(self, hold: impl Fn(B) -> C) -> ProgramParts<C> {
        let Self { input, operators, groups, constants, reveal_bits, meta } = self;
        let constants = constants.into_iter().map(|c| Constant { dtype: c.dtype, bytes: hold(c.bytes) });
        ProgramParts { input, operators, groups, constants: constants.collect(), reveal_bits, meta }
    }
}
