//! Division and roots of 64-bit tensors, the same on every backend whichever way its own division rounds.

use burn::tensor::{FloatDType, IntDType};

use super::ints::Ints;

/// floor(x / d) for |x| < 2^62 and 1 <= d < 2^31, element by element or broadcast.
///
/// Backends' quotients are off by less than one, up or down, so what they leave of x is less than d in magnitude, and
/// the quotient was one too great exactly when that is negative.
pub(crate) fn floor_div<const D: usize>(x: Ints<D>, d: Ints<D>) -> Ints<D> {
    let quotient = x.clone() / d.clone();
    let rest = x - quotient.clone() * d;
    quotient + rest.clamp(-1i64, 0i64)
}

/// The greatest r with r * r <= v, for 0 <= v < 2^62.
///
/// A float root is within a 2^20th of the true one; one step of Newton's method in integers brings that to the root or
/// one above or below it, which squares tell apart. No float decides anything.
pub(crate) fn isqrt<const D: usize>(v: Ints<D>) -> Ints<D> {
    let estimate = v.clone().cast(FloatDType::F32).sqrt().cast(IntDType::I64).clamp_min(1i64);
    let near = (estimate.clone() + v.clone() / estimate).bitwise_right_shift_scalar(1i64);
    let below = near.clone() + (v.clone() - near.clone() * near).clamp(-1i64, 0i64);
    let above = below.add_scalar(1i64);
    let short = (v - above.clone() * above.clone()).clamp(-1i64, 0i64);
    above + short
}
