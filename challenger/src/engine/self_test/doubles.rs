//! What doubles go through where they carry accumulators: rounding shifts, quotients, sums, up to their last exact integer.

use burn::tensor::{DType as Type, FloatDType, IntDType, Tensor, TensorData};

use super::{Subject, same};
use crate::engine::exact::Carrier;
use crate::engine::ints::{greatest, ints};

/// 2^53.
const EXACT: i64 = 1 << 53;

fn doubles<const D: usize>(values: Vec<f64>, shape: [usize; D], subject: &Subject) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&subject.device, Type::F64))
}

/// Products by m / 2^s and sums with c / 2^s, floored, clamped and cast: by columns and by one number.
pub(super) fn rounding(subject: &Subject) -> Result<(), String> {
    if subject.carrier != Carrier::F64 {
        return Ok(());
    }
    for (s, m) in
        [(1u32, 1i64), (1, 3), (7, 127), (23, (1 << 24) - 1), (30, 1 << 24), (52, 1), (40, 9_999_991)]
    {
        let (unit, half) = ((1i64 << s) as f64, 1i64 << (s - 1));
        let top = (EXACT - half) / m;
        let around = [0, 1 << s, 3 << (s - 1)].map(|v| v / m);
        let values = around.iter().flat_map(|v| [v - 1, *v, v + 1]).chain([top, top - 1, top / 2 + 1]);
        let values: Vec<i64> = values.flat_map(|v| [v, -v]).filter(|v| v.abs() <= top).collect();
        let x = || doubles(values.iter().map(|v| *v as f64).collect(), [values.len(), 1], subject);
        let columns = x() * doubles(vec![m as f64 / unit], [1, 1], subject)
            + doubles(vec![half as f64 / unit], [1, 1], subject);
        let scalars = x().mul_scalar(m as f64 / unit).add_scalar(half as f64 / unit);
        let shifted: Vec<i128> =
            values.iter().map(|v| (i128::from(*v) * i128::from(m) + i128::from(half)) >> s).collect();
        for (scaled, how) in [(columns, "columns"), (scalars, "one number")] {
            let floored = scaled.clone().floor();
            let what = format!("a double's rounding by {m} / 2^{s}, by {how}");
            same(&what, floored.clone().cast(IntDType::I64), &shifted)?;
            let types = [
                (IntDType::I8, -128i64, 127i64),
                (IntDType::I16, -32768, 32767),
                (IntDType::I32, -9, 1 << 30),
            ];
            for (dtype, lo, hi) in types {
                let expected: Vec<i128> = shifted.iter().map(|v| *v.clamp(&lo.into(), &hi.into())).collect();
                let narrow = floored.clone().clamp(lo, hi).cast(dtype);
                same(&format!("{what}, clamped to {lo} … {hi}"), narrow.cast(IntDType::I64), &expected)?;
                // Nothing below 0 is left: the cast cuts off what follows the point.
                let expected: Vec<i128> = shifted.iter().map(|v| *v.clamp(&0, &hi.into())).collect();
                let cut = scaled.clone().clamp(0i64, hi).cast(dtype);
                same(&format!("{what}, cut off up to {hi}"), cut.cast(IntDType::I64), &expected)?;
            }
        }
    }
    Ok(())
}

/// Floored quotients of |x| + d <= 2^53 at and beside multiples of d.
pub(super) fn quotients(subject: &Subject) -> Result<(), String> {
    if subject.carrier != Carrier::F64 {
        return Ok(());
    }
    let divisors = [1i64, 2, 3, 7, 255, (1 << 24) + 1, (1 << 30) + 1, i64::from(i32::MAX)];
    let rows = |d: i64| {
        let top = EXACT - d;
        [0, d, 5 * d, top / d * d, top / 2 / d * d]
            .into_iter()
            .flat_map(move |v| [v - 1, v, v + 1, -v - 1, -v, 1 - v].map(|v| v.clamp(-top, top)))
    };
    let values: Vec<Vec<i64>> = divisors.iter().map(|d| rows(*d).collect()).collect();
    let shape = [divisors.len(), values[0].len()];
    let x = doubles(values.concat().iter().map(|v| *v as f64).collect(), shape, subject);
    let d = doubles(divisors.iter().map(|d| *d as f64).collect(), [divisors.len(), 1], subject);
    let pairs = values.iter().zip(divisors).flat_map(|(row, d)| row.iter().map(move |x| x.div_euclid(d)));
    same(
        "a double's floored quotient",
        (x / d).floor().cast(IntDType::I64),
        &pairs.map(i128::from).collect::<Vec<_>>(),
    )
}

/// Sums along the middle axis up to the last exact integer, and greatest values in the narrowest types that hold
/// differences.
pub(super) fn folds(subject: &Subject) -> Result<(), String> {
    let device = &subject.device;
    for (dtype, most) in [(IntDType::I16, 128i64), (IntDType::I32, 1 << 15), (IntDType::I64, 1 << 31)] {
        let values = vec![-most, most - 1, -most, -most, most - 1, -most, -1, 0, 1, -most, 0, -1];
        let found = greatest(ints(values, device).reshape([2, 3, 2]).cast(dtype)).cast(IntDType::I64);
        let expected = [most - 1, most - 1, 1, 0].map(i128::from);
        same(&format!("greatest values up to {most}"), found, &expected)?;
    }
    // A row of more places than 8 or 16 bits count, its greatest the last.
    let row = ints((0..70_000).map(|v| v - 70_000).collect(), device).reshape([1, 70_000]);
    let found = row.cast(IntDType::I32).max_dim(1).cast(IntDType::I64);
    same("the greatest of a long row", found, &[-1])?;
    if subject.carrier != Carrier::F64 {
        return Ok(());
    }
    let parts = [EXACT - 7, 3, 4, 7 - EXACT, -4, -3];
    let sums = ints(parts.to_vec(), device).cast(FloatDType::F64).reshape([2, 3, 1]).sum_dim(1);
    same("sums of doubles", sums.cast(IntDType::I64), &[EXACT, -EXACT].map(i128::from))
}
