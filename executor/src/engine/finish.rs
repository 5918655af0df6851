//! How elements end (SPEC 2.3): accumulators become canonical bytes.
//!
//! All arithmetic wraps in name only: the rule `bound` of SPEC 5 keeps every intermediate of a legal program below
//! 2^62. Past the first fault of a doctored trace it may wrap in truth; then every way wraps alike, modulo 2^64.

use narrows_program::DType;

use super::arch::{Kernel, Work};
use super::divide::Divisor;
use super::plan::{End, Planned};
use super::span::dot;
use super::values::{Element, Record, View, with_view};

/// Elements that pass through buffers at once.
const CHUNK: usize = 64;

/// What accumulators can do. The plan chooses a width that holds every partial accumulator of the operator.
pub(super) trait Accumulator: Copy + Send + Sync + From<i32> + Into<i64> + Ord {
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// The accumulators as 32 bits, if they are that.
    fn narrow(list: &[Self]) -> Option<&[i32]>;
}

macro_rules! accumulator {
    ($($name:ty, $list:ident => $narrow:expr;)*) => {$(
        impl Accumulator for $name {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline(always)]
            fn narrow($list: &[Self]) -> Option<&[i32]> {
                $narrow
            }
        }
    )*};
}

accumulator! {
    i32, list => Some(list);
    i64, _list => None;
}

/// Where an element finds its record and its divisor.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At {
    params: usize,
    divisor: usize,
}

impl At {
    /// For the element at these coordinates.
    #[inline(always)]
    pub fn new(operator: &Planned, o: &[usize; 4]) -> Self {
        let divisor = match &operator.end {
            End::Divide { by, .. } => by.map.base + dot(o, &by.map.out),
            End::Requantise | End::Table(_) | End::Root => 0,
        };
        Self { params: dot(o, &operator.params), divisor }
    }

    /// For the element that stands `count` places further along o3.
    #[inline(always)]
    pub fn along(self, operator: &Planned, count: usize) -> Self {
        let step = if let End::Divide { by, .. } = &operator.end { by.map.out[3] } else { 0 };
        Self { params: self.params + count * operator.params[3], divisor: self.divisor + count * step }
    }
}

/// How an operator's elements end, with the tensor that this reads.
#[derive(Clone, Copy)]
pub(super) struct Ending<'a> {
    pub kernel: Kernel,
    pub operator: &'a Planned,
    /// The table, the divisors, or nothing.
    third: View<'a>,
}

impl<'a> Ending<'a> {
    /// `third`: bytes of the table or the divisors.
    pub fn new(kernel: Kernel, operator: &'a Planned, third: Option<&'a [u8]>) -> Self {
        let dtype = match &operator.end {
            End::Divide { by, .. } => by.dtype,
            End::Requantise | End::Table(_) | End::Root => operator.dtype,
        };
        Self { kernel, operator, third: View::new(dtype, third.unwrap_or_default()) }
    }

    /// Ends elements that differ in o3 alone, the first of which is `at`, and writes them as all of `out`.
    pub fn write<S: Accumulator>(&self, acc: &[S], at: At, out: &mut [u8]) {
        self.kernel.vectorize(Write { ending: self, acc, at, out });
    }

    /// As [`Self::write`], within work that is compiled for the kernel's CPU.
    #[inline(always)]
    pub fn write_inline<S: Accumulator>(&self, acc: &[S], at: At, out: &mut [u8]) {
        let operator = self.operator;
        let pieces = acc.chunks(CHUNK).zip(out.chunks_mut(CHUNK * operator.width)).enumerate();
        let place = |index: usize| at.along(operator, index * CHUNK);
        match &operator.end {
            End::Requantise => self.write_plain(acc, at.params, out),
            End::Table(_) => {
                for (index, (acc, out)) in pieces {
                    let mut values = [0; CHUNK];
                    let values = &mut values[..acc.len()];
                    requantised(operator, acc, place(index).params, Values(values));
                    self.look_up(values, out);
                }
            }
            End::Divide { by, lift } => {
                let step = by.map.out[3];
                let first = with_view!(self.third, d => d[at.divisor].get());
                let (divisor, half) = (Divisor::new(first), half(first));
                for (index, (acc, out)) in pieces {
                    let at = place(index);
                    let mut quotients = [0; CHUNK];
                    let quotients = &mut quotients[..acc.len()];
                    if step == 0 {
                        for (quotient, acc) in quotients.iter_mut().zip(acc) {
                            *quotient = divisor.floor(lifted(*acc, *lift, half));
                        }
                    } else {
                        self.divide_each(acc, at.divisor, step, *lift, quotients);
                    }
                    self.write_plain(quotients, at.params, out);
                }
            }
            End::Root => {
                let (lo, hi) = (operator.lo, operator.hi);
                let record = |index: usize| &operator.records.list[at.params + index * operator.params[3]];
                let values = acc.iter().enumerate();
                let values = values.map(|(index, acc)| root((*acc).into(), record(index), lo, hi) as i32);
                Bytes(operator.dtype, out).take(values);
            }
        }
    }

