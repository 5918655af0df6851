//! Moves of a constant, done at once, or of an activation, which become nodes.

use super::Reader;
use crate::build::Term;
use crate::constant::{Constant, ConstantData, element_count};
use crate::error::CompileError;
use crate::graph::{Kind, Op, Tensor, ValueId};
use crate::limits::MAX_ACTIVATION_ELEMENTS;
use crate::moves;

/// Runs one expression over the elements of either type.
macro_rules! each {
    ($data:expr, $values:ident => $moved:expr) => {
        match $data {
            ConstantData::Float($values) => ConstantData::Float($moved),
            ConstantData::Integer($values) => ConstantData::Integer($moved),
        }
    };
}
pub(crate) use each;

impl Reader<'_> {
    pub(super) fn reshape(&mut self, x: Term, shape: Vec<usize>) -> Result<Term, CompileError> {
        match x {
            Term::Constant(c) => Ok(Constant { shape, data: c.data.clone() }.into()),
            Term::Value(id) if self.shape_of(id) == shape => Ok(x),
            Term::Value(id) => self.move_value("reshape", Op::Reshape, id, shape),
        }
    }

    pub(super) fn transpose(&mut self, x: Term, order: Vec<usize>) -> Result<Term, CompileError> {
        let from = self.term_shape(&x);
        let shape: Vec<usize> = order.iter().map(|&d| from[d]).collect();
        if order.iter().enumerate().all(|(i, &d)| i == d) {
            return Ok(x);
        }
        match x {
            Term::Constant(c) => {
                let data = each!(&c.data, v => moves::transpose(v, &from, &order));
                Ok(Constant { shape, data }.into())
            }
            Term::Value(id) => self.move_value("transpose", Op::Transpose { order }, id, shape),
        }
    }

    pub(super) fn slice(
        &mut self,
        part: &str,
        x: &Term,
        starts: Vec<usize>,
        steps: Vec<isize>,
        shape: Vec<usize>,
    ) -> Result<Term, CompileError> {
        let from = self.term_shape(x);
        if shape == from && steps.iter().all(|&step| step == 1) {
            return Ok(x.clone());
        }
        match x {
            Term::Constant(c) => {
                let data = each!(&c.data, v => moves::slice(v, &from, &starts, &steps, &shape));
                Ok(Constant { shape, data }.into())
            }
            Term::Value(id) => self.move_value(part, Op::Slice { starts, steps }, *id, shape),
        }
    }

    /// A slice along one axis.
    pub(super) fn cut(
        &mut self,
        part: &str,
        x: &Term,
        axis: usize,
        range: (usize, isize, usize),
    ) -> Result<Term, CompileError> {
        let (start, step, count) = range;
        let mut shape = self.term_shape(x);
        let (mut starts, mut steps) = (vec![0; shape.len()], vec![1; shape.len()]);
        (starts[axis], steps[axis], shape[axis]) = (start, step, count);
        self.slice(part, x, starts, steps, shape)
    }

    pub(super) fn expand(&mut self, x: Term, shape: Vec<usize>) -> Result<Term, CompileError> {
        let from = self.term_shape(&x);
        if shape == from {
            return Ok(x);
        }
        match x {
            Term::Constant(c) => {
                self.constant_size(&shape)?;
                let data = each!(&c.data, v => moves::expand(v, &from, &shape));
                Ok(Constant { shape, data }.into())
            }
            Term::Value(id) => self.move_value("expand", Op::Expand, id, shape),
        }
    }

    pub(super) fn repeat(&mut self, x: Term, factors: Vec<usize>) -> Result<Term, CompileError> {
        let from = self.term_shape(&x);
        if factors.iter().all(|&factor| factor == 1) {
            return Ok(x);
        }
        let shape: Vec<usize> = from.iter().zip(&factors).map(|(&d, &f)| d.saturating_mul(f)).collect();
        match x {
            Term::Constant(c) => {
                self.constant_size(&shape)?;
                let data = each!(&c.data, v => moves::repeat(v, &from, &factors));
                Ok(Constant { shape, data }.into())
            }
            Term::Value(id) => self.move_value("repeat", Op::Repeat { factors }, id, shape),
        }
    }

    /// Zeros around.
    pub(super) fn pad(
        &mut self,
        x: Term,
        before: Vec<usize>,
        shape: Vec<usize>,
    ) -> Result<Term, CompileError> {
        let from = self.term_shape(&x);
        if shape == from {
            return Ok(x);
        }
        match x {
            Term::Constant(c) => {
                self.constant_size(&shape)?;
                let data = match &c.data {
                    ConstantData::Float(v) => ConstantData::Float(moves::pad(v, &from, &before, &shape, 0.0)),
                    ConstantData::Integer(v) => {
                        ConstantData::Integer(moves::pad(v, &from, &before, &shape, 0))
                    }
                };
                Ok(Constant { shape, data }.into())
            }
            Term::Value(id) => self.move_value("pad", Op::Pad { before }, id, shape),
        }
    }

    /// Joins along an axis; the shapes agree elsewhere. Constants among activations become zeros that an offset
    /// fills.
    pub(super) fn concat(&mut self, terms: Vec<Term>, axis: usize) -> Result<Term, CompileError> {
        let shapes: Vec<Vec<usize>> = terms.iter().map(|term| self.term_shape(term)).collect();
        let mut shape = shapes[0].clone();
        shape[axis] = shapes.iter().map(|shape| shape[axis]).sum();
        if terms.len() == 1 {
            return Ok(terms[0].clone());
        }
        let constants: Vec<_> = terms
            .iter()
            .filter_map(|term| match term {
                Term::Constant(constant) => Some(constant.clone()),
                Term::Value(_) => None,
            })
            .collect();
        if constants.len() == terms.len() {
            self.constant_size(&shape)?;
            let integers: Option<Vec<&[i64]>> = constants.iter().map(|c| c.to_i64()).collect();
            let shapes = constants.iter().map(|c| &c.shape[..]);
            let data = match integers {
                Some(parts) => ConstantData::Integer(moves::concat(
                    &parts.into_iter().zip(shapes).collect::<Vec<_>>(),
                    axis,
                )),
                None => {
                    let parts: Vec<Vec<f32>> = constants.iter().map(|c| c.to_f32()).collect();
                    let parts: Vec<_> = parts.iter().map(|v| &v[..]).zip(shapes).collect();
                    ConstantData::Float(moves::concat(&parts, axis))
                }
            };
            return Ok(Constant { shape, data }.into());
        }
        let mut padded = Vec::new();
        let mut front = 0;
        for (index, term) in terms.iter().enumerate() {
            let Term::Value(_) = term else {
                front += if padded.is_empty() { shapes[index][axis] } else { 0 };
                continue;
            };
            let behind: usize = terms[index + 1..]
                .iter()
                .zip(&shapes[index + 1..])
                .take_while(|(term, _)| matches!(term, Term::Constant(_)))
                .map(|(_, shape)| shape[axis])
                .sum();
            let mut to = shapes[index].clone();
            let mut before = vec![0; to.len()];
            before[axis] = if padded.is_empty() { front } else { 0 };
            to[axis] += before[axis] + behind;
            padded.push(self.pad(term.clone(), before, to)?);
        }
        let ids: Vec<ValueId> = padded
            .iter()
            .filter_map(|term| if let Term::Value(id) = term { Some(*id) } else { None })
            .collect();
        let kind = self.kind_of(ids[0]);
        if ids.iter().any(|&id| self.kind_of(id) != kind) {
            return Err(self.fail("it joins integers and reals; cast them to one type before it"));
        }
        let joined = match ids[..] {
            [only] => only,
            _ => self.emit("concat", Op::Concat { axis }, ids, shape.clone(), kind)?,
        };
        if constants.is_empty() {
            return Ok(Term::Value(joined));
        }
        let mut offsets = Vec::new();
        for (index, term) in terms.iter().enumerate() {
            offsets.push(match term {
                Term::Constant(constant) => self.floats(constant, index)?,
                Term::Value(_) => vec![0.0; shapes[index].iter().product()],
            });
        }
        let parts: Vec<_> = offsets.iter().map(|v| &v[..]).zip(shapes.iter().map(|s| &s[..])).collect();
        let offset = Tensor { values: moves::concat(&parts, axis), shape };
        let op = Op::Affine { scale: Tensor::scalar(1.0), offset };
        Ok(Term::Value(self.emit_like("constants", op, joined)?))
    }

    fn move_value(
        &mut self,
        part: &str,
        op: Op,
        x: ValueId,
        shape: Vec<usize>,
    ) -> Result<Term, CompileError> {
        let kind: Kind = self.kind_of(x);
        let id = self.emit(part, op, vec![x], shape, kind)?;
        if self.builder.booleans.contains(&x) {
            self.builder.booleans.insert(id);
        }
        Ok(Term::Value(id))
    }

    /// Refuses a folded constant past the limit.
    pub(crate) fn constant_size(&self, shape: &[usize]) -> Result<usize, CompileError> {
        element_count(shape, MAX_ACTIVATION_ELEMENTS).ok_or_else(|| {
            self.fail(format!("the constant {shape:?} it makes is too large; use a smaller one"))
        })
    }
}
