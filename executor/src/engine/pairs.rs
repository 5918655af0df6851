//! Sums of two 8-bit tensors, each scaled, that stand as the output does: the joins of residual networks.

use narrows_program::{DType, Fold};

use super::arch::Work;
use super::finish::Ending;
use super::lanes::LANES;
use super::plan::End;
use super::tasks::tasks;
use super::values::Record;

/// Evaluates a sum of two 8-bit tensors that stand as the output does, with one record, if the operator is one; says
/// whether it was.
pub(super) fn run(ending: Ending<'_>, a: &[[u8; 1]], b: &[[u8; 1]], out: &mut [u8]) -> bool {
    let operator = ending.operator;
    let b_map = operator.b.as_ref().map(|b| b.map);
    let plain = operator.fold == Fold::Pair
        && operator.dtype == DType::I8
        && matches!(operator.end, End::Requantise)
        && operator.out[..3] == [1; 3]
        && !(operator.windowed(0) || operator.windowed(1))
        && operator.params[3] == 0
        && operator.a.map.out[3] == 1
        && b_map.is_some_and(|map| map.out[3] == 1);
    let halves = || Halves::new((operator.scale_a, operator.scale_b), operator.records.list.first()?);
    let (true, Some(b_map), Some(halves)) = (plain, b_map, halves()) else { return false };
    let count = operator.out[3];
    let a = a[operator.a.map.base..][..count].as_flattened();
    let b = b[b_map.base..][..count].as_flattened();
    tasks(operator, count, LANES, out, |first, out| {
        let range = first..first + out.len();
        let (a, b) = (&a[range.clone()], &b[range]);
        ending.kernel.vectorize(Pairs { halves, clip: (operator.lo as i8, operator.hi as i8), a, b, out });
    });
    true
}

/// Bits of low halves.
const LOW: u32 = 15;

/// How floor((a ka + b kb + c) / 2^s) is computed in 32 bits for 8-bit a and b: with k = 2^15 h + l and c = 2^15 ch + cl it is
/// floor((a ha + b hb + ch + floor((a la + b lb + cl) / 2^15)) / 2^(s - 15)).
#[derive(Debug, Clone, Copy)]
struct Halves {
    /// ha, la; at most 16 bits each.
    a: (i32, i32),
    /// hb, lb.
    b: (i32, i32),
    /// ch, cl.
    c: (i32, i32),
    /// s - 15.
    shift: u32,
}

impl Halves {
    /// For these scales and this record; `None` if a number is too large.
    fn new((scale_a, scale_b): (i32, i32), record: &Record) -> Option<Self> {
        let scaled = |scale: i32| i128::from(scale) * i128::from(record.multiplier);
        let numbers = [scaled(scale_a), scaled(scale_b), i128::from(record.addend())];
        // What all have in common cancels: numerator and denominator lose as many twos, or gain some.
        let common = numbers.iter().map(|number| number.trailing_zeros()).min()?.min(record.shift);
        let more = (LOW + common).saturating_sub(record.shift);
        let shift = record.shift + more - common - LOW;
        let halves = numbers.map(|number| {
            let number = (number >> common) << more;
            let high = i32::try_from(number >> LOW).ok().filter(|high| high.unsigned_abs() <= 1 << 30)?;
            Some((high, (number & ((1 << LOW) - 1)) as i32))
        });
        let [Some(a), Some(b), Some(c)] = halves else { return None };
        // Products of 8 by 16 bits; with c their sum is below 2^31.
        let short = [a.0, b.0].iter().all(|high| high.unsigned_abs() <= 1 << 15);
        short.then_some(Self { a, b, c, shift: shift.min(31) })
    }
}

/// What [`run`] computes.
struct Pairs<'a> {
    halves: Halves,
    clip: (i8, i8),
    a: &'a [u8],
    b: &'a [u8],
    out: &'a mut [u8],
}

