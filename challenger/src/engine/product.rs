//! Dot products as exact float matrix products (SPEC 2.2, dot).
//!
//! The axes of the output fall into those that move both operands (one matrix each), those that move a only (rows),
//! and the rest (columns). Both operands are gathered into [matrix, row, term] and [matrix, term, column]. Each digit
//! of a is a block of rows, each digit of b a block of columns: one batched float product of all.

mod requantised;
mod rows;
mod weights;

use std::ops::Range;

use burn::tensor::{Device, Tensor};

use super::EngineError;
use super::chunk;
use super::exact::Scheme;
use super::gather::Gather;
use super::ints::{Ints, weighed_digits};
use super::number::{Number, plus};
use super::reads::Reads;
use super::region::Region;
use weights::{Key, columns, joined, terms_of};

pub(crate) use rows::Rows;
pub(crate) use weights::Weights;

/// The axes of a region's output, by what they move.
#[derive(Debug, Clone)]
pub(crate) struct Axes {
    /// Those that move both operands.
    pub batch: Vec<usize>,
    /// Those that move operand a only.
    pub rows: Vec<usize>,
    /// Those that move operand b only, or none.
    pub columns: Vec<usize>,
}

impl Axes {
    /// The axes of a region.
    pub fn new(a: &Reads, b: &Reads, region: &Region) -> Self {
        let mut axes = Self { batch: vec![], rows: vec![], columns: vec![] };
        for axis in 0..4 {
            let live = region.len[axis] > 1;
            match (live && a.moves(axis), live && b.moves(axis)) {
                (true, true) => axes.batch.push(axis),
                (true, false) => axes.rows.push(axis),
                _ => axes.columns.push(axis),
            }
        }
        axes
    }

    /// The axes that each operand is gathered along.
    pub fn sides(&self) -> (Vec<usize>, Vec<usize>) {
        ([&self.batch[..], &self.rows[..]].concat(), [&self.batch[..], &self.columns[..]].concat())
    }

    /// Matrices, rows, terms, columns.
    pub fn sizes(&self, a: &Reads, region: &Region) -> [usize; 4] {
        let terms = a.red.iter().map(|d| *d as usize).product();
        [count(region, &self.batch), count(region, &self.rows), terms, count(region, &self.columns)]
    }
}

/// Positions on some axes of a region.
pub(crate) fn count(region: &Region, axes: &[usize]) -> usize {
    axes.iter().map(|a| region.len[*a]).product()
}

/// Elements that the two operands of a region's product gather to, in elements of 32 bits.
pub(crate) fn gathered(a: &Reads, b: &Reads, scheme: &Scheme, region: &Region) -> (usize, usize) {
    let axes = Axes::new(a, b, region);
    let [matrices, rows, terms, columns] = axes.sizes(a, region);
    let side = |n: usize, digits: usize| {
        let parts = digits * scheme.carrier.words();
        matrices.saturating_mul(terms).saturating_mul(n).saturating_mul(parts)
    };
    (side(rows, scheme.a.count), side(columns, scheme.b.count))
}

/// Brings values, row-major by the axes in `order`, into row-major order of the region.
pub(crate) fn in_order<const D: usize, N: Number>(
    values: Tensor<D, N>,
    region: &Region,
    order: &[usize],
) -> Tensor<4, N> {
    let order: [usize; 4] = order.try_into().expect("an axis is in one class");
    let values = values.reshape(order.map(|axis| region.len[axis]));
    let back: [isize; 4] = std::array::from_fn(|axis| {
        order.iter().position(|a| *a == axis).expect("an axis is in one class") as isize
    });
    if back == [0, 1, 2, 3] { values } else { values.permute(back) }
}

/// A float matrix product.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    a: Gather,
    scheme: Scheme,
    /// Matrices, rows, terms, columns.
    sizes: [usize; 4],
    right: Right,
    chunks: Vec<Range<usize>>,
    /// The greatest sum over a column's terms of |b|, by what the weights are or may be.
    column: u128,
    order: Vec<usize>,
    region: Region,
    columns: Vec<usize>,
    /// Operand a's part of the term that subtracts, where there is one.
    ones: Option<Tensor<3>>,
}

#[derive(Debug, Clone)]
enum Right {
    /// The columns of each chunk, converted when the plan was built.
    Weights(Key, Vec<Tensor<3>>),
    /// Columns that are gathered in each run, and what they are multiplied with.
    Gathered(Box<Gather>, f64),
}

