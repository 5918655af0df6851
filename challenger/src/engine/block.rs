//! One region of one operator, planned: gathers, weights and records, ready to run.

use burn::tensor::Device;
use narrows_program::{Fold, Operand, Operator, Program, Source, Window};

use super::channels::Channels;
use super::finish::Finish;
use super::gather::{Gather, Reads};
use super::ints::{Ints, greatest, narrow, wide};
use super::product::{Matrix, Side, Weights, gathered};
use super::region::Region;
use super::{EngineError, Limits};

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
    Pair(Gather, Gather, Region),
}

fn side(program: &Program, op: &Operator, operand: &Operand, windows: [Window; 2]) -> Side {
    let elements = program.tensor(operand.source).elements;
    Side { dtype: operand.dtype, reads: Reads { map: operand.map, windows, elements, red: op.red } }
}

fn sides(program: &Program, op: &Operator) -> (Side, Option<Side>) {
    let b = op.b.as_ref().map(|b| side(program, op, b, [Window::default(); 2]));
    (side(program, op, &op.a, op.windows), b)
}

/// The lengths of an operator's regions.
pub(crate) fn lengths(program: &Program, op: &Operator, limits: &Limits) -> [usize; 4] {
    let (a, b) = sides(program, op);
    Region::cut(op, |region| {
        let (left, right) = footprint(op, &a, b.as_ref(), region);
        region.elements() <= limits.outputs && left <= limits.gathered && right <= limits.weights
    })
}

fn footprint(op: &Operator, a: &Side, b: Option<&Side>, region: &Region) -> (usize, usize) {
    match (op.fold, b) {
        (Fold::Dot, Some(b)) => gathered(op, a, b, region),
        _ => (region.elements().saturating_mul(op.terms() as usize), 0),
    }
}

/// At most how many elements the plan of all regions keeps.
pub(crate) fn kept(program: &Program, op: &Operator) -> usize {
    let (a, b) = sides(program, op);
    let whole = Region::whole(op);
    let (left, right) = footprint(op, &a, b.as_ref(), &whole);
    left.saturating_add(right).saturating_add(whole.elements())
}

impl Block {
    /// Plans a region. `weights` is operand b where it is a constant that may be converted now.
    pub fn new(
        program: &Program,
        op: &Operator,
        region: Region,
        weights: Option<&mut Weights>,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let (a, b) = sides(program, op);
        let all = [0, 1, 2, 3];
        let kernel = match (op.fold, b) {
            (Fold::Dot, Some(b)) => match Channels::new(&a, &b, region, device) {
                Some(channels) => Kernel::Channels(channels),
                None => Kernel::Matrix(Matrix::new(&a, &b, region, weights, device)?),
            },
            (Fold::Pair, Some(b)) => Kernel::Pair(
                Gather::new(&a.reads, &region, &live(&region, &all), device),
                Gather::new(&b.reads, &region, &live(&region, &all), device),
                region,
            ),
            _ => Kernel::Reduce(Gather::new(&a.reads, &region, &live(&region, &all), device), region),
        };
        let records = &program.constant(op.params.constant).bytes;
        Ok(Self { kernel, finish: Finish::new(op, records, &region, device), op: *op })
    }

    /// Whether runs read operand b.
    pub fn reads_b(&self) -> bool {
        match &self.kernel {
            Kernel::Matrix(matrix) => matrix.reads_b(),
            Kernel::Channels(_) | Kernel::Pair(..) => true,
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
            Kernel::Pair(left, right, region) => {
                let left = left.matrix(wide(a), 0).mul_scalar(i64::from(self.op.scale_a));
                let right = right.matrix(wide(b()), 0).mul_scalar(i64::from(self.op.scale_b));
                (left + right).reshape(region.len)
            }
            Kernel::Reduce(gather, region) => {
                let terms = wide(gather.stack(a, i64::from(self.op.pad)));
                let folded = if self.op.fold == Fold::Max { greatest(terms) } else { terms.sum_dim(1) };
                folded.reshape(region.len)
            }
        };
        narrow(self.finish.run(accumulators), self.op.dtype)
    }
}

/// The axes of more than one position.
fn live(region: &Region, axes: &[usize]) -> Vec<usize> {
    axes.iter().copied().filter(|a| region.len[*a] > 1).collect()
}
