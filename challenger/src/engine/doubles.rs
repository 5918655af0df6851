//! How accumulators become elements (SPEC 2.3), in doubles, where that is exact.
//!
//! An element is floor(((x + bias) m + 2^(s-1)) / 2^s), clamped. In doubles it is `x * (m / 2^s) - c`, clamped, and then one of
//! two things. With X the greatest |x|:
//!
//! - *Cut off.* c = -(bias m + 2^(s-1)) / 2^s. Every number is an integer over 2^s, and a double holds it exactly while that
//!   integer is at most 2^53 in magnitude, which (X + |bias|) m + 2^(s-1) bounds. A cast to integers drops what follows the
//!   point, which is the floor where nothing below 0 is left: where lo is at least 0, and for indices of tables.
//! - *Nearest.* c = -(2 bias m + 1) / 2^(s+1): half a unit less and half of a 2^s-th more. What is nearest to that is the floor
//!   of what was half more, since it is an odd number over 2^(s+1) and so never halfway. Adding 2^52 + 2^51 to a number of at
//!   most 2^31 rounds it to the nearest integer, and subtracting that again rounds nothing. 2 (X + |bias|) m + 1 must be at most
//!   2^53.
//!
//! Fusing the product and the difference changes nothing, since neither rounds. Two things widen what fits:
//!
//! - From some accumulator on a record gives hi, and likewise lo. All these steps are monotone, also where they round: so if they
//!   are exact up to the farthest such limits of the region's records, accumulators beyond give hi and lo, too. X need be no
//!   more than those limits (and 2^53, for accumulators are doubles themselves).
//! - m is a multiple of 2^s in the identity: then there is nothing to round, and c = -bias m / 2^s.
//!
//! *Division* gives the greatest integer N that is at most n / d, with n = x 2^l + floor(d/2), in one of two ways.
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

use std::collections::HashMap;

use burn::tensor::{Device, Float, IntDType, Tensor};
use narrows_program::{ConstantIndex, DType, Finalise, Operator, Program, Source};

use super::EngineError;
use super::backend::{casts_saturate, looked_up};
use super::ints::{Ints, stored_type};
use super::number::Number;
use super::range::Range;
use super::records::{Merged, Record, Records, divisor, passes};
use super::region::Region;
use super::spread::Spread;

/// Integers up to this are doubles.
pub(crate) const EXACT: u128 = 1 << 53;
/// What rounds to integers as it should ([`TO_INTEGERS`]).
const WHOLE: u128 = 1 << 51;
/// 2^52 + 2^51: doubles next to it, and next to its sum with a number below 2^51, are 1 apart.
const TO_INTEGERS: f64 = ((1u64 << 52) + (1 << 51)) as f64;

/// What a region needs beside its accumulators, ready for them.
#[derive(Debug, Clone)]
pub(crate) struct Doubles {
    divide: Option<Divide>,
    /// m / 2^s, unless it is 1 everywhere.
    scale: Option<Factor>,
    /// c, and the first value of a table's index, unless that is 0 everywhere.
    less: Option<Factor>,
    /// Whether what is left is rounded to the nearest integer.
    nearest: bool,
    /// Whether an accumulator may give an element beyond lo or hi.
    clamped: bool,
    table: Option<ConstantIndex>,
    /// The region's shape, with neighbouring axes merged where neither records nor divisors tell them apart.
    shape: [usize; 4],
    lo: i64,
    hi: i64,
    dtype: DType,
}

/// A division before the requantisation.
#[derive(Debug, Clone)]
struct Divide {
    by: Box<Spread>,
    source: Source,
    lift: u8,
    steps: Steps,
}

/// How a division is exact.
#[derive(Debug, Clone, Copy, Default)]
struct Steps {
    /// Whether it takes two steps.
    long: bool,
    /// Whether the last quotient is rounded to the nearest integer, not floored.
    nearest: bool,
}

impl Steps {
    /// For dividends up to `reach`, lifted; `None` where no way is exact up to quotients of `limit`.
    fn of(reach: u128, divisor: Range, lift: u8, limit: u128) -> Option<Self> {
        let (most, least) =
            (u128::from(divisor.magnitude()), u128::from(divisor.least.unsigned_abs().max(1)));
        // Whether the nearest way is exact for twice a dividend.
        let nearest = |twice: u128| (twice << lift) + 2 * most < EXACT;
        if nearest(2 * reach) && (reach << lift) / least + 2 < WHOLE {
            return Some(Self { long: false, nearest: true });
        }
        if reach + most <= EXACT && reach / least < WHOLE && nearest(most + 2) {
            return Some(Self { long: true, nearest: true });
        }
        let floored = (reach << lift) + most / 2 + most <= EXACT || EXACT / most.max(1) >= limit + 3;
        floored.then_some(Self { long: false, nearest: false })
    }
}

