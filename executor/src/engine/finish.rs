//! How elements end: requantisation and canonical bytes (SPEC 2.3).

use narrows_program::DType;
use rayon::prelude::*;

use super::plan::Layer;
use super::values::Record;

/// y = clamp(floor(((acc + bias) * m + 2^(s-1)) / 2^s), lo, hi): one rounding, ties towards +infinity.
///
/// Nothing overflows: the rule `bound` of SPEC 5 keeps every intermediate below 2^62, and 1 <= s <= 62. The shift is
/// arithmetic, so it rounds towards -infinity for negative numbers too.
pub(super) fn requantise(acc: i64, record: &Record, lo: i64, hi: i64) -> i64 {
    let half = 1 << (record.shift - 1);
    (((acc + record.bias) * record.multiplier + half) >> record.shift).clamp(lo, hi)
}

/// Writes `value`, which is in `dtype`'s range, as element `index` of `out`.
pub(super) fn put(dtype: DType, out: &mut [u8], index: usize, value: i64) {
    let bytes = value.to_le_bytes();
    match dtype {
        DType::I8 => out[index] = bytes[0],
        DType::I16 => out[2 * index..][..2].copy_from_slice(&bytes[..2]),
        DType::I32 => out[4 * index..][..4].copy_from_slice(&bytes[..4]),
        DType::Params => unreachable!("legality: no layer computes records"),
    }
}

/// Terms of work that are worth a task of their own: some tens of microseconds.
const TASK_TERMS: usize = 1 << 18;

/// Runs `task(first element, its bytes)` over pieces of `out`, side by side. A piece has at least `least` elements; if
/// it holds whole rows of `row` elements, it holds a multiple of four rows.
pub(super) fn tasks(
    layer: &Layer,
    row: usize,
    least: usize,
    out: &mut [u8],
    task: impl Fn(usize, &mut [u8]) + Sync,
) {
    let width = layer.dtype.bytes();
    let wanted = (TASK_TERMS / layer.terms).max(least);
    let piece = if wanted < row { wanted } else { wanted.next_multiple_of(4 * row) };
    let total = out.len() / width;
    if piece >= total {
        return task(0, out);
    }
    out.par_chunks_mut(piece * width).enumerate().for_each(|(index, out)| task(index * piece, out));
}
