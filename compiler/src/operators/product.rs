//! `Gemm` and `MatMul`: products with constant weights and of two activations.

use super::Reader;
use crate::build::Term;
use crate::constant::Constant;
use crate::error::CompileError;
use crate::graph::{Kind, Linear, Op, ValueId};
use crate::limits::MAX_PIECES;
use crate::moves;

impl Reader<'_> {
    pub(super) fn gemm(&mut self) -> Result<(), CompileError> {
        self.arity(2, 3)?;
        let alpha = self.factor("alpha")?;
        let beta = self.factor("beta")?;
        let mut sides = Vec::new();
        for (index, name) in ["transA", "transB"].into_iter().enumerate() {
            let turned = self.node.attributes.int(name, 0)?;
            let term = self.term(index)?;
            let rank = self.term_shape(&term).len();
            if rank != 2 {
                return Err(self.fail(format!(
                    "its input {index} has {rank} dimensions, 2 are expected (put a Flatten before it)"
                )));
            }
            sides.push(match turned {
                0 => term,
                1 => self.transpose(term, vec![1, 0])?,
                other => {
                    return Err(self
                        .node
                        .attributes
                        .refuse(name, format!("it is {other}, only 0 and 1 are compiled")));
                }
            });
        }
        let (Some(b), Some(a)) = (sides.pop(), sides.pop()) else { return Err(self.missing(0)) };
        let addend = self.optional(2)?.filter(|_| beta != 0.0);
        if let (Term::Value(x), Term::Constant(weights), Some(Term::Constant(c))) = (&a, &b, &addend)
            && let Some(&outputs) = weights.shape.last()
            && matches!(c.shape[..], [] | [1] | [1, 1])
                | (c.shape.last() == Some(&outputs) && c.len() == outputs)
        {
            let stored = self.floats(c, 2)?;
            let bias: Vec<f32> = (0..outputs).map(|n| stored[n % stored.len()] * beta).collect();
            self.finite(&bias, "beta")?;
            let id = self.linear(*x, weights, alpha, Some(bias))?;
            self.bind_value(id);
            return Ok(());
        }
        let mut y = self.product(a, b, alpha)?;
        if let Some(addend) = addend {
            let addend = match addend {
                Term::Constant(c) => {
                    let values: Vec<f32> = self.floats(&c, 2)?.iter().map(|v| v * beta).collect();
                    self.finite(&values, "beta")?;
                    let data = crate::constant::ConstantData::Float(values);
                    Constant { shape: c.shape.clone(), data }.into()
                }
                Term::Value(c) => Term::Value(self.scaled(c, beta, 0.0)?),
            };
            let shape = self.shape_of(y).to_vec();
            if self.together(&shape, &self.term_shape(&addend))? != shape {
                return Err(self.fail("what it adds is larger than its product"));
            }
            if let Term::Value(sum) = self.combine("Add", Term::Value(y), addend)? {
                y = sum;
            }
        }
        self.bind_value(y);
        Ok(())
    }

    pub(super) fn mat_mul(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let (a, b) = (self.term(0)?, self.term(1)?);
        let id = self.product(a, b, 1.0)?;
        self.bind_value(id);
        Ok(())
    }

    fn factor(&mut self, name: &str) -> Result<f32, CompileError> {
        let value = self.node.attributes.float(name, 1.0)?;
        if value.is_finite() {
            return Ok(value);
        }
        Err(self.node.attributes.refuse(name, format!("it is {value}")))
    }

    /// The matrix product of two terms times `alpha`.
    pub(super) fn product(&mut self, a: Term, b: Term, alpha: f32) -> Result<ValueId, CompileError> {
        match (a, b) {
            (Term::Value(x), Term::Constant(weights)) => self.linear(x, &weights, alpha, None),
            (Term::Constant(weights), Term::Value(x)) => self.linear_left(&weights, x, alpha),
            (Term::Value(a), Term::Value(b)) => {
                let y = self.mat_mul_values(a, b)?;
                self.scaled(y, alpha, 0.0)
            }
            _ => Err(self.missing(0)),
        }
    }

    /// `[…, inputs]` by `[inputs, outputs]`, or by `[inputs]`.
    pub(super) fn linear(
        &mut self,
        x: ValueId,
        constant: &Constant,
        alpha: f32,
        bias: Option<Vec<f32>>,
    ) -> Result<ValueId, CompileError> {
        self.check_real(x)?;
        let shape = self.shape_of(x).to_vec();
        let Some((&inputs, lead)) = shape.split_last() else {
            return Err(self.fail("its input is a scalar, which is multiplied, not matrix-multiplied"));
        };
        let (outputs, vector, front) = match constant.shape[..] {
            [k] => (1, k == inputs, &[][..]),
            [ref front @ .., k, n] if front.iter().all(|&d| d == 1) => (n, k == inputs, front),
            _ if bias.is_none() => return self.linear_each(x, constant, alpha),
            _ => return Err(self.fail(format!("its weights have shape {:?}", constant.shape))),
        };
        if !vector || outputs == 0 || inputs == 0 {
            return Err(self.fail(format!(
                "its weights have shape {:?}, which do not fit {inputs} inputs",
                constant.shape
            )));
        }
        let stored = self.floats(constant, 1)?;
        let mut weights = moves::transpose(&stored, &[inputs, outputs], &[1, 0]);
        weights.iter_mut().for_each(|w| *w *= alpha);
        self.finite(&weights, "alpha")?;
        let made = [lead, &[outputs]].concat();
        let op = Op::Linear(Linear { weights, bias, outputs });
        let id = self.emit("linear", op, vec![x], made.clone(), Kind::Real)?;
        let wanted = match constant.shape.len() {
            1 => lead.to_vec(),
            _ => {
                let missing = front.len().saturating_sub(lead.len().saturating_sub(1));
                if lead.is_empty() {
                    [front, &[outputs]].concat()
                } else {
                    [&vec![1; missing][..], &made].concat()
                }
            }
        };
        self.as_value(id, wanted)
    }

    /// Constant weights on the left, as the transpose of a product with weights on the right.
    fn linear_left(&mut self, constant: &Constant, x: ValueId, alpha: f32) -> Result<ValueId, CompileError> {
        let (rank, of_constant) = (self.shape_of(x).len(), constant.shape.len());
        if rank == 0 || of_constant == 0 {
            return Err(self.fail("it has a scalar input"));
        }
        let swapped = |rank: usize| {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(rank - 2, rank - 1);
            order
        };
        let x = match rank {
            1 => Term::Value(x),
            _ => self.transpose(Term::Value(x), swapped(rank))?,
        };
        let constant = match of_constant {
            1 => Term::from(constant.clone()),
            _ => self.transpose(constant.clone().into(), swapped(of_constant))?,
        };
        let (Term::Value(x), Term::Constant(weights)) = (x, constant) else { return Err(self.missing(0)) };
        let y = self.linear(x, &weights, alpha, None)?;
        if rank == 1 || of_constant == 1 {
            return Ok(y);
        }
        let order = swapped(self.shape_of(y).len());
        match self.transpose(Term::Value(y), order)? {
            Term::Value(id) => Ok(id),
            Term::Constant(_) => Err(self.missing(1)),
        }
    }

    /// A matrix of weights for each part of the batch.
    fn linear_each(&mut self, x: ValueId, constant: &Constant, alpha: f32) -> Result<ValueId, CompileError> {
        let from = self.shape_of(x).to_vec();
        let (&[ref front @ .., k, n], &[ref lead @ .., m, inputs]) = (&constant.shape[..], &from[..]) else {
            return Err(self.fail(format!("its inputs have shapes {from:?} and {:?}", constant.shape)));
        };
        let batch = self.together(lead, front)?;
        let pieces: usize = batch.iter().product();
        if pieces > MAX_PIECES || inputs != k || constant.is_empty() {
            return Err(self.fail(format!(
                "its weights have shape {:?}, which do not fit {from:?} or are more than {MAX_PIECES} matrices",
                constant.shape
            )));
        }
        let x = self.expanded(x, [&batch[..], &[m, k]].concat())?;
        let x = Term::Value(self.as_value(x, vec![pieces, m, k])?);
        let wide = [&batch[..], &[k, n]].concat();
        self.constant_size(&wide)?;
        let stored = moves::expand(&self.floats(constant, 1)?, &constant.shape, &wide);
        let mut parts = Vec::new();
        for (index, matrix) in stored.chunks_exact((k * n).max(1)).enumerate() {
            let data = crate::constant::ConstantData::Float(matrix.to_vec());
            let Term::Value(piece) = self.cut(&format!("piece{index}"), &x, 0, (index, 1, 1))? else {
                return Err(self.missing(0));
            };
            let weights = Constant { shape: vec![k, n], data };
            parts.push(Term::Value(self.linear(piece, &weights, alpha, None)?));
        }
        let Term::Value(joined) = self.concat(parts, 0)? else { return Err(self.missing(0)) };
        self.as_value(joined, [&batch[..], &[m, n]].concat())
    }

    fn mat_mul_values(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, CompileError> {
        self.check_real(a)?;
        self.check_real(b)?;
        let (mut from_a, mut from_b) = (self.shape_of(a).to_vec(), self.shape_of(b).to_vec());
        if from_a.is_empty() || from_b.is_empty() {
            return Err(self.fail("it has a scalar input"));
        }
        let (row, column) = (from_a.len() == 1, from_b.len() == 1);
        if row {
            from_a.insert(0, 1);
        }
        if column {
            from_b.push(1);
        }
        let a = self.as_value(a, from_a.clone())?;
        let b = self.as_value(b, from_b.clone())?;
        let (lead_a, [m, k]) = from_a.split_at(from_a.len() - 2) else { return Err(self.missing(0)) };
        let (lead_b, [k_b, n]) = from_b.split_at(from_b.len() - 2) else { return Err(self.missing(1)) };
        if k != k_b {
            return Err(
                self.fail(format!("its inputs have shapes {from_a:?} and {from_b:?}, which do not multiply"))
            );
        }
        let mut shape = self.together(lead_a, lead_b)?;
        let lead = shape.clone();
        shape.extend([*m, *n]);
        let id = self.emit("matmul", Op::MatMul, vec![a, b], shape, Kind::Real)?;
        let mut wanted = lead;
        if !row {
            wanted.push(*m);
        }
        if !column {
            wanted.push(*n);
        }
        self.as_value(id, wanted)
    }

    /// An activation under another shape.
    pub(super) fn as_value(&mut self, x: ValueId, shape: Vec<usize>) -> Result<ValueId, CompileError> {
        match self.reshape(Term::Value(x), shape)? {
            Term::Value(id) => Ok(id),
            Term::Constant(_) => Err(self.missing(0)),
        }
    }

    fn finite(&self, values: &[f32], factor: &str) -> Result<(), CompileError> {
        if values.iter().all(|v| v.is_finite()) {
            return Ok(());
        }
        Err(self.node.attributes.refuse(factor, "the product with it is not finite"))
    }
}