    /// Divides each accumulator by a divisor of its own, the first at address `from`, `step` apart.
    fn divide_each<S: Accumulator>(
        &self,
        acc: &[S],
        from: usize,
        step: usize,
        lift: u32,
        quotients: &mut [i64],
    ) {
        with_view!(self.third, divisors => {
            for (index, (quotient, acc)) in quotients.iter_mut().zip(acc).enumerate() {
                let d = divisors[from + index * step].get();
                // Below 1 only in a doctored trace. Euclid's quotient by a positive number is the floor.
                *quotient = lifted(*acc, lift, half(d)).div_euclid(i64::from(d.max(1)));
            }
        });
    }

    /// Requantises and writes.
    #[inline(always)]
    fn write_plain<S: Accumulator>(&self, acc: &[S], params: usize, out: &mut [u8]) {
        let operator = self.operator;
        let alike = operator.tame && operator.params[3] == 0 && operator.dtype == DType::I8;
        let done = match S::narrow(acc).filter(|_| alike) {
            Some(acc) => {
                let records = &operator.records;
                let one = (records.multipliers[params], records.addends[params], records.shifts[params]);
                self.kernel.finish_alike(acc, one, (operator.lo as i32, operator.hi as i32), out)
            }
            None => 0,
        };
        let (acc, out) = (&acc[done..], &mut out[done * operator.width..]);
        requantised(operator, acc, params + done * operator.params[3], Bytes(operator.dtype, out));
    }

    /// Writes the table's entries for requantised values: lo reads the first. Values were clamped to lo … hi, and the
    /// table has an entry for each of these.
    #[inline(always)]
    pub fn look_up(&self, values: &[i32], out: &mut [u8]) {
        let lo = self.operator.lo as i32;
        match self.third {
            View::I8(table) => entries(table, lo, values, out.as_chunks_mut().0),
            View::I16(table) => entries(table, lo, values, out.as_chunks_mut().0),
            View::I32(table) => entries(table, lo, values, out.as_chunks_mut().0),
        }
    }
}

/// What [`Ending::write`] does.
struct Write<'a, S> {
    ending: &'a Ending<'a>,
    acc: &'a [S],
    at: At,
    out: &'a mut [u8],
}

impl<S: Accumulator> Work for Write<'_, S> {
    #[inline(always)]
    fn run(self) {
        self.ending.write_inline(self.acc, self.at, self.out);
    }
}

#[inline(always)]
fn entries<T: Copy>(table: &[T], lo: i32, values: &[i32], out: &mut [T]) {
    let entry = |value: i32| table[value.wrapping_sub(lo).cast_unsigned() as usize];
    out.iter_mut().zip(values).for_each(|(out, value)| *out = entry(*value));
}

/// What is divided: acc 2^lift + floor(d / 2).
#[inline(always)]
fn lifted<S: Accumulator>(acc: S, lift: u32, half: i64) -> i64 {
    acc.into().wrapping_shl(lift).wrapping_add(half)
}

/// floor(d / 2) of a divisor, which counts as 1 if it is less.
#[inline(always)]
fn half(d: i32) -> i64 {
    i64::from(d.max(1) / 2)
}

/// clamp(floor((R m + 2^(s-1)) / 2^s), lo, hi), R = isqrt(max(acc + bias, 0)).
#[inline(always)]
fn root(acc: i64, record: &Record, lo: i64, hi: i64) -> i64 {
    let root = acc.wrapping_add(record.bias).max(0).isqrt();
    (root.wrapping_mul(record.multiplier).wrapping_add(record.half()) >> record.shift).clamp(lo, hi)
}

