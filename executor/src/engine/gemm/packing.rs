//! Operand b of a product, packed for the kernel: panels of columns, and for each group of terms the 4 bytes of each
//! column. The terms are cut into passes whose sums provably fit 32 bits.

use std::ops::Range;

use narrows_program::DType;
use rayon::prelude::*;

use super::geometry::Geometry;
use super::pairing::paired;
use crate::engine::arch::{Eights, GroupOrder, Kernel, Lines, Segments, TileShape, Work};
use crate::engine::plan::{Map, Planned};
use crate::engine::values::{Element, View, with_view};

/// Bytes of packed columns that are worth more than one thread.
const MANY: usize = 1 << 16;

/// Which part of b's values a pass multiplies: 16 bits are 256 times the high part and the low part, both of 9 bits at
/// most, so that many products of each fit 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Low,
    High,
}

impl Part {
    #[inline(always)]
    fn of(self, value: i32) -> i32 {
        let low = i32::from((value & 0xFF) as u8 as i8);
        match self {
            Self::Whole => value,
            Self::Low => low,
            Self::High => (value - low) >> 8,
        }
    }

    /// The greatest magnitude of the part of a value of this type.
    fn greatest(self, dtype: DType) -> u64 {
        match self {
            Self::Whole => dtype.min().unsigned_abs(),
            Self::Low | Self::High => 128,
        }
    }
}

/// Terms that are summed in 32 bits.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Pass {
    pub segments: Segments,
    /// Groups of the panel before this pass.
    pub first: usize,
    /// Times 2^shift, the pass's sum is a part of the element's.
    pub shift: u32,
    part: Part,
    /// The pass's groups, counted over all runs.
    groups: Range<usize>,
}

/// The order in which b is packed.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Packing {
    pub passes: Vec<Pass>,
    /// Panels of a batch.
    pub panels: usize,
    /// Groups of a panel, over all passes.
    pub groups: usize,
    columns: usize,
    count: usize,
    /// Terms of a group: 4 of 8 bits, or 2 of 16.
    group: usize,
    /// Whether each panel has its groups in an order of its own.
    ordered: bool,
    map: Map,
    batch: [usize; 3],
    /// Steps in b of each term, from its column's first.
    terms: Vec<usize>,
    run: usize,
}

/// Packed columns.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Weights {
    pub data: Lines,
    /// For each batch, panel, pass and column -128 times the sum of the values, in groups of 4: what sums begin with if
    /// a is read as a + 128.
    pub starts: Vec<i32>,
    /// For each batch, panel and pass the order of its groups; none where all panels have that of the segments.
    pub orders: Vec<GroupOrder>,
}

/// A panel's columns, starts and orders.
type Panel<'a> = ((&'a mut [u8], &'a mut [i32]), &'a mut [GroupOrder]);

impl Packing {
    /// The order for `operator`'s b with these tiles; `weights` are its values if they are known. `wide`: in groups of 2.
    pub fn new(
        operator: &Planned,
        batch: [usize; 3],
        geometry: &Geometry,
        shape: &TileShape,
        wide: bool,
        weights: Option<View<'_>>,
    ) -> Self {
        let b = operator.b.as_ref().expect("a product has a b");
        let [_, r1, r2] = operator.red;
        let step = |t: usize| {
            let t = [t / (r1 * r2), t / r2 % r1, t % r2];
            (0..3).map(|i| t[i] * b.map.red[i]).sum()
        };
        let group = if wide { 2 } else { 4 };
        let mut packing = Self {
            passes: Vec::new(),
            panels: operator.out[3].div_ceil(shape.columns),
            groups: 0,
            columns: shape.columns,
            count: operator.out[3],
            group,
            ordered: !wide && shape.eights == Eights::Positive,
            map: b.map,
            batch,
            terms: (0..operator.terms).map(step).collect(),
            run: geometry.run,
        };
        let limit = i32::MAX as u64 / operator.a.dtype.min().unsigned_abs();
        let cuts = |part| packing.cuts(part, b.dtype, limit, weights);
        let parts = match cuts(Part::Whole).filter(|cuts| cuts.len() == 1 || b.dtype == DType::I8) {
            Some(whole) => vec![(Part::Whole, 0, whole)],
            None => [(Part::Low, 0), (Part::High, 8)]
                .map(|(part, shift)| (part, shift, cuts(part).expect("128 fits any sum")))
                .to_vec(),
        };
        let width = 4 / group;
        for (part, shift, cuts) in parts {
            for groups in cuts {
                let segments = Segments::new(geometry.segments(groups.clone(), group, width));
                let first = packing.groups;
                packing.groups += groups.len();
                packing.passes.push(Pass { segments, first, shift, part, groups });
            }
        }
        packing
    }

