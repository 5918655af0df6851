//! Element types, folds, and where an operand comes from.

use serde::{Deserialize, Serialize};

use crate::{ConstantIndex, OperatorIndex};

/// The type of a tensor's elements (SPEC 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum DType {
    /// 8 bits, signed.
    I8 = 1,
    /// 16 bits, signed.
    I16 = 2,
    /// 32 bits, signed.
    I32 = 3,
    /// Requantisation records of 16 bytes; see [`record`].
    Params = 16,
}

impl DType {
    /// The type with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::I8, Self::I16, Self::I32, Self::Params].into_iter().find(|dtype| *dtype as u8 == code)
    }

    /// Bytes in an element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 => 4,
            Self::Params => 16,
        }
    }

    /// Whether activations may have this type.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        !matches!(self, Self::Params)
    }

    /// The least value, in element units; 0 for records.
    #[must_use]
    pub const fn min(self) -> i64 {
        match self {
            Self::I8 => i8::MIN as i64,
            Self::I16 => i16::MIN as i64,
            Self::I32 => i32::MIN as i64,
            Self::Params => 0,
        }
    }

    /// The greatest value, in element units; 0 for records.
    #[must_use]
    pub const fn max(self) -> i64 {
        match self {
            Self::Params => 0,
            _ => -(self.min() + 1),
        }
    }

    /// Element `index` of canonical little-endian bytes; `None` beyond their end, or for records.
    #[must_use]
    #[inline]
    pub fn read(self, bytes: &[u8], index: usize) -> Option<i64> {
        let at = index.checked_mul(self.bytes())?;
        let raw = bytes.get(at..at.checked_add(self.bytes())?)?;
        match self {
            Self::I8 => Some(i64::from(raw[0] as i8)),
            Self::I16 => Some(i64::from(i16::from_le_bytes([raw[0], raw[1]]))),
            Self::I32 => Some(i64::from(i32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))),
            Self::Params => None,
        }
    }

    /// Appends `value`, which must be in range, as canonical bytes.
    ///
    /// # Panics
    /// When the value does not fit the type, or the type is not an integer: a mistake of the caller.
    pub fn write(self, value: i64, out: &mut Vec<u8>) {
        assert!(self.is_integer() && (self.min()..=self.max()).contains(&value), "{value} is not a {self:?}");
        out.extend_from_slice(&value.to_le_bytes()[..self.bytes()]);
    }
}

/// How an operator's terms are made and combined (SPEC 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Fold {
    /// Sum of a * b.
    Dot = 1,
    /// Sum of a.
    Sum = 2,
    /// Greatest a.
    Max = 3,
    /// a * scale_a + b * scale_b, a single term.
    Pair = 4,
    /// b at the row that a names, a single term.
    Gather = 5,
    /// Which a is greatest, the first of equals.
    ArgMax = 6,
}

impl Fold {
    /// The fold with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        let all = [Self::Dot, Self::Sum, Self::Max, Self::Pair, Self::Gather, Self::ArgMax];
        all.into_iter().find(|fold| *fold as u8 == code)
    }

    /// Whether the fold reads a second operand.
    #[must_use]
    pub const fn has_b(self) -> bool {
        matches!(self, Self::Dot | Self::Pair | Self::Gather)
    }
}

/// The tensor that an operand reads, by its place in the whole program; [`crate::Reference`] is how it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The program's input.
    Input,
    /// A constant.
    Constant(ConstantIndex),
    /// The output of an earlier operator.
    Operator(OperatorIndex),
}

/// Requantisation records: the canonical bytes of [`DType::Params`] elements.
pub mod record {
    /// The canonical bytes of one record: y = floor(((acc + bias) * multiplier + 2^(shift-1)) / 2^shift).
    #[must_use]
    pub fn encode(bias: i64, multiplier: u32, shift: u8) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&bias.to_le_bytes());
        out[8..12].copy_from_slice(&multiplier.to_le_bytes());
        out[12] = shift;
        out
    }

    /// The (bias, multiplier, shift) of one record's bytes; `None` when a reserved byte is not 0.
    #[must_use]
    pub fn decode(bytes: &[u8; 16]) -> Option<(i64, u32, u8)> {
        let (bias, rest) = bytes.split_first_chunk::<8>()?;
        let (multiplier, rest) = rest.split_first_chunk::<4>()?;
        match rest {
            [shift, 0, 0, 0] => Some((i64::from_le_bytes(*bias), u32::from_le_bytes(*multiplier), *shift)),
            _ => None,
        }
    }
}
