//! Decoded tensors.

use narrows_program::{DType, record};

/// What an element of a tensor can do.
pub(super) trait Element: Copy + Default + Send + Sync + Into<i32> + Into<i64> {}

impl<T: Copy + Default + Send + Sync + Into<i32> + Into<i64>> Element for T {}

/// The elements of a tensor, in row-major order.
#[derive(Debug, Clone)]
pub(super) enum Values {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
}

/// Runs an expression generic in the element type: `with_values!(values, slice => expression)`.
macro_rules! with_values {
    ($values:expr, $slice:ident => $run:expr) => {
        match $values {
            $crate::engine::values::Values::I8(v) => {
                let $slice = v.as_slice();
                $run
            }
            $crate::engine::values::Values::I16(v) => {
                let $slice = v.as_slice();
                $run
            }
            $crate::engine::values::Values::I32(v) => {
                let $slice = v.as_slice();
                $run
            }
        }
    };
}
pub(super) use with_values;

impl Values {
    /// Decodes canonical bytes; nothing for records.
    pub fn decode(dtype: DType, bytes: &[u8]) -> Self {
        match dtype {
            DType::I8 => Self::I8(bytes.iter().map(|b| b.cast_signed()).collect()),
            DType::I16 => Self::I16(bytes.as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect()),
            DType::I32 => Self::I32(bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect()),
            DType::Params => Self::I8(Vec::new()),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        with_values!(self, v => v.len())
    }
}

/// A requantisation record, decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub bias: i64,
    pub multiplier: i64,
    pub shift: u32,
}

impl Record {
    /// Decodes the records of a legal program's constant.
    pub fn list(bytes: &[u8]) -> Vec<Self> {
        let decode = |bytes: &[u8; 16]| {
            let (bias, multiplier, shift) = record::decode(bytes).expect("legality checked every record");
            Self { bias, multiplier: i64::from(multiplier), shift: u32::from(shift) }
        };
        bytes.as_chunks().0.iter().map(decode).collect()
    }
}
