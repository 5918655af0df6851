//! Products of matrices: dot products in which neighbouring outputs share the terms of a.
//!
//! A product has *rows* (output positions along which b does not move), *columns* (o3, along which a does not move)
//! and *batches* (the rest: groups of a convolution, heads of an attention). Convolutions are products whose rows
//! overlap in the tensor, or in a padded copy of it; nothing is unfolded.
//!
//! | module | what it holds |
//! |---|---|
//! | `geometry` | where a row's terms stand in operand a |
//! | `packing` | b in the kernel's order, in passes whose sums fit 32 bits |
//! | `pairing` | which groups of terms meet in 16 bits first |
//! | `prepare` | copies of operand a |

mod geometry;
mod packing;
mod pairing;
mod prepare;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use narrows_program::{DType, Fold};

use geometry::Geometry;
pub(super) use packing::{Packing, Weights};
pub(super) use prepare::Change;

use super::arch::{Eights, Finish, Kernel, TileShape};
use super::lazy::Lazy;
use super::plan::{End, Map, Place, Planned};
use super::values::{View, raised};

/// Packed columns may have so many times b's bytes, and so many more: tiles of few columns would be mostly empty.
const GROWTH: (usize, usize) = (8, 1 << 16);
/// Most terms of a product whose b is packed at every run.
const MOST_LIVE_TERMS: usize = 1 << 16;

/// A product, planned for a kernel.
#[derive(Debug, Clone)]
pub(super) struct Gemm {
    /// Whether the kernel multiplies 16 bits by 16 bits.
    pub wide: bool,
    /// In bytes from here on, as the kernel reads a.
    pub geometry: Geometry,
    /// Output dimensions that are rows, 1 elsewhere.
    pub rows: [usize; 3],
    /// Output dimensions that are batches, 1 elsewhere.
    pub batch: [usize; 3],
    /// Whether b is a constant.
    pub constant: bool,
    shape: TileShape,
    packed: Once,
    finish: Lazy<Finish>,
    /// The same product for an a of any sign, if this one is for an a of which no value is negative.
    signed: Option<Box<Self>>,
}

/// Operand b's order for the kernel, and its packed columns if it is a constant.
#[derive(Debug)]
pub(super) struct Packed {
    pub packing: Packing,
    pub weights: Option<Weights>,
}

/// Packed constants of the products planned so far: products that read one in the same order share it.
#[derive(Debug, Default)]
pub(super) struct Shared(BTreeMap<usize, Vec<(Order, Once)>>);

/// Packed columns, made at their first use.
type Once = Arc<Lazy<Packed>>;

/// All that the packed columns of a constant depend on.
#[derive(Debug, PartialEq)]
struct Order {
    types: [DType; 2],
    map: Map,
    columns: usize,
    red: [usize; 3],
    batch: [usize; 3],
    wide: bool,
    runs: Vec<usize>,
    run: usize,
}

impl Gemm {
    /// Plans `operator` as a product, if it is one that `kernel` runs. No value of an operand is looked at.
    /// `elements`: of the operands' tensors; `positive`: the operator that writes a promises that no value is negative.
    pub fn new(
        operator: &Planned,
        kernel: Kernel,
        elements: [usize; 2],
        positive: bool,
        shared: &mut Shared,
    ) -> Option<Self> {
        let mut gemm = Self::of(operator, kernel, elements, positive, shared)?;
        if !gemm.wide && gemm.shape.eights == Eights::Positive {
            gemm.signed = Some(Box::new(Self::of(operator, kernel, elements, false, shared)?));
        }
        Some(gemm)
    }

