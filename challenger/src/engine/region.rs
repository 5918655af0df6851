//! Regions: boxes of outputs, so that no step needs more memory than a named limit.

use narrows_program::Operator;

/// Runs of neighbouring elements: how long each is, and where they begin.
pub(crate) type Runs = (usize, Vec<usize>);

/// A box of output positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    /// The first position on each axis.
    pub start: [u64; 4],
    /// The number of positions on each axis.
    pub len: [usize; 4],
}

impl Region {
    /// All of an operator's output.
    pub fn whole(op: &Operator) -> Self {
        Self { start: [0; 4], len: op.out.map(|d| d as usize) }
    }

    /// Elements of the region.
    pub fn elements(&self) -> usize {
        self.len.iter().product()
    }

    /// The axes of more than one position, in order.
    pub fn live(&self) -> Vec<usize> {
        (0..4).filter(|axis| self.len[*axis] > 1).collect()
    }

    /// Cut along these axes until `fits` holds or they are of length 1.
    ///
    /// Axes are cut in this order, each only when those before it are of length 1. From the outermost on, that keeps a
    /// region's elements neighbours.
    pub fn cut(mut self, order: &[usize], fits: impl Fn(&Self) -> bool) -> Self {
        for axis in order {
            while self.len[*axis] > 1 && !fits(&self) {
                self.len[*axis] = self.len[*axis].div_ceil(2);
            }
        }
        self
    }

    /// How many elements of the region are neighbours in an output of these lengths, and where each such run begins.
    pub fn runs(&self, out: [u32; 4]) -> Runs {
        // Axes after this one are whole.
        let cut = (0..4).rev().find(|axis| self.len[*axis] != out[*axis] as usize).unwrap_or(0);
        let steps = out.map(|len| len as usize);
        let step = |axis: usize| steps[axis + 1..].iter().product::<usize>();
        let first = (0..4).map(|axis| self.start[axis] as usize * step(axis)).sum();
        let starts = (0..cut).fold(vec![first], |starts, axis| {
            let places = |start: usize| (0..self.len[axis]).map(move |at| start + at * step(axis));
            starts.into_iter().flat_map(places).collect()
        });
        (self.len[cut..].iter().product(), starts)
    }
}

/// Region `index` of an operator's output in row-major order, for the lengths of the first one ([`Region::cut`]).
pub(crate) fn region(op: &Operator, len: [usize; 4], index: u64) -> Region {
    let mut rest = index;
    let mut region = Region { start: [0; 4], len };
    for axis in (0..4).rev() {
        let (out, len) = (u64::from(op.out[axis]), len[axis] as u64);
        let steps = out.div_ceil(len);
        let start = rest % steps * len;
        rest /= steps;
        region.start[axis] = start;
        region.len[axis] = (out - start).min(len) as usize;
    }
    region
}

/// How many regions there are.
pub(crate) fn region_count(op: &Operator, len: [usize; 4]) -> u64 {
    op.out.iter().zip(len).map(|(out, len)| u64::from(*out).div_ceil(len as u64)).product()
}
