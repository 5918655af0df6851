//! Products of matrices: the engine's float carriers at their last exact sum, and 64-bit integers.

use burn::tensor::{DType as Type, Device, IntDType, Tensor, TensorData};

use super::{Subject, same};
use crate::engine::exact::Carrier;
use crate::engine::ints::ints;

/// A tensor of the carrier's floats.
pub(super) fn floats<const D: usize>(values: &[i64], shape: [usize; D], subject: &Subject) -> Tensor<D> {
    let device: &Device = &subject.device;
    match subject.carrier {
        Carrier::F32 => {
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            Tensor::from_data(TensorData::new(values, shape), (device, Type::F32))
        }
        Carrier::F64 => {
            let values: Vec<f64> = values.iter().map(|v| *v as f64).collect();
            Tensor::from_data(TensorData::new(values, shape), (device, Type::F64))
        }
    }
}

/// Most terms of the tests' products.
const TERMS: usize = 1024;

/// The greatest operands of which [`TERMS`] products sum up to the carrier's last exact integer: one of each side.
fn greatest(carrier: Carrier) -> (i64, i64) {
    match carrier {
        Carrier::F32 => (128, 128),
        // 2^31 * 2^12 * 2^10 = 2^53.
        Carrier::F64 => (1 << 31, 1 << 12),
    }
}

/// Digits up to `most`, adversarial in one of four ways.
fn pattern(kind: usize, index: usize, most: i64) -> i64 {
    match kind {
        0 => -most,
        1 => [most - 1, -most][index % 2],
        2 => {
            if index % TERMS == TERMS - 1 {
                most - 1
            } else {
                most
            }
        }
        // Weyl's sequence, so that no order of summation is special.
        _ => (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) as i64 % (most + 1),
    }
}

fn product(a: &[i64], b: &[i64], [m, k, n]: [usize; 3]) -> Vec<i128> {
    let term =
        |row: usize, column: usize, t: usize| i128::from(a[row * k + t]) * i128::from(b[t * n + column]);
    (0..m * n).map(|at| (0..k).map(|t| term(at / n, at % n, t)).sum()).collect()
}

fn operands([m, k, n]: [usize; 3], kind: usize, (left, right): (i64, i64)) -> (Vec<i64>, Vec<i64>) {
    let a = (0..m * k).map(|i| pattern(kind, i % k + i / k * 7 * usize::from(kind == 3), left));
    let b = (0..k * n).map(|i| pattern(kind, i / n + i % n * 5 * usize::from(kind == 3), right));
    (a.collect(), b.collect())
}

/// Sums that reach the carrier's last exact integer, in every shape that a kernel may treat apart.
pub(super) fn products(subject: &Subject) -> Result<(), String> {
    let most = greatest(subject.carrier);
    for [m, k, n] in [[1, 1024, 1], [1, 1024, 65], [67, 1024, 1], [5, 1024, 9], [96, 1024, 80], [33, 17, 31]]
    {
        for kind in 0..4 {
            let (a, b) = operands([m, k, n], kind, most);
            let got = floats(&a, [m, k], subject).matmul(floats(&b, [k, n], subject)).cast(IntDType::I64);
            let what = format!("{:?} product {m} x {k} x {n} of kind {kind}", subject.carrier);
            same(&what, got, &product(&a, &b, [m, k, n]))?;
        }
    }
    Ok(())
}

/// By how many bits digits with their weights are greater than digits, at most and between.
pub(super) const fn weights(carrier: Carrier) -> &'static [u32] {
    match carrier {
        Carrier::F32 => &[8, 16, 24],
        Carrier::F64 => &[8],
    }
}

/// Sums as long as those of [`products`], of digits with their weights: as many bits, but further up.
pub(super) fn weighed(subject: &Subject) -> Result<(), String> {
    for &weight in weights(subject.carrier) {
        for (kind, [m, k, n]) in [[5, 1024, 9], [96, 1024, 80], [33, 17, 31]].into_iter().enumerate() {
            let (a, b) = operands([m, k, n], kind, greatest(subject.carrier));
            let expected: Vec<i128> = product(&a, &b, [m, k, n]).iter().map(|sum| sum << weight).collect();
            let a: Vec<i64> = a.iter().map(|digit| digit << weight).collect();
            let got = floats(&a, [m, k], subject).matmul(floats(&b, [k, n], subject)).cast(IntDType::I64);
            same(&format!("a product of digits 2^{weight} times as great"), got, &expected)?;
        }
    }
    Ok(())
}

/// A chunk of a longer product, cut out of both operands.
pub(super) fn chunks(subject: &Subject) -> Result<(), String> {
    let [m, k, n] = [6, 2048, 10];
    let (a, b) = operands([m, k, n], 1, greatest(subject.carrier));
    let left = floats(&a, [1, m, k], subject).slice([0..1, 0..m, 1024..2048]);
    let right = floats(&b, [1, n, k], subject).swap_dims(1, 2).slice([0..1, 1024..2048, 0..n]);
    let a: Vec<i64> = a.chunks(k).flat_map(|row| &row[1024..]).copied().collect();
    let b: Vec<i64> = (0..1024 * n).map(|i| b[i % n * k + 1024 + i / n]).collect();
    let expected = product(&a, &b, [m, 1024, n]);
    same("a product of chunks", left.matmul(right).cast(IntDType::I64), &expected)
}

/// Many matrices at once.
pub(super) fn batches(subject: &Subject) -> Result<(), String> {
    let [count, m, k, n] = [9, 14, 300, 11];
    let all: Vec<_> = (0..count).map(|i| operands([m, k, n], i % 4, greatest(subject.carrier))).collect();
    let a: Vec<i64> = all.iter().flat_map(|(a, _)| a).copied().collect();
    let b: Vec<i64> = all.iter().flat_map(|(_, b)| b).copied().collect();
    let expected: Vec<i128> = all.iter().flat_map(|(a, b)| product(a, b, [m, k, n])).collect();
    let got = floats(&a, [count, m, k], subject).matmul(floats(&b, [count, k, n], subject));
    same("a batch of products", got.cast(IntDType::I64), &expected)
}

/// Products of 64-bit integers up to 2^62, element by element, and their sums.
pub(super) fn integers(subject: &Subject) -> Result<(), String> {
    let left = [(1i64 << 31) - 1, 1 - (1 << 31), 3, -(1 << 31), -(1 << 30), 1 << 30, (1 << 30) - 1, -7];
    let right = [(1i64 << 30) - 1, 1 << 30, 1 << 53, 1 << 29, -(1 << 30), (1 << 31) - 1, -(1 << 31), 1 << 59];
    let tensor = |values: &[i64]| ints(values.to_vec(), &subject.device).reshape([2, 4]);
    let products = tensor(&left) * tensor(&right);
    let expected: Vec<i128> = (0..8).map(|i| i128::from(left[i]) * i128::from(right[i])).collect();
    same("products of integers", products.clone(), &expected)?;
    let sums = [expected[..4].iter().sum(), expected[4..].iter().sum()];
    same("sums of products of integers", products.sum_dim(1), &sums)
}
