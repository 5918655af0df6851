//! Operators that compute nothing: `Reshape`, `Flatten`, `Identity`, `Dropout` and `Constant`.

use super::{Read, Reader};
use crate::attributes::Attribute;
use crate::constant::{Constant, ConstantData};
use crate::error::CompileError;
use crate::graph::Op;

impl<'a> Reader<'a> {
    pub(super) fn reshape(&mut self) -> Result<Read, CompileError> {
        self.arity(2, 2)?;
        let zero_is_zero = self.node.attributes.int("allowzero", 0)? != 0;
        let target = self.constant(1)?;
        let target = target
            .to_i64()
            .filter(|_| target.shape.len() == 1)
            .ok_or_else(|| self.fail("its shape is not a vector of integers"))?;
        if zero_is_zero && target.contains(&0) {
            return Err(self.node.attributes.refuse("allowzero", "an empty tensor is not compiled"));
        }
        if let Some(constant) = self.constant_input() {
            let shape = self.reshaped(&constant.shape, &target)?;
            return Ok(Read::Constant(Constant { shape, data: constant.data.clone() }));
        }
        let x = self.activation(0)?;
        let shape = self.reshaped(self.shape_of(x), &target)?;
        Ok(Read::Node { op: Op::Reshape, inputs: vec![x], shape })
    }

    /// The target shape with 0 (keep) and -1 (infer) worked out.
    fn reshaped(&self, from: &[usize], target: &[i64]) -> Result<Vec<usize>, CompileError> {
        let fail = || self.fail(format!("shape {from:?} cannot become {target:?}"));
        let mut shape = Vec::with_capacity(target.len());
        let mut inferred = None;
        for (i, &d) in target.iter().enumerate() {
            shape.push(match d {
                0 => *from.get(i).ok_or_else(fail)?,
                -1 if inferred.is_none() => {
                    inferred = Some(i);
                    1
                }
                _ => usize::try_from(d).map_err(|_| fail())?,
            });
        }
        let total: usize = from.iter().product();
        let rest = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).ok_or_else(fail)?;
        if let Some(i) = inferred {
            shape[i] = total.checked_div(rest).ok_or_else(fail)?;
        }
        let whole = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if whole == Some(total) { Ok(shape) } else { Err(fail()) }
    }

    pub(super) fn flatten(&mut self) -> Result<Read, CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        let from = self.shape_of(x);
        let rank = from.len();
        let axis = self.node.attributes.int("axis", 1)?;
        let split = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        let split = split
            .and_then(|a| usize::try_from(a).ok())
            .filter(|&a| a <= rank)
            .ok_or_else(|| self.node.attributes.refuse("axis", format!("it is {axis}")))?;
        let from = self.shape_of(x);
        let shape = vec![from[..split].iter().product(), from[split..].iter().product()];
        Ok(Read::Node { op: Op::Reshape, inputs: vec![x], shape })
    }

    pub(super) fn identity(&mut self) -> Result<Read, CompileError> {
        self.arity(1, 1)?;
        if let Some(constant) = self.constant_input() {
            return Ok(Read::Constant(constant.clone()));
        }
        Ok(self.same_shape(Op::Reshape, self.activation(0)?))
    }

    pub(super) fn dropout(&mut self) -> Result<Read, CompileError> {
        self.arity(1, 3)?;
        // The ratio and the seed matter while training only.
        let _ratio = self.node.attributes.float("ratio", 0.5)?;
        let _seed = self.node.attributes.take("seed");
        self.optional_constant(1)?;
        if let Some(training) = self.optional_constant(2)?
            && training.to_i64().is_none_or(|v| v.iter().any(|&x| x != 0))
        {
            return Err(self.fail("its training_mode is not false; export the model for inference"));
        }
        Ok(self.same_shape(Op::Reshape, self.activation(0)?))
    }

    pub(super) fn constant_node(&mut self) -> Result<Read, CompileError> {
        self.arity(0, 0)?;
        let attributes = &mut self.node.attributes;
        let vector = |n: usize, data| Some(Constant { shape: vec![n], data });
        let scalar = |data| Some(Constant { shape: Vec::new(), data });
        let mut found = None;
        for name in ["value", "value_float", "value_int", "value_floats", "value_ints"] {
            let value = match attributes.take(name) {
                None => continue,
                Some(Attribute::Tensor(tensor)) => Some(tensor),
                Some(Attribute::Float(v)) => scalar(ConstantData::F32(vec![v])),
                Some(Attribute::Int(v)) => scalar(ConstantData::I64(vec![v])),
                Some(Attribute::Floats(v)) => vector(v.len(), ConstantData::F32(v)),
                Some(Attribute::Ints(v)) => vector(v.len(), ConstantData::I64(v)),
                Some(Attribute::Text(_) | Attribute::Other(_)) => None,
            };
            if value.is_none() || found.is_some() {
                return Err(attributes.refuse(name, "one tensor, number or list of numbers is"));
            }
            found = value;
        }
        attributes.finish()?;
        found.map(Read::Constant).ok_or_else(|| self.fail("it has no value"))
    }

    fn constant_input(&self) -> Option<&'a Constant> {
        self.input_name(0).and_then(|name| self.constants.get(name))
    }
}
