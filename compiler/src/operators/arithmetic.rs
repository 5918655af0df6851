//! Sums, products, quotients, powers and extremes, of activations and of constants.

use super::Reader;
use crate::build::Term;
use crate::constant::Constant;
use crate::error::CompileError;
use crate::graph::{Binary, Function, Kind, Op, Tensor, ValueId};
use crate::moves;

/// Offsets below this stand for "not here" in attention masks, whatever number the exporter chose.
const MASKED: f32 = -1e9;

impl Reader<'_> {
    pub(super) fn arithmetic(&mut self, operator: &str) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let (a, b) = (self.term(0)?, self.term(1)?);
        let result = self.combine(operator, a, b)?;
        self.bind(0, result);
        Ok(())
    }

    pub(super) fn sum(&mut self) -> Result<(), CompileError> {
        let n = self.given();
        let terms = (0..n).map(|i| self.term(i)).collect::<Result<Vec<_>, _>>()?;
        let (values, constants): (Vec<_>, Vec<_>) =
            terms.into_iter().partition(|term| matches!(term, Term::Value(_)));
        let mut all = values.into_iter().chain(constants);
        let mut total = all.next().ok_or_else(|| self.fail("it has no input"))?;
        for term in all {
            total = self.combine("Add", total, term)?;
        }
        self.bind(0, total);
        Ok(())
    }

    /// `Add`, `Sub`, `Mul` or `Div` of two terms, at least one of them an activation.
    pub(super) fn combine(&mut self, operator: &str, a: Term, b: Term) -> Result<Term, CompileError> {
        let (x, constant, left) = match (a, b) {
            (Term::Value(a), Term::Value(b)) => {
                let op = match operator {
                    "Add" => Binary::Add,
                    "Sub" => Binary::Sub,
                    "Mul" => Binary::Mul,
                    _ => {
                        self.check_real(a)?;
                        Binary::Div
                    }
                };
                return self.binary(op, a, b).map(Term::Value);
            }
            (Term::Value(x), Term::Constant(c)) => (x, c, false),
            (Term::Constant(c), Term::Value(x)) => (x, c, true),
            (Term::Constant(_), Term::Constant(_)) => {
                return Err(
                    self.fail("all its inputs are constant; simplify the model before it is compiled")
                );
            }
        };
        let x = self.widened(x, &constant)?;
        let zero = Tensor::scalar(0.0);
        if matches!((operator, left), ("Add", _) | ("Sub", false)) {
            let sign = if operator == "Add" { 1.0 } else { -1.0 };
            return self.add_constant(x, &constant, sign).map(Term::Value);
        }
        let tensor = simplified(self.tensor(&constant, usize::from(!left))?);
        let (scale, offset) = match (operator, left) {
            ("Mul", _) => (tensor, zero),
            ("Sub", _) => (Tensor::scalar(-1.0), tensor),
            (_, false) => {
                self.check_real(x)?;
                let inverse: Vec<f32> = tensor.values.iter().map(|&v| (1.0 / f64::from(v)) as f32).collect();
                if inverse.iter().any(|v| !v.is_finite()) {
                    return Err(self.fail("it divides by a constant that is 0 or too small"));
                }
                (Tensor { values: inverse, ..tensor }, zero)
            }
            _ => {
                self.check_real(x)?;
                let inverse = self.emit_like("reciprocal", Op::Function(Function::Reciprocal), x)?;
                return self.affine(inverse, tensor, zero).map(Term::Value);
            }
        };
        self.affine(x, scale, offset).map(Term::Value)
    }

    /// x plus or minus a constant. Very low offsets are masks.
    fn add_constant(&mut self, x: ValueId, constant: &Constant, sign: f32) -> Result<ValueId, CompileError> {
        let mut values = constant.to_f32();
        values.iter_mut().for_each(|v| *v *= sign);
        let shape = constant.shape.clone();
        let one = Tensor::scalar(1.0);
        if values.iter().all(|&v| v >= MASKED) || values.iter().any(|&v| v.is_nan() || v == f32::INFINITY) {
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                return Err(self.fail(format!("its constant holds {} at {at}", values[at])));
            }
            return self.affine(x, one, simplified(Tensor { shape, values }));
        }
        let keep: Vec<f32> = values.iter().map(|&v| f32::from(v >= MASKED)).collect();
        let offset = values.iter().map(|&v| if v >= MASKED { v } else { 0.0 }).collect();
        let shifted = self.affine(x, one, simplified(Tensor { shape: shape.clone(), values: offset }))?;
        let op =
            Op::Mask { keep: Tensor { shape: shape.clone(), values: keep }, other: Tensor { shape, values } };
        self.emit_like("mask", op, shifted)
    }

    /// `x * scale + offset`; x itself where that changes nothing.
    pub(super) fn affine(
        &mut self,
        x: ValueId,
        scale: Tensor,
        offset: Tensor,
    ) -> Result<ValueId, CompileError> {
        if scale.uniform() == Some(1.0) && offset.uniform() == Some(0.0) {
            return Ok(x);
        }
        let truth = self.builder.booleans.contains(&x);
        if truth {
            self.check_chosen(&scale)?;
        }
        let inverted = scale.uniform() == Some(-1.0) && offset.uniform() == Some(1.0);
        let id = self.emit_like("affine", Op::Affine { scale, offset }, x)?;
        if truth && inverted {
            self.builder.booleans.insert(id);
        }
        Ok(id)
    }

    pub(super) fn scaled(&mut self, x: ValueId, scale: f32, offset: f32) -> Result<ValueId, CompileError> {
        self.affine(x, Tensor::scalar(scale), Tensor::scalar(offset))
    }

    /// x expanded to the shape it has together with a constant.
    pub(super) fn widened(&mut self, x: ValueId, constant: &Constant) -> Result<ValueId, CompileError> {
        let shape = self.together(self.shape_of(x), &constant.shape)?;
        if constant.is_empty() {
            return Err(self.fail("its constant is empty"));
        }
        self.expanded(x, shape)
    }

    pub(super) fn expanded(&mut self, x: ValueId, shape: Vec<usize>) -> Result<ValueId, CompileError> {
        match self.expand(Term::Value(x), shape)? {
            Term::Value(id) => Ok(id),
            Term::Constant(_) => Err(self.fail("an activation became a constant; report this")),
        }
    }

    pub(super) fn together(&self, a: &[usize], b: &[usize]) -> Result<Vec<usize>, CompileError> {
        moves::broadcast(a, b).ok_or_else(|| {
            self.fail(format!("its inputs have shapes {a:?} and {b:?}, which do not broadcast"))
        })
    }

    pub(super) fn binary(&mut self, op: Binary, a: ValueId, b: ValueId) -> Result<ValueId, CompileError> {
        let kind = self.kind_of(a);
        if kind != self.kind_of(b) {
            return Err(self.fail("it combines integers and reals; cast them to one type before it"));
        }
        let shape = self.together(self.shape_of(a), self.shape_of(b))?;
        let part = match op {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Min => "min",
            Binary::Max => "max",
            Binary::Equal => "equal",
        };
        self.emit(part, Op::Binary(op), vec![a, b], shape, kind)
    }

    pub(super) fn neg(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        let negated = self.scaled(x, -1.0, 0.0)?;
        self.bind_value(negated);
        Ok(())
    }

    pub(super) fn pow(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let power = match (self.term(0)?, self.term(1)?) {
            (Term::Value(x), Term::Constant(exponent)) => {
                let x = self.widened(x, &exponent)?;
                let tensor = self.tensor(&exponent, 1)?;
                let exponent = tensor.uniform().ok_or_else(|| {
                    self.fail("its exponents differ from element to element; one number is compiled")
                })?;
                self.power(x, exponent)?
            }
            (Term::Constant(base), Term::Value(x)) => {
                let x = self.widened(x, &base)?;
                self.check_real(x)?;
                let tensor = self.tensor(&base, 0)?;
                let base = tensor.uniform().filter(|&base| base > 0.0);
                let base = base.ok_or_else(|| self.fail("its base is not one positive number"))?;
                let x = self.scaled(x, f64::from(base).ln() as f32, 0.0)?;
                self.emit_like("exp", Op::Function(Function::Exp), x)?
            }
            _ => {
                return Err(
                    self.fail("both its base and its exponent depend on the input; one must be constant")
                );
            }
        };
        self.bind_value(power);
        Ok(())
    }

    fn power(&mut self, x: ValueId, exponent: f32) -> Result<ValueId, CompileError> {
        if exponent == 1.0 {
            return Ok(x);
        }
        if exponent == 2.0 {
            return self.binary(Binary::Mul, x, x);
        }
        self.check_real(x)?;
        let function = match exponent {
            0.5 => Function::Sqrt,
            -0.5 => Function::ReciprocalSqrt,
            -1.0 => Function::Reciprocal,
            exponent => Function::Pow { exponent },
        };
        self.emit_like("pow", Op::Function(function), x)
    }

    /// `Max` and `Min` of any number of terms; constants are bounds.
    pub(super) fn extreme(&mut self, greatest: bool) -> Result<(), CompileError> {
        let n = self.given();
        let mut found: Option<ValueId> = None;
        let mut bound = if greatest { f32::NEG_INFINITY } else { f32::INFINITY };
        let mut constants = Vec::new();
        for index in 0..n {
            match self.term(index)? {
                Term::Value(x) => {
                    let op = if greatest { Binary::Max } else { Binary::Min };
                    found = Some(match found {
                        None => x,
                        Some(before) => self.binary(op, before, x)?,
                    });
                }
                Term::Constant(constant) => constants.push(constant),
            }
        }
        let mut x = found.ok_or_else(|| self.missing(0))?;
        for constant in constants {
            x = self.widened(x, &constant)?;
            let tensor = Tensor { shape: constant.shape.clone(), values: constant.to_f32() };
            let Some(value) = tensor.uniform() else {
                let tensor = self.tensor(&constant, 1)?;
                x = self.bounded_by(x, tensor, greatest)?;
                continue;
            };
            if value.is_nan() {
                return Err(self.fail("its constant is NaN"));
            }
            bound = if greatest { bound.max(value) } else { bound.min(value) };
        }
        let (low, high) = if greatest { (bound, f32::INFINITY) } else { (f32::NEG_INFINITY, bound) };
        let clipped = self.clipped(x, low, high)?;
        self.bind_value(clipped);
        Ok(())
    }

    /// A bound for each element: the difference from it is clipped.
    fn bounded_by(&mut self, x: ValueId, bound: Tensor, greatest: bool) -> Result<ValueId, CompileError> {
        let negated = Tensor { values: bound.values.iter().map(|v| -v).collect(), ..bound.clone() };
        let (low, high) = if greatest { (0.0, f32::INFINITY) } else { (f32::NEG_INFINITY, 0.0) };
        let difference = self.affine(x, Tensor::scalar(1.0), negated)?;
        let clipped = self.clipped(difference, low, high)?;
        self.affine(clipped, Tensor::scalar(1.0), bound)
    }

    pub(super) fn clipped(&mut self, x: ValueId, low: f32, high: f32) -> Result<ValueId, CompileError> {
        let ordered = low <= high && low < f32::INFINITY && high > f32::NEG_INFINITY;
        if !ordered {
            return Err(self.fail(format!("its bounds {low} and {high} leave no value")));
        }
        if low == f32::NEG_INFINITY && high == f32::INFINITY {
            return Ok(x);
        }
        self.emit_like("clip", Op::Clip { low, high }, x)
    }

    pub(super) fn p_relu(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let x = self.real(0)?;
        let slope = self.constant(1)?;
        if self.together(self.shape_of(x), &slope.shape)? != self.shape_of(x) {
            return Err(self.fail("its slope has more elements than its input"));
        }
        let slope = self.tensor(&slope, 1)?;
        let result = match slope.uniform() {
            Some(alpha) => self.emit_like("slope", Op::Function(Function::LeakyRelu { alpha }), x)?,
            None => {
                let above = self.clipped(x, 0.0, f32::INFINITY)?;
                let below = self.clipped(x, f32::NEG_INFINITY, 0.0)?;
                let below = self.affine(below, slope, Tensor::scalar(0.0))?;
                self.binary(Binary::Add, above, below)?
            }
        };
        self.bind_value(result);
        Ok(())
    }

    pub(super) fn real_cast(&mut self, x: ValueId) -> Result<ValueId, CompileError> {
        if self.kind_of(x) == Kind::Real {
            return Ok(x);
        }
        let shape = self.shape_of(x).to_vec();
        let id = self.emit("real", Op::Cast, vec![x], shape, Kind::Real)?;
        if self.builder.booleans.contains(&x) {
            self.builder.booleans.insert(id);
        }
        Ok(id)
    }
}

/// A constant that is one number everywhere, as that number.
pub(super) fn simplified(tensor: Tensor) -> Tensor {
    match tensor.uniform() {
        Some(value) => Tensor::scalar(value),
        None => tensor,
    }
}
