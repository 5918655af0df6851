//! One region of one operator, planned: gathers, weights and records, ready to run.

use burn::tensor::{Device, Float, Int, IntDType, Tensor};
use narrows_program::{DType, Fold, Operand, Operator, Program, Source, Window};

use super::backend::products_outrun_passes;
use super::channels::Channels;
use super::doubles::{Doubles, EXACT, Factors};
use super::exact::{Carrier, Scheme};
use super::finish::Finish;
use super::gather::{Gather, Reads};
use super::ints::{Ints, axis, greatest, wide};
use super::lookup::Lookup;
use super::number::Number;
use super::product::{Matrix, Weights, gathered};
use super::range::Range;
use super::records::halvings;
use super::region::Region;
use super::spread::Spread;
use super::{EngineError, Limits};

/// What an operator's regions have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    a: Reads,
    b: Option<Reads>,
    /// How a dot product is exact in floats; other folds have none.
    scheme: Option<Scheme>,
    /// The greatest magnitudes of operands a and b.
    magnitudes: [u128; 2],
    /// A pair's scales, halved with its records.
    scales: [i32; 2],
    /// Whether the device has doubles.
    doubles: bool,
    /// The first float type in which rows that are summed are exact as products with ones.
    summed: Option<Carrier>,
}

impl Sides {
    /// An operator's operands, for a device whose products in these float types are exact.
    pub fn new(program: &Program, op: &Operator, carriers: &[Carrier]) -> Self {
        let side = |operand: &Operand, windows| {
            let elements = program.tensor(operand.source).elements;
            Reads { map: operand.map, windows, elements, red: op.red, row: 0 }
        };
        let a = side(&op.a, op.windows);
        let b = op.b.as_ref().map(|b| side(b, [Window::default(); 2]));
        let values = |operand: Operand| Range::of(program, operand.source);
        let scheme = op.b.filter(|_| op.fold == Fold::Dot).map(|b| {
            let scheme = Scheme::cheapest(op.terms(), values(op.a), values(b), carriers);
            scheme.expect("a legal sum stays below 2^62, and that of its digits' magnitudes below twice that")
        });
        let magnitude = |operand: Operand| u128::from(values(operand).magnitude());
        let magnitudes = [magnitude(op.a), op.b.map_or(0, magnitude)];
        let halved = halvings(program, op);
        let scales = [op.scale_a >> halved, op.scale_b >> halved];
        let greatest = magnitudes[0].max(u128::from(op.pad.unsigned_abs()));
        let exact = |carrier: &&Carrier| {
            let sum = greatest.saturating_mul(op.terms().into());
            greatest <= carrier.widest().into() && sum <= carrier.exact().into()
        };
        let summed = carriers.iter().find(exact).filter(|_| op.fold == Fold::Sum).copied();
        Self { a, b, scheme, magnitudes, scales, doubles: carriers.contains(&Carrier::F64), summed }
    }

    fn footprint(&self, op: &Operator, region: &Region) -> (usize, usize) {
        match (&self.scheme, &self.b) {
            (Some(scheme), Some(b)) => gathered(&self.a, b, scheme, region),
            _ => (region.elements().saturating_mul(op.terms() as usize), 0),
        }
    }

    /// The lengths of an operator's regions.
    pub fn lengths(&self, op: &Operator, limits: &Limits) -> [usize; 4] {
        let outputs = limits.outputs_of(op.elements(), op.terms());
        let columns = match (&self.scheme, &self.b) {
            (Some(_), Some(b)) => limits.by_columns(&self.a, b, &Region::whole(op)),
            _ => None,
        };
        let mut order = [0, 1, 2, 3];
        order.sort_by_key(|axis| columns.as_ref().is_some_and(|columns| !columns.contains(axis)));
        Region::cut(op, order, |region| {
            let (left, right) = self.footprint(op, region);
            let left = left <= limits.gathered || columns.is_some();
            region.elements() <= outputs && left && right <= limits.weights
        })
    }

    /// At most how many elements the plan of all regions keeps.
    pub fn kept(&self, op: &Operator) -> usize {
        let whole = Region::whole(op);
        let (left, right) = self.footprint(op, &whole);
        left.saturating_add(right).saturating_add(whole.elements())
    }

    /// What no accumulator passes in magnitude, by the operands' ranges, nor anything that leads to it; the sum of a dot
    /// product's digits' products only where `kernel` does not say better.
    fn reach(&self, op: &Operator, kernel: &Kernel) -> u128 {
        let ([a, b], terms) = (self.magnitudes, u128::from(op.terms()));
        match (op.fold, kernel) {
            (_, Kernel::Matrix(matrix)) => matrix.reach(),
            (_, Kernel::Channels(channels)) => channels.reach(),
            (Fold::Dot, _) => terms * a * b,
            (Fold::Sum, _) => terms * a,
            (Fold::Max, _) => a,
            (Fold::Pair, _) => {
                let [scale_a, scale_b] = self.scales.map(|scale| u128::from(scale.unsigned_abs()));
                a * scale_a + b * scale_b
            }
            (Fold::Gather, _) => b,
            // Each value is ordered together with its place.
            (Fold::ArgMax, _) => (a + 1) << 24,
        }
    }
}

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
    /// Neighbours that are folded, and what exact float type sums rows of them, if one does.
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
    factors: Factors,
}

impl Shared {
    /// For an operator whose operand b is this constant, if it may be converted now.
    pub fn new(weights: Option<Weights>) -> Self {
        Self { weights, factors: Factors::new() }
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
                        Kernel::Matrix(Matrix::new(a, b, scheme, region, shared.weights.as_mut(), device)?)
                    }
                }
            }
            (Fold::Pair, Some(b)) => {
                let spread = |side: &Reads| Spread::new(side, &region, device);
                Kernel::Pair([spread(a)?, spread(b)?], sides.scales, region)
            }
            (Fold::Gather, Some(b)) => Kernel::Lookup(Lookup::new(op, a, b, region, device)?),
            _ => Kernel::Reduce(Gather::new(a, &region, &region.live(), device)?, region, sides.summed),
        };
        let reach = sides.reach(op, &kernel);
        let doubles = match sides.doubles && reach <= EXACT {
            true => Doubles::new(program, op, &region, reach, &mut shared.factors, device)?,
            false => None,
        };
        let ending = match doubles {
            Some(mut doubles) => {
                if let Kernel::Matrix(matrix) = &mut kernel {
                    let weights = shared.weights.as_mut();
                    doubles.leave(|count| matrix.requantise(program, op, count, weights, device));
                }
                Ending::Doubles(doubles)
            }
            None => Ending::Ints(Finish::new(program, op, &region, reach, device)?),
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
            Fold::Sum => match carrier.filter(|_| products_outrun_passes(&terms.device())) {
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
