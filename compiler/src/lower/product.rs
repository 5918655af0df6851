//! Products with constants: convolution, matrix product, per-channel affine map.

use narrows_program::{ConstantIndex, DType, Fold, IndexMap, Operand, Operator, Source, Window};

use super::{Lowering, OutputType, Stored, bare, narrow, out_dims, out_steps, reach};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::graph::Affine;
use crate::layout::{Layout, Steps};
use crate::requantise::channel_unit;
use crate::window;

/// Quantised weights and records of a product.
struct Weights {
    dtype: DType,
    constant: ConstantIndex,
    records: ConstantIndex,
}

/// What the weights of a product are multiplied with and where their outputs go.
struct Rows<'a> {
    input: &'a Stored,
    output: OutputType,
    /// The step count that the largest weight of a channel uses.
    range: i64,
    /// The channel's row of the weights and its bias, in the order in which they are stored.
    bias: &'a [f64],
}

impl Lowering<'_> {
    pub(super) fn conv(
        &mut self,
        index: usize,
        stage: &Stage,
        (weights, bias): (&[f64], &[f64]),
        groups: usize,
        window: &window::Window,
        output: OutputType,
    ) -> Result<(Operator, Layout), CompileError> {
        let (input, steps) = self.image(index, stage.inputs[0]);
        let outputs = bias.len();
        let (per_group, each) = (stage.inputs[0].dims[0] / groups, outputs / groups);
        let [kh, kw] = window.kernel;
        let taps = kh * kw;
        // The file has [output][channel][row][column]; channels are stored last.
        let row = taps * per_group;
        let stored: Vec<f64> = (0..weights.len())
            .map(|at| {
                let (n, place) = (at / row, at % row);
                weights[n * row + (place % per_group) * taps + place / per_group]
            })
            .collect();
        let rows = Rows { input: &input, output, range: self.profile.weights().max(), bias };
        let weights = self.weights(stage, &stored, &rows)?;
        let map =
            IndexMap { base: 0, out: [0, 0, narrow(per_group * steps[0]), 0], red: [0, 0, narrow(steps[0])] };
        let mut op = bare(Fold::Dot, &input, map, weights.records);
        op.out = [narrow(window.output[0]), narrow(window.output[1]), narrow(groups), narrow(each)];
        op.red = [narrow(kh), narrow(kw), narrow(per_group)];
        op.windows = self.windows(stage, window, steps)?;
        op.b = Some(Operand {
            source: Source::Constant(weights.constant),
            dtype: weights.dtype,
            map: IndexMap {
                base: 0,
                out: [0, 0, narrow(each * row), narrow(row)],
                red: [narrow(kw * per_group), narrow(per_group), 1],
            },
        });
        op.params.out = [0, 0, narrow(each), 1];
        Ok((op, Layout(stage.dims)))
    }

    pub(super) fn linear(
        &mut self,
        stage: &Stage,
        weights: &[f64],
        bias: &[f64],
        output: OutputType,
    ) -> Result<(Operator, Layout), CompileError> {
        // The columns are put in the order in which the input is stored, so nothing is moved.
        let input = self.stored(stage.inputs[0].from);
        let (inputs, outputs) = (input.layout.elements(), bias.len());
        let stored: Vec<f64> = weights.chunks(inputs).flat_map(|row| input.layout.store(row)).collect();
        let rows = Rows { input: &input, output, range: self.profile.weights().max(), bias };
        let weights = self.weights(stage, &stored, &rows)?;
        let map = IndexMap { base: 0, out: [0; 4], red: [0, 0, 1] };
        let mut op = bare(Fold::Dot, &input, map, weights.records);
        op.out = [1, 1, 1, narrow(outputs)];
        op.red = [1, 1, narrow(inputs)];
        op.b = Some(Operand {
            source: Source::Constant(weights.constant),
            dtype: weights.dtype,
            map: IndexMap { base: 0, out: [0, 0, 0, narrow(inputs)], red: [0, 0, 1] },
        });
        op.params.out = [0, 0, 0, 1];
        Ok((op, Layout([outputs, 1, 1])))
    }

    pub(super) fn affine(
        &mut self,
        index: usize,
        stage: &Stage,
        affine: &Affine,
        output: OutputType,
    ) -> Result<(Operator, Layout), CompileError> {
        let input = self.stored(stage.inputs[0].from);
        // A flattened image is read as it is stored, its constants put in that order.
        let flattened = stage.dims[1..] == [1, 1] && input.layout.view(stage.dims).is_none();
        let (input, steps, dims, layout) = if flattened {
            (input, [1; 3], stage.dims, input.layout)
        } else {
            let (input, steps) = self.image(index, stage.inputs[0]);
            (input, steps, stage.dims, Layout(stage.dims))
        };
        let order = |values: &[f64]| if flattened { layout.store(values) } else { values.to_vec() };
        // A power of two: a channel's one weight then says no more than a sign, the rest is in
        // its record, and the bias is fine beside an input step.
        let range = (self.profile.weights().max() + 1) / 2;
        let bias = order(&affine.offset);
        let rows = Rows { input: &input, output, range, bias: &bias };
        let weights = self.weights(stage, &order(&affine.scale), &rows)?;
        let map = IndexMap { base: 0, out: out_steps(steps), red: [0; 3] };
        let mut op = bare(Fold::Dot, &input, map, weights.records);
        op.out = out_dims(dims);
        op.b = Some(Operand {
            source: Source::Constant(weights.constant),
            dtype: weights.dtype,
            map: IndexMap { base: 0, out: [0, 0, 1, 0], red: [0; 3] },
        });
        op.params.out = [0, 0, 1, 0];
        Ok((op, layout))
    }

    /// Quantises rows of weights, each by its own unit, and makes their records.
    fn weights(&mut self, stage: &Stage, stored: &[f64], rows: &Rows<'_>) -> Result<Weights, CompileError> {
        let dtype = self.profile.weights();
        let terms = stored.len() / rows.bias.len();
        let accumulator = terms as u128 * reach(dtype) * reach(rows.input.dtype);
        let mut bytes = Vec::with_capacity(stored.len() * dtype.bytes());
        let mut records = Vec::with_capacity(rows.bias.len() * 16);
        for (row, &bias) in stored.chunks(terms).zip(rows.bias) {
            let largest = row.iter().fold(0f64, |most, w| most.max(w.abs()));
            if !(largest.is_finite() && bias.is_finite()) {
                return Err(self.fail(stage, "its weights times those of the nodes after it are not finite"));
            }
            let unit = channel_unit(largest, rows.range, rows.input.scale, bias, rows.output.scale);
            for &weight in row {
                let limit = rows.range as f64;
                let steps = (weight * rows.input.scale.real() / unit).round().clamp(-limit, limit);
                dtype.write(steps as i64, &mut bytes);
            }
            records.extend(self.record(stage, unit, bias, rows.output, accumulator)?);
        }
        let constant = self.constant(dtype, bytes);
        Ok(Weights { dtype, constant, records: self.constant(DType::Params, records) })
    }

    /// The two windows of a sliding window over an image with these steps.
    pub(super) fn windows(
        &self,
        stage: &Stage,
        window: &window::Window,
        steps: Steps,
    ) -> Result<[Window; 2], CompileError> {
        let half = |n: usize| {
            u16::try_from(n).map_err(|_| {
                self.fail(stage, format!("its window has a step or padding of {n}, above 65535"))
            })
        };
        let along = |axis: usize| -> Result<Window, CompileError> {
            Ok(Window {
                limit: narrow(window.input[axis]),
                stride: narrow(steps[axis + 1]),
                out_step: half(window.stride[axis])?,
                red_step: half(window.dilation[axis])?,
                offset: half(window.begin[axis])?,
            })
        };
        Ok([along(0)?, along(1)?])
    }
}
