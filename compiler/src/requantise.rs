//! Real factors to integers: scales of activations, units of channels, multipliers and shifts.
//!
//! Only additions, products, quotients and roundings of `f64` are used, which every machine does
//! alike, and activation scales are cut to a few bits: so the last bits of the float run, which
//! machines do not do alike, seldom reach the program.

use narrows_program::{DType, record};

/// Largest multiplier.
const MULTIPLIER_LIMIT: u128 = (1 << 24) - 1;
/// Largest shift (SPEC 5, rule record).
const SHIFT_LIMIT: u32 = 62;
/// `(acc + bias) * m` stays below this, and so does the rounding half: together below 2^62.
const PRODUCT_LIMIT: u128 = 1 << 61;
/// Doubles hold `2 (acc + bias) * m` exactly while it is below 2^53: what challengers compute then takes fewer steps.
const DOUBLE_LIMIT: u128 = 1 << 52;
/// A multiplier is not made shorter than this for the sake of that: it is then off by at most a 2^17-th.
const DOUBLE_FLOOR: u128 = 1 << 17;
/// Largest bias of a record, in accumulator units.
const BIAS_LIMIT: f64 = (1u64 << 40) as f64;
/// An accumulator unit is at least this part of an output step.
const UNIT_FLOOR: f64 = 1.0 / (1u64 << 24) as f64;
/// Bits of an activation scale's significand.
const SCALE_BITS: u32 = 8;
/// Scales are kept within 2^-100 and 2^100, far inside the range of `f32`.
const SCALE_EXPONENT: u32 = 100;

/// The real value of one step of a stored activation; exact as an `f32`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Scale(f32);

impl Scale {
    /// The scale at which `greatest` is the last value of the type, rounded up to a few bits.
    /// `None` past the range of scales. A greatest of 0 gives the scale for 1.
    pub(crate) fn covering(greatest: f64, dtype: DType) -> Option<Self> {
        Self::reaching(greatest, dtype.max() as f64)
    }

    fn short(exact: f64) -> Option<Self> {
        let bound = (1u128 << SCALE_EXPONENT) as f64;
        if !(1.0 / bound..=bound).contains(&exact) {
            return None;
        }
        let lost = 52 - (SCALE_BITS - 1);
        let bits = exact.to_bits();
        let up = (bits + ((1 << lost) - 1)) >> lost << lost;
        Some(Self(f64::from_bits(up) as f32))
    }

    /// The scale at which `greatest` takes so many steps, rounded up to a few bits; `None` past the range of scales.
    pub(crate) fn reaching(greatest: f64, steps: f64) -> Option<Self> {
        let greatest = if greatest > 0.0 { greatest } else { 1.0 };
        Self::short(greatest / steps)
    }

    /// Two to a power.
    pub(crate) fn power_of_two(exponent: i32) -> Self {
        Self(2f32.powi(exponent))
    }

    /// The scale behind a bit pattern of a program's meta, if it is one.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        let value = f32::from_bits(bits);
        (value.is_normal() && value > 0.0).then_some(Self(value))
    }

    /// The scale as a number.
    pub(crate) fn real(self) -> f64 {
        f64::from(self.0)
    }

    /// The `f32` bit pattern for the program's meta.
    pub(crate) fn bits(self) -> u32 {
        self.0.to_bits()
    }

    /// A real value in steps, rounded, ties away from 0, and clamped to the symmetric range.
    pub(crate) fn quantise(self, value: f64, dtype: DType) -> i64 {
        let limit = dtype.max() as f64;
        (value / self.real()).round().clamp(-limit, limit) as i64
    }
}

/// The real value of one accumulator unit of an output channel: fine enough for its largest
/// weight to use `weight_range` steps, coarse enough for its bias and its multiplier to fit.
pub(crate) fn channel_unit(largest_weight: f64, weight_range: i64, input: f64, bias: f64, step: f64) -> f64 {
    let by_weight = largest_weight / weight_range as f64 * input;
    by_weight.max(bias.abs() / BIAS_LIMIT).max(step * UNIT_FLOOR)
}

