//! Dot products as exact float matrix products (SPEC 2.2, dot).
//!
//! The axes of the output fall into those that move both operands (one matrix each), those that move a only (rows),
//! and the rest (columns). Both operands are gathered into [matrix, row, term] and [matrix, term, column]. Each digit
//! of a is a block of rows, each digit of b a block of columns: one batched float product of all.

use std::collections::HashMap;
use std::ops::Range;

use burn::tensor::{Device, Tensor};

use narrows_program::{Operator, Program};

use super::EngineError;
use super::chunk;
use super::doubles::{EXACT, over};
use super::exact::{Carrier, Scheme};
use super::gather::{Gather, Reads};
use super::ints::{Ints, digits, weighed_digits};
use super::number::{Number, plus};
use super::records::Records;
use super::region::Region;

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
}

/// Operand b where it never changes: its tensor, and what regions planned before this one made of it.
#[derive(Debug)]
pub(crate) struct Weights {
    tensor: Ints<1>,
    made: HashMap<Key, Made>,
    /// By the records' place, too: columns that are multiplied with them.
    scaled: HashMap<(Key, [u64; 4]), Vec<Tensor<3>>>,
}

/// The address of the first column, and the lengths of the axes that are gathered.
type Key = (u64, Vec<(usize, usize)>);

/// Weights as columns, one tensor a chunk of terms, and the greatest sum of a column's magnitudes.
type Made = (Vec<Tensor<3>>, Vec<Range<usize>>, u128);

impl Weights {
    /// Nothing made yet.
    pub fn new(tensor: Ints<1>) -> Self {
        Self { tensor, made: HashMap::new(), scaled: HashMap::new() }
    }

    fn columns(
        &mut self,
        b: &Reads,
        region: &Region,
        axes: &[usize],
        sizes: [usize; 4],
        scheme: &Scheme,
    ) -> Result<(Key, Made), EngineError> {
        let key = (b.base(region), axes.iter().map(|a| (*a, region.len[*a])).collect());
        if let Some(made) = self.made.get(&key) {
            return Ok((key, made.clone()));
        }
        let gather = Gather::new(b, region, axes, &self.tensor.device())?;
        let whole = materialised(columns(&gather, self.tensor.clone(), scheme, sizes, 1.0));
        let (chunks, column) = chunk::by_weight(&whole, scheme)?;
        let parts = match chunks.len() {
            1 => vec![whole],
            _ => chunks.iter().map(|c| materialised(terms_of(&whole, c))).collect(),
        };
        let made = (parts, chunks, column);
        self.made.insert(key.clone(), made.clone());
        Ok((key, made))
    }
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
    pub fn new(
        a: &Reads,
        b: &Reads,
        scheme: Scheme,
        region: Region,
        weights: Option<&mut Weights>,
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
            a: Gather::new(a, &region, &left, device)?,
            scheme,
            sizes,
            right,
            chunks,
            column,
            order: [&axes.batch[..], &axes.rows, &axes.columns].concat(),
            region,
            columns: axes.columns,
        })
    }

    /// Multiplies operand b with the records' m / 2^s, so that sums come out multiplied, where they stay exact: every product, and
    /// every sum of products, is an integer over 2^s. Whether it does.
    pub fn scale(
        &mut self,
        program: &Program,
        op: &Operator,
        weights: Option<&mut Weights>,
        device: &Device,
    ) -> bool {
        let region = &self.region;
        let of_columns =
            (0..4).all(|a| region.len[a] == 1 || op.params.out[a] == 0 || self.columns.contains(&a));
        if self.scheme.carrier != Carrier::F64 || self.scheme.pairs() > 1 || !of_columns {
            return false;
        }
        let len: [usize; 4] =
            std::array::from_fn(|a| if self.columns.contains(&a) { region.len[a] } else { 1 });
        let records = Records::new(program, op, &Region { start: region.start, len }, device);
        let exact = |m: i64| self.reach().saturating_mul(m.unsigned_abs().into()) <= EXACT;
        if !records.list.iter().all(|(_, m, _)| exact(*m)) {
            return false;
        }
        let factors: Vec<f64> = records.list.iter().map(|(_, m, s)| over((*m).into(), *s)).collect();
        match &mut self.right {
            Right::Gathered(_, scale) if factors.iter().all(|factor| *factor == factors[0]) => {
                *scale = factors[0];
                true
            }
            Right::Gathered(..) => false,
            Right::Weights(key, parts) => {
                let start = std::array::from_fn(|a| if op.params.out[a] == 0 { 0 } else { region.start[a] });
                let made = || {
                    let moved: [usize; 4] =
                        std::array::from_fn(|a| if op.params.out[a] == 0 { 1 } else { len[a] });
                    let factors = records.doubles(factors).reshape::<4, _>(moved).expand::<4, _>(len);
                    let factors = factors.reshape([1, 1, self.sizes[3]]);
                    parts.iter().map(|part| part.clone() * factors.clone()).collect()
                };
                *parts = match weights {
                    Some(weights) => weights.scaled.entry((key.clone(), start)).or_insert_with(made).clone(),
                    None => made(),
                };
                true
            }
        }
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
        let products = self.columns_summed(self.chunked(joined(shaped, 1), &parts));
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

/// Operand b, multiplied, as [matrix, term, digit and column].
fn columns(
    gather: &Gather,
    b: Ints<1>,
    scheme: &Scheme,
    [matrices, _, terms, cols]: [usize; 4],
    factor: f64,
) -> Tensor<3> {
    let make = |b| match factor {
        1.0 => digits(b, &scheme.b, scheme.carrier),
        _ => {
            let digits = digits(b, &scheme.b, scheme.carrier).into_iter();
            digits.map(|digit| digit.mul_scalar(factor)).collect()
        }
    };
    // Columns that are neighbours in memory are so in the matrix, too.
    if gather.stack_run() == cols {
        let parts = gather.stacks(b, make).into_iter();
        return joined(parts.map(|digit| digit.reshape([matrices, terms, cols])).collect(), 2);
    }
    let parts = gather.matrices(b, make).into_iter();
    joined(parts.map(|digit| digit.reshape([matrices, cols, terms])).collect(), 1).swap_dims(1, 2)
}

/// The parts side by side along an axis; a part alone is not copied.
fn joined(mut parts: Vec<Tensor<3>>, axis: usize) -> Tensor<3> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, axis) }
}

fn terms_of(whole: &Tensor<3>, chunk: &Range<usize>) -> Tensor<3> {
    let [matrices, terms, cols] = whole.dims();
    if chunk.len() == terms {
        whole.clone()
    } else {
        whole.clone().slice([0..matrices, chunk.clone(), 0..cols])
    }
}

/// The same tensor laid out afresh, so that no run pays for a transposed view.
fn materialised(tensor: Tensor<3>) -> Tensor<3> {
    let dims = tensor.dims();
    tensor.reshape([dims.iter().product::<usize>()]).reshape(dims)
}
