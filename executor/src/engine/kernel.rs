//! Products of slices, written so that compilers turn them into vector code on any machine.
//!
//! Sums in 32 bits wrap in name only: [`block`] proves that they cannot leave the range.

use narrows_program::DType;

use super::values::Element;

/// How many products of these types an i32 certainly sums, if that is enough to be of use.
///
/// A product's magnitude is at most A * B, so N of them stay within 2^31 - 1 while N * A * B does: for i8 by i8,
/// N <= 2^17 - 1 (used: 2^16); for i8 by i16, N <= 2^9 - 1 (used: 2^8); for i16 by i16, N = 1.
pub(super) fn block(a: DType, b: DType) -> Option<usize> {
    let product = a.min().unsigned_abs() * b.min().unsigned_abs();
    let most = (i32::MAX as u64) / product;
    (most >= 16).then(|| 1 << most.ilog2())
}

/// Sum of a * b over the slices, which have the same length; in blocks of `block` products in 32 bits, or in 64 bits.
#[inline(always)]
pub(super) fn dot<A: Element, B: Element>(a: &[A], b: &[B], block: Option<usize>) -> i64 {
    let Some(block) = block else {
        // Legality bounds the sum of all magnitudes by 2^62; past a doctored trace's first fault it may wrap.
        let product = |(a, b): (&A, &B)| {
            if A::SHORT && B::SHORT { i64::from(narrow(*a, *b)) } else { wide(*a, *b) }
        };
        return a.iter().zip(b).map(product).fold(0i64, |sum, product| sum.wrapping_add(product));
    };
    let blocks = a.chunks(block).zip(b.chunks(block));
    blocks
        .map(|(a, b)| i64::from(a.iter().zip(b).fold(0i32, |sum, (a, b)| sum.wrapping_add(narrow(*a, *b)))))
        .fold(0i64, |sum, part| sum.wrapping_add(part))
}

/// Rows that [`dot4`] takes at once.
pub(super) const ROWS: usize = 4;

/// As [`dot`] for several rows of a against one of b. `a` holds the rows one after another.
pub(super) fn dot4<A: Element, B: Element>(a: [&[A]; ROWS], b: &[B], block: Option<usize>) -> [i64; ROWS] {
    let Some(block) = block else {
        return a.map(|a| dot(a, b, None));
    };
    let mut sums = [0; ROWS];
    for (index, b) in b.chunks(block).enumerate() {
        let [a0, a1, a2, a3] = a.map(|a| &a[index * block..][..b.len()]);
        let mut part = [0i32; ROWS];
        for i in 0..b.len() {
            part[0] = part[0].wrapping_add(narrow(a0[i], b[i]));
            part[1] = part[1].wrapping_add(narrow(a1[i], b[i]));
            part[2] = part[2].wrapping_add(narrow(a2[i], b[i]));
            part[3] = part[3].wrapping_add(narrow(a3[i], b[i]));
        }
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += i64::from(part);
        }
    }
    sums
}

#[inline(always)]
fn narrow<A: Element, B: Element>(a: A, b: B) -> i32 {
    a.get().wrapping_mul(b.get())
}

#[inline(always)]
fn wide<A: Element, B: Element>(a: A, b: B) -> i64 {
    i64::from(a.get()).wrapping_mul(i64::from(b.get()))
}
