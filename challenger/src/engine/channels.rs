//! Dot products of one column: each channel of a times its own weights (depthwise convolutions).

use burn::tensor::kind::Numeric;
use burn::tensor::{Device, IntDType, Tensor};
use narrows_program::DType;

use super::chunk;
use super::gather::Gather;
use super::ints::{Ints, digit_count, digits, wide};
use super::product::{Axes, Side, count, in_order};
use super::region::Region;

/// Most pairs of digits that are multiplied as floats: with more, one product of 64-bit integers is faster.
const MAX_PAIRS: usize = 2;

/// A product of many matrices of one column each, neighbours in memory.
#[derive(Debug, Clone)]
pub(crate) struct Channels {
    a: Gather,
    b: Gather,
    types: [DType; 2],
    /// Rows, matrices / run, terms, run.
    sizes: [usize; 4],
    /// Whether sums of products of digits are exact floats.
    floats: bool,
    order: Vec<usize>,
    region: Region,
}

impl Channels {
    /// Plans a region's product where that is what it is.
    pub fn new(a: &Side, b: &Side, region: Region, device: &Device) -> Option<Self> {
        let axes = Axes::new(&a.reads, &b.reads, &region);
        if axes.batch.is_empty() || count(&region, &axes.columns) > 1 {
            return None;
        }
        let left = [axes.rows.clone(), axes.batch.clone()].concat();
        let gather = Gather::new(&a.reads, &region, &left, device);
        let run = gather.stack_run();
        if run == 1 {
            return None;
        }
        let terms = a.reads.red.iter().map(|d| *d as usize).product();
        let pairs = digit_count(a.dtype) * digit_count(b.dtype);
        Some(Self {
            a: gather,
            b: Gather::new(&b.reads, &region, &axes.batch, device),
            types: [a.dtype, b.dtype],
            sizes: [count(&region, &axes.rows), count(&region, &axes.batch) / run, terms, run],
            floats: pairs <= MAX_PAIRS && chunk::by_type(terms).len() == 1,
            order: [axes.rows, axes.batch, axes.columns].concat(),
            region,
        })
    }

    /// The accumulators of the region.
    pub fn run(&self, a: Ints<1>, b: Ints<1>) -> Ints<4> {
        let sums = if self.floats {
            let (a, b) = (digits(a, self.types[0]), digits(b, self.types[1]));
            let pairs = (0..a.len() * b.len()).map(|pair| (pair / b.len(), pair % b.len()));
            let sums = pairs.map(|(i, j)| {
                let sum = self.sums(a[i].clone(), b[j].clone()).cast(IntDType::I64);
                if i + j == 0 { sum } else { sum.mul_scalar(1i64 << (8 * (i + j))) }
            });
            sums.reduce(|x, y| x + y).expect("a number has a digit")
        } else {
            self.sums(wide(a), wide(b))
        };
        in_order(sums, &self.region, &self.order)
    }

    fn sums<K: Numeric>(&self, a: Tensor<1, K>, b: Tensor<1, K>) -> Tensor<4, K> {
        let [rows, matrices, terms, run] = self.sizes;
        let a = self.a.stack(a, 0).reshape([rows, matrices, terms, run]);
        let b = self.b.matrix(b, 0).reshape([matrices, run, terms]).swap_dims(1, 2);
        (a * b.reshape([1, matrices, terms, run])).sum_dim(2)
    }
}