impl Divide {
    /// floor((x 2^lift + floor(d/2)) / d).
    fn run(&self, x: Tensor<4>, divisors: Ints<1>) -> Tensor<4> {
        let divisor: Ints<4> = self.by.run(divisors);
        let d = Float::of_ints(divisor.clone());
        if !self.steps.long {
            return self.rounded(x, divisor, d);
        }
        let whole = to_integers(x.clone() / d.clone());
        let rest = x - whole.clone() * d.clone();
        // Subtracting is faster than adding ([`super::number::plus`]).
        self.rounded(rest, divisor, d) - whole.mul_scalar(-(1i64 << self.lift))
    }

    fn rounded(&self, x: Tensor<4>, divisor: Ints<4>, d: Tensor<4>) -> Tensor<4> {
        let lifted = |x: Tensor<4>, lift: u8| if lift == 0 { x } else { x.mul_scalar(1i64 << lift) };
        if self.steps.nearest {
            let even = Float::of_ints(divisor.bitwise_and_scalar(1i64).sub_scalar(1i64));
            // Divisors being fewer, it is they that are doubled.
            return to_integers((lifted(x, self.lift + 1) - even) / d.mul_scalar(2i64));
        }
        let half = Float::of_ints(divisor.bitwise_right_shift_scalar(1i64));
        ((lifted(x, self.lift) + half) / d).floor()
    }
}

/// What is nearest, of numbers that are not halfway between two integers.
pub(crate) fn to_integers<const D: usize>(value: Tensor<D>) -> Tensor<D> {
    value.add_scalar(TO_INTEGERS).sub_scalar(TO_INTEGERS)
}

/// A number for every element: the same one, or by records, which are laid out for all of the region, since backends take
/// several times as long to spread them each time.
#[derive(Debug, Clone)]
pub(crate) enum Factor {
    Same(f64),
    Each(Box<Tensor<4>>),
}

/// The factors of regions of one operator whose records are the same ones: by where those begin, and the region's lengths.
pub(crate) type Factors = HashMap<([u64; 4], [usize; 4]), (Option<Factor>, Option<Factor>)>;

impl Factor {
    fn new(records: &Records, merged: &Merged, neutral: f64, value: impl Fn(&Record) -> f64) -> Option<Self> {
        let values: Vec<f64> = records.list.iter().map(value).collect();
        if values.iter().all(|value| *value == values[0]) {
            return (values[0] != neutral).then_some(Self::Same(values[0]));
        }
        let spread = records.doubles(values).reshape(merged.records()).expand(merged.shape);
        let flat = spread.reshape([merged.shape.iter().product::<usize>()]);
        Some(Self::Each(Box::new(flat.reshape(merged.shape))))
    }
}

