//! How accumulators become elements (SPEC 2.3), in 64-bit integers: legality keeps every intermediate below 2^62.

use burn::tensor::Device;
use narrows_program::{ConstantIndex, DType, Finalise, Operator, Program, Source, Window, record};

use super::arithmetic::{floor_div, isqrt};
use super::gather::Reads;
use super::ints::{Ints, axis, ints, narrow};
use super::region::Region;
use super::spread::Spread;

/// What a region needs beside its accumulators, ready for them.
#[derive(Debug, Clone)]
pub(crate) struct Finish {
    ending: Ending,
    multiplier: Ints<4>,
    /// bias * multiplier + 2^(shift-1); 2^(shift-1) alone for a root, which adds the bias before.
    offset: Ints<4>,
    shift: Ints<4>,
    /// The region's shape, with neighbouring axes merged where neither records nor divisors tell them apart.
    shape: [usize; 4],
    lo: i64,
    hi: i64,
    dtype: DType,
}

#[derive(Debug, Clone)]
enum Ending {
    Requantise,
    Table(ConstantIndex),
    Divide { by: Box<Spread>, source: Source, lift: u8 },
    Root { bias: Box<Ints<4>> },
}

impl Finish {
    /// Picks the records and divisors that a region's elements use.
    pub fn new(program: &Program, op: &Operator, region: &Region, device: &Device) -> Self {
        let divisor = match &op.finalise {
            Finalise::Divide { by, .. } => {
                let elements = program.tensor(by.source).elements;
                let windows = [Window::default(); 2];
                Some(Reads { map: by.map, windows, elements, red: [1; 3], row: 0 })
            }
            Finalise::Requantise | Finalise::Table(_) | Finalise::Root => None,
        };
        let recorded = |axis: usize| op.params.out[axis] != 0;
        let merged = Merged::new(region, |axis| {
            [recorded(axis), divisor.as_ref().is_some_and(|reads| reads.moves(axis))]
        });
        let records = Records::new(program, op, region, device);
        let column = |read: fn((i64, i64, u8)) -> i64| records.column(read).reshape(merged.only(0));
        let root = op.finalise == Finalise::Root;
        Self {
            ending: match (&op.finalise, divisor) {
                (Finalise::Divide { by, lift }, Some(reads)) => {
                    let spread = Spread::new(&reads, region, device).shaped(merged.only(1));
                    Ending::Divide { by: Box::new(spread), source: by.source, lift: *lift }
                }
                (Finalise::Table(table), _) => Ending::Table(*table),
                (Finalise::Root, _) => Ending::Root { bias: Box::new(column(|(bias, _, _)| bias)) },
                _ => Ending::Requantise,
            },
            multiplier: column(|(_, m, _)| m),
            offset: if root {
                column(|(_, _, s)| 1 << (s - 1))
            } else {
                column(|(bias, m, s)| bias * m + (1 << (s - 1)))
            },
            shift: column(|(_, _, s)| i64::from(s)),
            shape: merged.shape,
            lo: i64::from(op.lo),
            hi: i64::from(op.hi),
            dtype: op.dtype,
        }
    }

    /// The elements of these accumulators, in the region's row-major order and in the output's type.
    pub fn run(&self, accumulators: Ints<4>, get: impl Fn(Source) -> Ints<1>) -> Ints<1> {
        let accumulators = accumulators.reshape(self.shape);
        let value = match &self.ending {
            Ending::Requantise | Ending::Table(_) => accumulators,
            Ending::Divide { by, source, lift } => {
                let divisor = by.run(get(*source));
                let half = divisor.clone().bitwise_right_shift_scalar(1i64);
                floor_div(accumulators.mul_scalar(1i64 << lift) + half, divisor)
            }
            Ending::Root { bias } => isqrt((accumulators + *bias.clone()).clamp_min(0i64)),
        };
        let scaled = value * self.multiplier.clone() + self.offset.clone();
        let outputs = scaled.bitwise_right_shift(self.shift.clone()).clamp(self.lo, self.hi);
        let outputs = outputs.reshape([self.shape.iter().product::<usize>()]);
        match &self.ending {
            Ending::Table(table) => get(Source::Constant(*table)).select(0, outputs.sub_scalar(self.lo)),
            _ => narrow(outputs, self.dtype),
        }
    }
}

/// A region's axes, neighbours merged where nothing tells them apart, in four dimensions.
struct Merged {
    shape: [usize; 4],
    moves: [[bool; 2]; 4],
}

impl Merged {
    /// Merges the axes that move the same of two things.
    fn new(region: &Region, moves: impl Fn(usize) -> [bool; 2]) -> Self {
        let mut groups: Vec<([bool; 2], usize)> = Vec::with_capacity(4);
        for axis in region.live() {
            match groups.last_mut() {
                Some((same, len)) if *same == moves(axis) => *len *= region.len[axis],
                _ => groups.push((moves(axis), region.len[axis])),
            }
        }
        groups.splice(0..0, vec![([false; 2], 1); 4 - groups.len()]);
        Self { shape: std::array::from_fn(|g| groups[g].1), moves: std::array::from_fn(|g| groups[g].0) }
    }

    /// The shape of what only some axes move: 1 along the others.
    fn only(&self, which: usize) -> [usize; 4] {
        std::array::from_fn(|g| if self.moves[g][which] { self.shape[g] } else { 1 })
    }
}

/// The records of a region, one for each position that tells records apart.
struct Records {
    /// Bias, multiplier, shift, from the region's first record to its last.
    list: Vec<(i64, i64, u8)>,
    index: Ints<1>,
}

impl Records {
    fn new(program: &Program, op: &Operator, region: &Region, device: &Device) -> Self {
        let sum = |at: [u64; 4]| (0..4).map(|a| u64::from(op.params.out[a]) * at[a]).sum::<u64>() as usize;
        let (first, last) = (sum(region.start), sum(region.len.map(|len| len as u64 - 1)));
        let mut index = ints(vec![0], device);
        for a in region.live().into_iter().filter(|a| op.params.out[*a] != 0) {
            let [count] = index.dims();
            let steps = axis(region.len[a], i64::from(op.params.out[a]), device);
            index = (index.reshape([count, 1]) + steps.reshape([1, region.len[a]]))
                .reshape([count * region.len[a]]);
        }
        let (records, _) = program.constant(op.params.constant).bytes.as_chunks::<16>();
        let decoded = records[first..=first + last].iter().map(|r| {
            let (bias, m, s) = record::decode(r).expect("a legal record");
            (bias, i64::from(m), s)
        });
        Self { list: decoded.collect(), index }
    }

    fn column(&self, read: fn((i64, i64, u8)) -> i64) -> Ints<1> {
        let values = self.list.iter().map(|record| read(*record)).collect();
        ints(values, &self.index.device()).select(0, self.index.clone())
    }
}
