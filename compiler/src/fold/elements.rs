//! Element by element.

use super::{Pair, broadcast};
use crate::constant::{Constant, ConstantData};
use crate::error::CompileError;
use crate::graph::Function;
use crate::moves;
use crate::operators::Reader;

/// An operator of two or more constants.
pub(super) fn accumulate(reader: &mut Reader<'_>, operator: &str) -> Result<Constant, CompileError> {
    let float_mod = operator == "Mod" && reader.node.attributes.int("fmod", 0)? != 0;
    let n = reader.node.inputs.len();
    let mut total = (*reader.constant(0)?).clone();
    for index in 1..n {
        let next = reader.constant(index)?;
        let (shape, pair) = broadcast(reader, &total, &next)?;
        let data = match pair {
            Pair::Float(a, b) => {
                ConstantData::Float(a.iter().zip(&b).map(|(&a, &b)| float(operator, a, b)).collect())
            }
            Pair::Integer(a, b) => {
                let values: Option<Vec<i64>> =
                    a.iter().zip(&b).map(|(&a, &b)| integer(operator, a, b, float_mod)).collect();
                ConstantData::Integer(values.ok_or_else(|| reader.fail("it divides by 0"))?)
            }
        };
        total = Constant { shape, data };
    }
    Ok(total)
}

fn float(operator: &str, a: f32, b: f32) -> f32 {
    match operator {
        "Add" | "Sum" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "Div" => a / b,
        "Mod" => a % b,
        "Pow" => a.powf(b),
        "Min" => a.min(b),
        "Max" => a.max(b),
        // The rest are of truth values, which are integers.
        _ => f32::NAN,
    }
}

fn integer(operator: &str, a: i64, b: i64, float_mod: bool) -> Option<i64> {
    Some(match operator {
        "Add" | "Sum" => a.wrapping_add(b),
        "Sub" => a.wrapping_sub(b),
        "Mul" => a.wrapping_mul(b),
        "Div" if b != 0 => a.wrapping_div(b),
        "Mod" if b != 0 && float_mod => a.wrapping_rem(b),
        "Mod" if b != 0 => {
            let rest = a.wrapping_rem(b);
            if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
        }
        "Div" | "Mod" => return None,
        "Pow" => (a as f64).powf(b as f64) as i64,
        "Min" => a.min(b),
        "Max" => a.max(b),
        "And" => i64::from(a != 0 && b != 0),
        "Or" => i64::from(a != 0 || b != 0),
        _ => i64::from((a != 0) != (b != 0)),
    })
}

pub(super) fn compare(reader: &mut Reader<'_>, operator: &str) -> Result<Constant, CompileError> {
    reader.arity(2, 2)?;
    fn holds<T: PartialOrd>(operator: &str, a: T, b: T) -> i64 {
        i64::from(match operator {
            "Equal" => a == b,
            "Less" => a < b,
            "LessOrEqual" => a <= b,
            "Greater" => a > b,
            _ => a >= b,
        })
    }
    let (a, b) = (reader.constant(0)?, reader.constant(1)?);
    let (shape, pair) = broadcast(reader, &a, &b)?;
    let values = match pair {
        Pair::Float(a, b) => a.iter().zip(&b).map(|(a, b)| holds(operator, a, b)).collect(),
        Pair::Integer(a, b) => a.iter().zip(&b).map(|(a, b)| holds(operator, a, b)).collect(),
    };
    Ok(Constant { shape, data: ConstantData::Integer(values) })
}