    fn of(
        operator: &Planned,
        kernel: Kernel,
        elements: [usize; 2],
        positive: bool,
        shared: &mut Shared,
    ) -> Option<Self> {
        let shape = kernel.tile()?;
        let b = operator.b.as_ref().filter(|_| operator.fold == Fold::Dot)?;
        let short = |dtype| matches!(dtype, DType::I8 | DType::I16);
        let shares = operator.out[3] == 1 || operator.a.map.out[3] == 0;
        if !short(operator.a.dtype) || !short(b.dtype) || !shares {
            return None;
        }
        let moves = |axis: usize| operator.out[axis] > 1 && b.map.out[axis] > 0;
        let rows: [usize; 3] = std::array::from_fn(|axis| if moves(axis) { 1 } else { operator.out[axis] });
        let batch: [usize; 3] = std::array::from_fn(|axis| if moves(axis) { operator.out[axis] } else { 1 });
        let place = if let Place::Constant(index) = b.source { Some(index) } else { None };
        let constant = place.is_some();
        let eights = (operator.a.dtype, b.dtype) == (DType::I8, DType::I8);
        let mut geometry = Geometry::new(operator, elements[0])?;
        // Orders of groups are kept in 32 bits.
        let near = shape.eights != Eights::Positive || u32::try_from(geometry.elements).is_ok();
        let wide = !(eights && constant && near && shape.eights.direct(positive));
        // Mostly empty tiles and groups lose to other ways.
        let batches: usize = batch.iter().product();
        let (group, width) = if wide { (2, 2) } else { (4, 1) };
        let padded = operator.out[3].next_multiple_of(shape.columns)
            * geometry.runs().len()
            * geometry.run.next_multiple_of(group);
        if batches.saturating_mul(padded) > GROWTH.0 * elements[1] + GROWTH.1 {
            return None;
        }
        // Packing b at every run pays off when several rows meet it.
        if !constant && (operator.terms > MOST_LIVE_TERMS || rows.iter().product::<usize>() == 1) {
            return None;
        }
        geometry.base *= width;
        geometry.out = geometry.out.map(|step| step * width);
        let order = Order {
            types: [operator.a.dtype, b.dtype],
            map: b.map,
            columns: operator.out[3],
            red: operator.red,
            batch,
            wide,
            runs: geometry.runs().to_vec(),
            run: geometry.run,
        };
        let packed = place.map(|index| shared.of(index, order)).unwrap_or_default();
        let finish = Lazy::default();
        let gemm = Self { wide, geometry, rows, batch, constant, shape, packed, finish, signed: None };
        if !constant {
            // Nothing to wait for, and a run's memory follows from it.
            gemm.packed(operator, kernel, None, || {}).ok()?;
        }
        Some(gemm)
    }

    /// The order of an operand b that is packed at every run.
    pub fn live(&self) -> Option<&Packing> {
        self.packed.known().filter(|_| !self.constant).map(|packed| &packed.packing)
    }

    /// Operand b's order, and its packed columns if it is a constant, whose values are `b` then. They are packed at their
    /// first use, after which `done` is called.
    ///
    /// # Errors
    /// The bytes that were asked for, if memory is short.
    pub fn packed(
        &self,
        operator: &Planned,
        kernel: Kernel,
        b: Option<View<'_>>,
        done: impl FnOnce(),
    ) -> Result<&Packed, usize> {
        self.packed.get(|| {
            let packing = Packing::new(operator, self.batch, &self.geometry, &self.shape, self.wide, b);
            let mut weights = b.map(|_| packing.room().ok_or(packing.bytes())).transpose()?;
            if let (Some(weights), Some(view)) = (&mut weights, b) {
                packing.fill(kernel, view, weights);
                done();
            }
            Ok(Packed { packing, weights })
        })
    }

