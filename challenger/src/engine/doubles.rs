//! How accumulators become elements (SPEC 2.3), in doubles, where that is exact.
//!
//! An element is floor(((x + bias) m + 2^(s-1)) / 2^s), clamped. In doubles it is `x * (m / 2^s) - c`, clamped, and then one of
//! two things. With X the greatest |x|:
//!
//! - *Cut off.* c = -(bias m + 2^(s-1)) / 2^s. Every number is an integer over 2^s, and a double holds it exactly while that
//!   integer is at most 2^53 in magnitude, which (X + |bias|) m + 2^(s-1) bounds. A cast to integers drops what follows the
//!   point, which is the floor where nothing below 0 is left: where lo is at least 0, and wherever elements are counted from
//!   lo, as a table's indices are. That adds |lo| 2^s to the bound, and takes an unsigned type of the same width.
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

use std::collections::HashMap;

use burn::tensor::{Device, IntDType, Tensor};
use narrows_program::{ConstantIndex, DType, Finalise, Operator, Program, Source};

use super::EngineError;
use super::backend::{casts_saturate, looked_up};
use super::division::{Divide, Way};
use super::ints::{Ints, counted_most, counted_type, stored_type};
use super::records::{Merged, Record, Records, divisor, less, limits, over, passes, start, whole};
use super::region::Region;
use super::sides::Sides;
use super::spread::Spread;

/// Integers up to this are doubles.
pub(crate) const EXACT: u128 = 1 << 53;
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
    /// What elements, or a table's indices, are counted from.
    first: i32,
    /// The limits, counted from `first`.
    lo: i64,
    hi: i64,
    dtype: DType,
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

/// The factors of regions of one operator whose records are the same ones: by where those begin, the region's lengths, what
/// elements are counted from, and whether they are rounded to the nearest integer.
pub(crate) type Factors = HashMap<([u64; 4], [usize; 4], i32, bool), (Option<Factor>, Option<Factor>)>;

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
        sides: &Sides,
        region: &Region,
        reach: u128,
        factors: &mut Factors,
        device: &Device,
    ) -> Result<Option<Self>, EngineError> {
        let records = Records::new(program, op, region, sides.halved, device);
        let exact = |value: u128, first: i32, nearest: bool| {
            records.list.iter().all(|(bias, m, s)| {
                let value = (value + u128::from(bias.unsigned_abs())) * u128::from(m.unsigned_abs());
                let first = u128::from(first.unsigned_abs()) << s;
                (value + (1 << (s - 1)) + first) << u32::from(nearest) <= EXACT
            })
        };
        let (low, high) = limits(&records.list, op.lo.into(), op.hi.into());
        let limit = low.unsigned_abs().max(high.unsigned_abs());
        let mut way = None;
        // What the records meet.
        let value = match &op.finalise {
            Finalise::Root => return Ok(None),
            Finalise::Requantise | Finalise::Table(_) => reach,
            Finalise::Divide { lift, .. } => {
                let divisor = sides.divisor.expect("a division has a divisor");
                way = Way::of(&records.list, op.lo, reach, divisor, *lift, limit);
                if way.is_none() {
                    return Ok(None);
                }
                let most = u128::from(divisor.magnitude());
                ((reach << lift) + most / 2) / u128::from(divisor.least.unsigned_abs().max(1)) + 1
            }
        };
        let joint = matches!(way, Some(Way::Joint { .. }));
        // What elements are counted from, and whether they are rounded to the nearest integer.
        let ways = match op.finalise {
            _ if joint => [(op.lo, false)].to_vec(),
            // A table is read from its first entry, the one of lo.
            Finalise::Table(_) => [(op.lo, false)].to_vec(),
            _ if op.lo >= 0 || records.list.iter().all(whole) => [(0, false)].to_vec(),
            _ => [(op.lo, false), (0, true)].to_vec(),
        };
        let mut ways = ways.into_iter();
        let found = ways.find(|(first, nearest)| joint || exact(value.min(limit), *first, *nearest));
        let Some((first, nearest)) = found else {
            return Ok(None);
        };
        let reads = divisor(program, op);
        let merged = Merged::new(op, reads.as_ref(), region);
        let divide = match (&op.finalise, reads, way) {
            (Finalise::Divide { by, .. }, Some(reads), Some(way)) => {
                let spread = Spread::new(&reads, region, device)?.shaped(merged.divisors());
                Some(Divide { by: Box::new(spread), source: by.source, way })
            }
            _ => None,
        };
        let (scale, less) = match joint {
            true => (None, None),
            false => factors
                .entry((start(op, region), region.len, first, nearest))
                .or_insert_with(|| {
                    let scale = Factor::new(&records, &merged, 1.0, |(_, m, s)| over((*m).into(), *s));
                    (scale, Factor::new(&records, &merged, 0.0, |record| less(record, first, nearest)))
                })
                .clone(),
        };
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
            first,
            lo: i64::from(op.lo) - i64::from(first),
            hi: i64::from(op.hi) - i64::from(first),
            dtype: op.dtype,
        }))
    }

    /// What the elements of [`Self::run`] are counted from.
    pub fn first(&self) -> i32 {
        if self.table.is_some() { 0 } else { self.first }
    }

    /// Leaves to `elsewhere` what is first done to accumulators: it is told what elements are counted from and whether they are
    /// rounded to the nearest integer, and says whether it multiplies with m / 2^s, and whether it subtracts c.
    pub fn leave(&mut self, elsewhere: impl FnOnce((i32, bool)) -> [bool; 2]) {
        if self.divide.is_none() && self.scale.is_some() {
            let [scaled, less] = elsewhere((self.first, self.nearest));
            self.scale = self.scale.take().filter(|_| !scaled);
            self.less = self.less.take().filter(|_| !less);
        }
    }

    /// The elements of these accumulators, in the region's row-major order and in the output's type, or in the unsigned type of
    /// the same width where they are counted from another number than 0.
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
        let outputs = outputs.cast(match self.table {
            Some(_) => IntDType::I64,
            None if self.first != 0 => counted_type(self.dtype),
            None => stored_type(self.dtype),
        });
        let outputs = match self.clamped && casts_saturate(&outputs.device()) {
            // Nothing of an unsigned type is below 0.
            true if self.first() != 0 => match self.hi == counted_most(self.dtype) {
                true => outputs,
                false => outputs.clamp_max(self.hi),
            },
            true => outputs.clamp(self.lo, self.hi),
            false => outputs,
        };
        match self.table {
            Some(table) => looked_up(get(Source::Constant(table)), outputs),
            None => outputs,
        }
    }
}
