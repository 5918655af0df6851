//! Gathers: which element of an operand serves which term, as a tensor of indices (SPEC 2.1).
//!
//! Rows are positions of the output, in a chosen order of axes; columns are terms. Where neighbouring terms, or
//! neighbouring positions of the last axis, are neighbours in memory, whole runs of elements are gathered. A term that
//! misses a window reads a run of pad values that is put before the tensor. Of the operand a region takes only the part
//! that it reads, or picks the runs from the whole where they are few; where the part stands in order already, nothing is
//! gathered.

use std::ops::Range;

use burn::tensor::kind::Numeric;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::EngineError;
use super::ints::{Ints, axis, ints, values};
use super::reads::{Along, Reads, SPARSE};
use super::region::Region;

/// Below every address: one missed window sends the sum of a term's parts below 0.
const MISSED: i64 = -(1 << 40);

/// A gather that is ready to be applied to tensors.
#[derive(Debug, Clone)]
pub(crate) struct Gather {
    /// The runs of the part, in order; none where they are all of it in its own order.
    index: Option<Ints<1>>,
    /// The elements of the operand that are read.
    part: Range<usize>,
    along: Along,
    run: usize,
    rows: usize,
    terms: usize,
    /// Whether run 0 is the pad.
    padded: bool,
    /// Which runs are the pad instead, where few are picked out of many: putting the pad before those would copy them.
    missed: Option<Tensor<2, Bool>>,
}

impl Gather {
    /// Plans the gather of `axes` of a region; other axes must be of length 1 or not move the operand.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index cannot be read back.
    pub fn new(reads: &Reads, region: &Region, axes: &[usize], device: &Device) -> Result<Self, EngineError> {
        let mut gather = Self::whole(reads, region, axes, device);
        let index = gather.index.take().expect("the gather of a whole operand has an index");
        let runs = values(index)?;
        // Run 0 is the pad where there are windows.
        let first = i64::from(gather.padded);
        let real = || runs.iter().copied().filter(|run| *run >= first);
        let Some((least, greatest)) = real().min().zip(real().max()) else {
            let index = Some(ints(runs, device));
            return Ok(Self { index, part: 0..gather.run, ..gather });
        };
        let run = gather.run;
        if runs.len() <= (greatest - least) as usize / SPARSE {
            let missed: Vec<bool> = runs.iter().map(|run| *run < first).collect();
            let index = runs.iter().map(|run| (run - first).max(0)).collect();
            let mask = || Tensor::from_data(TensorData::new(missed.clone(), [missed.len(), 1]), device);
            gather.missed = missed.contains(&true).then(mask);
            return Ok(Self { index: Some(ints(index, device)), padded: false, ..gather });
        }
        gather.part = (least - first) as usize * run..(greatest - first + 1) as usize * run;
        gather.padded = gather.padded && runs.contains(&0);
        let lowered = least - i64::from(gather.padded);
        let runs: Vec<i64> = runs.iter().map(|run| (run - lowered).max(0)).collect();
        let in_order = !gather.padded && runs.iter().enumerate().all(|(at, run)| at as i64 == *run);
        gather.index = (!in_order).then(|| ints(runs, device));
        Ok(gather)
    }

    /// As [`Gather::new`], reading the operand from its beginning to its end: what [`Gather::moved`] needs.
    pub fn whole(reads: &Reads, region: &Region, axes: &[usize], device: &Device) -> Self {
        let (along, run) = reads.best_run(region, axes);
        let plan = Plan { reads, region, axes, along, run, device };
        Self {
            index: Some(plan.index()),
            part: 0..reads.elements as usize,
            along,
            run: run as usize,
            rows: axes.iter().map(|a| region.len[*a]).product(),
            terms: reads.red.iter().map(|d| *d as usize).product(),
            padded: plan.padded(),
            missed: None,
        }
    }

    /// The gathered elements as [positions, terms].
    pub fn matrix<K: Numeric>(&self, source: Tensor<1, K>, pad: i64) -> Tensor<2, K> {
        self.by_position(self.runs(self.part(source), pad))
    }

