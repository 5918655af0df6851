//! AVX-512 with VNNI: products of 8 and of 16 bits, four or two at a time in each of 16 lanes.
//!
//! Neither instruction saturates: sums wrap modulo 2^32, so only the whole sum of a pass needs to fit 32 bits, and
//! the plan proves that it does. `vpdpbusd` takes its first factors unsigned: a is read as a + 128, and sums begin at
//! -128 times the column's sum.

use std::arch::x86_64::*;

use super::{Columns, Job, Segment, TILE, Work};

/// Proof that this CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// The proof, on a CPU that has them.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        all.then_some(Self(()))
    }

    /// Runs `work` compiled for this CPU.
    #[inline]
    pub(in crate::engine) fn vectorize(self, work: impl Work) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
        fn inner(work: impl Work) {
            work.run();
        }
        // SAFETY: self proves the features.
        unsafe { inner(work) }
    }
}

/// Rows of a tile.
pub(super) const ROWS: usize = 14;
/// Columns of a tile: two vectors.
pub(super) const COLUMNS: usize = 32;

macro_rules! tile {
    ($name:ident, $dot:ident) => {
        /// Fills the first M rows of a tile.
        ///
        /// # Safety
        /// The CPU has the features; `job` was checked.
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
        unsafe fn $name<const M: usize>(job: &Job<'_>, out: &mut [i32; TILE]) {
            // SAFETY: `Job::check` compared the rows with a and the segments' groups with the panel; a group of the
            // panel is two vectors, a start is two vectors, and M rows of two vectors fit the tile.
            unsafe {
                let start = job.start.as_ptr();
                let start = [_mm512_loadu_si512(start.cast()), _mm512_loadu_si512(start.add(16).cast())];
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
                        let b0 = _mm512_loadu_si512(b.cast());
                        let b1 = _mm512_loadu_si512(b.add(64).cast());
                        // Columns stream from far caches; a hint may point anywhere.
                        _mm_prefetch::<_MM_HINT_T1>(b.wrapping_add(job.ahead).cast());
                        _mm_prefetch::<_MM_HINT_T1>(b.wrapping_add(job.ahead).wrapping_add(64).cast());
                        for (acc, row) in acc.iter_mut().zip(rows) {
                            let a = _mm512_set1_epi32(row.add(at).cast::<i32>().read_unaligned());
                            acc[0] = $dot(acc[0], a, b0);
                            acc[1] = $dot(acc[1], a, b1);
                        }
                        b = b.add(128);
                        at = at.wrapping_add(4);
                    }
                }
                let out = out.as_mut_ptr();
                for (row, acc) in acc.iter().enumerate() {
                    _mm512_storeu_si512(out.add(row * COLUMNS).cast(), acc[0]);
                    _mm512_storeu_si512(out.add(row * COLUMNS + 16).cast(), acc[1]);
                }
            }
        }
    };
}

tile!(tile8, _mm512_dpbusd_epi32);
tile!(tile16, _mm512_dpwssd_epi32);

