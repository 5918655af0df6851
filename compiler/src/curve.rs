//! Functions of one number, for the tables that programs hold. What leaves is table entries: no machine's libm is ever
//! asked again.

use crate::graph::Function;

/// One step of what is done with a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Point {
    /// A function.
    Function(Function),
    /// Bounds.
    Clip { low: f32, high: f32 },
    /// `x * scale + offset`.
    Affine { scale: f64, offset: f64 },
}

/// The steps one after another.
pub(crate) fn apply(points: &[Point], x: f64) -> f64 {
    points.iter().fold(x, |x, point| match *point {
        Point::Function(function) => evaluate(function, x),
        Point::Clip { low, high } => x.max(f64::from(low)).min(f64::from(high)),
        Point::Affine { scale, offset } => x * scale + offset,
    })
}

/// A function at a point; of a number outside its domain the value at the domain's edge.
fn evaluate(function: Function, x: f64) -> f64 {
    /// What stands for 0 where a function has no value there.
    const TINY: f64 = 1e-30;
    let value = function.apply(x);
    if value.is_finite() { value } else { function.apply(x.max(TINY)) }
}

/// Where a function still changes: beyond, a table's ends serve as well.
pub(crate) fn active(function: Function) -> (f64, f64) {
    match function {
        Function::Erf => (-4.5, 4.5),
        Function::Tanh => (-9.0, 9.0),
        Function::Sigmoid => (-18.0, 18.0),
        Function::Gelu | Function::GeluTanh => (-7.0, f64::INFINITY),
        Function::Silu | Function::Elu { .. } | Function::Softplus | Function::Exp => (-20.0, f64::INFINITY),
        Function::HardSwish => (-3.0, f64::INFINITY),
        Function::HardSigmoid { alpha, beta } if alpha > 0.0 => {
            (f64::from(-beta / alpha), f64::from((1.0 - beta) / alpha))
        }
        Function::Sqrt | Function::Log | Function::ReciprocalSqrt => (0.0, f64::INFINITY),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_gives_nothing() {
        let all = [Function::Log, Function::Sqrt, Function::Reciprocal, Function::ReciprocalSqrt];
        let powers = [0.5, -1.0, 3.0].map(|exponent| Function::Pow { exponent });
        for function in all.into_iter().chain(powers) {
            for x in [-1.0, 0.0, 1.0] {
                assert!(evaluate(function, x).is_finite(), "{function:?} {x}");
            }
        }
    }

    #[test]
    fn steps_follow_each_other() {
        let points = [
            Point::Function(Function::Abs),
            Point::Affine { scale: 2.0, offset: 1.0 },
            Point::Clip { low: 0.0, high: 4.0 },
        ];
        assert_eq!(apply(&points, -1.0), 3.0);
        assert_eq!(apply(&points, 7.0), 4.0);
    }
}
