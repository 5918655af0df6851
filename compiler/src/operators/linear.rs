//! `Conv`, `Gemm` and `MatMul`: products with constant weights.

use super::{Read, Reader};
use crate::constant::Constant;
use crate::error::CompileError;
use crate::graph::{Conv, Linear, Op};
use crate::window::{self, Window};

impl Reader<'_> {
    pub(super) fn conv(&mut self) -> Result<Read, CompileError> {
        self.arity(2, 3)?;
        let x = self.activation(0)?;
        let [channels, height, width] = self.image(x)?;
        let weight = self.constant(1)?;
        let &[outputs, per_group, kh, kw] = &weight.shape[..] else {
            return Err(self.fail(format!(
                "its weights have shape {:?}; only 2-D convolutions are compiled",
                weight.shape
            )));
        };
        let weights = self.floats(weight, 1)?;
        let groups = self.node.attributes.int("group", 1)?;
        let groups = usize::try_from(groups)
            .ok()
            .filter(|&g| g > 0 && outputs % g == 0 && per_group.checked_mul(g) == Some(channels))
            .filter(|_| outputs > 0 && per_group > 0)
            .ok_or_else(|| {
                self.fail(format!(
                    "{groups} groups do not fit weights of shape {:?} and {channels} channels",
                    [outputs, per_group, kh, kw]
                ))
            })?;
        let kernel = window::pair(&mut self.node.attributes, "kernel_shape")?.unwrap_or([kh, kw]);
        if kernel != [kh, kw] {
            return Err(self.fail(format!(
                "its kernel_shape {kernel:?} differs from that of its weights, {:?}",
                [kh, kw]
            )));
        }
        let window = Window::read(&mut self.node.attributes, kernel, [height, width])?;
        let bias = match self.optional_constant(2)? {
            None => None,
            Some(_) => Some(self.per_channel(2, outputs)?),
        };
        let [oh, ow] = window.output;
        Ok(Read::Node {
            op: Op::Conv(Conv { weights, bias, outputs, groups, window }),
            inputs: vec![x],
            shape: vec![1, outputs, oh, ow],
        })
    }

    pub(super) fn gemm(&mut self) -> Result<Read, CompileError> {
        self.arity(2, 3)?;
        self.node.attributes.only("transA", 0, 0)?;
        let transposed = match self.node.attributes.int("transB", 0)? {
            0 => false,
            1 => true,
            other => {
                return Err(self
                    .node
                    .attributes
                    .refuse("transB", format!("it is {other}, only 0 and 1 are compiled")));
            }
        };
        let alpha = self.factor("alpha")?;
        let beta = self.factor("beta")?;
        let x = self.activation(0)?;
        let (weights, outputs) = self.matrix(transposed, alpha)?;
        let bias = match self.optional_constant(2)? {
            None => None,
            Some(constant) => Some(self.row(constant, outputs, beta)?),
        };
        let op = Op::Linear(Linear { weights, bias, outputs });
        Ok(Read::Node { op, inputs: vec![x], shape: vec![1, outputs] })
    }

    pub(super) fn mat_mul(&mut self) -> Result<Read, CompileError> {
        self.arity(2, 2)?;
        let x = self.activation(0)?;
        let (weights, outputs) = self.matrix(false, 1.0)?;
        let op = Op::Linear(Linear { weights, bias: None, outputs });
        Ok(Read::Node { op, inputs: vec![x], shape: vec![1, outputs] })
    }

    fn factor(&mut self, name: &str) -> Result<f32, CompileError> {
        let value = self.node.attributes.float(name, 1.0)?;
        if value.is_finite() {
            return Ok(value);
        }
        Err(self.node.attributes.refuse(name, format!("it is {value}")))
    }

    /// Input 1 as `[output][input]`, times `alpha`, with the number of outputs.
    fn matrix(&self, transposed: bool, alpha: f32) -> Result<(Vec<f32>, usize), CompileError> {
        let x = self.shape_of(self.activation(0)?);
        let &[1, inputs] = x else {
            return Err(self.fail(format!(
                "its input has shape {x:?}; [1, inputs] is compiled (put a Flatten before it)"
            )));
        };
        let constant = self.constant(1)?;
        let (outputs, fits) = match (&constant.shape[..], transposed) {
            (&[n, k], true) | (&[k, n], false) => (n, k == inputs && n > 0),
            _ => (0, false),
        };
        if !fits {
            return Err(self.fail(format!(
                "its weights have shape {:?} (transposed: {transposed}), which do not fit {inputs} inputs",
                constant.shape
            )));
        }
        let stored = self.floats(constant, 1)?;
        let at = |n: usize, k: usize| if transposed { n * inputs + k } else { k * outputs + n };
        let weights = (0..outputs)
            .flat_map(|n| (0..inputs).map(move |k| (n, k)))
            .map(|(n, k)| stored[at(n, k)] * alpha)
            .collect::<Vec<_>>();
        self.finite(&weights, "alpha")?;
        Ok((weights, outputs))
    }

    /// A constant broadcast to one value per output, times `beta`.
    fn row(&self, constant: &Constant, outputs: usize, beta: f32) -> Result<Vec<f32>, CompileError> {
        let stored = self.floats(constant, 2)?;
        let row = match constant.shape[..] {
            [] | [1] | [1, 1] => vec![stored[0] * beta; outputs],
            [n] | [1, n] if n == outputs => stored.iter().map(|v| v * beta).collect(),
            _ => {
                return Err(
                    self.fail(format!("its bias has shape {:?}, [{outputs}] is expected", constant.shape))
                );
            }
        };
        self.finite(&row, "beta")?;
        Ok(row)
    }

    fn finite(&self, values: &[f32], factor: &str) -> Result<(), CompileError> {
        if values.iter().all(|v| v.is_finite()) {
            return Ok(());
        }
        Err(self.node.attributes.refuse(factor, "the product with it is not finite"))
    }
}
