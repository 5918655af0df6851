//! Dot products of one column, element by element: each channel of a times its own weights (depthwise convolutions),
//! a row with itself (the squares of a norm), one activation times another.

use burn::tensor::kind::Numeric;
use burn::tensor::{Device, Tensor};

use super::EngineError;
use super::chunk;
use super::exact::{Carrier, Scheme};
use super::gather::Gather;
use super::ints::{Ints, digits};
use super::number::{Number, plus};
use super::product::{Axes, in_order};
use super::reads::Reads;
use super::region::Region;

/// Most pairs of digits that are multiplied as floats: with more, one product of 64-bit integers is faster.
const MAX_PAIRS: usize = 2;

/// A product of many matrices of one column each, neighbours in memory or of few elements.
#[derive(Debug, Clone)]
pub(crate) struct Channels {
    a: Gather,
    b: Gather,
    /// The scheme, where sums of few products of digits are exact in single floats; otherwise integers are multiplied.
    floats: Option<Scheme>,
    /// Rows, matrices / run, terms, run.
    sizes: [usize; 4],
    /// What no sum of products passes in magnitude, nor any sum of some of its digits' products.
    reach: u128,
    order: Vec<usize>,
    region: Region,
}

impl Channels {
    /// Plans a region's product where that is what it is.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index cannot be read back.
    pub fn new(
        a: &Reads,
        b: &Reads,
        scheme: &Scheme,
        region: Region,
        device: &Device,
    ) -> Result<Option<Self>, EngineError> {
        let axes = Axes::new(a, b, &region);
        let [matrices, rows, terms, columns] = axes.sizes(a, &region);
        if axes.batch.is_empty() || columns > 1 {
            return Ok(None);
        }
        let left = [axes.rows.clone(), axes.batch.clone()].concat();
        let gather = Gather::new(a, &region, &left, device)?;
        let run = gather.stack_run();
        if run == 1 && rows > 1 && terms > 1 {
            return Ok(None);
        }
        let few = scheme.carrier == Carrier::F32 && scheme.pairs() <= MAX_PAIRS;
        let whole = chunk::by_range(terms, scheme).len() == 1;
        Ok(Some(Self {
            a: gather,
            b: Gather::new(b, &region, &axes.batch, device)?,
            floats: (few && whole).then_some(*scheme),
            sizes: [rows, matrices / run, terms, run],
            reach: (terms as u128 * scheme.a.total()).saturating_mul(scheme.b.total()),
            order: [axes.rows, axes.batch, axes.columns].concat(),
            region,
        }))
    }

    /// What no sum of products passes in magnitude, nor any sum of some of its digits' products.
    pub fn reach(&self) -> u128 {
        self.reach
    }

    /// The accumulators of the region.
    pub fn run<N: Number>(&self, a: Ints<1>, b: Ints<1>) -> Tensor<4, N> {
        let sums = match &self.floats {
            None => self.sums(N::of_ints(a), N::of_ints(b)),
            Some(scheme) => {
                let (a, b) = (digits(a, &scheme.a, scheme.carrier), digits(b, &scheme.b, scheme.carrier));
                let pairs = (0..a.len() * b.len()).map(|pair| (pair / b.len(), pair % b.len()));
                let sums = pairs.map(|(i, j)| {
                    let sum: Tensor<4, N> = N::of_floats(self.sums(a[i].clone(), b[j].clone()));
                    let weight = scheme.a.weight(i) * scheme.b.weight(j);
                    if weight == 1 { sum } else { sum.mul_scalar(weight) }
                });
                sums.reduce(plus).expect("a number has a digit")
            }
        };
        in_order(sums, &self.region, &self.order)
    }

    fn sums<K: Numeric>(&self, a: Tensor<1, K>, b: Tensor<1, K>) -> Tensor<4, K> {
        let [rows, matrices, terms, run] = self.sizes;
        let a = self.a.stack(a, 0).reshape([rows, matrices, terms, run]);
        let b = self.b.matrix(b, 0).reshape([matrices, run, terms]).swap_dims(1, 2);
        let products = a * b.reshape([1, matrices, terms, run]);
        match (terms, run) {
            (1, _) => products,
            // Backends fold rows of a matrix faster.
            (_, 1) => products.reshape([rows * matrices, terms]).sum_dim(1).reshape([rows, matrices, 1, 1]),
            _ => products.sum_dim(2),
        }
    }
}