pub(super) fn select(reader: &mut Reader<'_>) -> Result<Constant, CompileError> {
    reader.arity(3, 3)?;
    let (condition, a, b) = (reader.constant(0)?, reader.constant(1)?, reader.constant(2)?);
    let (both, pair) = broadcast(reader, &a, &b)?;
    let shape = moves::broadcast(&both, &condition.shape)
        .ok_or_else(|| reader.fail(format!("its condition has shape {:?}", condition.shape)))?;
    reader.constant_size(&shape)?;
    let Some(condition) = condition.to_i64().map(|v| moves::expand(v, &condition.shape, &shape)) else {
        return Err(reader.fail("its condition is not of truth values"));
    };
    fn pick<T: Copy>(condition: &[i64], a: &[T], b: &[T]) -> Vec<T> {
        condition.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c != 0 { a } else { b }).collect()
    }
    let data = match pair {
        Pair::Float(a, b) => {
            let (a, b) = (moves::expand(&a, &both, &shape), moves::expand(&b, &both, &shape));
            ConstantData::Float(pick(&condition, &a, &b))
        }
        Pair::Integer(a, b) => {
            let (a, b) = (moves::expand(&a, &both, &shape), moves::expand(&b, &both, &shape));
            ConstantData::Integer(pick(&condition, &a, &b))
        }
    };
    Ok(Constant { shape, data })
}

pub(super) fn clip(reader: &mut Reader<'_>) -> Result<Constant, CompileError> {
    let x = reader.constant(0)?;
    let bound = |index: usize| -> Result<Option<f32>, CompileError> {
        if reader.optional(index)?.is_none() {
            return Ok(None);
        }
        Ok(reader.constant(index)?.to_f32().first().copied())
    };
    let (low, high) = (bound(1)?, bound(2)?);
    let low = reader.node.attributes.optional_float("min")?.or(low);
    let high = reader.node.attributes.optional_float("max")?.or(high);
    let data = match &x.data {
        ConstantData::Float(v) => ConstantData::Float(
            v.iter().map(|&v| v.max(low.unwrap_or(f32::MIN)).min(high.unwrap_or(f32::MAX))).collect(),
        ),
        ConstantData::Integer(v) => {
            let (low, high) = (low.map_or(i64::MIN, |b| b as i64), high.map_or(i64::MAX, |b| b as i64));
            ConstantData::Integer(v.iter().map(|&v| v.max(low).min(high)).collect())
        }
    };
    Ok(Constant { shape: x.shape.clone(), data })
}

/// An operator of one constant.
pub(super) fn map(reader: &mut Reader<'_>, operator: &str) -> Result<Constant, CompileError> {
    if reader.node.inputs.is_empty() {
        return Err(reader.cannot_fold());
    }
    let x = reader.constant(0)?;
    let shape = x.shape.clone();
    let data = match &x.data {
        ConstantData::Integer(v) => ConstantData::Integer(match operator {
            "Abs" => v.iter().map(|v| v.wrapping_abs()).collect(),
            "Neg" => v.iter().map(|v| v.wrapping_neg()).collect(),
            "Not" => v.iter().map(|&v| i64::from(v == 0)).collect(),
            "Sign" => v.iter().map(|v| v.signum()).collect(),
            "Relu" => v.iter().map(|&v| v.max(0)).collect(),
            _ => return Err(reader.cannot_fold()),
        }),
        ConstantData::Float(v) => {
            let map = |f: fn(f32) -> f32| -> Vec<f32> { v.iter().map(|&v| f(v)).collect() };
            let function =
                |f: Function| -> Vec<f32> { v.iter().map(|&v| f.apply(f64::from(v)) as f32).collect() };
            ConstantData::Float(match operator {
                "Abs" => map(f32::abs),
                "Neg" => map(|v| -v),
                "Ceil" => map(f32::ceil),
                "Floor" => map(f32::floor),
                "Round" => map(f32::round_ties_even),
                "Sign" => map(|v| if v == 0.0 { v } else { v.signum() }),
                "Relu" => map(|v| v.max(0.0)),
                "Cos" => function(Function::Cos),
                "Erf" => function(Function::Erf),
                "Exp" => function(Function::Exp),
                "Log" => function(Function::Log),
                "Reciprocal" => function(Function::Reciprocal),
                "Sigmoid" => function(Function::Sigmoid),
                "Sin" => function(Function::Sin),
                "Softplus" => function(Function::Softplus),
                "Sqrt" => function(Function::Sqrt),
                "Tanh" => function(Function::Tanh),
                _ => return Err(reader.cannot_fold()),
            })
        }
    };
    Ok(Constant { shape, data })
}
