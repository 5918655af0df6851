//! One region of one operator, planned: gathers, weights and records, ready to run.

use burn::tensor::{Device, Float, Int, IntDType, Tensor};
use narrows_program::{DType, Fold, Operator, Program, Source};

use super::EngineError;
use super::backend::products_outrun_passes;
use super::channels::Channels;
use super::doubles::{Doubles, EXACT, Factors};
use super::exact::Carrier;
use super::finish::Finish;
use super::gather::Gather;
use super::ints::{Ints, axis, greatest, wide};
use super::lookup::Lookup;
use super::number::Number;
use super::product::{Matrix, Rows, Weights};
use super::reads::Reads;
use super::region::Region;
use super::sides::Sides;
use super::spread::Spread;

/// A planned region.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    kernel: Kernel,
    ending: Ending,
    op: Operator,
}

/// How accumulators become elements, and so what they are carried in.
#[derive(Debug, Clone)]
enum Ending {
    Ints(Finish),
    Doubles(Doubles),
}

#[derive(Debug, Clone)]
enum Kernel {
    Matrix(Matrix),
    Channels(Channels),
    /// Neighbours that are folded, and the float type that rows of them are summed in as products with ones, if they are.
    Reduce(Gather, Region, Option<Carrier>),
    /// Both operands, and what they are multiplied with.
    Pair([Spread; 2], [i32; 2], Region),
    Lookup(Lookup),
}

/// What plans of an operator's regions share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Operand b where it is a constant that may be converted now.
    weights: Option<Weights>,
    /// Operand a's gathers.
    rows: Rows,
    factors: Factors,
}

impl Shared {
    /// For an operator whose operand b is this constant, if it may be converted now.
    pub fn new(weights: Option<Weights>) -> Self {
        Self { weights, ..Self::default() }
    }
}

impl Block {
    /// Plans a region.
    pub fn new(
        program: &Program,
        op: &Operator,
        sides: &Sides,
        region: Region,
        shared: &mut Shared,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let a = &sides.a;
        let mut kernel = match (op.fold, &sides.b) {
            (Fold::Dot, Some(b)) => {
                let scheme = sides.scheme.expect("a dot product has a scheme");
                match Channels::new(a, b, &scheme, region, device)? {
                    Some(channels) => Kernel::Channels(channels),
                    None => {
                        let shared = (&mut shared.rows, shared.weights.as_mut());
                        Kernel::Matrix(Matrix::new(a, b, scheme, region, shared, device)?)
                    }
                }
            }
            (Fold::Pair, Some(b)) => {
                let spread = |side: &Reads| Spread::new(side, &region, device);
                Kernel::Pair([spread(a)?, spread(b)?], sides.scales, region)
            }
            (Fold::Gather, Some(b)) => Kernel::Lookup(Lookup::new(op, a, b, region, device)?),
            _ => {
                let summed = sides.summed.filter(|_| products_outrun_passes(device));
                Kernel::Reduce(Gather::new(a, &region, &region.live(), device)?, region, summed)
            }
        };
        let reach = match &kernel {
            Kernel::Matrix(matrix) => matrix.reach(),
            Kernel::Channels(channels) => channels.reach(),
            _ => sides.reach(op),
        };
        let doubles = match sides.doubles && reach <= EXACT {
            true => Doubles::new(program, op, sides, &region, reach, &mut shared.factors, device)?,
            false => None,
        };
        let ending = match doubles {
            Some(mut doubles) => {
                if let Kernel::Matrix(matrix) = &mut kernel {
                    let weights = shared.weights.as_mut();
                    doubles.leave(|count| matrix.requantise(program, op, sides, count, weights, device));
                }
                Ending::Doubles(doubles)
            }
            None => Ending::Ints(Finish::new(program, op, sides, &region, reach, device)?),
        };
        Ok(Self { kernel, ending, op: *op })
    }

    /// Whether runs read operand b.
    pub fn reads_b(&self) -> bool {
        match &self.kernel {
            Kernel::Matrix(matrix) => matrix.reads_b(),
            Kernel::Channels(_) | Kernel::Pair(..) | Kernel::Lookup(_) => true,
            Kernel::Reduce(..) => false,
        }
    }

    /// What the outputs of [`Self::run`] are counted from.
    pub fn first(&self) -> i32 {
        match &self.ending {
            Ending::Ints(_) => 0,
            Ending::Doubles(doubles) => doubles.first(),
        }
    }