impl Work for Pairs<'_> {
    #[inline(always)]
    fn run(self) {
        let Halves { a: (ha, la), b: (hb, lb), c: (ch, cl), shift } = self.halves;
        let (lo, hi) = (i32::from(self.clip.0), i32::from(self.clip.1));
        for ((a, b), out) in self.a.iter().zip(self.b).zip(self.out) {
            let (a, b) = (i32::from(a.cast_signed()), i32::from(b.cast_signed()));
            let sum = |ka: i32, kb: i32, c: i32| {
                a.wrapping_mul(ka).wrapping_add(b.wrapping_mul(kb)).wrapping_add(c)
            };
            let value = sum(ha, hb, ch).wrapping_add(sum(la, lb, cl) >> LOW);
            *out = value.wrapping_shr(shift).max(lo).min(hi) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::equal_tests::Draw;

    /// What SPEC 2.2 and 2.3 say of a pair.
    fn defined((a, b): (i8, i8), scales: (i32, i32), record: &Record, clip: (i8, i8)) -> u8 {
        let acc = i128::from(a) * i128::from(scales.0) + i128::from(b) * i128::from(scales.1);
        let numerator =
            (acc + i128::from(record.bias)) * i128::from(record.multiplier) + i128::from(record.half());
        (numerator >> record.shift).clamp(clip.0.into(), clip.1.into()) as u8
    }

    /// Every pair of bytes.
    fn bytes() -> (Vec<u8>, Vec<u8>) {
        (0..=u16::MAX).map(|both| (both as u8, (both >> 8) as u8)).unzip()
    }

    fn check(scales: (i32, i32), record: Record, clip: (i8, i8)) -> bool {
        let Some(halves) = Halves::new(scales, &record) else { return false };
        let (a, b) = bytes();
        let mut out = vec![0; a.len()];
        Pairs { halves, clip, a: &a, b: &b, out: &mut out }.run();
        for ((a, b), given) in a.iter().zip(&b).zip(out) {
            let pair = (a.cast_signed(), b.cast_signed());
            assert_eq!(
                given,
                defined(pair, scales, &record, clip),
                "{pair:?} {scales:?} {record:?} {clip:?}"
            );
        }
        true
    }

    #[test]
    fn attack_27_pairs_of_all_bytes_are_the_definition() {
        let mut draw = Draw(31);
        let mut taken = 0;
        for _ in 0..300 {
            let scale = |draw: &mut Draw| match draw.upto(3) {
                0 => draw.pick(&[0, 1, -1, 1 << 30, -(1 << 30), (1 << 15) - 1, 1 << 15, -(1 << 15) - 1]),
                _ => (draw.word() as i32) >> draw.upto(30).max(1),
            };
            let scales = (scale(&mut draw), scale(&mut draw));
            let shift = 1 + draw.upto(44) as u32;
            let bias = (draw.word() as i64) >> draw.upto(50).max(20);
            let multiplier = draw.pick(&[1, 1, 1, 2, 3, 1 << 12, (1 << 30) + 5]);
            let record = Record { bias, multiplier, shift };
            let clip = draw.pick(&[(i8::MIN, i8::MAX), (0, i8::MAX), (-5, 100)]);
            taken += usize::from(check(scales, record, clip));
        }
        assert!(taken > 100, "{taken} of 300 are taken");
    }

    #[test]
    fn what_a_compiler_writes_is_taken_and_what_leaves_32_bits_is_not() {
        let record = |shift| Record { bias: 0, multiplier: 1, shift };
        assert!(check((1 << 30, -(1 << 30)), record(31), (i8::MIN, i8::MAX)));
        assert!(check((987_654_321, 123_456_789), record(30), (0, i8::MAX)));
        assert!(check((3, 5), record(1), (i8::MIN, i8::MAX)));
        assert!(Halves::new((i32::MIN, 1), &record(31)).is_none(), "17 bits of a high half");
        assert!(Halves::new((1, 1), &Record { bias: 1 << 60, multiplier: 1, shift: 3 }).is_none());
    }
}
