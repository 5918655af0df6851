//! `BatchNormalization`, `Relu`, `Clip`, `Add` and the final softmax.

use super::{Read, Reader};
use crate::constant::Constant;
use crate::error::CompileError;
use crate::graph::{Affine, Op, ValueId};

impl Reader<'_> {
    pub(super) fn batch_normalization(&mut self) -> Result<Read, CompileError> {
        self.arity(5, 5)?;
        self.node.attributes.only("training_mode", 0, 0)?;
        self.node.attributes.only("spatial", 1, 1)?;
        // Used while training only.
        let _momentum = self.node.attributes.float("momentum", 0.9)?;
        let epsilon = f64::from(self.node.attributes.float("epsilon", 1e-5)?);
        let x = self.activation(0)?;
        let channels = self.shape_of(x)[1];
        let gamma = self.per_channel(1, channels)?;
        let beta = self.per_channel(2, channels)?;
        let mean = self.per_channel(3, channels)?;
        let variance = self.per_channel(4, channels)?;
        let mut affine = Affine { scale: Vec::new(), offset: Vec::new() };
        for c in 0..channels {
            let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + epsilon).sqrt();
            let offset = f64::from(beta[c]) - f64::from(mean[c]) * scale;
            if !scale.is_finite() || !offset.is_finite() {
                return Err(self.fail(format!(
                    "channel {c} has variance {} and epsilon {epsilon}, which give no finite factor",
                    variance[c]
                )));
            }
            affine.scale.push(scale);
            affine.offset.push(offset);
        }
        Ok(self.same_shape(Op::Affine(affine), x))
    }

    pub(super) fn relu(&mut self) -> Result<Read, CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        Ok(self.same_shape(Op::Clip { low: 0.0, high: f32::INFINITY }, x))
    }

    pub(super) fn clip(&mut self) -> Result<Read, CompileError> {
        self.arity(1, 3)?;
        let x = self.activation(0)?;
        let low = self.bound("min", 1)?.unwrap_or(f32::NEG_INFINITY);
        let high = self.bound("max", 2)?.unwrap_or(f32::INFINITY);
        let ordered = low <= high && low < f32::INFINITY && high > f32::NEG_INFINITY;
        if !ordered {
            return Err(self.fail(format!("its bounds {low} and {high} leave no value")));
        }
        Ok(self.same_shape(Op::Clip { low, high }, x))
    }

    /// A bound given as an attribute (old) or as a constant scalar input.
    fn bound(&mut self, name: &str, index: usize) -> Result<Option<f32>, CompileError> {
        let attribute = self.node.attributes.optional_float(name)?;
        let Some(constant) = self.optional_constant(index)? else { return Ok(attribute) };
        match constant.to_f32().as_deref() {
            Some(&[value]) if attribute.is_none() => Ok(Some(value)),
            _ => Err(self.fail(format!("its {name} is not one float given once"))),
        }
    }

    pub(super) fn add(&mut self) -> Result<Read, CompileError> {
        self.arity(2, 2)?;
        let constant =
            |index: usize| self.input_name(index).filter(|name| self.constants.contains_key(*name)).is_some();
        match (constant(0), constant(1)) {
            (false, true) => self.add_constant(0, 1),
            (true, false) => self.add_constant(1, 0),
            _ => {
                let (a, b) = (self.activation(0)?, self.activation(1)?);
                if self.shape_of(a) != self.shape_of(b) {
                    return Err(self.fail(format!(
                        "its inputs have shapes {:?} and {:?}; equal shapes are compiled",
                        self.shape_of(a),
                        self.shape_of(b)
                    )));
                }
                let shape = self.shape_of(a).to_vec();
                Ok(Read::Node { op: Op::Add, inputs: vec![a, b], shape })
            }
        }
    }

    fn add_constant(&self, x: usize, constant: usize) -> Result<Read, CompileError> {
        let x = self.activation(x)?;
        let tensor = self.constant(constant)?;
        let channels = self.shape_of(x)[1];
        let values = self.floats(tensor, constant)?;
        if !broadcasts_per_channel(tensor, self.shape_of(x)) {
            return Err(self.fail(format!(
                "its constant of shape {:?} is not one value per channel of {:?}",
                tensor.shape,
                self.shape_of(x)
            )));
        }
        let offset = (0..channels).map(|c| f64::from(values[c % values.len()])).collect();
        Ok(self.same_shape(Op::Affine(Affine { scale: vec![1.0; channels], offset }), x))
    }

    pub(super) fn softmax(&mut self, log: bool) -> Result<Read, CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        let rank = self.shape_of(x).len() as i64;
        let axis = self.node.attributes.int("axis", -1)?;
        if !(-rank..rank).contains(&axis) {
            return Err(self
                .node
                .attributes
                .refuse("axis", format!("it is {axis}, and the input has {rank} dimensions")));
        }
        Ok(self.same_shape(Op::Softmax { log }, x))
    }

    pub(super) fn same_shape(&self, op: Op, x: ValueId) -> Read {
        Read::Node { op, inputs: vec![x], shape: self.shape_of(x).to_vec() }
    }
}

/// Whether a constant broadcasts to `shape` with at most the channel dimension (1) above 1.
fn broadcasts_per_channel(constant: &Constant, shape: &[usize]) -> bool {
    let Some(lead) = shape.len().checked_sub(constant.shape.len()) else { return false };
    constant.shape.iter().enumerate().all(|(i, &d)| d == 1 || (lead + i == 1 && d == shape[1]))
}
