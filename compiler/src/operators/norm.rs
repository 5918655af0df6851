//! Normalisations.

use super::Reader;
use crate::build::Term;
use crate::error::CompileError;
use crate::graph::{Kind, Norm, Op, Tensor, ValueId};

impl Reader<'_> {
    pub(super) fn batch_normalization(&mut self) -> Result<(), CompileError> {
        self.arity(5, 5)?;
        self.node.attributes.only("training_mode", 0, 0)?;
        self.node.attributes.only("spatial", 1, 1)?;
        // Used while training only.
        let _momentum = self.node.attributes.float("momentum", 0.9)?;
        let epsilon = f64::from(self.node.attributes.float("epsilon", 1e-5)?);
        let x = self.real(0)?;
        let channels = self.channels(x)?;
        let gamma = self.per_channel(1, channels)?;
        let beta = self.per_channel(2, channels)?;
        let mean = self.per_channel(3, channels)?;
        let variance = self.per_channel(4, channels)?;
        let (mut scales, mut offsets) = (Vec::new(), Vec::new());
        for c in 0..channels {
            let scale = f64::from(gamma[c]) / (f64::from(variance[c]) + epsilon).sqrt();
            let offset = f64::from(beta[c]) - f64::from(mean[c]) * scale;
            let (scale, offset) = (scale as f32, offset as f32);
            if !scale.is_finite() || !offset.is_finite() {
                return Err(self.fail(format!(
                    "channel {c} has variance {} and epsilon {epsilon}, which give no finite factor",
                    variance[c]
                )));
            }
            scales.push(scale);
            offsets.push(offset);
        }
        let (scale, offset) = (self.column(x, scales), self.column(x, offsets));
        let id = self.emit_like("affine", Op::Affine { scale, offset }, x)?;
        self.bind_value(id);
        Ok(())
    }

    fn channels(&self, x: ValueId) -> Result<usize, CompileError> {
        let shape = self.shape_of(x);
        shape.get(1).copied().ok_or_else(|| {
            self.fail(format!("its input has shape {shape:?}; a batch and channels are expected"))
        })
    }

    /// One value per channel, shaped to broadcast.
    fn column(&self, x: ValueId, values: Vec<f32>) -> Tensor {
        let mut shape = vec![1; self.shape_of(x).len() - 1];
        shape[0] = values.len();
        Tensor { shape, values }
    }

    /// Layer normalisation, or RMS norm where the mean stays.
    pub(super) fn layer_normalization(&mut self, centred: bool) -> Result<(), CompileError> {
        self.arity(2, 3)?;
        let x = self.real(0)?;
        let shape = self.shape_of(x).to_vec();
        let axis = self.node.attributes.int("axis", -1)?;
        let axis = self.axis(axis, shape.len())?;
        let epsilon = self.epsilon(1e-5)?;
        // Which type the sums are kept in.
        let _stash = self.node.attributes.int("stash_type", 1)?;
        let mut parameters = [None, None];
        for (slot, parameter) in parameters.iter_mut().enumerate() {
            let Some(constant) = self.optional_constant(slot + 1)? else { continue };
            if self.together(&shape[axis..], &constant.shape)? != shape[axis..] {
                return Err(self.fail(format!(
                    "its input {} has shape {:?}, {:?} is expected",
                    slot + 1,
                    constant.shape,
                    &shape[axis..]
                )));
            }
            *parameter = Some(self.tensor(&constant, slot + 1)?);
        }
        let [scale, offset] = parameters;
        let axes = (axis..shape.len()).collect();
        let op = Op::Norm(Norm { centred, axes, epsilon, scale, offset });
        let id = self.emit_like("norm", op, x)?;
        self.bind_value(id);
        Ok(())
    }

    fn epsilon(&mut self, default: f32) -> Result<f32, CompileError> {
        let epsilon = self.node.attributes.float("epsilon", default)?;
        if epsilon.is_finite() && epsilon >= 0.0 {
            return Ok(epsilon);
        }
        Err(self.node.attributes.refuse("epsilon", format!("it is {epsilon}")))
    }

    pub(super) fn instance_normalization(&mut self) -> Result<(), CompileError> {
        self.arity(3, 3)?;
        let x = self.real(0)?;
        let rank = self.shape_of(x).len();
        let channels = self.channels(x)?;
        if rank < 3 {
            return Err(self.fail("its input has no dimensions to normalise; 3 or more are expected"));
        }
        let epsilon = self.epsilon(1e-5)?;
        let (scale, offset) = (self.per_channel(1, channels)?, self.per_channel(2, channels)?);
        let (scale, offset) = (Some(self.column(x, scale)), Some(self.column(x, offset)));
        let axes = (2..rank).collect();
        let op = Op::Norm(Norm { centred: true, axes, epsilon, scale, offset });
        let id = self.emit_like("norm", op, x)?;
        self.bind_value(id);
        Ok(())
    }

    pub(super) fn group_normalization(&mut self) -> Result<(), CompileError> {
        self.arity(3, 3)?;
        let x = self.real(0)?;
        let shape = self.shape_of(x).to_vec();
        let channels = self.channels(x)?;
        let epsilon = self.epsilon(1e-5)?;
        let _stash = self.node.attributes.int("stash_type", 1)?;
        let groups = self.node.attributes.int("num_groups", 0)?;
        let groups = usize::try_from(groups)
            .ok()
            .filter(|&groups| groups > 0 && channels % groups == 0)
            .ok_or_else(|| self.node.attributes.refuse("num_groups", format!("it is {groups}")))?;
        // Before operator set 21 there is one factor per group.
        let parameters = if self.builder.opset < 21 { groups } else { channels };
        let spread = |values: Vec<f32>| -> Vec<f32> {
            (0..channels).map(|c| values[c * parameters / channels]).collect()
        };
        let (scale, offset) = (self.per_channel(1, parameters)?, self.per_channel(2, parameters)?);
        let (scale, offset) = (self.column(x, spread(scale)), self.column(x, spread(offset)));
        let grouped = vec![shape[0], groups, shape[1..].iter().product::<usize>() / groups];
        let Term::Value(y) = self.reshape(Term::Value(x), grouped.clone())? else {
            return Err(self.missing(0));
        };
        let op = Op::Norm(Norm { centred: true, axes: vec![2], epsilon, scale: None, offset: None });
        let y = self.emit("norm", op, vec![y], grouped, Kind::Real)?;
        let Term::Value(y) = self.reshape(Term::Value(y), shape)? else { return Err(self.missing(0)) };
        let id = self.affine(y, scale, offset)?;
        self.bind_value(id);
        Ok(())
    }
}
