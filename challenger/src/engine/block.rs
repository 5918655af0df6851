//! One region of one operator, planned: gathers, weights and records, ready to run.

use burn::tensor::Device;
use narrows_program::{Fold, Operand, Operator, Program, Source, Window};

use super::channels::Channels;
use super::exact::{Carrier, Scheme};
use super::finish::Finish;
use super::gather::{Gather, Reads};
use super::ints::{Ints, axis, greatest, wide};
use super::lookup::Lookup;
use super::product::{Matrix, Weights, gathered};
use super::range::Range;
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
        let dot = op.b.filter(|_| op.fold == Fold::Dot);
        let scheme = dot.map(|b| {
            let values = |operand: Operand| Range::of(program, operand.source);
            let scheme = Scheme::cheapest(op.terms(), values(op.a), values(b), carriers);
            scheme.expect("a legal sum stays below 2^62, and that of its digits' magnitudes below twice that")
        });
        Self { a, b, scheme }
    }

    fn footprint(&self, op: &Operator, region: &Region) -> (usize, usize) {
        match (&self.scheme, &self.b) {
            (Some(scheme), Some(b)) => gathered(&self.a, b, scheme, region),
            _ => (region.elements().saturating_mul(op.terms() as usize), 0),
        }
    }

    /// The lengths of an operator's regions.
    pub fn lengths(&self, op: &Operator, limits: &Limits) -> [usize; 4] {
        Region::cut(op, |region| {
            let (left, right) = self.footprint(op, region);
            region.elements() <= limits.outputs && left <= limits.gathered && right <= limits.weights
        })
    }

    /// At most how many elements the plan of all regions keeps.
    pub fn kept(&self, op: &Operator) -> usize {
        let whole = Region::whole(op);
        let (left, right) = self.footprint(op, &whole);
        left.saturating_add(right).saturating_add(whole.elements())
    }
}

/// A planned region.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    kernel: Kernel,
    finish: Finish,
    op: Operator,
}

#[derive(Debug, Clone)]
enum Kernel {
    Matrix(Matrix),
    Channels(Channels),
    Reduce(Gather, Region),
    Pair(Spread, Spread, Region),
    Lookup(Lookup),
}

impl Block {
    /// Plans a region. `weights` is operand b where it is a constant that may be converted now.
    pub fn new(
        program: &Program,
        op: &Operator,
        sides: &Sides,
        region: Region,
        weights: Option<&mut Weights>,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let a = &sides.a;
        let kernel = match (op.fold, &sides.b) {
            (Fold::Dot, Some(b)) => {
                let scheme = sides.scheme.expect("a dot product has a scheme");
                match Channels::new(a, b, &scheme, region, device) {
                    Some(channels) => Kernel::Channels(channels),
                    None => Kernel::Matrix(Matrix::new(a, b, scheme, region, weights, device)?),
                }
            }
            (Fold::Pair, Some(b)) => {
                let spread = |side: &Reads| Spread::new(side, &region, device);
                Kernel::Pair(spread(a), spread(b), region)
            }
            (Fold::Gather, Some(b)) => Kernel::Lookup(Lookup::new(op, a, b, region, device)),
            _ => Kernel::Reduce(Gather::new(a, &region, &region.live(), device), region),
        };
        Ok(Self { kernel, finish: Finish::new(program, op, &region, device), op: *op })
    }

    /// Whether runs read operand b.
    pub fn reads_b(&self) -> bool {
        match &self.kernel {
            Kernel::Matrix(matrix) => matrix.reads_b(),
            Kernel::Channels(_) | Kernel::Pair(..) | Kernel::Lookup(_) => true,
            Kernel::Reduce(..) => false,
        }
    }

    /// The region's outputs in row-major order, stored in the output's type.
    pub fn run(&self, get: impl Fn(Source) -> Ints<1>) -> Ints<1> {
        let a = get(self.op.a.source);
        let b = || get(self.op.b.expect("the fold has an operand b").source);
        let accumulators = match &self.kernel {
            Kernel::Matrix(matrix) => matrix.run(a, b),
            Kernel::Channels(channels) => channels.run(a, b()),
            Kernel::Lookup(lookup) => lookup.run(a, b()),
            Kernel::Pair(left, right, region) => {
                let left = left.run(a).mul_scalar(i64::from(self.op.scale_a));
                let right = right.run(b()).mul_scalar(i64::from(self.op.scale_b));
                (left + right).expand(region.len)
            }
            Kernel::Reduce(gather, region) => {
                let terms = wide(gather.stack(a, i64::from(self.op.pad)));
                self.folded(terms).reshape(region.len)
            }
        };
        self.finish.run(accumulators, get)
    }

    /// What is finalised of terms [positions, terms, positions of a run].
    fn folded(&self, terms: Ints<3>) -> Ints<3> {
        match self.op.fold {
            Fold::Max => greatest(terms),
            Fold::ArgMax => first_greatest(terms),
            // A dot, a pair and a gather have kernels of their own.
            Fold::Sum | Fold::Dot | Fold::Pair | Fold::Gather => terms.sum_dim(1),
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