    /// The gathered elements as [positions / run, terms, run of positions].
    pub fn stack<K: Numeric>(&self, source: Tensor<1, K>, pad: i64) -> Tensor<3, K> {
        self.by_run(self.runs(self.part(source), pad))
    }

    /// The matrix of each tensor that `make` makes of the operand, element by element and 0 of 0: before it is gathered,
    /// or after where that is fewer elements.
    pub fn matrices<K: Numeric, L: Numeric>(
        &self,
        source: Tensor<1, K>,
        make: impl Fn(Tensor<1, K>) -> Vec<Tensor<1, L>>,
    ) -> Vec<Tensor<2, L>> {
        self.made(source, make).into_iter().map(|runs| self.by_position(runs)).collect()
    }

    /// The same as stacks.
    pub fn stacks<K: Numeric, L: Numeric>(
        &self,
        source: Tensor<1, K>,
        make: impl Fn(Tensor<1, K>) -> Vec<Tensor<1, L>>,
    ) -> Vec<Tensor<3, L>> {
        self.made(source, make).into_iter().map(|runs| self.by_run(runs)).collect()
    }

    /// Positions in a run of [`Self::stack`].
    pub fn stack_run(&self) -> usize {
        if self.along == Along::Outputs { self.run } else { 1 }
    }

    /// The elements of single terms without windows, the runs of each row of `by` [rows, 1] moved on by so many runs.
    pub fn moved<K: Numeric>(&self, source: Tensor<1, K>, by: Ints<2>) -> Tensor<2, K> {
        let index = self.index.clone().expect("the gather of a whole operand has an index");
        let ([rows, _], [count]) = (by.dims(), index.dims());
        picked(source, (index.reshape([rows, count / rows]) + by).reshape([count]), self.run)
    }

    /// The part of the operand that is read.
    fn part<K: Numeric>(&self, source: Tensor<1, K>) -> Tensor<1, K> {
        let [elements] = source.dims();
        if self.part == (0..elements) { source } else { source.slice([self.part.clone()]) }
    }

    fn made<K: Numeric, L: Numeric>(
        &self,
        source: Tensor<1, K>,
        make: impl Fn(Tensor<1, K>) -> Vec<Tensor<1, L>>,
    ) -> Vec<Tensor<2, L>> {
        let part = self.part(source);
        let gathered = self.rows * self.terms;
        if gathered <= self.part.len() {
            let runs = self.runs(part, 0).reshape([gathered]);
            return make(runs).into_iter().map(|t| t.reshape([gathered / self.run, self.run])).collect();
        }
        make(part).into_iter().map(|t| self.runs(t, 0)).collect()
    }

    fn by_position<K: Numeric>(&self, runs: Tensor<2, K>) -> Tensor<2, K> {
        match self.along {
            Along::Terms => runs.reshape([self.rows, self.terms]),
            Along::Outputs => {
                let stack = runs.reshape([self.rows / self.run, self.terms, self.run]);
                stack.swap_dims(1, 2).reshape([self.rows, self.terms])
            }
        }
    }

    fn by_run<K: Numeric>(&self, runs: Tensor<2, K>) -> Tensor<3, K> {
        match self.along {
            Along::Terms => runs.reshape([self.rows, self.terms, 1]),
            Along::Outputs => runs.reshape([self.rows / self.run, self.terms, self.run]),
        }
    }

    fn runs<K: Numeric>(&self, part: Tensor<1, K>, pad: i64) -> Tensor<2, K> {
        let Some(index) = self.index.clone() else {
            let [elements] = part.dims();
            return part.reshape([elements / self.run, self.run]);
        };
        let (device, dtype) = (part.device(), part.dtype());
        let part = if self.padded {
            Tensor::cat(vec![Tensor::full([self.run], pad, (&device, dtype)), part], 0)
        } else {
            part
        };
        let runs = picked(part, index, self.run);
        match &self.missed {
            Some(missed) => {
                let shape = runs.dims();
                runs.mask_fill(missed.clone().expand(shape), pad)
            }
            None => runs,
        }
    }
}

