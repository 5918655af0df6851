//! Operators of constants alone, evaluated: what is left of shape arithmetic, masks and positions once sizes are known.
//!
//! Integers wrap where they overflow, as they do in ONNX.

mod elements;
mod whole;

use crate::constant::{Constant, ConstantData};
use crate::error::CompileError;
use crate::moves;
use crate::operators::Reader;

/// Evaluates a node whose inputs are all constant.
pub(crate) fn fold(reader: &mut Reader<'_>) -> Result<Constant, CompileError> {
    let operator = reader.node.operator.clone();
    match operator.as_str() {
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Sum" | "And" | "Or" | "Xor" => {
            elements::accumulate(reader, &operator)
        }
        "Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" => {
            elements::compare(reader, &operator)
        }
        "Where" => elements::select(reader),
        "Clip" => elements::clip(reader),
        "Range" => whole::range(reader),
        "CumSum" => whole::cum_sum(reader),
        "Trilu" => whole::trilu(reader),
        "MatMul" => whole::mat_mul(reader),
        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" => {
            whole::reduce(reader, &operator)
        }
        _ => elements::map(reader, &operator),
    }
}

impl Reader<'_> {
    fn cannot_fold(&self) -> CompileError {
        self.fail("it has only constant inputs, for which it is not evaluated; simplify the model (onnxsim) before it is compiled")
    }
}

/// Two constants broadcast to one shape and to one type: both of integers, or both of floats.
enum Pair {
    Float(Vec<f32>, Vec<f32>),
    Integer(Vec<i64>, Vec<i64>),
}

fn broadcast(reader: &Reader<'_>, a: &Constant, b: &Constant) -> Result<(Vec<usize>, Pair), CompileError> {
    let shape = moves::broadcast(&a.shape, &b.shape).ok_or_else(|| {
        reader.fail(format!("its inputs have shapes {:?} and {:?}, which do not broadcast", a.shape, b.shape))
    })?;
    reader.constant_size(&shape)?;
    let pair = match (&a.data, &b.data) {
        (ConstantData::Integer(x), ConstantData::Integer(y)) => {
            Pair::Integer(moves::expand(x, &a.shape, &shape), moves::expand(y, &b.shape, &shape))
        }
        _ => Pair::Float(
            moves::expand(&a.to_f32(), &a.shape, &shape),
            moves::expand(&b.to_f32(), &b.shape, &shape),
        ),
    };
    Ok((shape, pair))
}
