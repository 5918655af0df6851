//! Division before the requantisation (SPEC 2.3), in doubles, where that is exact.
//!
//! It gives the greatest integer N that is at most n / d, with n = x 2^l + floor(d/2), in one of two ways (X is as in [`super::doubles`]).
//!
//! - *Nearest.* N is what is nearest to (2n - d + 1) / 2d, which keeps 1/2d from what is halfway, and 2n - d + 1 is x 2^(l+1),
//!   and 1 more where d is even. Rounding a quotient is monotone, so it never passes what is halfway, which is a double, and
//!   reaches it only if 1/2d is at most half the distance of doubles there, so at most (|N| + 1/2) / 2^53: then (2|N| + 1) d is at
//!   least 2^53. But (2|N| + 1) d is at most |2n - d + 1| + 2d. N must be below 2^51, too, to be found as above.
//! - *Floored.* For integers |n| + d <= 2^53, flooring the rounded quotient gives N: with N' the least integer above n / d, the
//!   quotient is at most N' - 1/d, and rounds to N' only if 1/d is at most half the distance of doubles next to N', which is less
//!   than |N'| / 2^53 (for N' = 0 the quotient is a normal number below 0). But |N'| d <= |n| + d <= 2^53. Rounding is monotone, so
//!   it never falls below the integer that is at most n / d. A dividend beyond is rounded, and monotone again: its quotient is at
//!   least (2^53 - d) / d - 1 in magnitude, which does if that is beyond the limits of the records.
//!
//! Where x 2^l passes 2^53 but x does not, the division is *long*: q nearest to x / d and r = x - q d give q 2^l + floor((r 2^l +
//! d/2) / d), with r at most d/2 + 1 in magnitude. Nothing rounds but the last sum where it passes 2^53, and that is monotone.
//!
//! *Joint.* Where the records are all (bias, 2^t, s + t), the requantisation is a division, too, and floors of floors are one: the
//! element is at least k where N + bias + 2^(s-1) >= k 2^s, which is where n + (bias + 2^(s-1)) d >= k 2^s d, for the rest is an
//! integer. Over 2^(s-1) that is x 2^(l-s+1) + d + (floor(d/2) + bias d) / 2^(s-1) >= 2 k d, and if l is at least s - 1 the fraction
//! alone is none, so that it may be floored. So the element is the floor of x 2^(l-s+1) + d + floor((floor(d/2) + bias d) / 2^(s-1))
//! over 2 d. Counted from lo it is not below 0 unless it is clamped, and a cast of the rounded quotient floors it as above. A factor of
//! 2^-(l-s+1) on both sides changes no digit of a double, and is spared the accumulators.

use burn::tensor::{Float, Tensor};
use narrows_program::Source;

use super::doubles::{EXACT, to_integers};
use super::ints::Ints;
use super::number::Number;
use super::range::Range;
use super::records::Record;
use super::spread::Spread;

/// Numbers below this round to integers as they should ([`to_integers`]).
const WHOLE: u128 = 1 << 51;
/// 64-bit integers that lead to one of a division's numbers stay below this.
const INTS: u128 = 1 << 62;

/// A planned division.
#[derive(Debug, Clone)]
pub(crate) struct Divide {
    /// What divides, in a shape that the accumulators' includes.
    pub by: Box<Spread>,
    /// Where it is read.
    pub source: Source,
    /// How the division is exact.
    pub way: Way,
}

/// How a division is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// floor((x 2^lift + floor(d/2)) / d).
    Alone {
        /// l.
        lift: u8,
        /// Whether it takes two steps.
        long: bool,
        /// Whether the last quotient is rounded to the nearest integer, not floored.
        nearest: bool,
    },
    /// The element, counted from lo, and what a cast cuts off.
    Joint {
        /// l - s + 1.
        lift: u8,
        /// The records' bias.
        bias: i64,
        /// The records' s, were m 1.
        shift: u8,
        /// lo.
        lo: i32,
    },
}

impl Way {
    /// For dividends up to `reach`, lifted; `None` where no way is exact up to quotients of `limit`.
    pub fn of(
        records: &[Record],
        lo: i32,
        reach: u128,
        divisor: Range,
        lift: u8,
        limit: u128,
    ) -> Option<Self> {
        Self::joint(records, lo, reach, divisor, lift).or_else(|| Self::alone(reach, divisor, lift, limit))
    }