impl Matrix {
    /// Plans a region's product; `weights` is operand b where it never changes.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index or a weight cannot be read back.
    pub fn new(
        a: &Reads,
        b: &Reads,
        scheme: Scheme,
        region: Region,
        (gathers, weights): (&mut Rows, Option<&mut Weights>),
        device: &Device,
    ) -> Result<Self, EngineError> {
        let axes = Axes::new(a, b, &region);
        let (left, right) = axes.sides();
        let sizes = axes.sizes(a, &region);
        let (right, chunks, column) = match weights {
            None => {
                let gather = Gather::new(b, &region, &right, device)?;
                let column = sizes[2] as u128 * scheme.b.total();
                (Right::Gathered(Box::new(gather), 1.0), chunk::by_range(sizes[2], &scheme), column)
            }
            Some(weights) => {
                let (key, (parts, chunks, column)) = weights.columns(b, &region, &right, sizes, &scheme)?;
                (Right::Weights(key, parts), chunks, column)
            }
        };
        Ok(Self {
            a: gathers.gather(a, &region, &left, device)?,
            scheme,
            sizes,
            right,
            chunks,
            column,
            order: [&axes.batch[..], &axes.rows, &axes.columns].concat(),
            region,
            columns: axes.columns,
            ones: None,
        })
    }

    /// Whether runs read operand b.
    pub fn reads_b(&self) -> bool {
        matches!(self.right, Right::Gathered(..))
    }

    /// What no sum of products passes in magnitude, nor any sum of some of its digits' products.
    pub fn reach(&self) -> u128 {
        self.column.saturating_mul(self.scheme.a.total())
    }

    /// The accumulators of the region.
    pub fn run<N: Number>(&self, a: Ints<1>, b: impl FnOnce() -> Ints<1>) -> Tensor<4, N> {
        let parts = match &self.right {
            Right::Weights(_, parts) => parts.clone(),
            Right::Gathered(gather, scale) => {
                let whole = columns(gather, b(), &self.scheme, self.sizes, *scale);
                self.chunks.iter().map(|c| terms_of(&whole, c)).collect()
            }
        };
        let scheme = &self.scheme;
        let [matrices, rows, terms, cols] = self.sizes;
        let lefts = self.a.matrices(a, |a| weighed_digits(a, &scheme.a, scheme.carrier));
        let count = lefts.len();
        // The digits' rows one below the other, so that columns are read once for all of them.
        let shaped: Vec<Tensor<3>> =
            lefts.into_iter().map(|left| left.reshape([matrices, rows, terms])).collect();
        let mut left = joined(shaped, 1);
        if let Some(ones) = &self.ones {
            left = Tensor::cat(vec![left, ones.clone()], 2);
        }
        let products = self.columns_summed(self.chunked(left, &parts));
        if count == 1 {
            return in_order(products, &self.region, &self.order);
        }
        // All but the first are negative and subtracted, which is faster than adding them ([`plus`]).
        let digit = |i| products.clone().slice([0..matrices, i * rows..(i + 1) * rows, 0..cols]);
        let sum = (0..count).map(digit).reduce(|x, y| x - y).expect("a number has a digit");
        in_order(sum, &self.region, &self.order)
    }

    /// The products of every digit of a with every digit of b, exact chunk by exact chunk.
    fn chunked<N: Number>(&self, left: Tensor<3>, parts: &[Tensor<3>]) -> Tensor<3, N> {
        let [matrices, rows, terms] = left.dims();
        let partial = self.chunks.iter().zip(parts).map(|(chunk, part)| {
            let left = left.clone();
            let left =
                if chunk.len() == terms { left } else { left.slice([0..matrices, 0..rows, chunk.clone()]) };
            N::of_floats(left.matmul(part.clone()))
        });
        partial.reduce(plus).expect("a fold has a term")
    }

    /// Adds up the columns of the digits of b, each with its weight.
    fn columns_summed<N: Number>(&self, products: Tensor<3, N>) -> Tensor<3, N> {
        let ([matrices, rows, _], cols) = (products.dims(), self.sizes[3]);
        let count = self.scheme.b.count;
        if count == 1 {
            return products;
        }
        let part = |j: usize| {
            let part = products.clone().slice([0..matrices, 0..rows, j * cols..(j + 1) * cols]);
            if j == 0 { part } else { part.mul_scalar(-self.scheme.b.weight(j)) }
        };
        (0..count).map(part).reduce(|x, y| x - y).expect("a number has a digit")
    }
}
