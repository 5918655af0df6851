//! NEON: products of 16 bits, one at a time in each of 4 lanes; with dot products, of 8 bits, four at a time.
//!
//! `smlal` and `sdot` wrap modulo 2^32 and never saturate, so only the whole sum of a pass needs to fit 32 bits, and the
//! plan proves that it does. Both take signed factors: nothing is shifted.

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

use super::{Columns, Job, Segment, TILE, Work};

/// Proof that this CPU has NEON, and runs with little-endian vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neon(());

/// Proof that this CPU has NEON's dot products besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeonDot(());

macro_rules! vectorize {
    ($name:ident, $features:literal) => {
        impl $name {
            /// Runs `work` compiled for this CPU.
            #[inline]
            pub(in crate::engine) fn vectorize(self, work: impl Work) {
                #[target_feature(enable = $features)]
                fn inner(work: impl Work) {
                    work.run();
                }
                // SAFETY: self proves the features.
                unsafe { inner(work) }
            }
        }
    };
}

vectorize!(Neon, "neon");
vectorize!(NeonDot, "neon,dotprod");

impl Neon {
    /// The proof, on a CPU that has it.
    #[must_use]
    pub fn detect() -> Option<Self> {
        // Panels are packed in little-endian order.
        (cfg!(target_endian = "little") && is_aarch64_feature_detected!("neon")).then_some(Self(()))
    }
}

impl NeonDot {
    /// The proof, on a CPU that has them.
    #[must_use]
    pub fn detect() -> Option<Self> {
        Neon::detect().filter(|_| is_aarch64_feature_detected!("dotprod")).map(|_| Self(()))
    }
}

/// Rows of a tile.
pub(super) const ROWS: usize = 6;
/// Columns of a tile: four vectors. Six rows of them leave registers for columns of b and a group of a.
pub(super) const COLUMNS: usize = 16;

/// A row of a tile.
type Sums = [int32x4_t; 4];

/// Reads a group of b: 4 bytes of each column.
///
/// # Safety
/// There are 64 bytes at `b`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load8(b: *const u8) -> [int8x16_t; 4] {
    // SAFETY: four vectors of 16 bytes.
    std::array::from_fn(|i| unsafe { vld1q_s8(b.add(16 * i).cast()) })
}

/// Reads a group of b, 2 values of each column: the first of 8 columns and the second of these, twice.
///
/// # Safety
/// There are 64 bytes at `b`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load16(b: *const u8) -> [int16x8x2_t; 2] {
    // SAFETY: two pairs of vectors of 16 bytes, and `ld2` asks for no alignment.
    unsafe { [vld2q_s16(b.cast()), vld2q_s16(b.add(32).cast())] }
}

/// Reads a group of a, 4 bytes, as the first lane.
///
/// # Safety
/// There are 4 bytes at `a`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn group(a: *const u8) -> int32x2_t {
    // SAFETY: passed on.
    vset_lane_s32::<0>(unsafe { a.cast::<i32>().read_unaligned() }, vdup_n_s32(0))
}

/// Adds to each lane of `acc` four products: of its 4 bytes of b with the lowest 4 bytes of a.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut acc: int32x4_t, b: int8x16_t, a: int32x2_t) -> int32x4_t {
    // `vdotq_lane_s32`, which std does not have on every version that builds this.
    // SAFETY: the CPU has the instruction, which touches registers alone.
    unsafe {
        asm!(
            "sdot {acc:v}.4s, {b:v}.16b, {a:v}.4b[0]",
            acc = inout(vreg) acc, b = in(vreg) b, a = in(vreg) a,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    acc
}

/// Adds a group's products of 8 bits by 8 bits to a row.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add8(acc: &mut Sums, a: int32x2_t, b: &[int8x16_t; 4]) {
    acc.iter_mut().zip(b).for_each(|(acc, b)| *acc = dot(*acc, *b, a));
}

/// Adds a group's products of 16 bits by 16 bits to a row.
#[inline]
#[target_feature(enable = "neon")]
fn add16(acc: &mut Sums, a: int32x2_t, b: &[int16x8x2_t; 2]) {
    let a = vreinterpret_s16_s32(a);
    for (acc, int16x8x2_t(first, second)) in acc.as_chunks_mut::<2>().0.iter_mut().zip(b) {
        acc[0] = vmlal_lane_s16::<0>(acc[0], vget_low_s16(*first), a);
        acc[1] = vmlal_high_lane_s16::<0>(acc[1], *first, a);
        acc[0] = vmlal_lane_s16::<1>(acc[0], vget_low_s16(*second), a);
        acc[1] = vmlal_high_lane_s16::<1>(acc[1], *second, a);
    }
}

macro_rules! tile {
    ($name:ident, $load:ident, $add:ident, $features:literal) => {
        /// Fills the first M rows of a tile.
        ///
        /// # Safety
        /// The CPU has the features; `job` was checked.
        #[target_feature(enable = $features)]
        unsafe fn $name<const M: usize>(job: &Job<'_>, out: &mut [i32; TILE]) {
            // SAFETY: `Job::check` compared the rows with a and the segments' groups with the panel; a group of the
            // panel is four vectors, a start is four vectors, and M rows of four vectors fit the tile.
            unsafe {
                let start = job.start.as_ptr();
                let start: Sums = std::array::from_fn(|i| vld1q_s32(start.add(4 * i)));
                let mut acc = [start; M];
                let mut rows = [job.a.as_ptr(); M];
                for (row, offset) in rows.iter_mut().zip(job.rows) {
                    *row = row.add(*offset);
                }
                let mut b = job.panel.as_ptr();
                for Segment { offset, groups } in job.segments.list() {
                    let mut at = *offset;
                    let end = at.wrapping_add(groups.wrapping_mul(4));
                    while at != end {
                        let columns = $load(b);
                        for (acc, row) in acc.iter_mut().zip(rows) {
                            let a = group(row.add(at));
                            $add(acc, a, &columns);
                        }
                        b = b.add(64);
                        at = at.wrapping_add(4);
                    }
                }
                let out = out.as_mut_ptr();
                for (row, acc) in acc.iter().enumerate() {
                    for (i, acc) in acc.iter().enumerate() {
                        vst1q_s32(out.add(row * COLUMNS + 4 * i), *acc);
                    }
                }
            }
        }
    };
}

