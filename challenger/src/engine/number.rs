//! The two types that accumulators are carried in.
//!
//! 64-bit integers hold every intermediate of a legal program. Doubles hold those that are integers, or multiples of a power
//! of two, of at most 53 bits: where [`super::doubles`] shows that all are, they take fewer passes over memory.

use burn::tensor::kind::Ordered;
use burn::tensor::{Float, FloatDType, Int, IntDType, Tensor};

use super::ints::Ints;

/// The sum of two tensors: burn-ndarray subtracts in place, and adds at ten times the cost.
pub(crate) fn plus<const D: usize, N: Number>(x: Tensor<D, N>, y: Tensor<D, N>) -> Tensor<D, N> {
    x - y.mul_scalar(-1i64)
}

/// A type that accumulators are carried in; casts are of values that it holds exactly.
pub(crate) trait Number: Ordered + Sized {
    /// From integers.
    fn of_ints<const D: usize>(tensor: Ints<D>) -> Tensor<D, Self>;
    /// From floats that are integers.
    fn of_floats<const D: usize>(tensor: Tensor<D>) -> Tensor<D, Self>;
}

impl Number for Int {
    fn of_ints<const D: usize>(tensor: Ints<D>) -> Tensor<D, Self> {
        tensor.cast(IntDType::I64)
    }

    fn of_floats<const D: usize>(tensor: Tensor<D>) -> Tensor<D, Self> {
        tensor.cast(IntDType::I64)
    }
}

impl Number for Float {
    fn of_ints<const D: usize>(tensor: Ints<D>) -> Tensor<D, Self> {
        tensor.cast(FloatDType::F64)
    }

    fn of_floats<const D: usize>(tensor: Tensor<D>) -> Tensor<D, Self> {
        tensor.cast(FloatDType::F64)
    }
}
