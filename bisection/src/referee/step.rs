//! One element, recomputed.

use narrows_commitment::Tile;

use crate::{Opened, Refusal, Witness};

use super::descriptor::{Descriptor, Term};
use super::opened::{View, little_endian};

const DOT: u8 = 1;
const SUM: u8 = 2;
const MAX: u8 = 3;
const PAIR: u8 = 4;

/// The element at position `element` of a tile of `descriptor`'s output.
///
/// # Panics
/// When the element is beyond the tile: callers check it.
#[must_use]
pub fn read_element(descriptor: &Descriptor, tile: &Tile, element: u8) -> i64 {
    let size = descriptor.element_bytes();
    little_endian(&tile[usize::from(element) * size..][..size])
}

/// Folds the terms `range` of `element`, its operands read by `read`.
///
/// # Errors
/// What `read` refuses, and an operator that no legal program has.
pub fn partial_with(
    descriptor: &Descriptor,
    element: u64,
    range: std::ops::Range<u64>,
    mut read: impl FnMut(Term) -> Result<i64, Refusal>,
) -> Result<i128, Refusal> {
    let fold = descriptor.u8(0);
    let pad = i128::from(descriptor.i32(60));
    let scale = |at| i128::from(descriptor.i32(at));
    let mut acc: Option<i128> = None;
    for t in range {
        let a = match descriptor.a_address(element, t) {
            Some(address) => i128::from(read(Term::A(address))?),
            None => pad,
        };
        let b = match fold {
            DOT | PAIR => i128::from(read(Term::B(descriptor.b_address(element, t)))?),
            _ => 0,
        };
        let term = match fold {
            DOT => a * b,
            SUM | MAX => a,
            PAIR => a * scale(176) + b * scale(180),
            _ => return Err(Refusal::WrongDescriptor),
        };
        acc = Some(match acc {
            None => term,
            Some(acc) if fold == MAX => acc.max(term),
            Some(acc) => acc + term,
        });
    }
    acc.ok_or(Refusal::WrongDescriptor)
}

/// Joins the partial values of an element's segments.
#[must_use]
pub fn combine(descriptor: &Descriptor, sums: &[i64]) -> i128 {
    let values = sums.iter().map(|sum| i128::from(*sum));
    if descriptor.u8(0) == MAX { values.max().unwrap_or_default() } else { values.sum() }
}

/// Requantises an accumulator by a record (SPEC 2.3).
#[must_use]
pub fn finalise(descriptor: &Descriptor, acc: i128, record: (i64, u32, u8)) -> i64 {
    let (bias, multiplier, shift) = record;
    let shift = shift.clamp(1, 62);
    let scaled = (acc + i128::from(bias)) * i128::from(multiplier) + (1i128 << (shift - 1));
    let rounded = scaled >> shift;
    // Not `clamp`, which panics where lo > hi: no legal program has that, but bytes may say so.
    let (lo, hi) = (i128::from(descriptor.i32(184)), i128::from(descriptor.i32(188)));
    rounded.min(hi).max(lo) as i64
}

/// Recomputes `element` whole (`segment` None: the finalised value), or one segment's partial value.
///
/// # Errors
/// When the witness does not open, misses a term, or holds what the operator does not read.
pub fn step(
    view: &View,
    descriptor: &Descriptor,
    element: u64,
    segment: Option<u32>,
    witness: &Witness,
) -> Result<i64, Refusal> {
    if segment.is_some() && witness.params != Opened::default() {
        return Err(Refusal::WitnessExtra);
    }
    let a = view.open(&descriptor.a(), &witness.a)?;
    let b = match descriptor.b() {
        Some(b) => Some(view.open(&b, &witness.b)?),
        None if witness.b != Opened::default() => return Err(Refusal::WitnessExtra),
        None => None,
    };
    let params = match segment {
        None => Some(view.open(&descriptor.params(), &witness.params)?),
        Some(_) => None,
    };
    let read = |term| match (term, &b) {
        (Term::A(address), _) => a.read(address),
        (Term::B(address), Some(b)) => b.read(address),
        (Term::B(_), None) => Err(Refusal::WrongDescriptor),
    };
    let range = segment.map_or(0..descriptor.terms(), |index| descriptor.segment(index));
    let acc = partial_with(descriptor, element, range, read)?;
    match params {
        Some(params) => Ok(finalise(descriptor, acc, params.record(descriptor.record_address(element))?)),
        None => i64::try_from(acc).map_err(|_| Refusal::OutOfRange),
    }
}

/// The value that stated partial values lead to.
///
/// # Errors
/// When one is out of range, or the record does not open.
pub fn settle_fold(
    view: &View,
    descriptor: &Descriptor,
    element: u64,
    sums: &[i64],
    params: &Opened,
) -> Result<i64, Refusal> {
    if sums.iter().any(|sum| sum.unsigned_abs() >= 1 << 62) {
        return Err(Refusal::OutOfRange);
    }
    let params = view.open(&descriptor.params(), params)?;
    let record = params.record(descriptor.record_address(element))?;
    Ok(finalise(descriptor, combine(descriptor, sums), record))
}
