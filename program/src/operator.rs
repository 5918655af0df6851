//! One operator: what it reads, how it folds, how it ends.

use crate::{ConstantIndex, DType, Fold, Source, TensorType};

/// Where an operand's terms stand in its tensor, in elements (SPEC 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexMap {
    /// Address of the first term of the first element.
    pub base: u32,
    /// Steps for the output dimensions.
    pub out: [u32; 4],
    /// Steps for the reduction dimensions.
    pub red: [u32; 3],
}

/// A bounded axis of operand a: v = o * out_step + t * red_step - offset, inside iff 0 <= v < limit.
///
/// Window w moves over output dimension w and reduction dimension w. All zeros: no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// The axis' length; 0 for no window.
    pub limit: u32,
    /// Elements from one position on the axis to the next.
    pub stride: u32,
    /// The convolution's stride.
    pub out_step: u16,
    /// The convolution's dilation.
    pub red_step: u16,
    /// The padding before the axis.
    pub offset: u16,
}

/// A tensor that an operator reads, element by element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// The tensor.
    pub source: Source,
    /// Its element type.
    pub dtype: DType,
    /// Which element serves which term.
    pub map: IndexMap,
}

/// The requantisation records of an operator: one an element, by its output coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// The constant of records.
    pub constant: ConstantIndex,
    /// Steps for the output dimensions.
    pub out: [u32; 4],
}

/// One operator: element = requantise(fold over terms) (SPEC 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// How terms are made and combined.
    pub fold: Fold,
    /// The output's element type.
    pub dtype: DType,
    /// The output's dimensions.
    pub out: [u32; 4],
    /// The reduction's dimensions.
    pub red: [u32; 3],
    /// The first operand.
    pub a: Operand,
    /// The windows of the first operand.
    pub windows: [Window; 2],
    /// The value of a where a window is missed.
    pub pad: i32,
    /// The second operand, for dot and pair.
    pub b: Option<Operand>,
    /// The factor of a in a pair; 0 otherwise.
    pub scale_a: i32,
    /// The factor of b in a pair; 0 otherwise.
    pub scale_b: i32,
    /// Bias, multiplier and shift of each element.
    pub params: Params,
    /// The least output.
    pub lo: i32,
    /// The greatest output.
    pub hi: i32,
    /// Terms in a segment: folds of more are disputed segment by segment.
    pub split: u32,
}

impl Operator {
    /// Elements of the output.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.out.iter().map(|d| u64::from(*d)).fold(1, u64::saturating_mul)
    }

    /// Terms of an element's fold, K.
    #[must_use]
    pub fn terms(&self) -> u64 {
        self.red.iter().map(|d| u64::from(*d)).fold(1, u64::saturating_mul)
    }

    /// Segments of an element's fold.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.terms().div_ceil(u64::from(self.split.max(1)))
    }

    /// The terms of segment `index`.
    #[must_use]
    pub fn segment(&self, index: u64) -> std::ops::Range<u64> {
        let split = u64::from(self.split);
        let end = index.saturating_add(1).saturating_mul(split).min(self.terms());
        index.saturating_mul(split).min(end)..end
    }

    /// What the operator reads: a, b if there is one, and its records, in this order.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        let operands = std::iter::once(&self.a).chain(&self.b).map(|operand| operand.source);
        operands.chain([Source::Constant(self.params.constant)])
    }

    /// The output tensor.
    #[must_use]
    pub fn tensor(&self) -> TensorType {
        TensorType { dtype: self.dtype, elements: self.elements() }
    }

    /// Bytes of the output tensor.
    #[must_use]
    pub fn output_bytes(&self) -> u64 {
        self.elements().saturating_mul(self.dtype.bytes() as u64)
    }
}
