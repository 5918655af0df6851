//! Tensors as they are stored: canonical little-endian bytes, seen as elements. Nothing is decoded or copied.

use narrows_program::{Bytes, Constant, DType, record};

/// What an element of a tensor can do.
pub(super) trait Element: Copy + Default + Send + Sync {
    /// Whether it has 16 bits or fewer, so that a product of two of its kind fits 32.
    const SHORT: bool;

    /// The number that it stands for.
    fn get(self) -> i32;
}

macro_rules! element {
    ($($type:ty, $value:ident => $get:expr;)*) => {$(
        impl Element for $type {
            const SHORT: bool = size_of::<$type>() <= 2;

            #[inline(always)]
            fn get(self) -> i32 {
                let $value = self;
                $get
            }
        }
    )*};
}

element! {
    [u8; 1], v => i32::from(v[0].cast_signed());
    [u8; 2], v => i32::from(i16::from_le_bytes(v));
    [u8; 4], v => i32::from_le_bytes(v);
    i16, v => i32::from(v);
    i32, v => v;
}

/// The elements of a tensor, in row-major order.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    I8(&'a [[u8; 1]]),
    I16(&'a [[u8; 2]]),
    I32(&'a [[u8; 4]]),
}

/// Runs an expression generic in the element type: `with_view!(view, slice => expression)`.
macro_rules! with_view {
    ($view:expr, $slice:ident => $run:expr) => {
        match $view {
            $crate::engine::values::View::I8($slice) => $run,
            $crate::engine::values::View::I16($slice) => $run,
            $crate::engine::values::View::I32($slice) => $run,
        }
    };
}
pub(super) use with_view;

impl<'a> View<'a> {
    /// Sees canonical bytes as elements of `dtype`; records are seen as nothing.
    pub fn new(dtype: DType, bytes: &'a [u8]) -> Self {
        match dtype {
            DType::I8 => Self::I8(bytes.as_chunks().0),
            DType::I16 => Self::I16(bytes.as_chunks().0),
            DType::I32 => Self::I32(bytes.as_chunks().0),
            DType::Params => Self::I8(&[]),
        }
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
    /// bias * m + 2^(s-1): what is added to acc * m before the shift. Legality keeps it below 2^62 where acc is
    /// requantised with it, and a root does not use it.
    pub fn addend(&self) -> i64 {
        self.bias.wrapping_mul(self.multiplier).wrapping_add(self.half())
    }

    /// 2^(s-1).
    pub fn half(&self) -> i64 {
        1 << (self.shift - 1)
    }
}

/// By how many bits a multiplier of 31 bits, its addend and its shift may be raised so that the shift is 32, which some CPUs'
/// vectors do faster; fewer where the multiplier leaves no room. Where the quotient fits 32 bits, the numerator is below
/// 2^(31 + shift), so below 2^63 then.
pub(super) fn raised(multiplier: i32, shift: u32) -> u32 {
    32u32.saturating_sub(shift).min(multiplier.leading_zeros().saturating_sub(1))
}

/// A constant's records, also field by field, for loops over neighbouring ones.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub list: Vec<Record>,
    /// Multipliers; 0 where one does not fit, and then `narrow` is false.
    pub multipliers: Vec<i32>,
    /// All multipliers.
    pub wide: Vec<i64>,
    pub addends: Vec<i64>,
    pub shifts: Vec<u32>,
    /// Whether every multiplier fits 31 bits.
    pub narrow: bool,
}

impl Records {
    /// Decodes the records of a legal program's constant.
    pub fn new(constant: &Constant<Bytes>) -> Self {
        let decode = |bytes: &[u8; 16]| {
            let (bias, multiplier, shift) = record::decode(bytes).expect("legality checked every record");
            Record { bias, multiplier: i64::from(multiplier), shift: u32::from(shift) }
        };
        let list: Vec<Record> = constant.bytes.as_chunks().0.iter().map(decode).collect();
        let multipliers = list.iter().map(|r| i32::try_from(r.multiplier).unwrap_or(0)).collect();
        let narrow = list.iter().all(|r| i32::try_from(r.multiplier).is_ok());
        let wide = list.iter().map(|r| r.multiplier).collect();
        let addends = list.iter().map(Record::addend).collect();
        let shifts = list.iter().map(|r| r.shift).collect();
        Self { list, multipliers, wide, addends, shifts, narrow }
    }

    /// Whether every quotient fits 32 bits, for accumulators up to this magnitude.
    pub fn quotients_fit(&self, bound: u128) -> bool {
        self.list.iter().all(|record| {
            let product = (bound + u128::from(record.bias.unsigned_abs())) * record.multiplier as u128;
            (product + (1 << (record.shift - 1))) >> record.shift <= i32::MAX as u128
        })
    }
}