macro_rules! by_rows {
    ($tile:ident, $job:expr, $out:expr; $($m:literal)*) => {
        match $job.rows.len() {
            $($m => $tile::<$m>($job, $out),)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}

/// Sums of products: `wide` for 16 bits by 16 bits, otherwise unsigned 8 bits by 8 bits.
///
/// # Safety
/// The CPU has the features; `job` was checked.
pub(super) unsafe fn multiply(wide: bool, job: &Job<'_>, out: &mut [i32; TILE]) {
    // SAFETY: passed on.
    unsafe {
        if wide {
            by_rows!(tile16, job, out; 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        } else {
            by_rows!(tile8, job, out; 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        }
    }
}

/// Requantises 16 accumulators: products of even and odd lanes in 64 bits, of which the low halves are the quotients
/// (the plan proves that they fit).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quotients(acc: __m512i, table: &[__m512i; 6]) -> __m512i {
    let even = _mm512_mul_epi32(acc, table[0]);
    let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(acc), table[1]);
    let even = _mm512_srav_epi64(_mm512_add_epi64(even, table[2]), table[4]);
    let odd = _mm512_srav_epi64(_mm512_add_epi64(odd, table[3]), table[5]);
    _mm512_mask_shuffle_epi32::<0b10_10_00_00>(even, 0xAAAA, odd)
}

/// Requantises and writes `rows` rows of a tile; row i begins at byte `places[i]` of `out`.
///
/// # Safety
/// The CPU has the features; every row's columns lie inside `out`, and no other thread touches them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn finish(acc: &[i32; TILE], columns: &Columns<'_>, places: &[usize], out: *mut u8) {
    if (columns.width, columns.count) == (1, COLUMNS) {
        // SAFETY: passed on.
        return unsafe { finish8(acc, columns, places, out) };
    }
    let (lo, hi) = (_mm512_set1_epi32(columns.lo), _mm512_set1_epi32(columns.hi));
    for first in (0..columns.count).step_by(16) {
        let entries: &[i64; 48] =
            columns.table[3 * first..][..48].try_into().expect("six vectors for 16 columns");
        // SAFETY: an entry is six vectors long.
        let table =
            std::array::from_fn(|i| unsafe { _mm512_loadu_si512(entries.as_ptr().add(8 * i).cast()) });
        let mask = ((1u32 << (columns.count - first).min(16)) - 1) as u16;
        for (row, place) in places.iter().enumerate() {
            let acc = &acc[row * COLUMNS + first..][..16];
            // SAFETY: 16 accumulators; the store touches the columns that the caller vouches for and no more.
            unsafe {
                let y = quotients(_mm512_loadu_si512(acc.as_ptr().cast()), &table);
                let y = _mm512_min_epi32(_mm512_max_epi32(y, lo), hi);
                let out = out.add(place + columns.first + first * columns.width);
                match (columns.width, mask) {
                    (1, u16::MAX) => _mm_storeu_si128(out.cast(), _mm512_cvtepi32_epi8(y)),
                    (1, _) => _mm_mask_storeu_epi8(out.cast(), mask, _mm512_cvtepi32_epi8(y)),
                    (2, _) => _mm256_mask_storeu_epi16(out.cast(), mask, _mm512_cvtepi32_epi16(y)),
                    _ => _mm512_mask_storeu_epi32(out.cast(), mask, y),
                }
            }
        }
    }
}

/// As [`finish`], for whole tiles of 8-bit outputs: two rows are narrowed and clipped at once.
///
/// # Safety
/// As [`finish`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn finish8(acc: &[i32; TILE], columns: &Columns<'_>, places: &[usize], out: *mut u8) {
    let entries: &[i64; 96] = columns.table[..96].try_into().expect("six vectors for 16 columns, twice");
    // SAFETY: two entries of six vectors.
    let entry = |i: usize| unsafe { _mm512_loadu_si512(entries.as_ptr().add(8 * i).cast()) };
    let left = [entry(0), entry(1), entry(2), entry(3), entry(4), entry(5)];
    let right = [entry(6), entry(7), entry(8), entry(9), entry(10), entry(11)];
    let narrow = Narrow::new(columns.lo, columns.hi);
    for pair in (0..places.len()).step_by(2) {
        let second = (pair + 1).min(places.len() - 1);
        // SAFETY: rows of 32 accumulators; each row of the output has the 32 bytes that the caller vouches for.
        unsafe {
            let load = |row: usize, column: usize| {
                _mm512_loadu_si512(acc.as_ptr().add(row * COLUMNS + column).cast())
            };
            let bytes = narrow.bytes([
                quotients(load(pair, 0), &left),
                quotients(load(pair, 16), &right),
                quotients(load(second, 0), &left),
                quotients(load(second, 16), &right),
            ]);
            _mm256_storeu_si256(out.add(places[pair] + columns.first).cast(), _mm512_castsi512_si256(bytes));
            if second > pair {
                _mm256_storeu_si256(
                    out.add(places[second] + columns.first).cast(),
                    _mm512_extracti64x4_epi64::<1>(bytes),
                );
            }
        }
    }
}

/// Clips to 8 bits.
struct Narrow {
    order: __m512i,
    lo: __m512i,
    hi: __m512i,
}

impl Narrow {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn new(lo: i32, hi: i32) -> Self {
        // Packing works within quarters of a vector: quarter q holds 4 bytes of each of the four vectors.
        let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        Self { order, lo: _mm512_set1_epi8(lo as i8), hi: _mm512_set1_epi8(hi as i8) }
    }

    /// The values of four vectors, one after another. Packing saturates, and the clip lies within 8 bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn bytes(&self, values: [__m512i; 4]) -> __m512i {
        let [a, b, c, d] = values;
        let bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        let bytes = _mm512_min_epi8(_mm512_max_epi8(bytes, self.lo), self.hi);
        _mm512_permutexvar_epi32(self.order, bytes)
    }
}

/// Requantises accumulators that share one record (multiplier, addend, shift) to clipped bytes, as many as make whole
/// vectors of 64; says how many.
///
/// # Safety
/// The CPU has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn finish_alike(
    acc: &[i32],
    record: (i32, i64, u32),
    clip: (i32, i32),
    out: &mut [u8],
) -> usize {
    let m = _mm512_set1_epi64(i64::from(record.0));
    let (addend, shift) = (_mm512_set1_epi64(record.1), _mm512_set1_epi64(i64::from(record.2)));
    let table = [m, m, addend, addend, shift, shift];
    let narrow = Narrow::new(clip.0, clip.1);
    let (acc, out) = (acc.as_chunks::<64>().0, out.as_chunks_mut::<64>().0);
    for (acc, out) in acc.iter().zip(&mut *out) {
        // SAFETY: 64 accumulators and 64 bytes.
        unsafe {
            let quotient = |i: usize| quotients(_mm512_loadu_si512(acc.as_ptr().add(16 * i).cast()), &table);
            let bytes = narrow.bytes([quotient(0), quotient(1), quotient(2), quotient(3)]);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), bytes);
        }
    }
    64 * acc.len().min(out.len())
}
