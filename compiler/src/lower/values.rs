//! Where activations are: made by operators, read through views, copied where a view will not do.

use narrows_program::{DType, Fold};

use super::nest::Order;
use super::{End, Lowering, REORDER, Read, Stored, public_order};
use crate::error::CompileError;
use crate::fuse::Maker;
use crate::graph::{Graph, Kind, Op, ValueId};
use crate::requantise::{self, Scale};
use crate::view::{Factor, View, merged};

/// The activations made so far.
pub(super) struct Values {
    main: Vec<Option<Stored>>,
    narrow: Vec<Option<Stored>>,
    soft: Vec<Option<Soft>>,
}

/// A softmax whose division waits for a product to come first.
#[derive(Debug, Clone)]
pub(super) struct Soft {
    /// Exponentials.
    pub parts: Stored,
    /// Their sums; along the axis of length 1.
    pub sums: Stored,
}

impl Values {
    pub fn new(graph: &Graph, input: Stored) -> Self {
        let count = graph.values.len();
        let mut values = Self { main: vec![None; count], narrow: vec![None; count], soft: vec![None; count] };
        values.set(graph.input, input);
        values
    }

    pub fn set(&mut self, id: ValueId, stored: Stored) {
        self.main[id.0] = Some(stored);
    }

    pub fn set_soft(&mut self, id: ValueId, soft: Soft) {
        self.soft[id.0] = Some(soft);
    }
}

