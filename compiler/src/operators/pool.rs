//! `MaxPool`, `AveragePool` and `GlobalAveragePool`.

use super::{Read, Reader};
use crate::error::CompileError;
use crate::graph::{Op, ValueId};
use crate::window::{self, Window};

impl Reader<'_> {
    pub(super) fn max_pool(&mut self) -> Result<Read, CompileError> {
        self.node.attributes.only("storage_order", 0, 0)?;
        let (x, window) = self.pool_window()?;
        Ok(self.pooled(Op::MaxPool(window), x, window))
    }

    pub(super) fn average_pool(&mut self) -> Result<Read, CompileError> {
        let count_padding = self.node.attributes.int("count_include_pad", 0)? != 0;
        let (x, window) = self.pool_window()?;
        Ok(self.pooled(Op::AveragePool { window, count_padding }, x, window))
    }

    pub(super) fn global_average_pool(&mut self) -> Result<Read, CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        let [_, height, width] = self.image(x)?;
        let window = Window {
            kernel: [height, width],
            stride: [1, 1],
            dilation: [1, 1],
            begin: [0, 0],
            end: [0, 0],
            input: [height, width],
            output: [1, 1],
        };
        Ok(self.pooled(Op::AveragePool { window, count_padding: false }, x, window))
    }

    fn pool_window(&mut self) -> Result<(ValueId, Window), CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        let [_, height, width] = self.image(x)?;
        let kernel = window::pair(&mut self.node.attributes, "kernel_shape")?
            .ok_or_else(|| self.fail("it has no kernel_shape"))?;
        let window = Window::read(&mut self.node.attributes, kernel, [height, width])?;
        if window.dilation != [1, 1] {
            return Err(self.node.attributes.refuse("dilations", "only 1 is compiled in a pool"));
        }
        if !window.all_windows_real() {
            return Err(self
                .node
                .attributes
                .refuse("pads", "a window would hold nothing but padding; pad by less than the kernel"));
        }
        Ok((x, window))
    }

    fn pooled(&self, op: Op, x: ValueId, window: Window) -> Read {
        let [oh, ow] = window.output;
        Read::Node { op, inputs: vec![x], shape: vec![1, self.shape_of(x)[1], oh, ow] }
    }
}