    fn alone(reach: u128, divisor: Range, lift: u8, limit: u128) -> Option<Self> {
        let (most, least) =
            (u128::from(divisor.magnitude()), u128::from(divisor.least.unsigned_abs().max(1)));
        // Whether the nearest way is exact for twice a dividend.
        let nearest = |twice: u128| (twice << lift) + 2 * most < EXACT;
        if nearest(2 * reach) && (reach << lift) / least + 2 < WHOLE {
            return Some(Self::Alone { lift, long: false, nearest: true });
        }
        if reach + most <= EXACT && reach / least < WHOLE && nearest(most + 2) {
            return Some(Self::Alone { lift, long: true, nearest: true });
        }
        let floored = (reach << lift) + most / 2 + most <= EXACT || EXACT / most.max(1) >= limit + 3;
        floored.then_some(Self::Alone { lift, long: false, nearest: false })
    }

    fn joint(records: &[Record], lo: i32, reach: u128, divisor: Range, lift: u8) -> Option<Self> {
        let (bias, m, s) = records[0];
        let same = records.iter().all(|record| *record == records[0]);
        let shift = s.checked_sub(m.trailing_zeros() as u8).filter(|_| m.count_ones() == 1)?;
        let lift = (lift + 1).checked_sub(shift).filter(|_| same && shift > 0)?;
        let most = u128::from(divisor.magnitude());
        let biased = most / 2 + most * u128::from(bias.unsigned_abs());
        let dividend =
            (reach << lift) + (biased >> (shift - 1)) + 1 + most * (2 * u128::from(lo.unsigned_abs()) + 1);
        let exact = biased < INTS && dividend + 2 * most <= EXACT;
        exact.then_some(Self::Joint { lift, bias, shift, lo })
    }
}

impl Divide {
    /// The quotients of accumulators.
    pub fn run(&self, x: Tensor<4>, divisors: Ints<1>) -> Tensor<4> {
        self.way.divide(x, self.by.run(divisors))
    }
}

impl Way {
    /// The quotients of accumulators by divisors, whose shape theirs includes.
    pub fn divide(self, x: Tensor<4>, divisor: Ints<4>) -> Tensor<4> {
        match self {
            Self::Joint { lift, bias, shift, lo } => {
                let half = divisor.clone().bitwise_right_shift_scalar(1i64);
                let biased = if bias == 0 { half } else { half + divisor.clone().mul_scalar(bias) };
                let more = biased.bitwise_right_shift_scalar(i64::from(shift) - 1);
                // Subtracting is faster than adding ([`super::number::plus`]).
                let less = divisor.clone().mul_scalar(2 * i64::from(lo) - 1) - more;
                let unit = 1.0 / (1u64 << lift) as f64;
                let over = |ints, unit: f64| Float::of_ints(ints).mul_scalar(unit);
                (x - over(less, unit)) / over(divisor, 2.0 * unit)
            }
            Self::Alone { lift, long: false, nearest } => alone(x, divisor, lift, nearest),
            Self::Alone { lift, long: true, nearest } => {
                let d = Float::of_ints(divisor.clone());
                let whole = to_integers(x.clone() / d.clone());
                let rest = x - whole.clone() * d;
                alone(rest, divisor, lift, nearest) - whole.mul_scalar(-(1i64 << lift))
            }
        }
    }
}

fn alone(x: Tensor<4>, divisor: Ints<4>, lift: u8, nearest: bool) -> Tensor<4> {
    let lifted = |x: Tensor<4>, lift: u8| if lift == 0 { x } else { x.mul_scalar(1i64 << lift) };
    let d = Float::of_ints(divisor.clone());
    if nearest {
        let even = Float::of_ints(divisor.bitwise_and_scalar(1i64).sub_scalar(1i64));
        // Divisors being fewer, it is they that are doubled.
        return to_integers((lifted(x, lift + 1) - even) / d.mul_scalar(2i64));
    }
    let half = Float::of_ints(divisor.bitwise_right_shift_scalar(1i64));
    ((lifted(x, lift) + half) / d).floor()
}
