//! Requantisation by vectors of 8 accumulators, of 32 bits, or of 32 bits and 256 times 32 more.

use std::arch::x86_64::*;

use super::{COLUMNS, Columns, Sums};
use crate::engine::values::raised;

/// Multipliers, addends and shifts of 8 columns, each of the even and of the odd ones.
struct Records {
    multipliers: [__m256i; 2],
    addends: [__m256i; 2],
    shifts: [__m256i; 2],
    /// Shifts less 32, of each column; `None` if one is less than 32.
    high: Option<__m256i>,
}

/// 2^63, which turns signed 64-bit numbers into unsigned ones in the same order.
const TURN: i64 = i64::MIN;

impl Records {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(entries: &[i64; 24]) -> Self {
        // SAFETY: an entry is six vectors long.
        let entry = |i: usize| unsafe { _mm256_loadu_si256(entries.as_ptr().add(4 * i).cast()) };
        Self::of([entry(0), entry(1)], [entry(2), entry(3)], [entry(4), entry(5)])
    }

    /// One record (multiplier, addend, shift) for all columns, raised.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn alike((m, addend, shift): (i32, i64, u32)) -> Self {
        let more = raised(m, shift);
        let twice = |value: i64| [_mm256_set1_epi64x(value); 2];
        Self::of(twice(i64::from(m) << more), twice(addend << more), twice(i64::from(shift + more)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn of(multipliers: [__m256i; 2], addends: [__m256i; 2], shifts: [__m256i; 2]) -> Self {
        let less = |shifts| _mm256_sub_epi64(shifts, _mm256_set1_epi64x(32));
        let high =
            _mm256_blend_epi32::<0b1010_1010>(less(shifts[0]), _mm256_slli_epi64::<32>(less(shifts[1])));
        let high = (_mm256_movemask_ps(_mm256_castsi256_ps(high)) == 0).then_some(high);
        Self { multipliers, addends, shifts, high }
    }

    /// Products of 8 numbers with the multipliers, of even and odd lanes in 64 bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn products(&self, acc: __m256i) -> [__m256i; 2] {
        let [even, odd] = self.multipliers;
        [_mm256_mul_epi32(acc, even), _mm256_mul_epi32(_mm256_srli_epi64::<32>(acc), odd)]
    }

    /// Requantises 8 accumulators, whose products with the multipliers these are: the low halves of what is shifted are the
    /// quotients (the plan proves that they fit).
    ///
    /// AVX2 shifts 64 bits without signs only. Where every shift is 32 or more, the high halves are shifted by what is left of
    /// it, with their signs; otherwise the numbers are turned by 2^63 first and the quotients back by 2^63 / 2^s.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn quotients(&self, [even, odd]: [__m256i; 2]) -> __m256i {
        let even = _mm256_add_epi64(even, self.addends[0]);
        let odd = _mm256_add_epi64(odd, self.addends[1]);
        if let Some(high) = self.high {
            let halves = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd);
            return _mm256_srav_epi32(halves, high);
        }
        let turn = _mm256_set1_epi64x(TURN);
        let shift = |product: __m256i, shift| {
            let turned = _mm256_add_epi64(product, turn);
            _mm256_sub_epi64(_mm256_srlv_epi64(turned, shift), _mm256_srlv_epi64(turn, shift))
        };
        let (even, odd) = (shift(even, self.shifts[0]), shift(odd, self.shifts[1]));
        _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd))
    }

    /// The quotients of 8 of a tile's sums from `at` on. What is shifted fits 64 bits, so that the products of two passes may
    /// wrap on the way.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of_tile(&self, Sums { acc, high }: Sums<'_>, at: usize) -> __m256i {
        // SAFETY: 8 sums.
        let load = |sums: &[i32]| unsafe { _mm256_loadu_si256(sums[at..][..8].as_ptr().cast()) };
        let [mut even, mut odd] = self.products(load(acc));
        if let Some(high) = high {
            let [more, other] = self.products(load(high));
            even = _mm256_add_epi64(even, _mm256_slli_epi64::<8>(more));
            odd = _mm256_add_epi64(odd, _mm256_slli_epi64::<8>(other));
        }
        self.quotients([even, odd])
    }
}

