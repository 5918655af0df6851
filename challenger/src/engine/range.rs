//! The values that an operand may hold: they decide how many digits its products need.

use narrows_program::{Bytes, Constant, DType};

/// The values of a tensor, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// The least value.
    pub least: i64,
    /// The greatest value.
    pub greatest: i64,
}

impl Range {
    /// Every value of a type.
    pub fn of_type(dtype: DType) -> Self {
        Self { least: dtype.min(), greatest: dtype.max() }
    }

    /// The values of a constant.
    pub fn held(constant: &Constant<Bytes>) -> Self {
        let elements = constant.tensor().elements as usize;
        let values = (0..elements).filter_map(|index| constant.dtype.read(&constant.bytes, index));
        let none = Self { least: i64::MAX, greatest: i64::MIN };
        values.fold(none, |all, v| Self { least: all.least.min(v), greatest: all.greatest.max(v) })
    }

    /// The greatest magnitude.
    pub fn magnitude(self) -> u64 {
        self.least.unsigned_abs().max(self.greatest.unsigned_abs())
    }
}