impl Doubles {
    /// Plans the elements of a region whose accumulators are at most `reach`; `None` where doubles may not hold an
    /// intermediate.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index cannot be read back.
    pub fn new(
        program: &Program,
        op: &Operator,
        region: &Region,
        reach: u128,
        factors: &mut Factors,
        device: &Device,
    ) -> Result<Option<Self>, EngineError> {
        let records = Records::new(program, op, region, device);
        // A table is read from its first entry, the one of lo.
        let first = if matches!(op.finalise, Finalise::Table(_)) { i64::from(op.lo) } else { 0 };
        let whole = |(_, m, s): &Record| i128::from(*m) % (1i128 << s) == 0;
        // A table's index begins at 0.
        let cut = op.lo >= 0 || matches!(op.finalise, Finalise::Table(_));
        let nearest = !cut && !records.list.iter().all(whole);
        let exact = |value: u128| {
            records.list.iter().all(|(bias, m, s)| {
                let value = (value + u128::from(bias.unsigned_abs())) * u128::from(m.unsigned_abs());
                let first = u128::from(first.unsigned_abs()) << s;
                (value + (1 << (s - 1)) + first) << u32::from(nearest) <= EXACT
            })
        };
        let (low, high) = limits(&records.list, op.lo.into(), op.hi.into());
        let limit = low.unsigned_abs().max(high.unsigned_abs());
        let mut steps = Steps::default();
        // What the records meet.
        let value = match &op.finalise {
            Finalise::Root => return Ok(None),
            Finalise::Requantise | Finalise::Table(_) => reach,
            Finalise::Divide { by, lift } => {
                let divisor = Range::of(program, by.source);
                match Steps::of(reach, divisor, *lift, limit) {
                    Some(found) => steps = found,
                    None => return Ok(None),
                }
                let most = u128::from(divisor.magnitude());
                ((reach << lift) + most / 2) / u128::from(divisor.least.unsigned_abs().max(1)) + 1
            }
        };
        if !exact(value.min(limit)) {
            return Ok(None);
        }
        let reads = divisor(program, op);
        let merged = Merged::new(op, reads.as_ref(), region);
        let divide = match (&op.finalise, reads) {
            (Finalise::Divide { by, lift }, Some(reads)) => {
                let spread = Spread::new(&reads, region, device)?.shaped(merged.divisors());
                Some(Divide { by: Box::new(spread), source: by.source, lift: *lift, steps })
            }
            _ => None,
        };
        let less = |record: &Record| {
            let (bias, m, s) = *record;
            let more = match (whole(record), nearest) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => 1i128 << s,
            };
            over((i128::from(first) << (s + 1)) - 2 * i128::from(bias) * i128::from(m) - more, s + 1)
        };
        let start = std::array::from_fn(|axis| if op.params.out[axis] == 0 { 0 } else { region.start[axis] });
        let (scale, less) = factors
            .entry((start, region.len))
            .or_insert_with(|| {
                let scale = Factor::new(&records, &merged, 1.0, |(_, m, s)| over((*m).into(), *s));
                (scale, Factor::new(&records, &merged, 0.0, less))
            })
            .clone();
        let clamped = passes(&records.list, op, value);
        Ok(Some(Self {
            divide,
            scale,
            less,
            nearest,
            clamped,
            table: match op.finalise {
                Finalise::Table(table) => Some(table),
                _ => None,
            },
            shape: merged.shape,
            lo: i64::from(op.lo) - first,
            hi: i64::from(op.hi) - first,
            dtype: op.dtype,
        }))
    }

    /// The elements of these accumulators, in the region's row-major order and in the output's type.
    pub fn run(&self, accumulators: Tensor<4>, get: impl Fn(Source) -> Ints<1>) -> Ints<1> {
        let mut value = accumulators.reshape(self.shape);
        if let Some(divide) = &self.divide {
            value = divide.run(value, get(divide.source));
        }
        value = match &self.scale {
            None => value,
            Some(Factor::Same(scale)) => value.mul_scalar(*scale),
            Some(Factor::Each(scale)) => value * *scale.clone(),
        };
        value = match &self.less {
            None => value,
            Some(Factor::Same(less)) => value.sub_scalar(*less),
            Some(Factor::Each(less)) => value - *less.clone(),
        };
        if self.clamped && !casts_saturate(&value.device()) {
            value = value.clamp(self.lo, self.hi);
        }
        if self.nearest {
            value = to_integers(value);
        }
        let outputs = value.reshape([self.shape.iter().product::<usize>()]);
        let outputs =
            outputs.cast(if self.table.is_some() { IntDType::I64 } else { stored_type(self.dtype) });
        let outputs = match self.clamped {
            true if casts_saturate(&outputs.device()) => outputs.clamp(self.lo, self.hi),
            _ => outputs,
        };
        match self.table {
            Some(table) => looked_up(get(Source::Constant(table)), outputs),
            None => outputs,
        }
    }
}

/// An integer over 2^s, as a double.
fn over(numerator: i128, s: u8) -> f64 {
    numerator as f64 / (1u64 << (s - 1)) as f64 / 2.0
}

/// Accumulators beyond which no record of a list gives another element: what lo and hi stand at, or farther.
pub(crate) fn limits(records: &[Record], lo: i128, hi: i128) -> (i128, i128) {
    let of = |(bias, m, s): &Record| {
        let (bias, m, half) = (i128::from(*bias), i128::from(*m), 1i128 << (s - 1));
        // The last x of which (x + bias) m + half < (lo + 1) 2^s, the first of which it is at least hi 2^s.
        let low = (((lo + 1) << s) - half - 1).div_euclid(m) - bias;
        let high = -(half - (hi << s)).div_euclid(m) - bias;
        (low, high)
    };
    let all = records.iter().map(of);
    let (low, high) = all.fold((i128::MAX, i128::MIN), |(low, high), (l, h)| (low.min(l), high.max(h)));
    // Where lo is hi every accumulator gives it, so that either order will do.
    (low.min(high), high.max(low))
}