    /// The region's outputs in row-major order, as [`super::elements::Part::fill`] takes them.
    pub fn run(&self, get: impl Fn(Source) -> Ints<1>) -> Ints<1> {
        match &self.ending {
            Ending::Ints(finish) => finish.run(self.accumulators::<Int>(&get), get),
            Ending::Doubles(doubles) => doubles.run(self.accumulators::<Float>(&get), get),
        }
    }

    fn accumulators<N: Number>(&self, get: impl Fn(Source) -> Ints<1>) -> Tensor<4, N> {
        let a = get(self.op.a.source);
        let b = || get(self.op.b.expect("the fold has an operand b").source);
        match &self.kernel {
            Kernel::Matrix(matrix) => matrix.run(a, b),
            Kernel::Channels(channels) => channels.run(a, b()),
            Kernel::Lookup(lookup) => lookup.run(a, b()),
            Kernel::Pair([left, right], [scale_a, scale_b], region) => {
                let scaled = |value: Tensor<4, N>, scale: i32| match scale {
                    1 => value,
                    _ => value.mul_scalar(i64::from(scale)),
                };
                let left = scaled(left.run(a), *scale_a);
                // Subtracting is faster than adding ([`super::number::plus`]).
                let right = right.run(b()).mul_scalar(-i64::from(*scale_b));
                let sum = left - right;
                if sum.dims() == region.len { sum } else { sum.expand(region.len) }
            }
            Kernel::Reduce(gather, region, carrier) if gather.stack_run() == 1 => {
                self.rows_folded(gather.matrix(a, i64::from(self.op.pad)), *carrier).reshape(region.len)
            }
            Kernel::Reduce(gather, region, _) => {
                self.folded(gather.stack(a, i64::from(self.op.pad))).reshape(region.len)
            }
        }
    }

    /// What is finalised of terms [positions, terms, positions of a run], stored in operand a's type.
    fn folded<N: Number>(&self, terms: Ints<3>) -> Tensor<3, N> {
        match self.op.fold {
            Fold::Max => {
                // Differences of two values of a type fit the next wider one.
                let wider = match self.op.a.dtype {
                    DType::I8 => IntDType::I16,
                    DType::I16 => IntDType::I32,
                    DType::I32 | DType::Params => IntDType::I64,
                };
                N::of_ints(greatest(terms.cast(wider)))
            }
            Fold::ArgMax => N::of_ints(first_greatest(wide(terms))),
            // A dot, a pair and a gather have kernels of their own.
            Fold::Sum | Fold::Dot | Fold::Pair | Fold::Gather => {
                let terms = N::of_ints(terms);
                if terms.dims()[1] == 1 { terms } else { terms.sum_dim(1) }
            }
        }
    }

    /// The same of terms [positions, terms], which backends fold faster.
    fn rows_folded<N: Number>(&self, terms: Ints<2>, carrier: Option<Carrier>) -> Tensor<2, N> {
        let [rows, count] = terms.dims();
        match self.op.fold {
            _ if count == 1 => self.folded(terms.reshape([rows, 1, 1])).reshape([rows, 1]),
            // burn-ndarray counts places in the elements' type: 32 bits hold every place.
            Fold::Max => N::of_ints(terms.cast(IntDType::I32).max_dim(1)),
            Fold::Sum => match carrier {
                Some(carrier) => {
                    let terms = terms.cast(carrier.dtype());
                    let ones = Tensor::ones([count, 1], (&terms.device(), terms.dtype()));
                    N::of_floats(terms.matmul(ones))
                }
                None => N::of_ints(wide(terms).sum_dim(1)),
            },
            _ => self.folded(terms.reshape([rows, count, 1])).reshape([rows, 1]),
        }
    }
}

/// Places of the greatest values along the middle axis, the first of equals, for values of 32 bits (SPEC 2.2, argmax).
///
/// Backends' own argmax differ in ties, so each value is ordered together with its place.
pub(crate) fn first_greatest(terms: Ints<3>) -> Ints<3> {
    const LAST: i64 = (1 << 24) - 1;
    let [_, count, _] = terms.dims();
    let places = axis(count, -1, &terms.device()).add_scalar(LAST).reshape([1, count, 1]);
    let best = greatest(terms.mul_scalar(LAST + 1) + places);
    best.bitwise_and_scalar(LAST).mul_scalar(-1i64).add_scalar(LAST)
}
