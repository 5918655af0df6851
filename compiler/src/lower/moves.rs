//! Pools, sums of two tensors, and copies into another order.

use narrows_program::{ConstantIndex, DType, Fold, IndexMap, Operand, Operator};

use super::{Lowering, OutputType, Stored, bare, narrow, out_dims, out_steps, reach};
use crate::error::CompileError;
use crate::fuse::{Plan, Stage};
use crate::layout::{Layout, Steps};
use crate::requantise::identity;
use crate::window::Window;

/// The factor of the operand of larger steps in a sum of two.
const PAIR_FACTOR: f64 = (1u32 << 20) as f64;

impl Lowering<'_> {
    pub(super) fn max_pool(
        &mut self,
        index: usize,
        stage: &Stage,
        window: &Window,
    ) -> Result<(Operator, Layout), CompileError> {
        let (input, steps) = self.image(index, stage.inputs[0]);
        let records = self.constant(DType::Params, identity().to_vec());
        let mut op = self.pool(Fold::Max, stage, window, (&input, steps), records)?;
        op.pad = input.dtype.min() as i32;
        Ok((op, Layout(stage.dims)))
    }

    pub(super) fn average_pool(
        &mut self,
        index: usize,
        stage: &Stage,
        window: &Window,
        count_padding: bool,
        output: OutputType,
    ) -> Result<(Operator, Layout), CompileError> {
        let (input, steps) = self.image(index, stage.inputs[0]);
        let accumulator = window.taps() as u128 * reach(input.dtype);
        let record =
            |taps: usize| self.record(stage, input.scale.real() / taps as f64, 0.0, output, accumulator);
        // Where padding does not count, the divisor depends on the place.
        let placed = window.is_padded() && !count_padding;
        let mut records = Vec::new();
        if placed {
            for at in 0..window.output[0] * window.output[1] {
                let at = [at / window.output[1], at % window.output[1]];
                records.extend(record(window.real_taps(at))?);
            }
        } else {
            records.extend(record(window.taps())?);
        }
        let records = self.constant(DType::Params, records);
        let mut op = self.pool(Fold::Sum, stage, window, (&input, steps), records)?;
        if placed {
            op.params.out = [narrow(window.output[1]), 1, 0, 0];
        }
        Ok((op, Layout(stage.dims)))
    }

    fn pool(
        &self,
        fold: Fold,
        stage: &Stage,
        window: &Window,
        (input, steps): (&Stored, Steps),
        records: ConstantIndex,
    ) -> Result<Operator, CompileError> {
        let map = IndexMap { base: 0, out: [0, 0, narrow(steps[0]), 0], red: [0; 3] };
        let mut op = bare(fold, input, map, records);
        op.out = out_dims(stage.dims);
        op.red = [narrow(window.kernel[0]), narrow(window.kernel[1]), 1];
        op.windows = self.windows(stage, window, steps)?;
        Ok(op)
    }

    pub(super) fn pair(
        &mut self,
        index: usize,
        stage: &Stage,
        output: OutputType,
    ) -> Result<(Operator, Layout), CompileError> {
        let [first, second] = stage.inputs[..] else {
            unreachable!("the reader checked that a sum has two inputs");
        };
        let (a, b) = (self.stored(first.from), self.stored(second.from));
        // Tensors stored alike are added as they are stored.
        let (a, a_steps, b, b_steps, layout) = if a.layout == b.layout {
            let steps = a.layout.view(a.layout.0).expect("a layout reads as itself");
            (a, steps, b, steps, a.layout)
        } else {
            let (a, a_steps) = self.image(index, first);
            let (b, b_steps) = self.image(index, second);
            (a, a_steps, b, b_steps, Layout(stage.dims))
        };
        let largest = a.scale.real().max(b.scale.real());
        let factor = |scale: f64| (scale / largest * PAIR_FACTOR).round() as i32;
        let (scale_a, scale_b) = (factor(a.scale.real()), factor(b.scale.real()));
        let accumulator = reach(a.dtype) * u128::from(scale_a.unsigned_abs())
            + reach(b.dtype) * u128::from(scale_b.unsigned_abs());
        let record = self.record(stage, largest / PAIR_FACTOR, 0.0, output, accumulator)?;
        let records = self.constant(DType::Params, record.to_vec());
        let map = |steps| IndexMap { base: 0, out: out_steps(steps), red: [0; 3] };
        let mut op = bare(Fold::Pair, &a, map(a_steps), records);
        op.out = out_dims(layout.0);
        op.b = Some(Operand { source: b.source, dtype: b.dtype, map: map(b_steps) });
        (op.scale_a, op.scale_b) = (scale_a, scale_b);
        Ok((op, layout))
    }

    /// Adds an operator that copies a tensor into ONNX's order of elements.
    pub(super) fn plain_copy(&mut self, stage: usize, stored: Stored) -> Stored {
        let [channels, height, width] = stored.layout.0;
        let out = [channels, height, width];
        let steps = [1, width * channels, channels];
        let layout = Layout([stored.layout.elements(), 1, 1]);
        self.copy(stage, stored, out, steps, layout)
    }

    /// Adds an operator that copies a tensor, its output dimensions and the steps over its input given.
    fn copy(
        &mut self,
        stage: usize,
        stored: Stored,
        out: [usize; 3],
        steps: [usize; 3],
        layout: Layout,
    ) -> Stored {
        let records = self.constant(DType::Params, identity().to_vec());
        let [s0, s1, s2] = steps.map(narrow);
        let map = IndexMap { base: 0, out: [s0, s1, s2, 0], red: [0; 3] };
        let mut op = bare(Fold::Sum, &stored, map, records);
        let [o0, o1, o2] = out.map(narrow);
        op.out = [o0, o1, o2, 1];
        (op.lo, op.hi) = (stored.dtype.min() as i32, stored.dtype.max() as i32);
        let output = OutputType { dtype: stored.dtype, scale: stored.scale };
        self.push(stage, true, op, output, layout)
    }

    /// Puts the model's output in the order that its shape tells: channels-last for an image,
    /// ONNX's order otherwise.
    pub(super) fn finish(&mut self, plan: &Plan) {
        let last = plan.stages.len() - 1;
        let dims = self.graph.value(self.graph.output).channels_height_width();
        let [channels, height, width] = dims;
        let stored = self.made[last];
        let both_plain = stored.layout.is_plain() && Layout(dims).is_plain();
        if stored.layout.0[0] == channels || both_plain {
            return;
        }
        let (stored, [sc, sh, sw]) = self.image_of(last, stored, dims);
        if !Layout(dims).is_plain() {
            self.copy(last, stored, [height, width, channels], [sh, sw, sc], Layout(dims));
        }
    }
}
