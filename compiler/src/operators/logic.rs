//! `Where`, `Equal` and the operators on truth values.

use super::Reader;
use super::arithmetic::simplified;
use crate::build::Term;
use crate::constant::Constant;
use crate::error::CompileError;
use crate::graph::{Binary, Kind, Op, Tensor, ValueId};

/// Numbers chosen by a condition that depends on the input must not drown those they stand beside.
const MOST_CHOSEN: f32 = 1e6;

impl Reader<'_> {
    pub(super) fn select(&mut self) -> Result<(), CompileError> {
        self.arity(3, 3)?;
        let (condition, a, b) = (self.term(0)?, self.term(1)?, self.term(2)?);
        let shape = self.together(&self.term_shape(&a), &self.term_shape(&b))?;
        let shape = self.together(&shape, &self.term_shape(&condition))?;
        let chosen = match condition {
            Term::Constant(condition) => self.select_fixed(&condition, a, b, shape)?,
            Term::Value(condition) => self.select_by(condition, a, b, shape)?,
        };
        self.bind_value(chosen);
        Ok(())
    }

    fn select_fixed(
        &mut self,
        condition: &Constant,
        a: Term,
        b: Term,
        shape: Vec<usize>,
    ) -> Result<ValueId, CompileError> {
        let is = |v: f32| f32::from(v != 0.0);
        let (keep, drop): (Vec<f32>, Vec<f32>) =
            condition.to_f32().iter().map(|&v| (is(v), 1.0 - is(v))).unzip();
        let keep = Tensor { shape: condition.shape.clone(), values: keep };
        let drop = Tensor { shape: condition.shape.clone(), values: drop };
        let other = |constant: &Constant| {
            simplified(Tensor { shape: constant.shape.clone(), values: constant.to_f32() })
        };
        match (a, b) {
            (Term::Value(a), Term::Constant(b)) => self.masked(a, keep, other(&b), shape),
            (Term::Constant(a), Term::Value(b)) => self.masked(b, drop, other(&a), shape),
            (Term::Value(a), Term::Value(_)) if keep.uniform() == Some(1.0) => self.expanded(a, shape),
            (Term::Value(_), Term::Value(b)) if drop.uniform() == Some(1.0) => self.expanded(b, shape),
            (Term::Value(a), Term::Value(b)) => {
                let a = self.masked(a, keep, Tensor::scalar(0.0), shape.clone())?;
                let b = self.masked(b, drop, Tensor::scalar(0.0), shape)?;
                self.binary(Binary::Add, a, b)
            }
            _ => Err(self.missing(1)),
        }
    }

    fn masked(
        &mut self,
        x: ValueId,
        keep: Tensor,
        other: Tensor,
        shape: Vec<usize>,
    ) -> Result<ValueId, CompileError> {
        if other.values.iter().any(|v| v.is_nan() || *v == f32::INFINITY) {
            return Err(self.fail("it chooses a constant that is NaN or infinite"));
        }
        let x = self.expanded(x, shape)?;
        if keep.uniform() == Some(1.0) {
            return Ok(x);
        }
        self.emit_like("mask", Op::Mask { keep, other }, x)
    }

    fn select_by(
        &mut self,
        condition: ValueId,
        a: Term,
        b: Term,
        shape: Vec<usize>,
    ) -> Result<ValueId, CompileError> {
        if !self.builder.booleans.contains(&condition) {
            return Err(self.fail("its condition is not of truth values"));
        }
        if let (Term::Value(a), Term::Value(b)) = (&a, &b) {
            let condition = self.expanded(condition, shape.clone())?;
            let (a, b) = (self.expanded(*a, shape.clone())?, self.expanded(*b, shape.clone())?);
            let kind = self.kind_of(a);
            return self.emit("select", Op::Select, vec![condition, a, b], shape, kind);
        }
        let integer = |term: &Term| match term {
            Term::Value(x) => self.kind_of(*x) == Kind::Integer,
            Term::Constant(constant) => constant.is_integer(),
        };
        let keep = if integer(&a) && integer(&b) { condition } else { self.real_cast(condition)? };
        let drop = self.scaled(keep, -1.0, 1.0)?;
        let a = self.times(keep, a)?;
        let b = self.times(drop, b)?;
        let sum = self.binary(Binary::Add, a, b)?;
        self.expanded(sum, shape)
    }

    /// A truth value times a term.
    fn times(&mut self, truth: ValueId, term: Term) -> Result<ValueId, CompileError> {
        match term {
            Term::Value(x) => self.binary(Binary::Mul, truth, x),
            Term::Constant(constant) => {
                let scale = Tensor { shape: constant.shape.clone(), values: constant.to_f32() };
                self.check_chosen(&scale)?;
                let scale = simplified(scale);
                let truth = self.widened(truth, &constant)?;
                self.affine(truth, scale, Tensor::scalar(0.0))
            }
        }
    }

    /// Refuses numbers beside which a condition's other choice would vanish.
    pub(super) fn check_chosen(&self, chosen: &Tensor) -> Result<(), CompileError> {
        if chosen.values.iter().all(|v| v.abs() <= MOST_CHOSEN) {
            return Ok(());
        }
        Err(self.fail(format!(
            "it chooses a number beyond {MOST_CHOSEN} by a condition that depends on the input; export the model \
             without such a mask, or fill the mask's input"
        )))
    }

    pub(super) fn equal(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let equal = match (self.term(0)?, self.term(1)?) {
            (Term::Value(a), Term::Value(b)) => {
                self.check_integers(a)?;
                self.binary(Binary::Equal, a, b)?
            }
            (Term::Value(x), Term::Constant(c)) | (Term::Constant(c), Term::Value(x)) => {
                self.check_integers(x)?;
                self.equal_constant(x, &c)?
            }
            _ => return Err(self.missing(0)),
        };
        self.builder.booleans.insert(equal);
        self.bind_value(equal);
        Ok(())
    }

    fn check_integers(&self, x: ValueId) -> Result<(), CompileError> {
        if self.kind_of(x) == Kind::Integer {
            return Ok(());
        }
        Err(self.fail("it compares real numbers, which are rounded here; only integers are compiled"))
    }

    /// Against 0, 1, 2, … along a dimension it is a one-hot lookup; against one number, a difference clipped.
    fn equal_constant(&mut self, x: ValueId, constant: &Constant) -> Result<ValueId, CompileError> {
        if let Some(&value) = constant.to_i64().and_then(|v| v.first())
            && constant.to_i64().is_some_and(|v| v.iter().all(|&other| other == value))
        {
            let x = self.widened(x, constant)?;
            let above = self.scaled(x, 1.0, -(value as f32))?;
            let below = self.scaled(x, -1.0, value as f32)?;
            let distance = self.binary(Binary::Max, above, below)?;
            let far = self.clipped(distance, f32::NEG_INFINITY, 1.0)?;
            return self.scaled(far, -1.0, 1.0);
        }
        let shape = self.together(self.shape_of(x), &constant.shape)?;
        let refuse = |reader: &Self| {
            reader.fail(
                "it compares with a constant that is neither one number nor 0, 1, 2, … along one dimension",
            )
        };
        let axis = constant.counting_axis().ok_or_else(|| refuse(self))?;
        let depth = constant.shape[axis];
        let axis = axis + shape.len() - constant.shape.len();
        // The indices before they were repeated along the new dimension.
        let mut indices = x;
        while let Some(node) = self.builder.makers[indices.0].map(|maker| &self.builder.nodes[maker])
            && node.op == Op::Expand
        {
            indices = node.inputs[0];
        }
        let mut from = vec![1; shape.len().saturating_sub(self.shape_of(indices).len())];
        from.extend(self.shape_of(indices));
        let fits = from.len() == shape.len()
            && (0..shape.len()).all(|i| if i == axis { from[i] == 1 } else { from[i] == shape[i] });
        if !fits {
            return Err(refuse(self));
        }
        from.remove(axis);
        let Term::Value(indices) = self.reshape(Term::Value(indices), from)? else {
            return Err(refuse(self));
        };
        let id = self.one_hot_lookup(indices, depth, [0.0, 1.0], Kind::Integer)?;
        let mut order: Vec<usize> = (0..shape.len() - 1).collect();
        order.insert(axis, shape.len() - 1);
        match self.transpose(Term::Value(id), order)? {
            Term::Value(id) => Ok(id),
            Term::Constant(_) => Err(refuse(self)),
        }
    }

    pub(super) fn not(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        self.check_truth(x)?;
        let not = self.scaled(x, -1.0, 1.0)?;
        self.builder.booleans.insert(not);
        self.bind_value(not);
        Ok(())
    }

    pub(super) fn and_or(&mut self, operator: &str) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let (a, b) = (self.term(0)?, self.term(1)?);
        let and = operator == "And";
        let result = match (a, b) {
            (Term::Value(a), Term::Value(b)) => {
                self.check_truth(a)?;
                self.check_truth(b)?;
                self.binary(if and { Binary::Mul } else { Binary::Max }, a, b)?
            }
            (Term::Value(x), Term::Constant(c)) | (Term::Constant(c), Term::Value(x)) => {
                self.check_truth(x)?;
                let x = self.widened(x, &c)?;
                let truth = Tensor { shape: c.shape.clone(), values: c.to_f32() };
                if and {
                    self.affine(x, simplified(truth), Tensor::scalar(0.0))?
                } else {
                    // x or c is x (1 - c) + c.
                    let scale =
                        Tensor { values: truth.values.iter().map(|c| 1.0 - c).collect(), ..truth.clone() };
                    self.affine(x, simplified(scale), simplified(truth))?
                }
            }
            _ => return Err(self.missing(0)),
        };
        self.builder.booleans.insert(result);
        self.bind_value(result);
        Ok(())
    }

    fn check_truth(&self, x: ValueId) -> Result<(), CompileError> {
        if self.builder.booleans.contains(&x) {
            return Ok(());
        }
        Err(self.fail("its input is not of truth values"))
    }
}
