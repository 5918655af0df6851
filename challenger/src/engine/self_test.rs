//! Arithmetic that a backend must get right on this machine before the engine uses it.
//!
//! Each check runs the engine's own steps on the values where a careless backend goes wrong: sums at the last exact
//! float, shifts of negative numbers, 64-bit values that a narrower default type would wrap, casts at the edges. The
//! expected values are computed on the host, in 128 bits.

use std::sync::OnceLock;

use burn::tensor::{DType as Type, Device, FloatDType, IntDType, Tensor, TensorData};
use narrows_program::DType;

use super::ints::{Ints, axis, canonical, digits, greatest, ints, narrow, stored, wide};
use super::{Backend, EngineError};

type Check = fn(&Device) -> Result<(), String>;

const CHECKS: [Check; 8] = [products, chunks, batches, requantise, splits, casts, folds, gathers];

/// Checks that a backend computes exactly what the engine asks of it.
///
/// # Errors
/// [`EngineError::Inexact`] with the first check that fails.
pub fn self_test(backend: Backend) -> Result<(), EngineError> {
    let device = backend.device();
    let failed = |check| EngineError::Inexact { backend, check };
    CHECKS.iter().try_for_each(|check| check(&device)).map_err(failed)
}

/// The result of the self-test, run at most once in a process for each backend.
pub(crate) fn once(backend: Backend) -> Result<(), EngineError> {
    static NDARRAY: OnceLock<Result<(), EngineError>> = OnceLock::new();
    static FLEX: OnceLock<Result<(), EngineError>> = OnceLock::new();
    let result = match backend {
        Backend::Ndarray => &NDARRAY,
        Backend::Flex => &FLEX,
    };
    result.get_or_init(|| self_test(backend)).clone()
}

fn same<const D: usize>(what: &str, got: Ints<D>, expected: &[i128]) -> Result<(), String> {
    if got.dtype() != Type::I64 {
        return Err(format!("{what}: {:?} instead of 64-bit integers", got.dtype()));
    }
    let data = got.try_into_data().map_err(|e| format!("{what}: {e}"))?;
    let got = data.as_slice::<i64>().map_err(|e| format!("{what}: {e:?}"))?;
    let differ = got.len() != expected.len() || got.iter().zip(expected).any(|(g, e)| i128::from(*g) != *e);
    if !differ {
        return Ok(());
    }
    let first = got.iter().zip(expected).position(|(g, e)| i128::from(*g) != *e);
    Err(match first {
        Some(at) => format!("{what}: {} instead of {} at {at}", got[at], expected[at]),
        None => format!("{what}: {} elements instead of {}", got.len(), expected.len()),
    })
}

fn floats<const D: usize>(values: &[i64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), (device, Type::F32))
}

/// Digits, adversarial in one of four ways.
fn pattern(kind: usize, index: usize) -> i64 {
    match kind {
        0 => -128,
        1 => [127, -128][index % 2],
        2 => {
            if index % 1024 == 1023 {
                127
            } else {
                128
            }
        }
        // Weyl's sequence, so that no order of summation is special.
        _ => (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) as i64 >> 56,
    }
}

fn product(a: &[i64], b: &[i64], [m, k, n]: [usize; 3]) -> Vec<i128> {
    let dot = |row: usize, column: usize| -> i64 { (0..k).map(|t| a[row * k + t] * b[t * n + column]).sum() };
    (0..m * n).map(|at| i128::from(dot(at / n, at % n))).collect()
}

fn operands([m, k, n]: [usize; 3], kind: usize) -> (Vec<i64>, Vec<i64>) {
    let a = (0..m * k).map(|i| pattern(kind, i % k + i / k * 7 * usize::from(kind == 3)));
    let b = (0..k * n).map(|i| pattern(kind, i / n + i % n * 5 * usize::from(kind == 3)));
    (a.collect(), b.collect())
}

/// Sums of up to 1,024 products of digits reach 2^24 exactly, in every shape that a kernel may treat apart.
fn products(device: &Device) -> Result<(), String> {
    for [m, k, n] in [[1, 1024, 1], [1, 1024, 65], [67, 1024, 1], [5, 1024, 9], [96, 1024, 80], [33, 17, 31]]
    {
        for kind in 0..4 {
            let (a, b) = operands([m, k, n], kind);
            let got = floats(&a, [m, k], device).matmul(floats(&b, [k, n], device)).cast(IntDType::I64);
            same(&format!("product {m} x {k} x {n} of kind {kind}"), got, &product(&a, &b, [m, k, n]))?;
        }
    }
    Ok(())
}

/// A chunk of a longer product, cut out of both operands.
fn chunks(device: &Device) -> Result<(), String> {
    let [m, k, n] = [6, 2048, 10];
    let (a, b) = operands([m, k, n], 1);
    let left = floats(&a, [1, m, k], device).slice([0..1, 0..m, 1024..2048]);
    let right = floats(&b, [1, n, k], device).swap_dims(1, 2).slice([0..1, 1024..2048, 0..n]);
    let a: Vec<i64> = a.chunks(k).flat_map(|row| &row[1024..]).copied().collect();
    let b: Vec<i64> = (0..1024 * n).map(|i| b[i % n * k + 1024 + i / n]).collect();
    same("a product of chunks", left.matmul(right).cast(IntDType::I64), &product(&a, &b, [m, 1024, n]))
}

