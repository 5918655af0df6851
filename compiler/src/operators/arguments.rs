//! A node's inputs: how many, of what kind, and what constants hold.

use std::rc::Rc;

use super::Reader;
use crate::build::Term;
use crate::constant::Constant;
use crate::error::{CompileError, quote};
use crate::graph::{Kind, Tensor, ValueId};

impl Reader<'_> {
    /// Number of inputs; empty names at the end do not count.
    pub(super) fn given(&self) -> usize {
        self.node.inputs.iter().rposition(|i| !i.is_empty()).map_or(0, |last| last + 1)
    }

    /// Refuses a node with another number of inputs.
    pub(crate) fn arity(&self, least: usize, most: usize) -> Result<(), CompileError> {
        let n = self.given();
        if (least..=most).contains(&n) {
            return Ok(());
        }
        Err(self.fail(format!("it has {n} inputs, {least} to {most} are expected")))
    }

    /// An input that may be left out.
    pub(crate) fn optional(&self, index: usize) -> Result<Option<Term>, CompileError> {
        let Some(name) = self.node.inputs.get(index).filter(|name| !name.is_empty()) else { return Ok(None) };
        match self.builder.names.get(name) {
            Some(term) => Ok(Some(term.clone())),
            None => Err(self.fail(format!(
                "its input {} is an output of another node that is not compiled; export the model without it",
                quote(name)
            ))),
        }
    }

    pub(crate) fn term(&self, index: usize) -> Result<Term, CompileError> {
        self.optional(index)?.ok_or_else(|| self.missing(index))
    }

    pub(super) fn all_constant(&self) -> Result<bool, CompileError> {
        for index in 0..self.node.inputs.len() {
            if matches!(self.optional(index)?, Some(Term::Value(_))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An input that must be an activation.
    pub(super) fn activation(&self, index: usize) -> Result<ValueId, CompileError> {
        match self.term(index)? {
            Term::Value(id) => Ok(id),
            Term::Constant(_) => Err(self.fail(format!(
                "its input {} is constant, where a value that depends on the model's input is expected",
                quote(&self.node.inputs[index])
            ))),
        }
    }

    /// An input that must be an activation of real numbers.
    pub(super) fn real(&self, index: usize) -> Result<ValueId, CompileError> {
        let x = self.activation(index)?;
        self.check_real(x)?;
        Ok(x)
    }

    pub(super) fn check_real(&self, x: ValueId) -> Result<(), CompileError> {
        if self.kind_of(x) == Kind::Real {
            return Ok(());
        }
        Err(self.fail("it computes with integers that depend on the input; cast them to float before it"))
    }

    pub(super) fn shape_of(&self, id: ValueId) -> &[usize] {
        &self.builder.values[id.0].shape
    }

    pub(super) fn kind_of(&self, id: ValueId) -> Kind {
        self.builder.values[id.0].kind
    }

    pub(super) fn term_shape(&self, term: &Term) -> Vec<usize> {
        match term {
            Term::Constant(constant) => constant.shape.clone(),
            Term::Value(id) => self.shape_of(*id).to_vec(),
        }
    }

    /// An input that may be left out and must be constant.
    pub(super) fn optional_constant(&self, index: usize) -> Result<Option<Rc<Constant>>, CompileError> {
        match self.optional(index)? {
            None => Ok(None),
            Some(Term::Constant(constant)) => Ok(Some(constant)),
            Some(Term::Value(_)) => Err(self.fail(format!(
                "its input {} depends on the model's input, where a constant is expected",
                quote(&self.node.inputs[index])
            ))),
        }
    }

    /// An input that must be constant.
    pub(crate) fn constant(&self, index: usize) -> Result<Rc<Constant>, CompileError> {
        self.optional_constant(index)?.ok_or_else(|| self.missing(index))
    }

    /// The elements of a constant as floats, which must be finite.
    pub(super) fn floats(&self, constant: &Constant, index: usize) -> Result<Vec<f32>, CompileError> {
        let values = constant.to_f32();
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(at) => Err(self.fail(format!("its input {index} holds {} at {at}", values[at]))),
        }
    }

    pub(super) fn tensor(&self, constant: &Constant, index: usize) -> Result<Tensor, CompileError> {
        Ok(Tensor { shape: constant.shape.clone(), values: self.floats(constant, index)? })
    }

    /// A constant vector with one finite float per channel.
    pub(super) fn per_channel(&self, index: usize, channels: usize) -> Result<Vec<f32>, CompileError> {
        let constant = self.constant(index)?;
        if constant.shape != [channels] {
            return Err(self.fail(format!(
                "its input {index} has shape {:?}, [{channels}] is expected",
                constant.shape
            )));
        }
        self.floats(&constant, index)
    }

    /// A list of integers given as an attribute (old) or as a constant input (new).
    pub(super) fn listed(&mut self, name: &str, index: usize) -> Result<Option<Vec<i64>>, CompileError> {
        let attribute = self.node.attributes.ints(name)?;
        let Some(constant) = self.optional_constant(index)? else { return Ok(attribute) };
        match constant.to_i64() {
            Some(values) if attribute.is_none() && constant.shape.len() <= 1 => Ok(Some(values.to_vec())),
            _ => Err(self.fail(format!("its {name} are not one list of integers given once"))),
        }
    }

    /// An axis that may count from the end, of a shape with so many dimensions.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Result<usize, CompileError> {
        let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        from_front.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank).ok_or_else(|| {
            self.node.attributes.refuse("axis", format!("it is {axis}, and there are {rank} dimensions"))
        })
    }

    pub(super) fn missing(&self, index: usize) -> CompileError {
        self.fail(format!("its input {index} is missing"))
    }
}
