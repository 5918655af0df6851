//! AVX2: products of 16 bits, two at a time in each of 8 lanes. 8-bit values are read with their signs extended.
//!
//! `vpmaddwd` and the additions wrap modulo 2^32 and never saturate, so only the whole sum of a pass needs to fit 32
//! bits, and the plan proves that it does.

use std::arch::x86_64::*;

use super::{Columns, Job, Segment, TILE, Work};

/// Proof that this CPU has AVX2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// The proof, on a CPU that has it.
    #[must_use]
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Runs `work` compiled for this CPU.
    #[inline]
    pub(in crate::engine) fn vectorize(self, work: impl Work) {
        #[target_feature(enable = "avx2")]
        fn inner(work: impl Work) {
            work.run();
        }
        // SAFETY: self proves the feature.
        unsafe { inner(work) }
    }
}

/// Rows of a tile.
pub(super) const ROWS: usize = 6;
/// Columns of a tile: two vectors.
pub(super) const COLUMNS: usize = 16;

/// Fills the first M rows of a tile.
///
/// # Safety
/// The CPU has AVX2; `job` was checked.
#[target_feature(enable = "avx2")]
unsafe fn tile<const M: usize>(job: &Job<'_>, out: &mut [i32; TILE]) {
    // SAFETY: `Job::check` compared the rows with a and the segments' groups with the panel; a group of the panel is
    // two vectors, a start is two vectors, and M rows of two vectors fit the tile.
    unsafe {
        let start = job.start.as_ptr();
        let start = [_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(8).cast())];
        let mut acc = [start; M];
        let mut rows = [job.a.as_ptr(); M];
        for (row, offset) in rows.iter_mut().zip(job.rows) {
            *row = row.add(*offset);
        }
        let mut b = job.panel.as_ptr();
        for Segment { offset, groups } in job.segments.list() {
            for group in 0..*groups {
                let b0 = _mm256_loadu_si256(b.cast());
                let b1 = _mm256_loadu_si256(b.add(32).cast());
                let at = offset + 4 * group;
                for (acc, row) in acc.iter_mut().zip(rows) {
                    let a = _mm256_set1_epi32(row.add(at).cast::<i32>().read_unaligned());
                    acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(a, b0));
                    acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(a, b1));
                }
                b = b.add(64);
            }
        }
        let out = out.as_mut_ptr();
        for (row, acc) in acc.iter().enumerate() {
            _mm256_storeu_si256(out.add(row * COLUMNS).cast(), acc[0]);
            _mm256_storeu_si256(out.add(row * COLUMNS + 8).cast(), acc[1]);
        }
    }
}

/// Sums of products of 16 bits by 16 bits.
///
/// # Safety
/// The CPU has AVX2; `job` was checked.
pub(super) unsafe fn multiply(job: &Job<'_>, out: &mut [i32; TILE]) {
    // SAFETY: passed on.
    unsafe {
        match job.rows.len() {
            1 => tile::<1>(job, out),
            2 => tile::<2>(job, out),
            3 => tile::<3>(job, out),
            4 => tile::<4>(job, out),
            5 => tile::<5>(job, out),
            6 => tile::<6>(job, out),
            rows => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// 2^63, which turns signed 64-bit numbers into unsigned ones in the same order.
const TURN: i64 = i64::MIN;

/// Requantises 8 accumulators: products of even and odd lanes in 64 bits, of which the low halves are the quotients
/// (the plan proves that they fit). AVX2 shifts 64 bits without signs only, so the numbers are turned by 2^63 first
/// and the quotients back by 2^63 / 2^s.
#[inline]
#[target_feature(enable = "avx2")]
fn quotients(acc: __m256i, table: &[__m256i; 6]) -> __m256i {
    let turn = _mm256_set1_epi64x(TURN);
    let shift = |product: __m256i, addend, shift| {
        let turned = _mm256_add_epi64(_mm256_add_epi64(product, addend), turn);
        _mm256_sub_epi64(_mm256_srlv_epi64(turned, shift), _mm256_srlv_epi64(turn, shift))
    };
    let even = shift(_mm256_mul_epi32(acc, table[0]), table[2], table[4]);
    let odd = shift(_mm256_mul_epi32(_mm256_srli_epi64::<32>(acc), table[1]), table[3], table[5]);
    _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd))
}

/// Requantises and writes `rows` rows of a tile; row i begins at byte `places[i]` of `out`.
///
/// # Safety
/// The CPU has AVX2; every row's columns lie inside `out`, and no other thread touches them.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn finish(acc: &[i32; TILE], columns: &Columns<'_>, places: &[usize], out: *mut u8) {
    let (lo, hi) = (_mm256_set1_epi32(columns.lo), _mm256_set1_epi32(columns.hi));
    for first in (0..columns.count).step_by(8) {
        let entries: &[i64; 24] =
            columns.table[3 * first..][..24].try_into().expect("six vectors for 8 columns");
        // SAFETY: an entry is six vectors long.
        let table =
            std::array::from_fn(|i| unsafe { _mm256_loadu_si256(entries.as_ptr().add(4 * i).cast()) });
        let count = (columns.count - first).min(8);
        for (row, place) in places.iter().enumerate() {
            let acc = &acc[row * COLUMNS + first..][..8];
            let mut values = [0i32; 8];
            // SAFETY: 8 accumulators and 8 values; the columns are the caller's to write.
            unsafe {
                let y = quotients(_mm256_loadu_si256(acc.as_ptr().cast()), &table);
                let y = _mm256_min_epi32(_mm256_max_epi32(y, lo), hi);
                _mm256_storeu_si256(values.as_mut_ptr().cast(), y);
                let out = out.add(place + columns.first + first * columns.width);
                for (i, value) in values[..count].iter().enumerate() {
                    match columns.width {
                        1 => out.add(i).write(*value as u8),
                        2 => out.add(2 * i).cast::<[u8; 2]>().write((*value as i16).to_le_bytes()),
                        _ => out.add(4 * i).cast::<[u8; 4]>().write(value.to_le_bytes()),
                    }
                }
            }
        }
    }
}