/// Takes the values of neighbouring elements.
trait Sink {
    fn take(self, values: impl Iterator<Item = i32>);
}

/// Values as they are.
struct Values<'a>(&'a mut [i32]);

impl Sink for Values<'_> {
    #[inline(always)]
    fn take(self, values: impl Iterator<Item = i32>) {
        self.0.iter_mut().zip(values).for_each(|(out, value)| *out = value);
    }
}

/// Canonical bytes of values in the type's range.
struct Bytes<'a>(DType, &'a mut [u8]);

impl Sink for Bytes<'_> {
    #[inline(always)]
    fn take(self, values: impl Iterator<Item = i32>) {
        let Self(dtype, out) = self;
        match dtype {
            DType::I8 => out.iter_mut().zip(values).for_each(|(out, y)| *out = y as u8),
            DType::I16 => {
                let out = out.as_chunks_mut().0.iter_mut();
                out.zip(values).for_each(|(out, y)| *out = (y as i16).to_le_bytes());
            }
            DType::I32 => {
                out.as_chunks_mut().0.iter_mut().zip(values).for_each(|(out, y)| *out = y.to_le_bytes());
            }
            DType::Params => unreachable!("legality: no operator computes records"),
        }
    }
}

/// y = clamp(floor(((acc + bias) * m + 2^(s-1)) / 2^s), lo, hi) of neighbouring accumulators, the first with record
/// `params`: one rounding, ties towards +infinity. The shift is arithmetic, so it rounds towards -infinity for negative
/// numbers too.
#[inline(always)]
fn requantised<S: Accumulator>(operator: &Planned, acc: &[S], params: usize, sink: impl Sink) {
    let (records, step) = (&operator.records, operator.params[3]);
    let clip = (operator.lo, operator.hi);
    let range = params..params + if step == 1 { acc.len() } else { 0 };
    if let (true, 0 | 1, Some(acc)) = (operator.tame, step, S::narrow(acc)) {
        let clip = (clip.0 as i32, clip.1 as i32);
        if step == 0 {
            let one = (records.multipliers[params], records.addends[params], records.shifts[params]);
            return sink.take(acc.iter().map(|acc| tame(*acc, one, clip)));
        }
        let multipliers = &records.multipliers[range.clone()];
        let (addends, shifts) = (&records.addends[range.clone()], &records.shifts[range]);
        let values = acc.iter().zip(multipliers).zip(addends).zip(shifts);
        return sink.take(values.map(|(((acc, m), c), s)| tame(*acc, (*m, *c, *s), clip)));
    }
    match step {
        0 => {
            let one = (records.wide[params], records.addends[params], records.shifts[params]);
            sink.take(acc.iter().map(|acc| wild((*acc).into(), one, clip)));
        }
        1 => {
            let multipliers = &records.wide[range.clone()];
            let (addends, shifts) = (&records.addends[range.clone()], &records.shifts[range]);
            let values = acc.iter().zip(multipliers).zip(addends).zip(shifts);
            sink.take(values.map(|(((acc, m), c), s)| wild((*acc).into(), (*m, *c, *s), clip)));
        }
        _ => {
            let record = |index: usize| {
                let record = params + index * step;
                (records.wide[record], records.addends[record], records.shifts[record])
            };
            let values = acc.iter().enumerate();
            sink.take(values.map(|(index, acc)| wild((*acc).into(), record(index), clip)));
        }
    }
}

/// One requantisation where the plan proved that the quotient fits 32 bits: (multiplier, addend, shift) and the clip.
#[inline(always)]
fn tame(acc: i32, (m, addend, shift): (i32, i64, u32), (lo, hi): (i32, i32)) -> i32 {
    let product = i64::from(acc).wrapping_mul(i64::from(m)).wrapping_add(addend);
    (product.wrapping_shr(shift) as i32).max(lo).min(hi)
}

/// As [`tame`], for any quotient; the clip lies within 32 bits.
#[inline(always)]
fn wild(acc: i64, (m, addend, shift): (i64, i64, u32), (lo, hi): (i64, i64)) -> i32 {
    acc.wrapping_mul(m).wrapping_add(addend).wrapping_shr(shift).max(lo).min(hi) as i32
}