/// A record for a fold whose accumulator stays within `accumulator`: `unit` is the real value of
/// an accumulator unit, `bias` a real value, `step` the real value of an output step. `None` when the unit is so much larger than an output
/// step that no legal multiplier reaches.
pub(crate) fn record(unit: f64, bias: f64, step: f64, accumulator: u128) -> Option<[u8; 16]> {
    let bias = (bias / unit).round();
    if !bias.is_finite() || bias.abs() > BIAS_LIMIT {
        return None;
    }
    let bias = bias as i64;
    let reach = accumulator + u128::from(bias.unsigned_abs());
    let limit = match DOUBLE_LIMIT / reach.max(1) {
        limit if limit >= DOUBLE_FLOOR => MULTIPLIER_LIMIT.min(limit),
        _ => MULTIPLIER_LIMIT.min((PRODUCT_LIMIT - 1) / reach),
    };
    let limit = limit as f64;
    let ratio = unit / step;
    let scaled = |shift: u32| (ratio * (1u64 << shift) as f64).round();
    let shift = (1..=SHIFT_LIMIT).rev().find(|&shift| scaled(shift) <= limit)?;
    let multiplier = scaled(shift).max(1.0);
    (limit >= 1.0).then(|| record::encode(bias, multiplier as u32, shift as u8))
}

/// The largest bias that a record takes, in accumulator units.
pub(crate) fn bias_limit() -> f64 {
    BIAS_LIMIT
}

/// The record that changes nothing.
pub(crate) fn identity() -> [u8; 16] {
    record::encode(0, 2, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_scale_is_short_and_covers() {
        for greatest in [1e-20, 0.3, 1.0, 6.0, 195.0, 1e20] {
            let scale = Scale::covering(greatest, DType::I8).expect("in range").real();
            assert!(scale * 127.0 >= greatest * 0.999_999 && scale * 127.0 <= greatest * 1.01);
        }
        assert_eq!(Scale::covering(1e40, DType::I8), None);
        assert_eq!(Scale::covering(f64::NAN, DType::I8), Scale::covering(1.0, DType::I8));
        let noisy = Scale::covering(0.300_001, DType::I8);
        assert_eq!(Scale::covering(0.3, DType::I8), noisy, "float noise does not reach the scale");
    }

    proptest! {
        #[test]
        fn records_are_legal_and_close(
            unit in 1e-9f64..1e-3, bias in -10.0f64..10.0, output in 1e-4f32..1.0,
            accumulator in 1u128..(1 << 44),
        ) {
            let unit = unit.max(f64::from(output) * UNIT_FLOOR);
            let bytes = record(unit, bias, f64::from(output), accumulator).expect("in reach");
            let (b, m, s) = record::decode(&bytes).expect("well formed");
            let reach = accumulator + u128::from(b.unsigned_abs());
            prop_assert!(m >= 1 && (1..=62).contains(&s));
            prop_assert!(reach * u128::from(m) + (1u128 << (s - 1)) < 1 << 62);
            let ratio = f64::from(m) / (1u64 << s) as f64;
            // Half a unit of a multiplier that is more than half of what it may be.
            let promised = 1.0 / DOUBLE_FLOOR.min((PRODUCT_LIMIT - 1) / reach) as f64;
            prop_assert!((ratio / (unit / f64::from(output)) - 1.0).abs() <= promised);
            prop_assert!((b as f64 * unit - bias).abs() <= unit);
        }

        #[test]
        fn no_input_makes_a_record_illegal(
            unit in prop::num::f64::ANY, bias in prop::num::f64::ANY, accumulator in 0u128..(1 << 62),
        ) {
            if let Some(bytes) = record(unit, bias, 0.01, accumulator) {
                let (b, m, s) = record::decode(&bytes).expect("well formed");
                let most = (accumulator + u128::from(b.unsigned_abs())) * u128::from(m);
                prop_assert!(m >= 1 && most + (1u128 << (s - 1)) < 1 << 62);
            }
        }
    }
}