tile!(tile8, load8, add8, "neon,dotprod");
tile!(tile16, load16, add16, "neon");

macro_rules! by_rows {
    ($tile:ident, $job:expr, $out:expr; $($m:literal)*) => {
        match $job.rows.len() {
            $($m => $tile::<$m>($job, $out),)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}

/// Sums of products of 16 bits by 16 bits.
///
/// # Safety
/// The CPU has NEON; `job` was checked.
pub(super) unsafe fn multiply16(job: &Job<'_>, out: &mut [i32; TILE]) {
    // SAFETY: passed on.
    unsafe { by_rows!(tile16, job, out; 1 2 3 4 5 6) }
}

/// Sums of products of 8 bits by 8 bits.
///
/// # Safety
/// The CPU has NEON and dot products; `job` was checked.
pub(super) unsafe fn multiply8(job: &Job<'_>, out: &mut [i32; TILE]) {
    // SAFETY: passed on.
    unsafe { by_rows!(tile8, job, out; 1 2 3 4 5 6) }
}

/// Multipliers, addends and shifts of 4 columns, each of the even and of the odd ones.
struct Records {
    multipliers: [int32x2_t; 2],
    addends: [int64x2_t; 2],
    /// Negative: to the right.
    shifts: [int64x2_t; 2],
}

impl Records {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(entries: &[i64; 12]) -> Self {
        // SAFETY: an entry is six vectors long.
        let entry = |i: usize| unsafe { vld1q_s64(entries.as_ptr().add(2 * i)) };
        Self {
            // Multipliers fit 32 bits (the plan proves it).
            multipliers: [vmovn_s64(entry(0)), vmovn_s64(entry(1))],
            addends: [entry(2), entry(3)],
            shifts: [vnegq_s64(entry(4)), vnegq_s64(entry(5))],
        }
    }

    /// Requantises 4 accumulators: products of even and odd lanes in 64 bits, of which the low halves are the quotients
    /// (the plan proves that they fit).
    #[inline]
    #[target_feature(enable = "neon")]
    fn quotients(&self, acc: int32x4_t) -> int32x4_t {
        let pairs = vreinterpretq_s64_s32(acc);
        let quotient = |acc: int32x2_t, half: usize| {
            let product = vaddq_s64(vmull_s32(acc, self.multipliers[half]), self.addends[half]);
            vreinterpretq_s32_s64(vshlq_s64(product, self.shifts[half]))
        };
        vtrn1q_s32(quotient(vmovn_s64(pairs), 0), quotient(vshrn_n_s64::<32>(pairs), 1))
    }
}

/// Requantises and writes `rows` rows of a tile; row i begins at byte `places[i]` of `out`.
///
/// # Safety
/// The CPU has NEON; every row's columns lie inside `out`, and no other thread touches them.
#[target_feature(enable = "neon")]
pub(super) unsafe fn finish(acc: &[i32; TILE], columns: &Columns<'_>, places: &[usize], out: *mut u8) {
    let (lo, hi) = (vdupq_n_s32(columns.lo), vdupq_n_s32(columns.hi));
    for first in (0..columns.count).step_by(4) {
        let entries = columns.table[3 * first..][..12].try_into().expect("six vectors for 4 columns");
        let records = Records::new(entries);
        let count = (columns.count - first).min(4);
        for (row, place) in places.iter().enumerate() {
            let acc = &acc[row * COLUMNS + first..][..4];
            // SAFETY: 4 accumulators; the columns are the caller's to write.
            unsafe {
                let y = records.quotients(vld1q_s32(acc.as_ptr()));
                let y = vminq_s32(vmaxq_s32(y, lo), hi);
                write(y, (columns.width, count), out.add(place + columns.first + first * columns.width));
            }
        }
    }
}

/// Writes the first `count` values at `out`, `width` bytes of each.
///
/// # Safety
/// There is room for them.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn write(y: int32x4_t, (width, count): (usize, usize), out: *mut u8) {
    // Bytes of the values, of width 4, 2 and 1.
    let words = vreinterpretq_u8_s32(y);
    let halves = vmovn_s32(y);
    let bytes = vreinterpret_u64_s8(vmovn_s16(vcombine_s16(halves, halves)));
    // SAFETY: the caller's room is as large as what is written.
    unsafe {
        match (width, count) {
            (1, 4) => out.cast::<u32>().write_unaligned(vget_lane_u64::<0>(bytes) as u32),
            (2, 4) => vst1_u8(out, vreinterpret_u8_s16(halves)),
            (4, 4) => vst1q_u8(out, words),
            _ => {
                let mut values = [0u8; 16];
                vst1q_u8(values.as_mut_ptr(), words);
                for (i, value) in values.as_chunks::<4>().0.iter().take(count).enumerate() {
                    out.add(width * i).copy_from_nonoverlapping(value.as_ptr(), width);
                }
            }
        }
    }
}
