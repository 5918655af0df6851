//! From an accumulator to the element (SPEC 2.3, 2.4).
//!
//! Whatever bytes say, nothing here overflows: an accumulator stays below 2^87 (2^24 products of two 32-bit integers), so
//! below 2^120 with its bias and times a multiplier of 32 bits.

use crate::Refusal;

use super::descriptor::Descriptor;
use super::step::{ARG_MAX, MAX};

const REQUANTISE: u8 = 1;
const TABLE: u8 = 2;
const DIVIDE: u8 = 3;
const ROOT: u8 = 4;

/// Bits of an argmax's terms below the value: they hold how far from the end the term stands.
pub(super) const PLACE_BITS: u32 = 24;
/// The greatest place of a term.
pub(super) const LAST_PLACE: i128 = (1 << PLACE_BITS) - 1;
/// Accumulators of legal programs stay below this magnitude.
const BOUND: u128 = 1 << 62;

/// A requantisation record: bias, multiplier, shift.
pub type Record = (i64, u32, u8);

/// Joins the partial values of an element's segments.
#[must_use]
pub fn combine(descriptor: &Descriptor, sums: &[i64]) -> i128 {
    let values = sums.iter().map(|sum| i128::from(*sum));
    match descriptor.u8(0) {
        MAX | ARG_MAX => values.max().unwrap_or_default(),
        _ => values.sum(),
    }
}

/// What is finalised of an accumulator: itself, or the place of an argmax's greatest term.
#[must_use]
pub fn place(descriptor: &Descriptor, acc: i128) -> i128 {
    if descriptor.u8(0) == ARG_MAX { LAST_PLACE - acc.rem_euclid(LAST_PLACE + 1) } else { acc }
}

/// Requantises a value by a record and clamps it.
#[must_use]
pub fn requantise(descriptor: &Descriptor, value: i128, record: Record) -> i64 {
    scale(descriptor, value + i128::from(record.0), record)
}

/// The element whose accumulator is `acc`, `third` reading the element at an address of the third operand.
///
/// # Errors
/// What `third` refuses, what only values of no legal program lead to (PROTOCOL 4.5), and an unknown way of finalising.
pub fn finalise(
    descriptor: &Descriptor,
    element: u64,
    acc: i128,
    record: Record,
    third: impl FnOnce(u128) -> Result<i64, Refusal>,
) -> Result<i64, Refusal> {
    let value = place(descriptor, acc);
    match descriptor.u8(1) {
        REQUANTISE => Ok(requantise(descriptor, value, record)),
        TABLE => {
            // Nothing is clamped below lo.
            let entry = requantise(descriptor, value, record) - i64::from(descriptor.i32(184));
            third(entry as u128)
        }
        DIVIDE => {
            let divisor = third(descriptor.divisor_address(element))?;
            let quotient = divide(value, divisor, descriptor.lift())?;
            Ok(requantise(descriptor, quotient, record))
        }
        ROOT => {
            within(value)?;
            let under = u128::try_from(value + i128::from(record.0)).unwrap_or(0);
            Ok(scale(descriptor, root(under), record))
        }
        _ => Err(Refusal::WrongDescriptor),
    }
}

/// `value` times the record's multiplier, shifted with a rounding up of ties, and clamped.
fn scale(descriptor: &Descriptor, value: i128, (_, multiplier, shift): Record) -> i64 {
    let shift = shift.clamp(1, 62);
    let rounded = (value * i128::from(multiplier) + (1i128 << (shift - 1))) >> shift;
    // Not `clamp`, which panics where lo > hi: no legal program has that, but bytes may say so.
    let (lo, hi) = (i128::from(descriptor.i32(184)), i128::from(descriptor.i32(188)));
    rounded.min(hi).max(lo) as i64
}

/// floor((value * 2^lift + floor(divisor / 2)) / divisor).
fn divide(value: i128, divisor: i64, lift: u8) -> Result<i128, Refusal> {
    if divisor < 1 {
        return Err(Refusal::OutOfRange);
    }
    within(value)?;
    let divisor = i128::from(divisor);
    // The remainder of a Euclidean division is not negative, so by a positive number this is the floor.
    let quotient = ((value << lift) + divisor / 2).div_euclid(divisor);
    if i64::try_from(quotient).is_err() {
        return Err(Refusal::OutOfRange);
    }
    Ok(quotient)
}

/// The R with R^2 <= value < (R+1)^2, bit by bit from the highest.
fn root(value: u128) -> i128 {
    let mut root = 0u128;
    for bit in (0..32).rev() {
        let with = root | 1 << bit;
        if with * with <= value {
            root = with;
        }
    }
    root as i128
}

fn within(value: i128) -> Result<(), Refusal> {
    if value.unsigned_abs() >= BOUND { Err(Refusal::OutOfRange) } else { Ok(()) }
}
