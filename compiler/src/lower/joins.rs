//! Rows of a constant, tensors joined, and tensors in a frame of zeros.

use narrows_program::{DType, Fold, Window};

use super::forms::Form;
use super::nest::Order;
use super::{Lowering, Stored, narrow};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::graph::Tensor;
use crate::requantise::identity;
use crate::view::View;

impl Lowering<'_> {
    /// The rows that integers name.
    pub(super) fn embedding(&mut self, stage: &Stage, table: &Tensor) -> Result<Stored, CompileError> {
        let indices = self.value(stage.inputs[0])?;
        let form = self.forms.of(stage.output);
        let rows = table.shape[0];
        let row = &table.shape[1..];
        let most = table.values.iter().fold(0f32, |most, v| most.max(v.abs()));
        let own = Form::whole(DType::I16, self.scale_reaching(most.into(), DType::I16.max() as f64)?);
        let steps: Vec<i64> = table.values.iter().map(|v| own.quantise(f64::from(*v))).collect();
        let mut view = View::repeated(&indices.shape());
        view.dims.extend(View::dense(row).dims);
        let constant = self.integers(DType::I16, steps, view);
        let shape = constant.view.shape();
        let record = self.record(own.scale.real(), 0.0, form.scale.real(), 1 << 15)?;
        let records = self.records(&[record], &[], &shape);
        let a = indices.with(indices.view.and_repeated(row));
        let mut job = self.job(Fold::Gather, a, records, form);
        job.b = Some(constant);
        job.scales = (row.iter().product::<usize>() as i32, rows as i32);
        self.emit("", Some(stage.output), job)
    }

    /// Activations joined along an axis: one after another is put into its place among zeros and added to those before.
    pub(super) fn concat(&mut self, stage: &Stage, axis: usize) -> Result<Stored, CompileError> {
        let form = self.forms.of(stage.output);
        let shape = self.shape(stage.output).to_vec();
        let mut joined: Option<Stored> = None;
        let mut first = None;
        let mut offset = 0;
        for (at, &input) in stage.inputs.iter().enumerate() {
            let part = self.value(input)?;
            let dims: &Vec<usize> = first.get_or_insert_with(|| by_step(&part.view));
            let dims = dims.clone();
            let last = at + 1 == stage.inputs.len();
            let (role, value) = if last { ("", Some(stage.output)) } else { ("joined", None) };
            let length = part.shape()[axis];
            let made = self.placed(&part, joined.as_ref(), (axis, offset), &shape, &dims, form)?;
            let made = self.emit(role, value, made)?;
            offset += length;
            joined = Some(made);
        }
        Ok(joined.expect("something is joined"))
    }

    /// A part in its place among zeros, plus what was joined before.
    fn placed(
        &mut self,
        part: &Stored,
        before: Option<&Stored>,
        (axis, offset): (usize, usize),
        shape: &[usize],
        dims: &[usize],
        form: Form,
    ) -> Result<super::Job, CompileError> {
        let step = form.scale.real();
        let single = part.view.step(axis).is_some();
        let mut part = if single { part.clone() } else { self.copy(part, Order::Dims(dims.to_vec()))? };
        let offset = u16::try_from(offset).map_err(|_| {
            self.fail("it joins tensors of more than 65,535 positions; join along another axis")
        })?;
        let (scales, record) = match before {
            None => ((0, 0), self.record(part.step(), 0.0, step, part.reach())?),
            Some(before) => {
                let (scales, bits) =
                    self.factors((part.step() / step, 1.0), (part.reach(), before.reach()))?;
                (scales, Self::shifting(0, bits))
            }
        };
        let records = self.records(&[record], &[], shape);
        let first: Vec<usize> =
            [axis].into_iter().chain(dims.iter().copied().filter(|d| *d != axis)).collect();
        for attempt in 0..3 {
            if attempt == 2 {
                part = self.copy(&part, Order::Dims(dims.to_vec()))?;
            }
            let mut a = part.view.clone();
            let length: usize = part.shape()[axis];
            let stride = part.view.step(axis).unwrap_or(1).max(1);
            a.dims[axis] = super::product::run(shape[axis], 0);
            let mut job = self.job(
                if before.is_some() { Fold::Pair } else { Fold::Sum },
                part.with(a),
                records.clone(),
                form,
            );
            job.b = before.map(Stored::read);
            job.scales = scales;
            job.order = Order::Between(if attempt == 1 { first.clone() } else { dims.to_vec() }, axis);
            job.windows = vec![Window {
                limit: narrow(length),
                stride: narrow(stride),
                out_step: 1,
                red_step: 1,
                offset,
            }];
            if job.nest().is_some() {
                return Ok(job);
            }
        }
        Err(self.fail("it joins tensors of more dimensions than an operator walks; join along the first"))
    }

    /// Zeros around a tensor, two dimensions at a time.
    pub(super) fn pad(&mut self, stage: &Stage, before: &[usize]) -> Result<Stored, CompileError> {
        let mut x = self.value(stage.inputs[0])?;
        let form = self.forms.of(stage.output);
        let shape = self.shape(stage.output).to_vec();
        let own = x.shape();
        let padded: Vec<usize> = (0..shape.len()).filter(|dim| own[*dim] != shape[*dim]).collect();
        let mut pairs = padded.chunks(2).peekable();
        while let Some(pair) = pairs.next() {
            if pair.iter().any(|dim| x.view.step(*dim).is_none()) {
                x = self.copy(&x, Order::Dims((0..shape.len()).collect()))?;
            }
            let mut a = x.view.clone();
            let mut windows = Vec::new();
            for &dim in pair {
                let offset = u16::try_from(before[dim])
                    .map_err(|_| self.fail("it pads by more than 65,535 positions; pad in two steps"))?;
                windows.push(Window {
                    limit: narrow(own[dim]),
                    stride: narrow(x.view.step(dim).unwrap_or(1).max(1)),
                    out_step: 1,
                    red_step: 1,
                    offset,
                });
                a.dims[dim] = super::product::run(shape[dim], 0);
            }
            let last = pairs.peek().is_none();
            let record =
                if last { self.record(x.step(), 0.0, form.scale.real(), x.reach())? } else { identity() };
            let out = a.shape();
            let records = self.records(&[record], &[], &out);
            let own_form = if last { form } else { x.form };
            let mut job = self.job(Fold::Sum, x.with(a), records, own_form);
            job.order = Order::Windows(pair.to_vec());
            job.windows = windows;
            x = self.emit(if last { "" } else { "padded" }, last.then_some(stage.output), job)?;
        }
        Ok(x)
    }
}

/// The dimensions in the order in which a view stores them.
fn by_step(view: &View) -> Vec<usize> {
    let mut dims: Vec<usize> = (0..view.dims.len()).collect();
    let step = |dim: usize| view.dims[dim].iter().map(|f| f.step).max().unwrap_or(usize::MAX);
    dims.sort_by_key(|dim| (std::cmp::Reverse(step(*dim)), *dim));
    dims
}
