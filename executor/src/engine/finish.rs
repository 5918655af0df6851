//! How elements end: requantisation and canonical bytes (SPEC 2.3).

use narrows_program::DType;
use rayon::prelude::*;

use super::arch::Kernel;
use super::plan::Planned;
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
        DType::Params => unreachable!("legality: no operator computes records"),
    }
}

/// What accumulators can do. Their arithmetic wraps in name only: the plan chooses a width that holds every partial
/// accumulator of the operator.
pub(super) trait Accumulator: Copy + Send + Sync + From<i32> + Into<i64> + Ord {
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// The accumulators as 32 bits, if they are that.
    fn narrow(list: &[Self]) -> Option<&[i32]>;
}

macro_rules! accumulator {
    ($($name:ty, $list:ident => $narrow:expr;)*) => {$(
        impl Accumulator for $name {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline(always)]
            fn narrow($list: &[Self]) -> Option<&[i32]> {
                $narrow
            }
        }
    )*};
}

accumulator! {
    i32, list => Some(list);
    i64, _list => None;
}

/// Requantises neighbouring accumulators, the first with record `params`, and writes them as all of `out`.
#[inline(always)]
pub(super) fn finish<S: Accumulator>(
    kernel: Kernel,
    operator: &Planned,
    acc: &[S],
    params: usize,
    out: &mut [u8],
) {
    let (records, step) = (&operator.records, operator.params[3]);
    if let (true, 0 | 1, Some(acc)) = (operator.tame, step, S::narrow(acc)) {
        let clip = (operator.lo as i32, operator.hi as i32);
        if step == 0 {
            let one = (records.multipliers[params], records.addends[params], records.shifts[params]);
            let done = if operator.dtype == DType::I8 { kernel.finish_alike(acc, one, clip, out) } else { 0 };
            let (acc, out) = (&acc[done..], &mut out[done * operator.dtype.bytes()..]);
            return write(operator.dtype, acc.iter().map(|acc| tame(*acc, one, clip)), out);
        }
        let range = params..params + acc.len();
        let multipliers = &records.multipliers[range.clone()];
        let (addends, shifts) = (&records.addends[range.clone()], &records.shifts[range]);
        let values = acc.iter().zip(multipliers).zip(addends).zip(shifts);
        return write(operator.dtype, values.map(|(((acc, m), c), s)| tame(*acc, (*m, *c, *s), clip)), out);
    }
    for (index, acc) in acc.iter().enumerate() {
        let record = &records.list[params + index * step];
        put(operator.dtype, out, index, requantise((*acc).into(), record, operator.lo, operator.hi));
    }
}

/// As [`requantise`], where the plan proved that the quotient fits 32 bits: (multiplier, addend, shift) and the clip.
#[inline(always)]
pub(super) fn tame(acc: i32, (m, addend, shift): (i32, i64, u32), (lo, hi): (i32, i32)) -> i32 {
    let product = i64::from(acc).wrapping_mul(i64::from(m)).wrapping_add(addend);
    (product.wrapping_shr(shift) as i32).max(lo).min(hi)
}

/// Writes values, which are in `dtype`'s range, as all of `out`.
#[inline(always)]
fn write(dtype: DType, values: impl Iterator<Item = i32>, out: &mut [u8]) {
    match dtype {
        DType::I8 => out.iter_mut().zip(values).for_each(|(out, y)| *out = y as u8),
        DType::I16 => {
            out.as_chunks_mut().0.iter_mut().zip(values).for_each(|(out, y)| *out = (y as i16).to_le_bytes());
        }
        DType::I32 => {
            out.as_chunks_mut().0.iter_mut().zip(values).for_each(|(out, y)| *out = y.to_le_bytes())
        }
        DType::Params => unreachable!("legality: no operator computes records"),
    }
}

/// Terms of work that are worth a task of their own: some microseconds.
const TASK_TERMS: usize = 1 << 15;

/// Tasks for a thread: enough to even out threads that are interrupted.
const TASKS_A_THREAD: usize = 6;

/// Runs `task(first element, its bytes)` over pieces of `out`, side by side. A piece has at least `least` elements; if
/// it holds whole rows of `row` elements, it holds a multiple of four rows.
pub(super) fn tasks(
    operator: &Planned,
    row: usize,
    least: usize,
    out: &mut [u8],
    task: impl Fn(usize, &mut [u8]) + Sync,
) {
    let width = operator.dtype.bytes();
    let total = out.len() / width;
    let even = total.div_ceil(TASKS_A_THREAD * rayon::current_num_threads());
    let wanted = (TASK_TERMS / operator.terms).max(least).max(even);
    let piece = if wanted < row { wanted.next_multiple_of(least) } else { wanted.next_multiple_of(4 * row) };
    if piece >= total {
        return task(0, out);
    }
    out.par_chunks_mut(piece * width).enumerate().for_each(|(index, out)| task(index * piece, out));
}