    /// Cuts all groups into ranges such that no column's magnitudes sum to more than `limit` in any; `None` if some
    /// group's alone do.
    fn cuts(
        &self,
        part: Part,
        dtype: DType,
        limit: u64,
        weights: Option<View<'_>>,
    ) -> Option<Vec<Range<usize>>> {
        let total = self.terms.len() / self.run * self.run.div_ceil(self.group);
        let greatest = part.greatest(dtype);
        if self.terms.len() as u64 <= limit / greatest {
            return Some(vec![Range { start: 0, end: total }]);
        }
        let mut cuts = Vec::new();
        let mut from = 0;
        while from < total {
            let to = match weights {
                Some(view) => with_view!(view, v => self.furthest(v, part, limit, from, total)),
                None => from + (limit / greatest) as usize / self.group,
            };
            if to == from {
                return None;
            }
            cuts.push(from..to.min(total));
            from = to;
        }
        Some(cuts)
    }

    /// The end of the longest range of groups from `from` on within `limit`.
    fn furthest<T: Element>(&self, values: &[T], part: Part, limit: u64, from: usize, total: usize) -> usize {
        let columns: Vec<usize> = self.columns().collect();
        let sooner = |end: usize, column: &usize| {
            let mut sum = 0;
            for group in from..end {
                for term in &self.terms[self.group_terms(group)] {
                    sum += u64::from(part.of(values[column + term].get()).unsigned_abs());
                }
                if sum > limit {
                    return group;
                }
            }
            end
        };
        let ends = columns.par_chunks(MANY.div_ceil(self.terms.len()));
        ends.map(|columns| columns.iter().fold(total, sooner)).min().unwrap_or(total)
    }

    /// Where each column of each batch begins in b.
    fn columns(&self) -> impl Iterator<Item = usize> {
        let batches: usize = self.batch.iter().product();
        (0..batches).flat_map(move |batch| (0..self.count).map(move |column| self.column(batch, column)))
    }

    fn column(&self, batch: usize, column: usize) -> usize {
        let [_, b1, b2] = self.batch;
        let o = [batch / (b1 * b2), batch / b2 % b1, batch % b2, column];
        self.map.base + (0..4).map(|i| o[i] * self.map.out[i]).sum::<usize>()
    }

    /// The terms of a group, fewer than its room at the end of a run.
    fn group_terms(&self, group: usize) -> Range<usize> {
        let each = self.run.div_ceil(self.group);
        let (run, at) = (group / each, group % each * self.group);
        run * self.run + at..run * self.run + (at + self.group).min(self.run)
    }

    /// Bytes of all packed panels.
    pub fn bytes(&self) -> usize {
        let batches: usize = self.batch.iter().product();
        batches * self.panels * self.groups * self.columns * 4
    }

    /// Room for packed columns; nothing if memory is short.
    pub fn room(&self) -> Option<Weights> {
        let batches: usize = self.batch.iter().product();
        let passes = batches * self.panels * self.passes.len();
        let (starts, orders) = (vec![0; passes * self.columns], vec![GroupOrder::default(); passes]);
        Some(Weights { data: Lines::zeroed(self.bytes())?, starts, orders })
    }

    /// Packs b's values. What lies beyond the columns and the terms stays 0 and adds nothing.
    pub fn fill(&self, kernel: Kernel, view: View<'_>, weights: &mut Weights) {
        with_view!(view, v => self.fill_from(kernel, v, weights));
    }

    fn fill_from<T: Element>(&self, kernel: Kernel, values: &[T], weights: &mut Weights) {
        let panel = self.groups * self.columns * 4;
        let passes = self.passes.len();
        let starts = passes * self.columns;
        let data = &mut weights.data.bytes_mut()[..weights.starts.len() / starts * panel];
        let one = |(number, ((data, starts), orders)): (usize, Panel<'_>)| {
            kernel.vectorize(Fill { packing: self, values, number, data, starts });
            if self.ordered {
                self.order(data, orders);
            }
        };
        if data.len() < MANY {
            let (starts, orders) = (weights.starts.chunks_mut(starts), weights.orders.chunks_mut(passes));
            data.chunks_mut(panel).zip(starts).zip(orders).enumerate().for_each(one);
        } else {
            let starts = weights.starts.par_chunks_mut(starts);
            let orders = weights.orders.par_chunks_mut(passes);
            data.par_chunks_mut(panel).zip(starts).zip(orders).enumerate().for_each(one);
        }
    }

