//! Digits, casts, folds and gathers.

use burn::tensor::IntDType;
use narrows_program::DType;

use super::products::{floats, weights};
use super::{Subject, same};
use crate::engine::block::first_greatest;
use crate::engine::elements::Elements;
use crate::engine::exact::{Carrier, Digits};
use crate::engine::ints::{Ints, axis, digits, greatest, ints, stored, stored_type, weighed_digits, wide};

/// Every 16-bit value, and 32-bit values at every edge of a digit, are the sums of their digits, however many those are.
pub(super) fn splits(subject: &Subject) -> Result<(), String> {
    let edges = (0..31).flat_map(|bit| [-2i32, -1, 0, 1].map(|d| (1i32 << bit).wrapping_add(d)));
    let wide_values: Vec<i32> =
        edges.flat_map(|v| [v, v.wrapping_neg()]).chain([i32::MIN, i32::MAX]).collect();
    let cases = [
        (DType::I8, (i8::MIN..=i8::MAX).map(i64::from).collect::<Vec<_>>()),
        (DType::I16, (i16::MIN..=i16::MAX).map(i64::from).collect()),
        (DType::I32, wide_values.into_iter().map(i64::from).collect()),
    ];
    for (dtype, values) in cases {
        let mut bytes = Vec::new();
        values.iter().for_each(|v| dtype.write(*v, &mut bytes));
        // Single floats hold digits of 8 bits, double ones a whole integer.
        let least = if subject.carrier == Carrier::F32 { dtype.bytes() } else { 1 };
        for count in least..=4 {
            split(subject, dtype, &bytes, &values, &Digits::new(dtype.min().unsigned_abs(), count))?;
        }
        let device = &subject.device;
        let tensor = || stored(dtype, &bytes, device);
        let canonical = |tensor| Elements::of(tensor, dtype).map(|elements| elements.canonical());
        let back = canonical(tensor()).map_err(|e| e.to_string())?;
        let cast = canonical(wide(tensor()).cast(stored_type(dtype))).map_err(|e| e.to_string())?;
        if back != bytes || cast != bytes {
            return Err(format!("{dtype:?} bytes do not survive a tensor"));
        }
    }
    Ok(())
}

fn split(subject: &Subject, dtype: DType, bytes: &[u8], values: &[i64], cut: &Digits) -> Result<(), String> {
    let device = &subject.device;
    let parts = digits(stored(dtype, bytes, device), cut, subject.carrier);
    let most = if cut.count == 1 { dtype.min().abs() } else { 1 << (cut.width - 1) };
    let sum = parts.into_iter().enumerate().try_fold(axis(values.len(), 0, device), |sum, (i, digit)| {
        let digit = digit.cast(IntDType::I64);
        let bounded = digit.clone().clamp(-most, most);
        let excess = (digit.clone() - bounded).abs().sum();
        same(&format!("digit {i} of {dtype:?} beyond {most}"), excess, &[0])?;
        Ok::<_, String>(sum + digit.mul_scalar(cut.weight(i)))
    })?;
    let expected: Vec<_> = values.iter().map(|v| i128::from(*v)).collect();
    same(&format!("{} digits of {dtype:?}", cut.count), sum, &expected)?;
    let parts = weighed_digits(stored(dtype, bytes, device), cut, subject.carrier).into_iter().enumerate();
    let sum = parts.map(|(i, digit)| {
        let (digit, weight) = (digit.cast(IntDType::I64), if cut.count == 1 { 1 } else { cut.weight(i) });
        let held = digit.clone().clamp(-most * weight, most * weight);
        let rest = digit.clone().bitwise_and_scalar(weight - 1);
        let wrong = ((digit.clone() - held).abs() + rest).sum();
        same(&format!("digit {i} of {dtype:?} with its weight"), wrong, &[0])?;
        Ok::<_, String>(digit)
    });
    let sum = sum.reduce(|first, digit| Ok(first? - digit?)).expect("a number has a digit")?;
    same(&format!("{} digits of {dtype:?} with their weights", cut.count), sum, &expected)
}

