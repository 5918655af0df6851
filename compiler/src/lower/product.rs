//! Products with constant weights: convolution and matrix product.

use narrows_program::{Fold, Source, Window};

use super::map::Target;
use super::nest::{Order, Reduction};
use super::{Lowering, Read, Stored, narrow, reach};
use crate::error::CompileError;
use crate::fuse::{Maker, Stage, channel};
use crate::graph::{Conv, Linear, Op, ValueId};
use crate::requantise::channel_unit;
use crate::view::{Factor, View, merged};
use crate::window;

/// Weights of a product, a row for each channel of its output.
struct Rows<'a> {
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    /// Where in its stored row each weight goes.
    places: Vec<usize>,
}

impl Lowering<'_> {
    pub(super) fn linear(&mut self, stage: &Stage, linear: &Linear) -> Result<Stored, CompileError> {
        let x = self.factor(stage.inputs[0])?;
        let rank = x.view.dims.len();
        let columns = merged(&x.view.dims[rank - 1]);
        let inputs: usize = columns.iter().map(|f| f.size).product();
        // The columns are put in the order in which the input is stored, so that neighbours meet neighbours.
        let sizes: Vec<usize> = columns.iter().map(|f| f.size).collect();
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(columns[*at].step));
        let row = View { base: 0, dims: vec![View::ordered(&sizes, &order).dims.concat()] };
        let target = self.target(stage)?;
        let bias = linear.bias.as_deref();
        let rows = Rows { weights: &linear.weights, bias, places: row.addresses() };
        let (weights, records) = self.weights(stage, &x, &rows, linear.outputs, &target)?;
        let shape = self.shape(stage.output).to_vec();
        let leading = &shape[..rank - 1];
        let mut b = View::repeated(leading);
        b.dims.push(run(linear.outputs, inputs));
        b.dims.extend(row.dims);
        let records = self.records(&records, &[linear.outputs], &shape);
        let a = x.with(x.view.inserted(rank - 1, linear.outputs));
        let mut job = self.job(Fold::Dot, a, records, target.form);
        job.b = Some(Read { view: b, ..weights });
        job.rank = rank;
        target.end(&mut job);
        if let Some(dim) = self.wished_last(stage, &shape) {
            let mut order: Vec<usize> = (0..rank).filter(|d| *d != dim).collect();
            order.push(dim);
            job.order = Order::Dims(order);
        }
        self.emit("", Some(stage.output), job)
    }

    /// The dimension of a product's output that its one reader, a product over it, would rather have innermost.
    fn wished_last(&self, stage: &Stage, shape: &[usize]) -> Option<usize> {
        let mut view = View::dense(shape);
        let mut id = stage.output;
        loop {
            let mut readers = self.graph.readers(id);
            let node = readers.next()?;
            let only = readers.next().is_none() && id != self.graph.output;
            let second = node.inputs.get(1) == Some(&id) && node.inputs[0] != id;
            match &node.op {
                _ if !only => return None,
                Op::Reshape => view = view.reshape(self.shape(node.output))?,
                Op::Transpose { order } => view = view.transpose(order),
                Op::MatMul if second => {
                    let terms = view.dims.len().checked_sub(2)?;
                    let step = view.step(terms)?;
                    let own = View::dense(shape);
                    return (0..shape.len() - 1).find(|dim| shape[*dim] > 1 && own.step(*dim) == Some(step));
                }
                _ => return None,
            }
            id = node.output;
            assert!(matches!(self.plan.makers[id.0], Maker::View(_)), "reshapes are views");
        }
    }

    pub(super) fn conv(&mut self, stage: &Stage, conv: &Conv) -> Result<Stored, CompileError> {
        let x = self.factor(stage.inputs[0])?;
        let x = if conv.spread == [1, 1] { x } else { self.spread(&x, conv.spread)? };
        let groups = conv.groups;
        let each = conv.outputs / groups;
        let x = self.image(x, groups)?;
        let [_, channels, ..] = x.shape()[..] else { unreachable!("an image has channels") };
        let per_group = channels / groups;
        let [kh, kw] = conv.window.kernel;
        let taps = kh * kw;
        // The file has [output][channel][row][column]; channels are stored last.
        let places = (0..taps * per_group).map(|at| at % taps * per_group + at / taps).collect();
        let rows = Rows { weights: &conv.weights, bias: conv.bias.as_deref(), places };
        let target = self.target(stage)?;
        let (weights, records) = self.weights(stage, &x, &rows, conv.outputs, &target)?;
        let [oh, ow] = conv.window.output;
        let out = [1, groups, each, oh, ow];
        let grouped = x.view.dims[1].clone();
        let grouped = View { base: 0, dims: vec![grouped] }.reshape(&[groups, per_group]);
        let grouped = grouped.expect("an image's channels are one run").dims;
        let mut a = View::repeated(&out).and_repeated(&[kh, kw]);
        a.base = x.view.base;
        a.dims[1].clone_from(&grouped[0]);
        a.dims.push(grouped[1].clone());
        let row = taps * per_group;
        let mut b = View::repeated(&out);
        (b.dims[1], b.dims[2]) = (run(groups, each * row), run(each, row));
        b.dims.extend([run(kh, kw * per_group), run(kw, per_group), run(per_group, 1)]);
        let records = self.records(&records, &[1, groups, each, 1, 1], &out);
        let mut job = self.job(Fold::Dot, x.with(a), records, target.form);
        job.b = Some(Read { view: b, ..weights });
        job.rank = out.len();
        job.order = Order::Windows(vec![3, 4]);
        job.reduction = Reduction::Windows(2);
        job.windows = self.windows(&conv.window, &x)?;
        target.end(&mut job);
        let made = self.emit("", Some(stage.output), job)?;
        self.reshaped(made, stage.output)
    }

    /// A tensor under the shape of an activation with as many elements, which its view must allow.
    pub(super) fn reshaped(&self, stored: Stored, id: ValueId) -> Result<Stored, CompileError> {
        let view = stored.view.reshape(self.shape(id));
        Ok(Stored { view: view.expect("dimensions of length 1 come and go"), ..stored })
    }

    /// An activation as `[1, channels, height, width]` of single runs, the groups' channels behind each other.
    pub(super) fn image(&mut self, x: Stored, groups: usize) -> Result<Stored, CompileError> {
        let mut x = x;
        if x.view.dims.len() == 3 {
            x.view = x.view.inserted(2, 1);
        }
        let channels = x.shape()[1];
        let step = x.view.step(1);
        let single = step.is_some() && x.view.step(2).is_some() && x.view.step(3).is_some();
        // Strided channels would put every term of a fold into a tile of its own.
        let scattered = channels / groups > 1 && step.is_some_and(|step| step * x.form.dtype.bytes() >= 128);
        if single && !scattered { Ok(x) } else { self.copy(&x, Order::Dims(vec![0, 2, 3, 1])) }
    }

    /// Zeros between neighbours, for a transposed convolution: behind each row, then behind each column.
    fn spread(&mut self, x: &Stored, spread: [usize; 2]) -> Result<Stored, CompileError> {
        let mut x = x.clone();
        if x.view.dims.len() == 3 {
            x.view = x.view.inserted(2, 1);
        }
        for (axis, &between) in spread.iter().enumerate().filter(|(_, between)| **between > 1) {
            let dim = 2 + axis;
            if (0..4).any(|dim| x.view.step(dim).is_none()) {
                x = self.copy(&x, Order::Dims(vec![0, 2, 3, 1]))?;
            }
            // The phase within a step is a dimension of its own, of which the first position alone holds anything.
            let a = x.view.inserted(dim + 1, between);
            let shape = a.shape();
            let records = self.identity(&shape);
            let mut job = self.job(Fold::Sum, x.with(a), records, x.form);
            let rest = [2, 3, 4].into_iter().filter(|d| *d != dim && *d != dim + 1);
            let mut order = vec![0];
            order.extend(rest.clone().filter(|d| *d < dim));
            order.extend([dim, dim + 1]);
            order.extend(rest.filter(|d| *d > dim + 1));
            order.push(1);
            job.order = Order::Between(order, dim + 1);
            let alone = Window { limit: 1, stride: 1, out_step: 1, red_step: 1, offset: 0 };
            job.windows = vec![alone];
            let made = self.emit("spread", None, job)?;
            let mut whole = x.shape();
            whole[dim] *= between;
            let view = made.view.reshape(&whole).expect("a phase lies within its step");
            x = Stored { view, ..made };
        }
        Ok(x)
    }

    /// Quantises rows of weights, each by its own unit, and makes their records.
    fn weights(
        &mut self,
        stage: &Stage,
        x: &Stored,
        rows: &Rows<'_>,
        outputs: usize,
        target: &Target,
    ) -> Result<(Read, Vec<[u8; 16]>), CompileError> {
        let dtype = self.profile.weights();
        let shape = self.shape(stage.output);
        let dim = channel(&self.graph.nodes[stage.node].op, shape.len());
        let along = |field: &crate::fuse::Field| {
            let values = field.along(dim, shape);
            values.expect("a product takes what changes along its channels alone")
        };
        let (scale, offset) = (along(&stage.scale), along(&stage.offset));
        let terms = rows.places.len();
        let accumulator = terms as u128 * reach(dtype) * x.reach();
        let limit = dtype.max() as f64;
        let mut bytes = Vec::with_capacity(rows.weights.len() * dtype.bytes());
        let mut records = Vec::with_capacity(outputs);
        let mut stored = vec![0i64; terms];
        for (output, row) in rows.weights.chunks(terms).enumerate() {
            let factor = scale[output];
            let bias = rows.bias.map_or(0.0, |bias| f64::from(bias[output])) * factor + offset[output];
            let largest = row.iter().fold(0f64, |most, w| most.max((f64::from(*w) * factor).abs()));
            if !(largest.is_finite() && bias.is_finite()) {
                return Err(self.fail("its weights times those of the nodes after it are not finite"));
            }
            let unit = channel_unit(largest, dtype.max(), x.step(), bias, target.step);
            for (&weight, &place) in row.iter().zip(&rows.places) {
                let steps = (f64::from(weight) * factor * x.step() / unit).round().clamp(-limit, limit);
                stored[place] = steps as i64;
            }
            stored.iter().for_each(|steps| dtype.write(*steps, &mut bytes));
            records.push(self.record(unit, bias, target.step, accumulator)?);
        }
        let source = Source::Constant(self.constant(dtype, bytes));
        Ok((Read { source, dtype, view: View::dense(&[]) }, records))
    }

    /// The two windows of a sliding window over an image of single runs.
    pub(super) fn windows(&self, window: &window::Window, x: &Stored) -> Result<Vec<Window>, CompileError> {
        let half = |n: usize| {
            u16::try_from(n)
                .map_err(|_| self.fail(format!("its window has a step or padding of {n}, above 65535")))
        };
        let along = |axis: usize| -> Result<Window, CompileError> {
            let step = x.view.step(2 + axis).expect("an image's rows and columns are single runs");
            Ok(Window {
                limit: narrow(window.input[axis]),
                stride: narrow(step.max(1)),
                out_step: half(window.stride[axis])?,
                red_step: half(window.dilation[axis])?,
                offset: half(window.begin[axis])?,
            })
        };
        Ok(vec![along(0)?, along(1)?])
    }
}

/// A dimension of one run.
pub(super) fn run(size: usize, step: usize) -> Vec<Factor> {
    if size > 1 { vec![Factor { size, step }] } else { Vec::new() }
}