/// Requantises and writes `rows` rows of a tile; row i begins at byte `places[i]` of `out`.
///
/// # Safety
/// The CPU has AVX2; every row's columns lie inside `out`, and no other thread touches them.
#[target_feature(enable = "avx2")]
pub(in crate::engine::arch) unsafe fn finish(
    sums: Sums<'_>,
    columns: &Columns<'_>,
    places: &[usize],
    out: *mut u8,
) {
    let records = |first: usize| {
        Records::new(columns.table[3 * first..][..24].try_into().expect("six vectors for 8 columns"))
    };
    let (lo, hi) = (_mm256_set1_epi32(columns.lo), _mm256_set1_epi32(columns.hi));
    if columns.count == COLUMNS {
        let (left, right) = (records(0), records(8));
        if columns.width == 1 {
            let narrow = Narrow::new((columns.lo, columns.hi));
            for (pair, two) in places.chunks(2).enumerate() {
                let at = 2 * pair * COLUMNS;
                let (first, second) = (two[0], *two.last().expect("a chunk is not empty"));
                let next = at + (two.len() - 1) * COLUMNS;
                let y = [
                    left.of_tile(sums, at),
                    right.of_tile(sums, at + 8),
                    left.of_tile(sums, next),
                    right.of_tile(sums, next + 8),
                ];
                let bytes = narrow.bytes(y);
                // SAFETY: the columns are the caller's to write.
                unsafe {
                    let out = |place: usize| out.add(place + columns.first).cast();
                    _mm_storeu_si128(out(first), _mm256_castsi256_si128(bytes));
                    _mm_storeu_si128(out(second), _mm256_extracti128_si256::<1>(bytes));
                }
            }
            return;
        }
        for (row, place) in places.iter().enumerate() {
            let y = [left.of_tile(sums, row * COLUMNS), right.of_tile(sums, row * COLUMNS + 8)];
            let y = y.map(|y| _mm256_min_epi32(_mm256_max_epi32(y, lo), hi));
            // SAFETY: the columns are the caller's to write.
            unsafe { write(y, columns.width, out.add(place + columns.first)) };
        }
        return;
    }
    for first in (0..columns.count).step_by(8) {
        let records = records(first);
        let count = (columns.count - first).min(8);
        for (row, place) in places.iter().enumerate() {
            let mut values = [0i32; 8];
            let y = records.of_tile(sums, row * COLUMNS + first);
            let y = _mm256_min_epi32(_mm256_max_epi32(y, lo), hi);
            // SAFETY: room for 8 values; the columns are the caller's to write.
            unsafe {
                _mm256_storeu_si256(values.as_mut_ptr().cast(), y);
                let out = out.add(place + columns.first + first * columns.width);
                for (i, value) in values[..count].iter().enumerate() {
                    out.add(columns.width * i)
                        .copy_from_nonoverlapping(value.to_le_bytes().as_ptr(), columns.width);
                }
            }
        }
    }
}

/// Writes 16 values, which fit `width` bytes each: 2 or 4.
///
/// # Safety
/// The CPU has AVX2, and there is room for them.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn write([left, right]: [__m256i; 2], width: usize, out: *mut u8) {
    // Packing works within halves of a vector: the middle quarters change places.
    let halves = || _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(left, right));
    // SAFETY: the caller's room is as large as what is written.
    unsafe {
        match width {
            2 => _mm256_storeu_si256(out.cast(), halves()),
            _ => {
                _mm256_storeu_si256(out.cast(), left);
                _mm256_storeu_si256(out.add(32).cast(), right);
            }
        }
    }
}

/// Clips to 8 bits.
struct Narrow {
    order: __m256i,
    lo: __m256i,
    hi: __m256i,
}

impl Narrow {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new((lo, hi): (i32, i32)) -> Self {
        // Packing works within halves of a vector: each holds 4 bytes of each of the four vectors.
        let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        Self { order, lo: _mm256_set1_epi8(lo as i8), hi: _mm256_set1_epi8(hi as i8) }
    }

    /// The values of four vectors, one after another. Packing saturates, and the clip lies within 8 bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bytes(&self, [a, b, c, d]: [__m256i; 4]) -> __m256i {
        let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        let bytes = _mm256_min_epi8(_mm256_max_epi8(bytes, self.lo), self.hi);
        _mm256_permutevar8x32_epi32(bytes, self.order)
    }
}

/// Requantises accumulators that share one record (multiplier, addend, shift) to clipped bytes, as many as make whole
/// vectors of 32; says how many.
///
/// # Safety
/// The CPU has AVX2.
#[target_feature(enable = "avx2")]
pub(in crate::engine::arch) unsafe fn finish_alike(
    acc: &[i32],
    record: (i32, i64, u32),
    clip: (i32, i32),
    out: &mut [u8],
) -> usize {
    let (records, narrow) = (Records::alike(record), Narrow::new(clip));
    let (acc, out) = (acc.as_chunks::<32>().0, out.as_chunks_mut::<32>().0);
    for (acc, out) in acc.iter().zip(&mut *out) {
        // SAFETY: 32 accumulators and 32 bytes.
        unsafe {
            let quotient = |i: usize| {
                records.quotients(records.products(_mm256_loadu_si256(acc.as_ptr().add(8 * i).cast())))
            };
            let bytes = narrow.bytes([quotient(0), quotient(1), quotient(2), quotient(3)]);
            _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes);
        }
    }
    32 * acc.len().min(out.len())
}