/// Between floats and integers, up to the last exact one.
pub(super) fn casts(subject: &Subject) -> Result<(), String> {
    let last = subject.carrier.exact() as i64;
    let values = [0, 1, -1, last - 1, last, -last, 1 - last, last / 2 + 1, -last / 2 - 1];
    let expected = values.map(i128::from);
    let length = [values.len()];
    same("floats to integers", floats(&values, length, subject).cast(IntDType::I64), &expected)?;
    let there = ints(values.to_vec(), &subject.device).cast(subject.carrier.dtype());
    same("integers to floats", there.cast(IntDType::I64), &expected)?;
    for &weight in weights(subject.carrier) {
        let values = values.map(|value| value << weight);
        let floats = floats(&values, length, subject).cast(IntDType::I64);
        same("greater floats to integers", floats, &values.map(i128::from))?;
    }
    Ok(())
}

/// Sums and greatest values along the middle axis, with 64-bit extremes.
pub(super) fn folds(subject: &Subject) -> Result<(), String> {
    let device = &subject.device;
    let least = -(1i64 << 62);
    let values = vec![least, 5, least + 1, -6, least + 2, 7, -1, least, -2, least, -3, least + 1];
    let tensor = ints(values, device).reshape([2, 3, 2]);
    let expected = [i128::from(least) + 2, 7, -1, i128::from(least) + 1];
    same("greatest values", greatest(tensor), &expected)?;
    let values: Vec<i64> = (0..2 * 5 * 3).map(|i| (i - 14) * ((1 << 56) + 1)).collect();
    let sum =
        |row: i64, run: i64| (0..5).map(|t| i128::from(values[(row * 15 + t * 3 + run) as usize])).sum();
    let expected: Vec<i128> = (0..6).map(|at| sum(at / 3, at % 3)).collect();
    same("sums", ints(values.clone(), device).reshape([2, 5, 3]).sum_dim(1), &expected)
}

/// Elements and runs by index, repeated and out of order.
pub(super) fn gathers(subject: &Subject) -> Result<(), String> {
    let device = &subject.device;
    let index = vec![3, 0, 0, 2, 3];
    let table = axis(8, (1 << 40) + 1, device);
    let value = |at: i64| i128::from(at) * ((1 << 40) + 1);
    let expected: Vec<i128> = index.iter().map(|i| value(*i)).collect();
    same("elements", table.clone().select(0, ints(index.clone(), device)), &expected)?;
    let expected: Vec<i128> = index.iter().flat_map(|i| [value(2 * i), value(2 * i + 1)]).collect();
    let rows: Ints<2> = table.reshape([4, 2]).gather_nd(ints(index, device).reshape([5, 1]));
    same("runs", rows, &expected)
}

/// Of equal values the first is found, among extremes and beside values one off; on runs of one and of several.
pub(super) fn ties(subject: &Subject) -> Result<(), String> {
    let (least, greatest) = (i64::from(i32::MIN), i64::from(i32::MAX));
    let rows = [
        [least, least, least, least, least],
        [greatest, greatest, greatest - 1, greatest, least],
        [least, least + 1, least, least + 1, least],
        [-1, -1, 0, 0, 0],
        [-3, -2, -2, -2, -1],
        [7, 6, 7, 6, 7],
    ];
    let expected = [0, 0, 1, 2, 4, 0];
    let by_row = ints(rows.concat(), &subject.device).reshape([6, 5, 1]);
    same("the first of equals", first_greatest(by_row.clone()), &expected)?;
    let by_column = by_row.reshape([1, 6, 5]).swap_dims(1, 2);
    same("the first of equals in columns", first_greatest(by_column), &expected)
}

/// Rows that stored values name, with names beyond the first and the last row.
pub(super) fn rows(subject: &Subject) -> Result<(), String> {
    let mut names = Vec::new();
    let values = [i16::MIN, -1, 0, 1, 2, 3, i16::MAX].map(i64::from);
    values.iter().for_each(|v| DType::I16.write(*v, &mut names));
    let device = &subject.device;
    let clamped = wide(stored(DType::I16, &names, device)).clamp(0i64, 2i64);
    same("clamped names", clamped.clone(), &[0, 0, 0, 1, 2, 2, 2])?;
    let table = ints(vec![1 << 40, -(1 << 41), 5, -6, 7, i64::MAX], device).reshape([3, 2]);
    let found: Ints<2> = table.gather_nd(clamped.reshape([7, 1]));
    let expected =
        [0, 0, 0, 1, 2, 2, 2].map(|row| [[1i128 << 40, -(1 << 41)], [5, -6], [7, i64::MAX.into()]][row]);
    same("named rows", found, &expected.concat())
}
