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
//! | `prepare` | copies of operand a |

mod geometry;
mod packing;
mod prepare;

use narrows_program::{DType, Fold};

use geometry::Geometry;
use packing::Packing;
pub(super) use packing::Weights;
pub(super) use prepare::Change;

use super::arch::{Finish, Kernel};
use super::plan::{End, Planned};
use super::values::View;

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
    pub packing: Packing,
    /// The packed columns, if b is a constant.
    pub weights: Option<Weights>,
    pub finish: Finish,
}

impl Gemm {
    /// Plans `operator` as a product, if it is one that `kernel` runs. `a_elements`: of operand a's tensor; `b`: operand
    /// b's tensor if it is a constant, and its number of elements.
    pub fn new(
        operator: &Planned,
        kernel: Kernel,
        a_elements: usize,
        (b_values, b_elements): (Option<View<'_>>, usize),
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
        let wide =
            !(shape.unsigned && b_values.is_some() && (operator.a.dtype, b.dtype) == (DType::I8, DType::I8));
        let mut geometry = Geometry::new(operator, a_elements)?;
        // Mostly empty tiles and groups lose to other ways.
        let batches: usize = batch.iter().product();
        let (group, width) = if wide { (2, 2) } else { (4, 1) };
        let padded = operator.out[3].next_multiple_of(shape.columns)
            * geometry.runs()
            * geometry.run.next_multiple_of(group);
        if batches.saturating_mul(padded) > GROWTH.0 * b_elements + GROWTH.1 {
            return None;
        }
        // Packing b at every run pays off when several rows meet it.
        if b_values.is_none() && (operator.terms > MOST_LIVE_TERMS || rows.iter().product::<usize>() == 1) {
            return None;
        }
        let packing = Packing::new(operator, batch, &geometry, &shape, wide, b_values);
        let weights = match b_values {
            Some(view) => {
                let mut weights = packing.room()?;
                packing.fill(kernel, view, &mut weights);
                Some(weights)
            }
            None => None,
        };
        let clamped = matches!(operator.end, End::Requantise | End::Table(_));
        let vectors = (packing.passes.len() == 1 && clamped).then(|| {
            vectors(operator, &rows, &batch, &packing.norms(b.dtype, b_values), shape.columns, shape.lanes)
        });
        let finish = vectors.flatten().map_or(Finish::Rows, Finish::Vectors);
        geometry.base *= width;
        geometry.out = geometry.out.map(|step| step * width);
        Some(Self { wide, geometry, rows, batch, packing, weights, finish })
    }

    /// How operand a is copied if it is; `unsigned`: its values are known not to be negative.
    pub fn change(&self, a: DType, unsigned: bool) -> Change {
        match (self.wide, a) {
            (false, _) if unsigned => Change::Unsigned,
            (false, _) => Change::Shifted,
            (true, DType::I8) => Change::Extended,
            (true, _) => Change::Wide,
        }
    }
}

/// The vectors by which tiles are requantised: for each batch and panel, for each vector of columns, multipliers,
/// addends and shifts, each of even and odd columns. `None` if the records differ along rows, or a multiplier or a
/// quotient is not certain to fit 32 bits.
fn vectors(
    operator: &Planned,
    rows: &[usize; 3],
    batch: &[usize; 3],
    norms: &[u64],
    columns: usize,
    lanes: usize,
) -> Option<Vec<i64>> {
    if (0..3).any(|axis| rows[axis] > 1 && operator.params[axis] > 0) {
        return None;
    }
    let batches: usize = batch.iter().product();
    let (count, panels) = (operator.out[3], operator.out[3].div_ceil(columns));
    let mut table = vec![0; 3 * batches * panels * columns];
    for (index, norm) in norms.iter().enumerate() {
        let (number, column) = (index / count, index % count);
        let at = [number / (batch[1] * batch[2]), number / batch[2] % batch[1], number % batch[2], column];
        let params: usize = (0..4).map(|i| at[i] * operator.params[i]).sum();
        let record = &operator.records.list[params];
        let acc = u128::from(*norm) * u128::from(operator.a.dtype.min().unsigned_abs());
        let most = (acc + u128::from(record.bias.unsigned_abs())) * record.multiplier as u128
            + (1 << (record.shift - 1));
        if record.multiplier > i64::from(i32::MAX) || most >> record.shift > i32::MAX as u128 {
            return None;
        }
        let place = (number * panels + column / columns) * columns + column % columns;
        let (vector, lane) = (place / lanes, place % lanes);
        let half = lanes / 2;
        let entry = &mut table[3 * lanes * vector + lane % 2 * half + lane / 2..];
        entry[0] = record.multiplier;
        entry[lanes] = record.addend();
        entry[2 * lanes] = i64::from(record.shift);
    }
    Some(table)
}
