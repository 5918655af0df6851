//! AVX2: sums of products of 16 bits, two at a time in each of 8 lanes, and of 8 bits, four at a time where no value of a
//! is negative, of two groups at a time where their sums fit 16 bits.
//!
//! `vpmaddwd` and the additions wrap modulo 2^32 and never saturate, so only the whole sum of a pass needs to fit 32
//! bits, and the plan proves that it does. `vpmaddubsw` takes its first factors unsigned and saturates sums of two
//! products at 16 bits: 127 (128 + 128) = 32,512 fits, so a must be 0 to 127. Other 8-bit values are read with their
//! signs extended, as 16 bits.
//!
//! A row's steps are written as assembly: 10 sums, the columns and what is on its way take nearly all 16 registers, and compilers
//! move loads ahead until two of the sums live in memory, which halves the speed.

mod finish;

use std::arch::asm;
use std::arch::x86_64::*;

use super::drive::Sums;
use super::{Columns, Job, Segment, TILE, Work};
pub(super) use finish::{finish, finish_alike};

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

/// Rows whose sums are in registers at once.
const TOGETHER: usize = 5;
/// Rows of a tile: several times as many, so that what a tile takes beside its products is shared by more of them.
pub(super) const ROWS: usize = 5 * TOGETHER;
/// Columns of a tile: two vectors.
pub(super) const COLUMNS: usize = 16;