impl Lowering<'_> {
    /// An activation as it is stored.
    pub(super) fn value(&mut self, id: ValueId) -> Result<Stored, CompileError> {
        if let Some(stored) = &self.values.main[id.0] {
            return Ok(stored.clone());
        }
        let stored = match self.plan.makers[id.0] {
            Maker::View(node) => {
                let input = self.value(self.graph.nodes[node].inputs[0])?;
                self.viewed(node, &input)?
            }
            Maker::Dropped(node) => self.value(self.graph.nodes[node].inputs[0])?,
            Maker::Input | Maker::Stage(_) | Maker::Inside => {
                let soft = self.values.soft[id.0].clone().expect("stages come in the order of their reading");
                self.probabilities(id, &soft)?
            }
        };
        self.values.set(id, stored.clone());
        Ok(stored)
    }

    /// An activation in the narrow form that products read, requantised once for all of them.
    pub(super) fn factor(&mut self, id: ValueId) -> Result<Stored, CompileError> {
        let stored = self.value(id)?;
        if stored.form.dtype != DType::I32 || self.graph.value(id).kind == Kind::Integer {
            return Ok(stored);
        }
        if let Some(narrow) = &self.values.narrow[id.0] {
            return Ok(narrow.clone());
        }
        let narrow = match self.plan.makers[id.0] {
            Maker::View(node) => {
                let input = self.factor(self.graph.nodes[node].inputs[0])?;
                let viewed = self.viewed(node, &input)?;
                // Integers that are now real numbers are no longer held to be exact.
                if viewed.form.dtype == DType::I32 { self.as_reals(id, viewed)? } else { viewed }
            }
            Maker::Dropped(node) => self.factor(self.graph.nodes[node].inputs[0])?,
            Maker::Input | Maker::Stage(_) | Maker::Inside => {
                let form = self.forms.narrow(id);
                if form.dtype == DType::I32 { stored } else { self.converted("narrow", &stored, form)? }
            }
        };
        self.values.narrow[id.0] = Some(narrow.clone());
        Ok(narrow)
    }

    /// Integers in 16 bits: as they are, clamped, where the calibrated ones leave room, else at a scale.
    fn as_reals(&mut self, id: ValueId, stored: Stored) -> Result<Stored, CompileError> {
        let greatest = self.ranges[id.0].magnitude();
        let form = if 2.0 * greatest <= DType::I16.max() as f64 && stored.form.scale == super::one() {
            super::Form::whole(DType::I16, super::one())
        } else {
            let scale = self.scale_reaching(1.25 * greatest, DType::I16.max() as f64)?;
            super::Form::whole(DType::I16, scale)
        };
        self.converted("narrow", &stored, form)
    }

    /// A softmax that waits for its division, through transpositions.
    pub(super) fn soft(&self, id: ValueId) -> Option<Soft> {
        if let Maker::View(node) = self.plan.makers[id.0] {
            let node = &self.graph.nodes[node];
            let Op::Transpose { order } = &node.op else { return None };
            let mut soft = self.soft(node.inputs[0])?;
            soft.parts.view = soft.parts.view.transpose(order);
            soft.sums.view = soft.sums.view.transpose(order);
            return Some(soft);
        }
        self.values.soft[id.0].clone()
    }

    /// A tensor in another form.
    pub(super) fn converted(
        &mut self,
        role: &'static str,
        stored: &Stored,
        form: super::Form,
    ) -> Result<Stored, CompileError> {
        let shape = stored.shape();
        let record = self.record(stored.step(), 0.0, form.scale.real(), stored.reach())?;
        let records = self.records(&[record], &[], &shape);
        let job = self.job(Fold::Sum, stored.read(), records, form);
        self.emit(role, None, job)
    }

    /// What a node that only changes views makes of its input.
    fn viewed(&mut self, node: usize, input: &Stored) -> Result<Stored, CompileError> {
        let node = &self.graph.nodes[node];
        let shape = self.shape(node.output).to_vec();
        let view = match &node.op {
            Op::Reshape => input.view.reshape(&shape),
            Op::Transpose { order } => Some(input.view.transpose(order)),
            Op::Slice { starts, steps } => input.view.slice(starts, steps, &shape),
            Op::Expand => Some(input.view.expand(&shape)),
            Op::Repeat { factors } => Some(input.view.repeat(factors)),
            Op::Concat { .. } | Op::Cast => Some(input.view.clone()),
            _ => unreachable!("such a node is no view"),
        };
        if let Some(view) = view {
            return Ok(Stored { view, ..input.clone() });
        }
        if let Op::Slice { starts, steps } = &node.op
            && steps.iter().any(|step| *step < 0)
        {
            return self.picked(input, starts, steps, &shape);
        }
        let dense = self.copy(input, Order::Dims((0..input.view.dims.len()).collect()))?;
        let view = match &node.op {
            Op::Reshape => dense.view.reshape(&shape),
            Op::Slice { starts, steps } => dense.view.slice(starts, steps, &shape),
            _ => None,
        };
        let view = view.expect("a dense tensor reads as any shape and slice");
        Ok(Stored { view, ..dense })
    }

    /// A slice that runs backwards somewhere, element by element.
    fn picked(
        &mut self,
        input: &Stored,
        starts: &[usize],
        steps: &[isize],
        shape: &[usize],
    ) -> Result<Stored, CompileError> {
        let all = input.view.addresses();
        let sizes = input.shape();
        let count: usize = shape.iter().product();
        let addresses = (0..count).map(|flat| {
            let mut rest = flat;
            let (mut index, mut stride) = (0, 1);
            for dim in (0..shape.len()).rev() {
                let at = starts[dim] as isize + (rest % shape[dim]) as isize * steps[dim];
                rest /= shape[dim];
                index += usize::try_from(at).unwrap_or(0) * stride;
                stride *= sizes[dim];
            }
            all[index.min(all.len() - 1)]
        });
        let addresses: Vec<usize> = addresses.collect();
        self.gathered(input, &addresses, shape)
    }

    /// A copy of elements by their addresses, in row-major order: for what no four loops walk.
    fn gathered(
        &mut self,
        input: &Stored,
        addresses: &[usize],
        shape: &[usize],
    ) -> Result<Stored, CompileError> {
        let indices = self.integers(DType::I32, addresses.iter().map(|&at| at as i64), View::dense(shape));
        let records = self.identity(shape);
        let rows = self.tensor(input.source).elements;
        let mut job = self.job(Fold::Gather, indices, records, input.form);
        job.b = Some(input.with(View::repeated(shape)));
        job.scales = (1, rows as i32);
        self.emit(REORDER, None, job)
    }

    /// A copy that holds every element once, in this order.
    pub(super) fn copy(&mut self, stored: &Stored, order: Order) -> Result<Stored, CompileError> {
        let shape = stored.shape();
        let records = self.identity(&shape);
        let mut job = self.job(Fold::Sum, stored.read(), records, stored.form);
        job.order = order.clone();
        if job.nest().is_some() {
            return self.emit(REORDER, None, job);
        }
        // What is repeated is left out at first, so that there are fewer loops, and repeated by a second copy.
        let repeated = stored.view.dims.iter().enumerate().find_map(|(dim, factors)| {
            let at = factors.iter().position(|f| f.step == 0 && f.size > 1)?;
            (merged(factors).len() > 1).then_some((dim, at))
        });
        let Some((dim, at)) = repeated else {
            return self.gathered(stored, &stored.view.addresses(), &shape);
        };
        let mut bare = stored.clone();
        let factor = bare.view.dims[dim].remove(at);
        let behind: usize = bare.view.dims[dim][at..].iter().map(|f| f.size).product();
        let mut dense = self.copy(&bare, order.clone())?;
        let whole = std::mem::take(&mut dense.view.dims[dim]);
        let outer: usize = whole.iter().map(|f| f.size).product::<usize>() / behind;
        let pair = View { base: 0, dims: vec![whole] }.reshape(&[outer, behind]).expect("a run cut in two");
        dense.view.dims[dim] = [&pair.dims[0][..], &[factor], &pair.dims[1]].concat();
        let records = self.identity(&shape);
        let mut job = self.job(Fold::Sum, dense.read(), records, dense.form);
        job.order = order;
        if job.nest().is_some() {
            return self.emit(REORDER, None, job);
        }
        self.gathered(&dense, &dense.view.addresses(), &shape)
    }

    /// Puts an operand into a buffer of its own, in which every element stands once, in the order of its dimensions.
    pub(super) fn densify(&mut self, read: &mut Read) -> Result<(), CompileError> {
        let kept = |f: &&Factor| f.step > 0 && f.size > 1;
        let form = self.form_of(read);
        let dims = read.view.dims.iter().map(|dim| dim.iter().filter(kept).copied().collect());
        let core =
            Stored { source: read.source, form, view: View { base: read.view.base, dims: dims.collect() } };
        let rank = core.view.dims.len();
        let dense = self.copy(&core, Order::Dims((0..rank).collect()))?;
        let mut step = dense.view.elements();
        for factor in read.view.dims.iter_mut().flatten().filter(|f| f.step > 0 && f.size > 1) {
            step /= factor.size;
            factor.step = step;
        }
        (read.source, read.view.base) = (dense.source, 0);
        Ok(())
    }

    /// What is known of a tensor that an operator reads.
    fn form_of(&self, read: &Read) -> super::Form {
        match read.source {
            narrows_program::Source::Operator(index) => self.outputs[index.0 as usize].stored.form,
            _ => self.input.form,
        }
    }

    /// Softmax in full, for readers that are no product.
    fn probabilities(&mut self, id: ValueId, soft: &Soft) -> Result<Stored, CompileError> {
        let form = self.forms.of(id);
        let shape = soft.parts.shape();
        let lift = 15;
        let unit = 1.0 / f64::from(1u32 << lift);
        let quotient = (soft.parts.reach() << lift) / soft.sums.form.lo.unsigned_abs() as u128 + 1;
        let record = self.record(unit, 0.0, form.scale.real(), quotient)?;
        let records = self.records(&[record], &[], &shape);
        let mut job = self.job(Fold::Sum, soft.parts.read(), records, form);
        job.end = End::Divide { by: soft.sums.with(soft.sums.view.expand(&shape)), lift };
        self.emit("", Some(id), job)
    }

    /// Puts the model's output last and in its public order.
    pub(super) fn finish(&mut self) -> Result<(), CompileError> {
        let stored = self.value(self.graph.output)?;
        let order = public_order(stored.view.dims.len());
        let last = self.operators.len().checked_sub(1);
        let is_last = matches!(stored.source, narrows_program::Source::Operator(index) if Some(index.0 as usize) == last);
        let whole = self.tensor(stored.source).elements == stored.view.elements() as u64;
        if !(is_last && whole && stored.view.is_dense(&order)) {
            let copy = self.copy(&stored, Order::Dims(order.clone()))?;
            if !copy.view.is_dense(&order) {
                self.copy(&copy, Order::Dims(order))?;
            }
        }
        Ok(())
    }

    /// A record that multiplies by exactly two to the power `-bits`, after a bias in accumulator units.
    pub(super) fn shifting(bias: i64, bits: i32) -> [u8; 16] {
        if bits >= 1 {
            narrows_program::record::encode(bias, 1, bits as u8)
        } else {
            narrows_program::record::encode(bias, 1 << (1 - bits), 1)
        }
    }

    pub(super) fn scale_reaching(&self, greatest: f64, steps: f64) -> Result<Scale, CompileError> {
        Scale::reaching(greatest, steps).ok_or_else(|| {
            self.fail(format!("values of up to {greatest} cannot be scaled; check the samples"))
        })
    }

    pub(super) fn bias_fits(bias: f64, unit: f64) -> bool {
        bias.abs() <= unit * requantise::bias_limit() / 2.0
    }
}