    /// Gives a filled panel's groups their order.
    fn order(&self, data: &mut [u8], orders: &mut [GroupOrder]) {
        let size = self.columns * 4;
        for (pass, order) in self.passes.iter().zip(orders) {
            let offsets: Vec<u32> = pass.segments.offsets().map(|offset| offset as u32).collect();
            *order = paired(&mut data[pass.first * size..][..offsets.len() * size], size, &offsets);
        }
    }

    /// Packs panel `number`, counted over batches.
    #[inline(always)]
    fn fill_panel<T: Element>(&self, values: &[T], number: usize, data: &mut [u8], starts: &mut [i32]) {
        let first = number % self.panels * self.columns;
        let lanes = self.columns.min(self.count - first);
        let (from, step) = (self.column(number / self.panels, first), self.map.out[3]);
        starts.fill(0);
        for (index, pass) in self.passes.iter().enumerate() {
            let groups = data[pass.first * self.columns * 4..].chunks_exact_mut(self.columns * 4);
            for (group, out) in pass.groups.clone().zip(groups) {
                let terms = &self.terms[self.group_terms(group)];
                if self.group == 2 {
                    let (out, part) = (&mut out.as_chunks_mut().0[..lanes], pass.part);
                    let second = terms.get(1).map(|term| &values[from + term..]);
                    pack_pairs((&values[from + terms[0]..], second), step, part, out);
                    continue;
                }
                for (i, term) in terms.iter().enumerate() {
                    let starts = &mut starts[index * self.columns..][..lanes];
                    for (lane, (out, start)) in out.chunks_exact_mut(4).zip(starts).enumerate() {
                        let value = pass.part.of(values[from + term + lane * step].get());
                        out[i] = value as u8;
                        *start = start.wrapping_sub(value.wrapping_mul(128));
                    }
                }
            }
        }
    }

    /// Of each column of each batch, the sum of its values' magnitudes.
    pub fn norms(&self, weights: View<'_>) -> Vec<u64> {
        let columns: Vec<usize> = self.columns().collect();
        with_view!(weights, v => {
            let norm = |column: &usize| self.terms.iter().map(|t| u64::from(v[column + t].get().unsigned_abs())).sum();
            columns.par_iter().with_min_len(MANY.div_ceil(self.terms.len())).map(norm).collect()
        })
    }

    /// The most that a column's norm can be.
    pub fn greatest_norm(&self, dtype: DType) -> u64 {
        self.terms.len() as u64 * dtype.min().unsigned_abs()
    }
}

/// Packs one panel.
struct Fill<'a, T> {
    packing: &'a Packing,
    values: &'a [T],
    number: usize,
    data: &'a mut [u8],
    starts: &'a mut [i32],
}

impl<T: Element> Work for Fill<'_, T> {
    #[inline(always)]
    fn run(self) {
        self.packing.fill_panel(self.values, self.number, self.data, self.starts);
    }
}

/// Packs a group of two terms: of each column, `step` apart, a value of each, or one and 0.
#[inline(always)]
fn pack_pairs<T: Element>(terms: (&[T], Option<&[T]>), step: usize, part: Part, out: &mut [[u8; 4]]) {
    match part {
        Part::Whole => pack_parts(terms, step, |value| Part::Whole.of(value), out),
        Part::Low => pack_parts(terms, step, |value| Part::Low.of(value), out),
        Part::High => pack_parts(terms, step, |value| Part::High.of(value), out),
    }
}

#[inline(always)]
fn pack_parts<T: Element>(
    (first, second): (&[T], Option<&[T]>),
    step: usize,
    part: impl Fn(i32) -> i32,
    out: &mut [[u8; 4]],
) {
    let pair = |low: i32, high: i32| (part(low) & 0xFFFF | part(high) << 16).to_le_bytes();
    match second {
        Some(second) if step == 1 => {
            let values = first.iter().zip(second);
            out.iter_mut().zip(values).for_each(|(out, (v, w))| *out = pair(v.get(), w.get()));
        }
        Some(second) if step > 1 => {
            let values = first.chunks(step).zip(second.chunks(step));
            out.iter_mut().zip(values).for_each(|(out, (v, w))| *out = pair(v[0].get(), w[0].get()));
        }
        second => {
            for (index, out) in out.iter_mut().enumerate() {
                let at = |values: &[T]| values[index * step].get();
                *out = pair(at(first), second.map_or(0, at));
            }
        }
    }
}
