//! The functions of one number, in 64-bit floats: what tables are filled from and patterns compared with.

use crate::graph::Function;

impl Function {
    /// The function's value. Outside its domain the result is NaN or infinite, as the formula says.
    #[must_use]
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
            Self::GeluTanh => {
                let slope = (2.0 / std::f64::consts::PI).sqrt();
                0.5 * x * (1.0 + (slope * (x + 0.044_715 * x * x * x)).tanh())
            }
            Self::Erf => erf(x),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => sigmoid(x),
            Self::Silu => x * sigmoid(x),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::HardSigmoid { alpha, beta } => (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0),
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    f64::from(alpha) * x
                } else {
                    x
                }
            }
            Self::Elu { alpha } => {
                if x < 0.0 {
                    f64::from(alpha) * x.exp_m1()
                } else {
                    x
                }
            }
            // Written so that neither end overflows.
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => 1.0 / x,
            Self::ReciprocalSqrt => 1.0 / x.sqrt(),
            Self::Pow { exponent } => x.powf(f64::from(exponent)),
            Self::Abs => x.abs(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 {
        let e = x.exp();
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + (-x).exp())
    }
}

/// The error function, to about 1e-15: a series of positive terms near 0, a continued fraction beyond
/// (Abramowitz and Stegun 7.1.6 and 7.1.14).
#[must_use]
pub fn erf(x: f64) -> f64 {
    let z = x.abs();
    if z.is_nan() {
        return x;
    }
    let value = if z > 6.0 {
        1.0
    } else if z < 2.5 {
        let (mut term, mut sum, mut n) = (z, z, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * z * z / (2.0 * n + 1.0);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-z * z).exp() * sum
    } else {
        let fraction = (1..=60).rev().fold(z, |rest, k| z + 0.5 * f64::from(k) / rest);
        1.0 - (-z * z).exp() / (fraction * std::f64::consts::PI.sqrt())
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the error function to 16 digits, from tables.
    const KNOWN: [(f64, f64); 7] = [
        (0.0, 0.0),
        (0.1, 0.112_462_916_018_284_9),
        (0.5, 0.520_499_877_813_046_5),
        (1.0, 0.842_700_792_949_714_9),
        (2.0, 0.995_322_265_018_952_7),
        (3.0, 0.999_977_909_503_001_4),
        (4.0, 0.999_999_984_582_742_1),
    ];

    #[test]
    fn erf_agrees_with_tables_on_both_branches_and_is_odd() {
        for (x, y) in KNOWN {
            assert!((erf(x) - y).abs() < 2e-15, "erf({x}) is {}, not {y}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        assert!((erf(2.5 - 1e-12) - erf(2.5 + 1e-12)).abs() < 1e-13, "the branches meet");
        assert!(erf(f64::NAN).is_nan());
        assert_eq!((erf(f64::INFINITY), erf(f64::NEG_INFINITY)), (1.0, -1.0));
    }

    #[test]
    fn no_function_overflows_where_its_value_does_not() {
        assert_eq!(Function::Softplus.apply(1e4), 1e4);
        assert_eq!(Function::Softplus.apply(-1e4), 0.0);
        assert_eq!(Function::Sigmoid.apply(-1e4), 0.0);
        assert_eq!(Function::Silu.apply(1e4), 1e4);
        assert_eq!(Function::Pow { exponent: 3.0 }.apply(-2.0), -8.0);
        assert!((Function::Gelu.apply(1.0) - 0.841_344_746_068_542_9).abs() < 1e-14);
        assert!((Function::GeluTanh.apply(1.0) - 0.841_191_990_608_276_2).abs() < 1e-12);
    }
}
