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

/// How an accumulator becomes an element (SPEC 2.3). Every way ends in a requantisation by the element's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finalise {
    /// Requantise and clamp.
    #[default]
    Requantise,
    /// Requantise, clamp, and look the result up: entry `y - lo` of a constant of the output's type.
    Table(ConstantIndex),
    /// Divide by a scalar first: floor((acc * 2^lift + floor(d / 2)) / d), d read at the map's base and out steps.
    Divide {
        /// The divisor: an operator's output that is at least 1.
        by: Operand,
        /// Bits by which the accumulator is lifted.
        lift: u8,
    },
    /// Take the integer square root of acc + bias first, of 0 if that is negative.
    Root,
}

impl Finalise {
    /// The code of the encoding.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Requantise => 1,
            Self::Table(_) => 2,
            Self::Divide { .. } => 3,
            Self::Root => 4,
        }
    }

    /// What is read beside the operands and records: the table or the divisor.
    #[must_use]
    pub const fn source(&self) -> Option<Source> {
        match self {
            Self::Table(table) => Some(Source::Constant(*table)),
            Self::Divide { by, .. } => Some(by.source),
            Self::Requantise | Self::Root => None,
        }
    }
}

/// One operator: element = finalise(fold over terms) (SPEC 2).
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
    /// The second operand, for dot, pair and gather.
    pub b: Option<Operand>,
    /// The factor of a in a pair; in a gather, the elements from one row of b to the next; 0 otherwise.
    pub scale_a: i32,
    /// The factor of b in a pair; in a gather, the number of rows; 0 otherwise.
    pub scale_b: i32,
    /// How accumulators become elements.
    pub finalise: Finalise,
    /// Bias, multiplier and shift of each element.
    pub params: Params,
    /// The least output, or the value that reads a table's first entry.
    pub lo: i32,
    /// The greatest output, or the value that reads a table's last entry.
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

    /// What the operator reads: a, b if there is one, its records, and the table or divisor if there is one, in this order.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        let operands = std::iter::once(&self.a).chain(&self.b).map(|operand| operand.source);
        operands.chain([Source::Constant(self.params.constant)]).chain(self.finalise.source())
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
