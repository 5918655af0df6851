//! `Conv` and `ConvTranspose` with constant weights.

use super::Reader;
use crate::error::CompileError;
use crate::graph::{Conv, Kind, Op, ValueId};
use crate::window::{self, Window};

/// The weights of either operator, with what both read.
struct Kernel {
    values: Vec<f32>,
    /// Of the weights' dimensions 0 and 1.
    first: usize,
    second: usize,
    size: [usize; 2],
    groups: usize,
}

impl Reader<'_> {
    pub(super) fn conv(&mut self) -> Result<(), CompileError> {
        self.arity(2, 3)?;
        let x = self.real(0)?;
        let ([channels, height, width], dims) = self.image(x)?;
        let kernel = self.kernel(dims)?;
        let Kernel { values: weights, first: outputs, second: per_group, size, groups } = kernel;
        if outputs % groups != 0 || per_group.checked_mul(groups) != Some(channels) {
            return Err(self.groups_do_not_fit(groups, channels));
        }
        let window = Window::read(&mut self.node.attributes, dims, size, [height, width], false)?;
        let bias = self.bias(outputs)?;
        self.convolved(x, Conv { weights, bias, outputs, groups, window, spread: [1, 1] })
    }

    /// A convolution of the input with zeros between its elements, by the kernel turned half around.
    pub(super) fn conv_transpose(&mut self) -> Result<(), CompileError> {
        self.arity(2, 3)?;
        let x = self.real(0)?;
        let ([channels, height, width], dims) = self.image(x)?;
        let Kernel { values, first, second: per_group, size: [kh, kw], groups } = self.kernel(dims)?;
        if first != channels || channels % groups != 0 {
            return Err(self.groups_do_not_fit(groups, channels));
        }
        let attributes = &mut self.node.attributes;
        if attributes.take("output_shape").is_some() {
            return Err(attributes.refuse("output_shape", "pads are; export the model with them"));
        }
        let spread = window::sizes(attributes, "strides", dims)?.unwrap_or([1, 1]);
        let dilation = window::sizes(attributes, "dilations", dims)?.unwrap_or([1, 1]);
        let extra = window::amounts(attributes, "output_padding", dims)?.unwrap_or([0, 0]);
        let auto = attributes.text("auto_pad", "NOTSET")?;
        let given = window::pads(attributes, dims)?.unwrap_or(([0; 2], [0; 2]));
        let surplus = |axis: usize| {
            let kernel = if axis == 0 { kh } else { kw };
            ((kernel - 1) * dilation[axis] + 1 + extra[axis]).saturating_sub(spread[axis])
        };
        let half = [surplus(0) / 2, surplus(1) / 2];
        let rest = [surplus(0) - half[0], surplus(1) - half[1]];
        let (front, back) = match auto.as_str() {
            "NOTSET" => given,
            "VALID" => ([0; 2], [0; 2]),
            "SAME_UPPER" => (half, rest),
            "SAME_LOWER" => (rest, half),
            _ => {
                return Err(
                    attributes.refuse("auto_pad", "NOTSET, VALID, SAME_UPPER and SAME_LOWER are compiled")
                );
            }
        };
        let size = [kh, kw];
        let mut window = Window {
            kernel: size,
            stride: [1, 1],
            dilation,
            begin: [0; 2],
            end: [0; 2],
            input: [(height - 1) * spread[0] + 1, (width - 1) * spread[1] + 1],
            output: [0; 2],
        };
        for axis in 0..2 {
            let reach = window.extent(axis) - 1;
            let (Some(begin), Some(end)) =
                (reach.checked_sub(front[axis]), (reach + extra[axis]).checked_sub(back[axis]))
            else {
                return Err(self.node.attributes.refuse("pads", "they cut more than the kernel adds"));
            };
            (window.begin[axis], window.end[axis]) = (begin, end);
            window.output[axis] = window.input[axis] + begin + end - reach;
        }
        let outputs = per_group * groups;
        let inputs = channels / groups;
        let mut weights = Vec::with_capacity(values.len());
        for output in 0..outputs {
            let (group, within) = (output / per_group, output % per_group);
            for input in 0..inputs {
                for tap in (0..kh * kw).rev() {
                    weights.push(values[((group * inputs + input) * per_group + within) * kh * kw + tap]);
                }
            }
        }
        let bias = self.bias(outputs)?;
        self.convolved(x, Conv { weights, bias, outputs, groups, window, spread })
    }

    fn convolved(&mut self, x: ValueId, conv: Conv) -> Result<(), CompileError> {
        let shape = self.image_shape(x, conv.outputs, conv.window.output);
        let id = self.emit("conv", Op::Conv(conv), vec![x], shape, Kind::Real)?;
        self.bind_value(id);
        Ok(())
    }

    fn bias(&self, outputs: usize) -> Result<Option<Vec<f32>>, CompileError> {
        self.optional_constant(2)?.map(|_| self.per_channel(2, outputs)).transpose()
    }

    fn groups_do_not_fit(&self, groups: usize, channels: usize) -> CompileError {
        self.fail(format!("its {groups} groups do not fit its weights and {channels} channels"))
    }

    fn kernel(&mut self, dims: usize) -> Result<Kernel, CompileError> {
        let weight = self.constant(1)?;
        let (first, second, size) = match (dims, &weight.shape[..]) {
            (2, &[first, second, height, width]) => (first, second, [height, width]),
            (1, &[first, second, width]) => (first, second, [1, width]),
            (_, other) => {
                return Err(self.fail(format!(
                    "its weights have shape {other:?}, and its input has {dims} dimensions to slide over; \
                     1-D and 2-D convolutions are compiled"
                )));
            }
        };
        let values = self.floats(&weight, 1)?;
        if values.is_empty() {
            return Err(self.fail("its weights are empty"));
        }
        let groups = self.node.attributes.int("group", 1)?;
        let groups = usize::try_from(groups)
            .ok()
            .filter(|&groups| groups > 0)
            .ok_or_else(|| self.fail(format!("it has {groups} groups")))?;
        if let Some(stated) = window::sizes(&mut self.node.attributes, "kernel_shape", dims)?
            && stated != size
        {
            return Err(
                self.fail(format!("its kernel_shape {stated:?} differs from that of its weights, {size:?}"))
            );
        }
        if size.iter().any(|side| !(1..=crate::limits::MAX_WINDOW).contains(side)) {
            return Err(self.fail(format!("its kernel of {size:?} is too large")));
        }
        Ok(Kernel { values, first, second, size, groups })
    }
}
