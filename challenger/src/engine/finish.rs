//! How accumulators become elements (SPEC 2.3), in 64-bit integers: legality keeps every intermediate below 2^62.

use burn::tensor::Device;
use narrows_program::{ConstantIndex, DType, Finalise, Operator, Program, Source};

use super::EngineError;
use super::arithmetic::{floor_div, isqrt};
use super::backend::looked_up;
use super::ints::{Ints, stored_type};
use super::records::{Merged, Record, Records, divisor, passes};
use super::region::Region;
use super::sides::Sides;
use super::spread::Spread;

/// What a region needs beside its accumulators, ready for them.
#[derive(Debug, Clone)]
pub(crate) struct Finish {
    ending: Ending,
    multiplier: Number,
    /// What is subtracted: -(bias * multiplier + 2^(shift-1)); -2^(shift-1) alone for a root, which adds the bias before.
    less: Number,
    shift: Number,
    /// Whether an accumulator may give an element beyond lo or hi.
    clamped: bool,
    /// The region's shape, with neighbouring axes merged where neither records nor divisors tell them apart.
    shape: [usize; 4],
    lo: i64,
    hi: i64,
    dtype: DType,
}

/// A number for every element: the same one, or by records.
#[derive(Debug, Clone)]
enum Number {
    Same(i64),
    Each(Box<Ints<4>>),
}

impl Number {
    fn new(records: &Records, merged: &Merged, read: impl Fn(Record) -> i64) -> Self {
        let values: Vec<i64> = records.list.iter().map(|record| read(*record)).collect();
        match values.iter().all(|value| *value == values[0]) {
            true => Self::Same(values[0]),
            false => Self::Each(Box::new(records.column(values).reshape(merged.records()))),
        }
    }
}

#[derive(Debug, Clone)]
enum Ending {
    Requantise,
    Table(ConstantIndex),
    Divide { by: Box<Spread>, source: Source, lift: u8 },
    Root { bias: Number },
}

impl Finish {
    /// Picks the records and divisors that a region's elements use; no accumulator passes `reach` in magnitude.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index cannot be read back.
    pub fn new(
        program: &Program,
        op: &Operator,
        sides: &Sides,
        region: &Region,
        reach: u128,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let divisor = divisor(program, op);
        let merged = Merged::new(op, divisor.as_ref(), region);
        let records = Records::new(program, op, region, sides.halved, device);
        let number = |read: fn(Record) -> i64| Number::new(&records, &merged, read);
        let root = op.finalise == Finalise::Root;
        Ok(Self {
            ending: match (&op.finalise, divisor) {
                (Finalise::Divide { by, lift }, Some(reads)) => {
                    let spread = Spread::new(&reads, region, device)?.shaped(merged.divisors());
                    Ending::Divide { by: Box::new(spread), source: by.source, lift: *lift }
                }
                (Finalise::Table(table), _) => Ending::Table(*table),
                (Finalise::Root, _) => Ending::Root { bias: number(|(bias, _, _)| bias) },
                _ => Ending::Requantise,
            },
            multiplier: number(|(_, m, _)| m),
            less: if root {
                number(|(_, _, s)| -(1 << (s - 1)))
            } else {
                number(|(bias, m, s)| -(bias * m + (1 << (s - 1))))
            },
            shift: number(|(_, _, s)| i64::from(s)),
            clamped: op.finalise != Finalise::Requantise || passes(&records.list, op, reach),
            shape: merged.shape,
            lo: i64::from(op.lo),
            hi: i64::from(op.hi),
            dtype: op.dtype,
        })
    }

    /// The elements of these accumulators, in the region's row-major order and in the output's type.
    pub fn run(&self, accumulators: Ints<4>, get: impl Fn(Source) -> Ints<1>) -> Ints<1> {
        let accumulators = accumulators.reshape(self.shape);
        let value = match &self.ending {
            Ending::Requantise | Ending::Table(_) => accumulators,
            Ending::Divide { by, source, lift } => {
                let divisor: Ints<4> = by.run(get(*source));
                let half = divisor.clone().bitwise_right_shift_scalar(1i64);
                floor_div(accumulators.mul_scalar(1i64 << lift) + half, divisor)
            }
            Ending::Root { bias } => {
                let biased = match bias {
                    Number::Same(bias) => accumulators.add_scalar(*bias),
                    Number::Each(bias) => accumulators + *bias.clone(),
                };
                isqrt(biased.clamp_min(0i64))
            }
        };
        let scaled = match &self.multiplier {
            Number::Same(multiplier) => value.mul_scalar(*multiplier),
            Number::Each(multiplier) => value * *multiplier.clone(),
        };
        // burn-ndarray subtracts in place, and adds at ten times the cost.
        let rounding = match &self.less {
            Number::Same(less) => scaled.sub_scalar(*less),
            Number::Each(less) => scaled - *less.clone(),
        };
        let shifted = match &self.shift {
            Number::Same(shift) => rounding.bitwise_right_shift_scalar(*shift),
            Number::Each(shift) => rounding.bitwise_right_shift(*shift.clone()),
        };
        let outputs = if self.clamped { shifted.clamp(self.lo, self.hi) } else { shifted };
        let outputs = outputs.reshape([self.shape.iter().product::<usize>()]);
        match &self.ending {
            Ending::Table(table) => looked_up(get(Source::Constant(*table)), outputs.sub_scalar(self.lo)),
            _ => outputs.cast(stored_type(self.dtype)),
        }
    }
}
