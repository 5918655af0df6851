//! One element, recomputed.

use narrows_commitment::Tile;

use crate::{Opened, Refusal, Witness};

use super::descriptor::{Descriptor, Term};
use super::ending::{LAST_PLACE, PLACE_BITS, combine, finalise};
use super::opened::{Tiles, View, little_endian};

const DOT: u8 = 1;
const SUM: u8 = 2;
pub(super) const MAX: u8 = 3;
const PAIR: u8 = 4;
const GATHER: u8 = 5;
pub(super) const ARG_MAX: u8 = 6;

/// The element at position `element` of a tile of `descriptor`'s output.
///
/// # Panics
/// When the element is beyond the tile: callers check it.
#[must_use]
pub fn read_element(descriptor: &Descriptor, tile: &Tile, element: u8) -> i64 {
    let size = descriptor.element_bytes();
    little_endian(&tile[usize::from(element) * size..][..size])
}

/// Folds the terms `range` of `element`, its operands read by `read`: of each term a, unless its window is missed, and then b.
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
        let mut b = |address| read(Term::B(address)).map(i128::from);
        let term = match fold {
            DOT => a * b(descriptor.b_address(element, t))?,
            SUM | MAX => a,
            PAIR => a * scale(176) + b(descriptor.b_address(element, t))? * scale(180),
            GATHER => gathered(descriptor, element, t, a, b)?,
            ARG_MAX => (a << PLACE_BITS) + (LAST_PLACE - i128::from(t)),
            _ => return Err(Refusal::WrongDescriptor),
        };
        acc = Some(match acc {
            None => term,
            Some(acc) if fold == MAX || fold == ARG_MAX => acc.max(term),
            Some(acc) => acc + term,
        });
    }
    acc.ok_or(Refusal::WrongDescriptor)
}

/// The element of b in the row that `a` names.
fn gathered(
    descriptor: &Descriptor,
    element: u64,
    t: u64,
    a: i128,
    mut b: impl FnMut(u128) -> Result<i128, Refusal>,
) -> Result<i128, Refusal> {
    if descriptor.b().is_none() {
        return Err(Refusal::WrongDescriptor);
    }
    b(descriptor.row_address(element, t, a).ok_or(Refusal::WitnessMissing)?)
}

/// Recomputes `element` whole (`segment` None: the finalised value), or one segment's partial value.
///
/// # Errors
/// When the witness does not open, misses a term, or holds what the operator does not read; and where only values of no legal
/// program lead (PROTOCOL 4.5).
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
    if segment.is_some() && witness.third != Opened::default() {
        return Err(Refusal::WitnessExtra);
    }
    let a = view.open(&descriptor.a(), &witness.a)?;
    let b = match descriptor.b() {
        Some(b) => Some(view.open(&b, &witness.b)?),
        None if witness.b != Opened::default() => return Err(Refusal::WitnessExtra),
        None => None,
    };
    match segment {
        None => {
            let ending = Ending::open(view, descriptor, &witness.params, &witness.third)?;
            whole(descriptor, element, &a, b.as_ref(), &ending)
        }
        Some(index) => {
            let acc = partial(descriptor, element, descriptor.segment(index), &a, b.as_ref())?;
            i64::try_from(acc).map_err(|_| Refusal::OutOfRange)
        }
    }
}

/// The value of `element` by opened tiles.
pub(super) fn whole(
    descriptor: &Descriptor,
    element: u64,
    a: &Tiles<'_>,
    b: Option<&Tiles<'_>>,
    ending: &Ending<'_>,
) -> Result<i64, Refusal> {
    let acc = partial(descriptor, element, 0..descriptor.terms(), a, b)?;
    ending.finalise(descriptor, element, acc)
}

/// Folds the terms `range` of `element` by opened tiles.
fn partial(
    descriptor: &Descriptor,
    element: u64,
    range: std::ops::Range<u64>,
    a: &Tiles<'_>,
    b: Option<&Tiles<'_>>,
) -> Result<i128, Refusal> {
    partial_with(descriptor, element, range, |term| match (term, b) {
        (Term::A(address), _) => a.read(address),
        (Term::B(address), Some(b)) => b.read(address),
        (Term::B(_), None) => Err(Refusal::WrongDescriptor),
    })
}

/// The value that stated partial values lead to.
///
/// # Errors
/// When one is out of range, the record or the third operand does not open, or the way from them to the element is none of a
/// legal program.
pub fn settle_fold(
    view: &View,
    descriptor: &Descriptor,
    element: u64,
    sums: &[i64],
    params: &Opened,
    third: &Opened,
) -> Result<i64, Refusal> {
    if sums.iter().any(|sum| sum.unsigned_abs() >= 1 << 62) {
        return Err(Refusal::OutOfRange);
    }
    let ending = Ending::open(view, descriptor, params, third)?;
    ending.finalise(descriptor, element, combine(descriptor, sums))
}

/// What finalising reads: the records, and the table or the divisor.
pub(super) struct Ending<'a> {
    pub params: Tiles<'a>,
    pub third: Option<Tiles<'a>>,
}

impl<'a> Ending<'a> {
    fn open(
        view: &View,
        descriptor: &Descriptor,
        params: &'a Opened,
        third: &'a Opened,
    ) -> Result<Self, Refusal> {
        let params = view.open(&descriptor.params(), params)?;
        let third = match descriptor.third() {
            Some(operand) => Some(view.open(&operand, third)?),
            None if *third != Opened::default() => return Err(Refusal::WitnessExtra),
            None => None,
        };
        Ok(Self { params, third })
    }

    fn finalise(&self, descriptor: &Descriptor, element: u64, acc: i128) -> Result<i64, Refusal> {
        let record = self.params.record(descriptor.record_address(element))?;
        finalise(descriptor, element, acc, record, |address| match &self.third {
            Some(third) => third.read(address),
            None => Err(Refusal::WrongDescriptor),
        })
    }
}