/// The runs of a tensor that an index names: [runs, elements of a run].
fn picked<K: Numeric>(source: Tensor<1, K>, index: Ints<1>, run: usize) -> Tensor<2, K> {
    let ([elements], [count]) = (source.dims(), index.dims());
    if run == 1 {
        return source.select(0, index).reshape([count, 1]);
    }
    source.reshape([elements / run, run]).gather_nd(index.reshape([count, 1]))
}

struct Plan<'a> {
    reads: &'a Reads,
    region: &'a Region,
    axes: &'a [usize],
    along: Along,
    run: u64,
    device: &'a Device,
}

impl Plan<'_> {
    fn padded(&self) -> bool {
        self.reads.windows.iter().any(|w| w.limit > 0)
    }

    /// A step in runs; the run's own axis steps from run to run.
    fn step(&self, elements: u32) -> i64 {
        i64::from(elements) / self.run as i64
    }

    /// The values on an output axis: one every run of the run's own axis.
    fn positions(&self, axis_index: usize) -> (usize, i64) {
        let (len, step) = (self.region.len[axis_index], self.reads.map.out[axis_index]);
        if self.along == Along::Outputs && self.axes.last() == Some(&axis_index) {
            (len / self.run as usize, if self.run == 1 { i64::from(step) } else { 1 })
        } else {
            (len, if len == 1 { 0 } else { self.step(step) })
        }
    }

    fn index(&self) -> Ints<1> {
        let (reads, device) = (self.reads, self.device);
        let first = (reads.base(self.region) / self.run) as i64 + i64::from(self.padded());
        let rows = self.axes.iter().fold(ints(vec![first], device), |rows, a| {
            let (len, step) = self.positions(*a);
            outer(rows, axis(len, step, device))
        });
        let [count] = rows.dims();
        let red = reads.red.map(|d| d as usize);
        let steps = [0, 1].map(|t| if red[t] == 1 { 0 } else { self.step(reads.map.red[t]) });
        let (inner, inner_step) = match self.along {
            Along::Terms if self.run > 1 => (red[2] / self.run as usize, 1),
            _ => (red[2], if red[2] == 1 { 0 } else { self.step(reads.map.red[2]) }),
        };
        let mut index = rows.reshape([count, 1]) + axis(red[0], steps[0], device).reshape([1, red[0]]);
        if let Some(window) = self.window(0) {
            index = index + window;
        }
        let mut index =
            index.reshape([count, red[0], 1]) + axis(red[1], steps[1], device).reshape([1, 1, red[1]]);
        if let Some(window) = self.window(1) {
            index = index + window.reshape([count, 1, red[1]]);
        }
        let index = outer(index.reshape([count * red[0] * red[1]]), axis(inner, inner_step, device));
        if self.padded() { index.clamp_min(0i64) } else { index }
    }

    /// What window `w` adds to the index: [positions, terms of its axis].
    fn window(&self, w: usize) -> Option<Ints<2>> {
        let window = self.reads.windows[w];
        if window.limit == 0 {
            return None;
        }
        let device = self.device;
        let first = self.region.start[w] as i64 * i64::from(window.out_step) - i64::from(window.offset);
        let positions = self.axes.iter().fold(ints(vec![first], device), |rows, a| {
            let (len, _) = self.positions(*a);
            outer(rows, axis(len, if *a == w { i64::from(window.out_step) } else { 0 }, device))
        });
        let [count] = positions.dims();
        let terms = self.reads.red[w] as usize;
        let v = positions.reshape([count, 1])
            + axis(terms, i64::from(window.red_step), device).reshape([1, terms]);
        let limit = i64::from(window.limit);
        let missed = v.clone().lower_elem(0i64).bool_or(v.clone().greater_equal_elem(limit));
        let inside = v.clamp(0i64, limit - 1).mul_scalar(self.step(window.stride));
        Some(inside.mask_fill(missed, MISSED))
    }
}

/// Every sum of an element of `a` and one of `b`, those of `a` outermost.
fn outer(a: Ints<1>, b: Ints<1>) -> Ints<1> {
    let ([rows], [columns]) = (a.dims(), b.dims());
    (a.reshape([rows, 1]) + b.reshape([1, columns])).reshape([rows * columns])
}