/// Many matrices at once.
fn batches(device: &Device) -> Result<(), String> {
    let [count, m, k, n] = [9, 14, 300, 11];
    let all: Vec<_> = (0..count).map(|i| operands([m, k, n], i % 4)).collect();
    let a: Vec<i64> = all.iter().flat_map(|(a, _)| a).copied().collect();
    let b: Vec<i64> = all.iter().flat_map(|(_, b)| b).copied().collect();
    let expected: Vec<i128> = all.iter().flat_map(|(a, b)| product(a, b, [m, k, n])).collect();
    let got = floats(&a, [count, m, k], device).matmul(floats(&b, [count, k, n], device));
    same("a batch of products", got.cast(IntDType::I64), &expected)
}

/// Products, sums, floor shifts and clamps of values up to 2^62.
fn requantise(device: &Device) -> Result<(), String> {
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
            let got =
                (rows * tensor(multiplier) + tensor(half)).bitwise_right_shift(tensor(i64::from(shift)));
            same(
                &format!("a rounding shift by {shift} after a product by {multiplier}"),
                got.clone(),
                &shifted,
            )?;
            for (lo, hi) in [(-128, 127), (i64::from(i32::MIN), i64::from(i32::MAX)), (-7, -7)] {
                let expected: Vec<i128> = shifted.iter().map(|v| *v.clamp(&lo.into(), &hi.into())).collect();
                same(&format!("a clamp to {lo} … {hi}"), got.clone().clamp(lo, hi), &expected)?;
            }
        }
    }
    Ok(())
}

/// Every 16-bit value, and 32-bit values at every edge of a digit, are the sums of their digits.
fn splits(device: &Device) -> Result<(), String> {
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
        let parts = digits(stored(dtype, &bytes, device), dtype);
        let sum =
            parts.into_iter().enumerate().try_fold(axis(values.len(), 0, device), |sum, (i, digit)| {
                let digit = digit.cast(IntDType::I64);
                let bounded = digit.clone().clamp(-128i64, 128i64);
                let excess = (digit.clone() - bounded).abs().sum();
                same(&format!("digit {i} of {dtype:?} beyond 128"), excess, &[0])?;
                Ok::<_, String>(sum + digit.mul_scalar(1i64 << (8 * i)))
            })?;
        same(
            &format!("digits of {dtype:?}"),
            sum,
            &values.iter().map(|v| i128::from(*v)).collect::<Vec<_>>(),
        )?;
        let (back, tensor) = canonical(stored(dtype, &bytes, device), dtype).map_err(|e| e.to_string())?;
        let (cast, _) = canonical(narrow(wide(tensor), dtype), dtype).map_err(|e| e.to_string())?;
        if back != bytes || cast != bytes {
            return Err(format!("{dtype:?} bytes do not survive a tensor"));
        }
    }
    Ok(())
}

/// Between floats and integers, up to the last exact one.
fn casts(device: &Device) -> Result<(), String> {
    let values = [0, 1, -1, (1 << 24) - 1, 1 << 24, -(1 << 24), 1 - (1 << 24), 8_388_609, -8_388_609];
    let expected = values.map(i128::from);
    let length = [values.len()];
    same("floats to integers", floats(&values, length, device).cast(IntDType::I64), &expected)?;
    let there = ints(values.to_vec(), device).cast(FloatDType::F32);
    same("integers to floats", there.cast(IntDType::I64), &expected)
}

/// Sums and greatest values along the middle axis, with 64-bit extremes.
fn folds(device: &Device) -> Result<(), String> {
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
fn gathers(device: &Device) -> Result<(), String> {
    let index = vec![3, 0, 0, 2, 3];
    let table = axis(8, (1 << 40) + 1, device);
    let value = |at: i64| i128::from(at) * ((1 << 40) + 1);
    let expected: Vec<i128> = index.iter().map(|i| value(*i)).collect();
    same("elements", table.clone().select(0, ints(index.clone(), device)), &expected)?;
    let expected: Vec<i128> = index.iter().flat_map(|i| [value(2 * i), value(2 * i + 1)]).collect();
    let rows: Ints<2> = table.reshape([4, 2]).gather_nd(ints(index, device).reshape([5, 1]));
    same("runs", rows, &expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_integer_a_missing_one_and_a_narrow_type_are_seen() {
        for backend in Backend::ALL {
            let device = backend.device();
            let tensor = || ints(vec![5, i64::MIN], &device);
            assert_eq!(same("x", tensor(), &[5, i64::MIN.into()]), Ok(()));
            assert!(same("x", tensor(), &[5, 0]).is_err());
            assert!(same("x", tensor(), &[5]).is_err());
            assert!(same("x", ints(vec![7], &device).cast(IntDType::I32), &[7]).is_err());
        }
    }
}
