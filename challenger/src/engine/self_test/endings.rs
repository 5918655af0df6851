//! What accumulators go through: rounding shifts, tables, quotients, roots.

use narrows_program::DType;

use super::{Subject, same};
use crate::engine::arithmetic::{floor_div, isqrt};
use crate::engine::backend::looked_up;
use crate::engine::elements::Elements;
use crate::engine::ints::{Ints, ints, stored};

/// Products, sums, floor shifts and clamps of values up to 2^62.
pub(super) fn requantise(subject: &Subject) -> Result<(), String> {
    let device = &subject.device;
    let top = (1i64 << 62) - 1;
    let values =
        [0, 1, -1, 2, -2, 255, -256, 1 << 31, -(1 << 31) - 1, (1 << 53) + 1, -(1 << 53) - 1, top, -top];
    for shift in 1..=62u32 {
        for multiplier in [1i64, 3, (1 << 24) - 1, (1 << 32) - 1] {
            let half = 1i64 << (shift - 1);
            let rows: Vec<i64> =
                values.iter().map(|v| v / multiplier - v.signum() * (half / multiplier)).collect();
            let scaled = rows.iter().map(|v| i128::from(*v) * i128::from(multiplier) + i128::from(half));
            let shifted: Vec<i128> = scaled.map(|v| v >> shift).collect();
            let tensor = |v: i64| ints(vec![v], device).reshape([1, 1]);
            let rows = ints(rows, device).reshape([values.len(), 1]);
            let what = format!("a rounding shift by {shift} after a product by {multiplier}");
            let common = rows.clone().mul_scalar(multiplier).sub_scalar(-half);
            let common = common.bitwise_right_shift_scalar(i64::from(shift));
            same(&format!("{what}, by common numbers"), common, &shifted)?;
            let got =
                (rows * tensor(multiplier) - tensor(-half)).bitwise_right_shift(tensor(i64::from(shift)));
            same(&what, got.clone(), &shifted)?;
            for (lo, hi) in [(-128, 127), (i64::from(i32::MIN), i64::from(i32::MAX)), (-7, -7)] {
                let expected: Vec<i128> = shifted.iter().map(|v| *v.clamp(&lo.into(), &hi.into())).collect();
                same(&format!("a clamp to {lo} … {hi}"), got.clone().clamp(lo, hi), &expected)?;
            }
        }
    }
    Ok(())
}

/// A table's entries by the values that name them, in every stored type.
pub(super) fn tables(subject: &Subject) -> Result<(), String> {
    let device = &subject.device;
    let index = vec![4, 0, 3, 3, 1, 2, 0];
    for dtype in [DType::I8, DType::I16, DType::I32] {
        let entries = [dtype.min(), dtype.max(), -1, 0, dtype.min() + 1];
        let bytes = |values: &mut dyn Iterator<Item = i64>| {
            let mut out = Vec::new();
            values.for_each(|v| dtype.write(v, &mut out));
            out
        };
        let table = stored(dtype, &bytes(&mut entries.into_iter()), device);
        let found = looked_up(table, ints(index.clone(), device));
        let found = Elements::of(found, dtype).map_err(|e| e.to_string())?;
        if found.canonical() != bytes(&mut index.iter().map(|i| entries[*i as usize])) {
            return Err(format!("a table of {dtype:?} gives another entry"));
        }
    }
    Ok(())
}

/// Quotients at and beside multiples of the divisor, up to 2^62, of both signs, each with each divisor.
pub(super) fn quotients(subject: &Subject) -> Result<(), String> {
    quotients_by(subject, floor_div)
}

fn quotients_by(subject: &Subject, divide: fn(Ints<2>, Ints<2>) -> Ints<2>) -> Result<(), String> {
    let device = &subject.device;
    let top = (1i64 << 62) - 1;
    let divisors =
        [1, 2, 3, 7, 10, 255, 256, (1 << 24) - 1, (1 << 24) + 1, (1 << 30) + 1, i64::from(i32::MAX)];
    let around = |d: i64| [0, d, -d, 5 * d, -5 * d, top / d * d, -(top / d * d), (1 << 53) / d * d];
    let values = divisors.iter().flat_map(|d| around(*d)).flat_map(|v| [v - 1, v, v + 1]);
    let values: Vec<i64> = values.chain([top, -top, 1 << 31, 1 << 32]).map(|v| v.clamp(-top, top)).collect();
    let x = ints(values.clone(), device).reshape([values.len(), 1]);
    let d = ints(divisors.to_vec(), device).reshape([1, divisors.len()]);
    let pairs = values.iter().flat_map(|x| divisors.map(|d| (i128::from(*x), i128::from(d))));
    let expected: Vec<i128> = pairs.map(|(x, d)| x.div_euclid(d)).collect();
    same("a floor division", divide(x, d), &expected)
}

/// Roots at and beside squares, of every size below 2^62.
pub(super) fn roots(subject: &Subject) -> Result<(), String> {
    roots_by(subject, isqrt)
}

fn roots_by(subject: &Subject, root: fn(Ints<1>) -> Ints<1>) -> Result<(), String> {
    let top = (1i64 << 62) - 1;
    let sides = (0..31).flat_map(|bit| [-1, 0, 1].map(|d| (1i64 << bit) + d));
    // Weyl's sequence for what lies between powers of two.
    let others = (1..400u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (33 + i % 30)) as i64);
    let sides = sides.chain(others).chain([3_037_000_499 >> 1, (1 << 31) - 1]);
    let values = sides.flat_map(|r| [r * r - 1, r * r, r * r + 1, r * r + 2 * r, r * r + r]);
    let values: Vec<i64> = values.chain(0..70).chain([top]).map(|v| v.clamp(0, top)).collect();
    let expected: Vec<i128> = values.iter().map(|v| i128::from(v.isqrt())).collect();
    same("an integer root", root(ints(values, &subject.device)), &expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Backend;
    use crate::engine::exact::Carrier;
    use burn::tensor::{FloatDType, IntDType};

    /// What one would write without knowing how backends round: each is seen on every backend.
    #[test]
    fn a_plain_quotient_a_float_quotient_and_a_float_root_are_seen() {
        let plain = |x: Ints<2>, d: Ints<2>| x / d;
        let float = |x: Ints<2>, d: Ints<2>| {
            let quotient = x.cast(FloatDType::F64) / d.cast(FloatDType::F64);
            quotient.floor().cast(IntDType::I64)
        };
        let root = |v: Ints<1>| v.cast(FloatDType::F64).sqrt().cast(IntDType::I64);
        for backend in [Backend::Ndarray, Backend::Flex] {
            let subject = Subject { device: backend.device(), carrier: Carrier::F64 };
            assert_eq!(quotients(&subject), Ok(()));
            assert!(quotients_by(&subject, plain).is_err(), "{backend}");
            assert!(quotients_by(&subject, float).is_err(), "{backend}");
            assert_eq!(roots(&subject), Ok(()));
            assert!(roots_by(&subject, root).is_err(), "{backend}");
        }
    }
}
