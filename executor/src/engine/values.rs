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
    /// The greatest magnitude of accumulators of which every quotient fits 32 bits; `None` where one of 0 does not.
    fitting: Option<u128>,
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
        // (x + |bias|) m + 2^(s-1) < 2^(31+s) where the quotient is at most 2^31 - 1.
        let fitting = |r: &Record| {
            let room = (1u128 << (31 + r.shift)) - 1 - (1 << (r.shift - 1));
            (room / r.multiplier as u128).checked_sub(r.bias.unsigned_abs().into())
        };
        let fitting = list.iter().map(fitting).min().flatten();
        Self { list, multipliers, wide, addends, shifts, narrow, fitting }
    }

    /// Whether every quotient fits 32 bits, for accumulators up to this magnitude.
    pub fn quotients_fit(&self, bound: u128) -> bool {
        self.fitting.is_some_and(|most| bound <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use narrows_program::DType;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quotients_fit_up_to_a_bound_and_not_beyond(
            list in prop::collection::vec((-(1i64 << 60)..1 << 60, 0u32..60, 1u32.., 1u8..=62, 0u32..32), 1..4),
            near in -2i128..=2, bound in 0u128..1 << 62,
        ) {
            let list: Vec<_> = list.into_iter().map(|(bias, cut, m, s, low)| (bias >> cut, (m >> low).max(1), s)).collect();
            let bytes: Vec<u8> = list.iter().flat_map(|(bias, m, s)| record::encode(*bias, *m, *s)).collect();
            let records = Records::new(&Constant { dtype: DType::Params, bytes: Bytes::from(bytes) });
            let fits = |bound: u128| {
                list.iter().all(|(bias, m, s)| {
                    let product = (bound + u128::from(bias.unsigned_abs())) * u128::from(*m);
                    (product + (1 << (s - 1))) >> s <= i32::MAX as u128
                })
            };
            let edge = records.fitting.map_or(0, |most| most.saturating_add_signed(near)).min(1 << 90);
            for bound in [bound, edge, 0] {
                prop_assert_eq!(records.quotients_fit(bound), fits(bound), "{}", bound);
            }
        }
    }
}
