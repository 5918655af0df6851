//! `MaxPool`, `AveragePool` and the pools over a whole image.

use super::Reader;
use crate::error::CompileError;
use crate::graph::{Kind, Op, Reduction, ValueId};
use crate::window::{self, Window};

impl Reader<'_> {
    pub(super) fn max_pool(&mut self) -> Result<(), CompileError> {
        self.node.attributes.only("storage_order", 0, 0)?;
        let (x, window) = self.pool_window(true)?;
        self.pooled(Op::MaxPool(window), x, window)
    }

    pub(super) fn average_pool(&mut self) -> Result<(), CompileError> {
        let count_padding = self.node.attributes.int("count_include_pad", 0)? != 0;
        let (x, window) = self.pool_window(!count_padding)?;
        self.pooled(Op::AveragePool { window, count_padding }, x, window)
    }

    pub(super) fn global_pool(&mut self, greatest: bool) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.real(0)?;
        let rank = self.shape_of(x).len();
        if rank < 3 {
            return Err(self.fail("its input has no dimensions to pool; 3 or more are expected"));
        }
        let reduction = if greatest { Reduction::Max } else { Reduction::Mean };
        let id = self.reduced(x, reduction, (2..rank).collect(), true)?;
        self.bind_value(id);
        Ok(())
    }

    /// `ceil` says whether a last window may hang over the end.
    fn pool_window(&mut self, ceil: bool) -> Result<(ValueId, Window), CompileError> {
        self.arity(1, 1)?;
        let x = self.real(0)?;
        let ([_, height, width], dims) = self.image(x)?;
        let kernel = window::sizes(&mut self.node.attributes, "kernel_shape", dims)?
            .ok_or_else(|| self.fail("it has no kernel_shape"))?;
        let window = Window::read(&mut self.node.attributes, dims, kernel, [height, width], ceil)?;
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

    fn pooled(&mut self, op: Op, x: ValueId, window: Window) -> Result<(), CompileError> {
        let shape = self.image_shape(x, self.shape_of(x)[1], window.output);
        let id = self.emit("pool", op, vec![x], shape, Kind::Real)?;
        self.bind_value(id);
        Ok(())
    }

    /// Channels, height and width of an activation with a batch of 1, and how many of the last two it has.
    pub(super) fn image(&self, id: ValueId) -> Result<([usize; 3], usize), CompileError> {
        match *self.shape_of(id) {
            [1, c, h, w] => Ok(([c, h, w], 2)),
            [1, c, w] => Ok(([c, 1, w], 1)),
            ref other => Err(self.fail(format!(
                "its input has shape {other:?}; a batch of 1 of channels x height x width, or of channels x length, is expected"
            ))),
        }
    }

    /// The shape of an image like another, with other channels and sizes.
    pub(super) fn image_shape(&self, like: ValueId, channels: usize, size: [usize; 2]) -> Vec<usize> {
        let [height, width] = size;
        if self.shape_of(like).len() == 3 {
            vec![1, channels, width]
        } else {
            vec![1, channels, height, width]
        }
    }
}
