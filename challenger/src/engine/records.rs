//! The records and divisors that a region's elements use (SPEC 2.3).

use burn::tensor::{DType as Type, Device, Tensor, TensorData};
use narrows_program::{Finalise, Operator, Program, Window, record};

use super::ints::{Ints, ints};
use super::reads::{Reads, SPARSE};
use super::region::Region;

/// What an operator's divisor is read by, if it has one.
pub(crate) fn divisor(program: &Program, op: &Operator) -> Option<Reads> {
    let Finalise::Divide { by, .. } = &op.finalise else {
        return None;
    };
    let elements = program.tensor(by.source).elements;
    Some(Reads { map: by.map, windows: [Window::default(); 2], elements, red: [1; 3], row: 0 })
}

/// A region's axes, neighbours merged where nothing tells them apart, in four dimensions.
pub(crate) struct Merged {
    /// The merged lengths.
    pub shape: [usize; 4],
    moves: [[bool; 2]; 4],
}

impl Merged {
    /// Merges the axes that move the same of an operator's records and its divisor.
    pub fn new(op: &Operator, divisor: Option<&Reads>, region: &Region) -> Self {
        let moves = |axis: usize| [op.params.out[axis] != 0, divisor.is_some_and(|reads| reads.moves(axis))];
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

    /// The shape of the records: 1 along axes that do not move them.
    pub fn records(&self) -> [usize; 4] {
        self.only(0)
    }

    /// The shape of the divisors, likewise.
    pub fn divisors(&self) -> [usize; 4] {
        self.only(1)
    }

    fn only(&self, which: usize) -> [usize; 4] {
        std::array::from_fn(|g| if self.moves[g][which] { self.shape[g] } else { 1 })
    }
}

/// Bias, multiplier, shift.
pub(crate) type Record = (i64, i64, u8);

/// Whether a record rounds nothing.
pub(crate) fn whole((_, m, s): &Record) -> bool {
    i128::from(*m) % (1i128 << s) == 0
}

/// c, and what elements are counted from.
pub(crate) fn less(record: &Record, first: i32, nearest: bool) -> f64 {
    let (bias, m, s) = *record;
    let more = match (whole(record), nearest) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 1i128 << s,
    };
    over((i128::from(first) << (s + 1)) - 2 * i128::from(bias) * i128::from(m) - more, s + 1)
}

/// An integer over 2^s, as a double.
pub(crate) fn over(numerator: i128, s: u8) -> f64 {
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

/// Whether some accumulator of at most `reach` in magnitude is requantised to a number beyond the limits of an operator.
pub(crate) fn passes(records: &[Record], op: &Operator, reach: u128) -> bool {
    // No legal accumulator is as large.
    let reach = reach.min(1 << 64) as i128;
    records.iter().any(|(bias, m, s)| {
        let element = |x: i128| ((x + i128::from(*bias)) * i128::from(*m) + (1 << (s - 1))) >> s;
        element(-reach) < i128::from(op.lo) || element(reach) > i128::from(op.hi)
    })
}

/// A region's start on the axes that move records: regions of one start and the same lengths have the same ones.
pub(crate) fn start(op: &Operator, region: &Region) -> [u64; 4] {
    std::array::from_fn(|axis| if op.params.out[axis] == 0 { 0 } else { region.start[axis] })
}

/// The records of a region, one for each position that tells records apart.
pub(crate) struct Records {
    /// Those that the region's elements use, and what lies between them where that is not much.
    pub list: Vec<Record>,
    index: Ints<1>,
}

impl Records {
    /// Picks them, for accumulators that are halved so often ([`super::held::Held::halvings`]).
    pub fn new(program: &Program, op: &Operator, region: &Region, halved: u8, device: &Device) -> Self {
        let sum = |at: [u64; 4]| (0..4).map(|a| u64::from(op.params.out[a]) * at[a]).sum::<u64>() as usize;
        let (first, last) = (sum(region.start), sum(region.len.map(|len| len as u64 - 1)));
        let mut at = vec![0];
        for a in region.live().into_iter().filter(|a| op.params.out[*a] != 0) {
            let steps = || (0..region.len[a]).map(|step| step * op.params.out[a] as usize);
            at = at.into_iter().flat_map(|at| steps().map(move |step| at + step)).collect();
        }
        let (records, _) = program.constant(op.params.constant).bytes.as_chunks::<16>();
        let decoded = |at: usize| {
            let (bias, m, s) = record::decode(&records[first + at]).expect("a legal record");
            (bias >> halved, i64::from(m), s - halved)
        };
        let few = at.len() <= last / SPARSE;
        let list =
            if few { at.iter().copied().map(decoded).collect() } else { (0..=last).map(decoded).collect() };
        let index = at.iter().enumerate().map(|(place, at)| if few { place } else { *at } as i64);
        Self { list, index: ints(index.collect(), device) }
    }

    /// One number for each position, given one a record.
    pub fn column(&self, values: Vec<i64>) -> Ints<1> {
        ints(values, &self.index.device()).select(0, self.index.clone())
    }

    /// The same for doubles.
    pub fn doubles(&self, values: Vec<f64>) -> Tensor<1> {
        let data = TensorData::new(values, [self.list.len()]);
        let device = self.index.device();
        Tensor::from_data(data, (&device, Type::F64)).select(0, self.index.clone())
    }
}
