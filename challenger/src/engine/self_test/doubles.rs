//! What doubles go through where they carry accumulators: rounding shifts, quotients, sums, up to their last exact integer.

use burn::tensor::{DType as Type, FloatDType, IntDType, Tensor, TensorData};

use super::{Subject, same};
use crate::engine::backend::casts_saturate;
use crate::engine::division::Way;
use crate::engine::doubles::to_integers;
use crate::engine::exact::Carrier;
use crate::engine::ints::{greatest, ints};
use crate::engine::range::Range;

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
            for (dtype, hi) in
                [(IntDType::U8, 255i64), (IntDType::U16, 65_535), (IntDType::U32, (1 << 32) - 1)]
            {
                let expected: Vec<i128> = shifted.iter().map(|v| *v.clamp(&0, &hi.into())).collect();
                let cut = scaled.clone().clamp(0i64, hi).cast(dtype);
                let what = format!("{what}, cut off up to {hi}");
                same(&what, cut.clone().cast(IntDType::I64), &expected)?;
                let expected: Vec<i128> = expected.iter().map(|v| *v.min(&200)).collect();
                same(&format!("{what} and limited"), cut.clamp_max(200i64).cast(IntDType::I64), &expected)?;
            }
        }
    }
    Ok(())
}

/// Divisions in each of their ways ([`Way`]), at and beside multiples of the divisor, up to what each way takes.
pub(super) fn divisions(subject: &Subject) -> Result<(), String> {
    if subject.carrier != Carrier::F64 {
        return Ok(());
    }
    let cases = [
        (1i64 << 26, 3u8, (0, 3, 2), 0),
        (1 << 36, 17, (0, 3, 2), 0),
        (EXACT - (1 << 26), 0, (0, 3, 2), 0),
        (1 << 20, 15, (7, 4, 9), -5),
        (1 << 20, 15, (-3, 1, 1), 0),
    ];
    // Joint, long, nearest, floored.
    let mut seen = [false; 4];
    for (reach, lift, record, lo) in cases {
        for d in [1i64, 2, 3, 7, 256, (1 << 24) + 1] {
            let divisor = Range { least: d, greatest: d };
            let Some(way) = Way::of(&[record], lo, reach as u128, divisor, lift, 1 << 62) else { continue };
            seen[match way {
                Way::Joint { .. } => 0,
                Way::Alone { long: true, .. } => 1,
                Way::Alone { nearest: true, .. } => 2,
                Way::Alone { .. } => 3,
            }] = true;
            let multiples = [0, d, 5 * d, reach, reach / 2].map(|v| (v / d * d) >> lift).into_iter();
            let all = multiples.chain([reach]).flat_map(|v| [v - 1, v, v + 1]).flat_map(|v| [v, -v]);
            let values: Vec<i64> = all.map(|v| v.clamp(-reach, reach)).collect();
            let expected = values.iter().map(|x| {
                let quotient = ((i128::from(*x) << lift) + i128::from(d / 2)).div_euclid(d.into());
                let (bias, m, s) = record;
                match way {
                    Way::Joint { lo, .. } => {
                        let scaled = (quotient + i128::from(bias)) * i128::from(m) + (1 << (s - 1));
                        (scaled >> s) - i128::from(lo)
                    }
                    Way::Alone { .. } => quotient,
                }
            });
            let x = doubles(values.iter().map(|v| *v as f64).collect(), [1, 1, 1, values.len()], subject);
            let quotients = way.divide(x, ints(vec![d], &subject.device).reshape([1; 4]));
            let what = format!("a division of up to {reach} by {d}, {way:?}");
            same(&what, quotients.floor().cast(IntDType::I64), &expected.collect::<Vec<_>>())?;
        }
    }
    if seen != [true; 4] {
        return Err(format!("divisions: of four ways only {seen:?} are met"));
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

/// Quotients that are rounded to the nearest integer: of numerators that keep one from what is halfway, up to the last exact one.
pub(super) fn nearest(subject: &Subject) -> Result<(), String> {
    if subject.carrier != Carrier::F64 {
        return Ok(());
    }
    for d in [1i64, 2, 3, 7, 256, (1 << 24) + 1, 1 << 30, i64::from(i32::MAX)] {
        let top = ((EXACT - 2 * d) / 2).min(((1i64 << 51) - 2).saturating_mul(d));
        let dividends = [0, d, 5 * d, top / d * d, top / 2 / d * d].into_iter();
        let dividends = dividends.flat_map(|v| [v - 1, v, v + 1, -v - 1, -v, 1 - v]);
        let dividends: Vec<i64> = dividends.map(|n| n.clamp(-top, top)).collect();
        let numerators = dividends.iter().map(|n| (2 * n - d + 1) as f64).collect();
        let x = doubles(numerators, [dividends.len(), 1], subject);
        let quotients = to_integers(x / doubles(vec![d as f64], [1, 1], subject).mul_scalar(2i64));
        let expected: Vec<i128> = dividends.iter().map(|n| n.div_euclid(d).into()).collect();
        same(&format!("a double's quotient by {d}, rounded"), quotients.cast(IntDType::I64), &expected)?;
    }
    Ok(())
}

/// Casts of what a type does not hold, where they are said to give its limits.
pub(super) fn saturation(subject: &Subject) -> Result<(), String> {
    if subject.carrier != Carrier::F64 || !casts_saturate(&subject.device) {
        return Ok(());
    }
    let edges =
        [7u32, 8, 15, 16, 31, 32, 63].into_iter().flat_map(|bits| [-2i64, -1, 0, 1].map(|d| (bits, d)));
    let values: Vec<f64> =
        edges.flat_map(|(bits, d)| [1.0, -1.0].map(|s| s * (bits as f64).exp2() + d as f64)).collect();
    let all = || doubles([values.clone(), vec![1e300, -1e300, 0.0]].concat(), [values.len() + 3, 1], subject);
    for (dtype, lo, hi) in [
        (IntDType::I8, i64::from(i8::MIN), i64::from(i8::MAX)),
        (IntDType::I16, i16::MIN.into(), i16::MAX.into()),
        (IntDType::I32, i32::MIN.into(), i32::MAX.into()),
        (IntDType::I64, i64::MIN, i64::MAX),
        (IntDType::U8, 0, u8::MAX.into()),
        (IntDType::U16, 0, u16::MAX.into()),
        (IntDType::U32, 0, u32::MAX.into()),
    ] {
        let limited = |v: &f64| {
            if *v <= lo as f64 {
                lo
            } else if *v >= hi as f64 {
                hi
            } else {
                *v as i64
            }
        };
        let expected: Vec<i128> =
            values.iter().chain(&[1e300, -1e300, 0.0]).map(|v| limited(v).into()).collect();
        same(&format!("a cast to {dtype:?}"), all().cast(dtype).cast(IntDType::I64), &expected)?;
    }
    Ok(())
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