    /// How tiles end. The values `b` of a constant are looked at where the bound of their type is too coarse.
    pub fn finish(&self, operator: &Planned, packing: &Packing, b: Option<View<'_>>) -> &Finish {
        let made: Result<_, Infallible> = self.finish.get(|| {
            let clamped = matches!(operator.end, End::Requantise | End::Table(_));
            let alike = (0..3).all(|axis| self.rows[axis] == 1 || operator.params[axis] == 0);
            // Either all terms at once, or the low and then the high parts of all.
            let shifts: Vec<u32> = packing.passes.iter().map(|pass| pass.shift).collect();
            let few = shifts == [0] || shifts == [0, 8] && self.shape.passes == 2;
            if !few || !clamped || !alike {
                return Ok(Finish::Rows);
            }
            let dtype = operator.b.as_ref().expect("a product has a b").dtype;
            let coarse = packing.greatest_norm(dtype);
            let vectors = self.vectors(operator, |_| coarse).or_else(|| {
                let norms = packing.norms(b?);
                self.vectors(operator, |index| norms[index])
            });
            Ok(vectors.map_or(Finish::Rows, Finish::Vectors))
        });
        let Ok(finish) = made;
        finish
    }

    /// The vectors by which tiles are requantised: for each batch and panel, for each vector of columns, multipliers,
    /// addends and shifts, each of even and odd columns. `None` if a multiplier or a quotient is not certain to fit 32
    /// bits. `norm`: of each column of each batch, at least the sum of its values' magnitudes. Records do not differ along
    /// rows.
    fn vectors(&self, operator: &Planned, norm: impl Fn(usize) -> u64) -> Option<Vec<i64>> {
        let (batch, TileShape { columns, lanes, .. }) = (self.batch, self.shape);
        let batches: usize = batch.iter().product();
        let (count, panels) = (operator.out[3], operator.out[3].div_ceil(columns));
        let mut table = vec![0; 3 * batches * panels * columns];
        for index in 0..batches * count {
            let (number, column) = (index / count, index % count);
            let at =
                [number / (batch[1] * batch[2]), number / batch[2] % batch[1], number % batch[2], column];
            let params: usize = (0..4).map(|i| at[i] * operator.params[i]).sum();
            let record = &operator.records.list[params];
            let acc = u128::from(norm(index)) * u128::from(operator.a.dtype.min().unsigned_abs());
            let most = (acc + u128::from(record.bias.unsigned_abs())) * record.multiplier as u128
                + (1 << (record.shift - 1));
            let multiplier = i32::try_from(record.multiplier).ok()?;
            if most >> record.shift > i32::MAX as u128 {
                return None;
            }
            let place = (number * panels + column / columns) * columns + column % columns;
            let (vector, lane) = (place / lanes, place % lanes);
            let half = lanes / 2;
            let entry = &mut table[3 * lanes * vector + lane % 2 * half + lane / 2..];
            let more = raised(multiplier, record.shift);
            entry[0] = record.multiplier << more;
            entry[lanes] = record.addend() << more;
            entry[2 * lanes] = i64::from(record.shift + more);
        }
        Some(table)
    }

    /// The product to run instead where values of a may be negative after all, which only a doctored trace makes true.
    pub fn instead(&self, unsigned: bool) -> Option<&Self> {
        self.signed.as_deref().filter(|_| !unsigned)
    }

    /// How operand a is copied if it is; `unsigned`: its values are known not to be negative.
    pub fn change(&self, a: DType, unsigned: bool) -> Change {
        match (self.wide, a) {
            (false, _) if unsigned || self.shape.eights == Eights::Signed => Change::Narrow,
            (false, _) if self.shape.eights == Eights::Positive => {
                unreachable!("another product runs instead")
            }
            (false, _) => Change::Shifted,
            (true, DType::I8) => Change::Extended,
            (true, _) => Change::Wide,
        }
    }
}

impl Shared {
    /// The packed columns of constant `index` in this order: another product's, or new.
    fn of(&mut self, index: usize, order: Order) -> Once {
        let known = self.0.entry(index).or_default();
        if let Some((_, packed)) = known.iter().find(|(other, _)| *other == order) {
            return packed.clone();
        }
        let packed = Once::default();
        known.push((order, Arc::clone(&packed)));
        packed
    }
}