/// Adds the products of a row's group, at `a`, with the columns' at `b`: of two terms of 16 bits.
///
/// # Safety
/// The CPU has AVX2; 4 bytes can be read at `a`, and two vectors at `b`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn step16(sums: &mut [__m256i; 2], a: *const u8, at: usize, b: [__m256i; 2]) {
    // SAFETY: it reads 4 bytes, which the caller vouches for, and writes registers alone.
    unsafe {
        asm!(
            "vpbroadcastd {a}, dword ptr [{row} + {at}]",
            "vpmaddwd {t}, {a}, {b0}",
            "vpmaddwd {a}, {a}, {b1}",
            "vpaddd {left}, {left}, {t}",
            "vpaddd {right}, {right}, {a}",
            row = in(reg) a,
            at = in(reg) at,
            b0 = in(ymm_reg) b[0],
            b1 = in(ymm_reg) b[1],
            left = inout(ymm_reg) sums[0],
            right = inout(ymm_reg) sums[1],
            a = out(ymm_reg) _,
            t = out(ymm_reg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// As [`step16`], of four terms of 8 bits, where those of a are 0 to 127; `ones` are 16 bits each.
///
/// # Safety
/// As [`step16`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn step8(sums: &mut [__m256i; 2], a: *const u8, at: usize, b: *const u8, ones: __m256i) {
    // SAFETY: as above, and it reads two vectors of the columns.
    unsafe {
        asm!(
            "vpbroadcastd {a}, dword ptr [{row} + {at}]",
            "vpmaddubsw {t}, {a}, ymmword ptr [{b}]",
            "vpmaddubsw {a}, {a}, ymmword ptr [{b} + 32]",
            "vpmaddwd {t}, {t}, {ones}",
            "vpmaddwd {a}, {a}, {ones}",
            "vpaddd {left}, {left}, {t}",
            "vpaddd {right}, {right}, {a}",
            row = in(reg) a,
            at = in(reg) at,
            b = in(reg) b,
            ones = in(ymm_reg) ones,
            left = inout(ymm_reg) sums[0],
            right = inout(ymm_reg) sums[1],
            a = out(ymm_reg) _,
            t = out(ymm_reg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// As [`step8`], of two groups, whose sums of products fit 16 bits together.
///
/// # Safety
/// As [`step8`], at both places in a, and four vectors at `b`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn steps8(sums: &mut [__m256i; 2], a: *const u8, at: [usize; 2], b: *const u8, ones: __m256i) {
    // SAFETY: as above.
    unsafe {
        asm!(
            "vpbroadcastd {a0}, dword ptr [{row} + {at0}]",
            "vpbroadcastd {a1}, dword ptr [{row} + {at1}]",
            "vpmaddubsw {t0}, {a0}, ymmword ptr [{b}]",
            "vpmaddubsw {t1}, {a1}, ymmword ptr [{b} + 64]",
            "vpaddw {t0}, {t0}, {t1}",
            "vpmaddubsw {a0}, {a0}, ymmword ptr [{b} + 32]",
            "vpmaddubsw {a1}, {a1}, ymmword ptr [{b} + 96]",
            "vpaddw {a0}, {a0}, {a1}",
            "vpmaddwd {t0}, {t0}, {ones}",
            "vpmaddwd {a0}, {a0}, {ones}",
            "vpaddd {left}, {left}, {t0}",
            "vpaddd {right}, {right}, {a0}",
            row = in(reg) a,
            at0 = in(reg) at[0],
            at1 = in(reg) at[1],
            b = in(reg) b,
            ones = in(ymm_reg) ones,
            left = inout(ymm_reg) sums[0],
            right = inout(ymm_reg) sums[1],
            a0 = out(ymm_reg) _,
            a1 = out(ymm_reg) _,
            t0 = out(ymm_reg) _,
            t1 = out(ymm_reg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// Sums of M rows: from 16 bits if WIDE.
///
/// # Safety
/// The CPU has AVX2; `job` was checked, and these are M of its rows; M rows of two vectors fit `out`.
#[target_feature(enable = "avx2")]
unsafe fn tile<const M: usize, const WIDE: bool>(job: &Job<'_>, places: &[usize], out: *mut i32) {
    // SAFETY: `Job::check` compared the rows with a, and the segments' and the order's groups with the panel; a group of the
    // panel is two vectors, and so is a start.
    unsafe {
        let start = job.start.as_ptr();
        let start = [_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(8).cast())];
        let ones = _mm256_set1_epi16(1);
        let mut acc = [start; M];
        let mut rows = [job.a.as_ptr(); M];
        for (row, offset) in rows.iter_mut().zip(places) {
            *row = row.add(*offset);
        }
        let mut b = job.panel.as_ptr();
        if WIDE {
            for Segment { offset, groups } in job.segments.list() {
                let mut at = *offset;
                let end = at.wrapping_add(groups.wrapping_mul(4));
                while at != end {
                    let columns = [_mm256_loadu_si256(b.cast()), _mm256_loadu_si256(b.add(32).cast())];
                    for (acc, row) in acc.iter_mut().zip(rows) {
                        step16(acc, row, at, columns);
                    }
                    b = b.add(64);
                    at = at.wrapping_add(4);
                }
            }
        } else {
            let (pairs, alone) = job.order.offsets.split_at(2 * job.order.pairs);
            for at in pairs.as_chunks::<2>().0 {
                for (acc, row) in acc.iter_mut().zip(rows) {
                    steps8(acc, row, at.map(|at| at as usize), b, ones);
                }
                b = b.add(128);
            }
            for at in alone {
                for (acc, row) in acc.iter_mut().zip(rows) {
                    step8(acc, row, *at as usize, b, ones);
                }
                b = b.add(64);
            }
        }
        for (row, acc) in acc.iter().enumerate() {
            _mm256_storeu_si256(out.add(row * COLUMNS).cast(), acc[0]);
            _mm256_storeu_si256(out.add(row * COLUMNS + 8).cast(), acc[1]);
        }
    }
}

/// Sums of products: `wide` for 16 bits by 16 bits, otherwise 8 bits that are not negative by 8 bits.
///
/// # Safety
/// The CPU has AVX2; `job` was checked.
pub(super) unsafe fn multiply(wide: bool, job: &Job<'_>, out: &mut [i32; TILE]) {
    let (mut rows, mut out) = (job.rows, out.as_mut_ptr());
    while !rows.is_empty() {
        // As even as they can be.
        let (some, rest) = rows.split_at(rows.len().div_ceil(rows.len().div_ceil(TOGETHER)));
        // SAFETY: passed on; a job has at most ROWS rows, which fit the tile.
        unsafe {
            match (some.len(), wide) {
                (1, true) => tile::<1, true>(job, some, out),
                (2, true) => tile::<2, true>(job, some, out),
                (3, true) => tile::<3, true>(job, some, out),
                (4, true) => tile::<4, true>(job, some, out),
                (5, true) => tile::<5, true>(job, some, out),
                (1, false) => tile::<1, false>(job, some, out),
                (2, false) => tile::<2, false>(job, some, out),
                (3, false) => tile::<3, false>(job, some, out),
                (4, false) => tile::<4, false>(job, some, out),
                (5, false) => tile::<5, false>(job, some, out),
                (rows, _) => unreachable!("{rows} rows at once"),
            }
            out = out.add(some.len() * COLUMNS);
        }
        rows = rest;
    }
}
