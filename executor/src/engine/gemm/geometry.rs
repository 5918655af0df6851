//! Where a product's terms stand in operand a, as runs of neighbours.
//!
//! A run is found in the tensor itself where no window is ever missed. Otherwise the windowed part of the tensor is
//! copied with its padding around it (an *image*), and the runs are found there.

use crate::engine::arch::Segment;
use crate::engine::plan::Planned;

/// A copy of operand a may have so many times its elements, and so many more.
const GROWTH: (usize, usize) = (4, 1 << 16);
/// Most runs of an element.
const MOST_RUNS: usize = 1 << 12;

/// Operand a, seen from a product.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Geometry {
    /// Offset of the first row.
    pub base: usize,
    /// Steps for o0, o1, o2.
    pub out: [usize; 3],
    /// Offsets of the runs.
    runs: Vec<usize>,
    /// Terms of a run.
    pub run: usize,
    /// Elements of the tensor, or of the image.
    pub elements: usize,
    pub image: Option<Image>,
}

/// How a padded copy is made.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Image {
    pub axes: [Axis; 2],
    /// Neighbouring elements at each position.
    pub pixel: usize,
    /// Where position (0, 0) stands in the tensor.
    pub base: usize,
}

/// One axis of an image: position p of the copy is p - offset of the tensor, inside iff that is in 0 … limit - 1.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Axis {
    pub count: usize,
    pub offset: usize,
    pub limit: usize,
    pub stride: usize,
}

/// Steps of the copy or the tensor: base, for the outputs, for the terms, elements.
struct Steps {
    base: usize,
    out: [usize; 3],
    red: [usize; 3],
    elements: usize,
}

impl Geometry {
    /// The geometry of `operator`'s operand a, whose tensor has so many elements; `None` if its terms are no runs.
    pub fn new(operator: &Planned, elements: usize) -> Option<Self> {
        let missed = |axis: usize| {
            let window = &operator.windows[axis];
            let last = (operator.out[axis] - 1) as i64 * window.out_step
                + (operator.red[axis] - 1) as i64 * window.red_step
                - window.offset;
            window.limit > 0 && (window.offset > 0 || last >= window.limit)
        };
        let (steps, image) = if missed(0) || missed(1) {
            let (steps, image) = padded(operator, elements)?;
            (steps, Some(image))
        } else {
            (plain(operator, elements), None)
        };
        let (runs, run) = runs(&operator.red, &steps.red)?;
        Some(Self { base: steps.base, out: steps.out, runs, run, elements: steps.elements, image })
    }

    /// The groups `range` (counted over all runs) as segments, of groups of `group` elements of `width` bytes.
    pub fn segments(&self, range: std::ops::Range<usize>, group: usize, width: usize) -> Vec<Segment> {
        let each = self.run.div_ceil(group);
        let mut segments = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let (run, skipped) = (at / each, at % each);
            let groups = (each - skipped).min(range.end - at);
            segments.push(Segment { offset: (self.runs[run] + skipped * group) * width, groups });
            at += groups;
        }
        segments
    }

    /// Offsets of an element's runs.
    pub fn runs(&self) -> &[usize] {
        &self.runs
    }
}

/// No window is missed: each is a step.
fn plain(operator: &Planned, elements: usize) -> Steps {
    let map = &operator.a.map;
    let (mut out, mut red) = ([map.out[0], map.out[1], map.out[2]], map.red);
    for axis in 0..2 {
        let window = &operator.windows[axis];
        if window.limit > 0 {
            out[axis] += window.out_step as usize * window.stride;
            red[axis] += window.red_step as usize * window.stride;
        }
    }
    Steps { base: map.base, out, red, elements }
}

/// Some window is missed: both axes are copied, padded to all positions that are read.
fn padded(operator: &Planned, elements: usize) -> Option<(Steps, Image)> {
    let map = &operator.a.map;
    let moves = |count: usize, step: usize| if count > 1 { step } else { 0 };
    let mut axes = [Axis { count: 0, offset: 0, limit: 0, stride: 0 }; 2];
    let (mut out, mut red) = ([0; 3], [0; 3]);
    for axis in 0..2 {
        let window = &operator.windows[axis];
        let (outs, reds) = (operator.out[axis], operator.red[axis]);
        let steps = [moves(outs, map.out[axis]), moves(reds, map.red[axis])];
        if window.limit > 0 {
            if steps != [0, 0] {
                return None;
            }
            (out[axis], red[axis]) = (window.out_step as usize, window.red_step as usize);
            axes[axis] = Axis {
                count: (outs - 1).checked_mul(out[axis])?.checked_add((reds - 1) * red[axis])? + 1,
                offset: window.offset as usize,
                limit: window.limit as usize,
                stride: window.stride,
            };
        } else {
            // An axis without a window is one that is never missed.
            let (count, stride) = match steps {
                [stride, 0] => (outs, stride),
                [0, stride] => (reds, stride),
                _ => return None,
            };
            (out[axis], red[axis]) = (usize::from(steps[1] == 0), usize::from(steps[1] > 0));
            let count = if stride == 0 { 1 } else { count };
            if stride == 0 {
                (out[axis], red[axis]) = (0, 0);
            }
            axes[axis] = Axis { count, offset: 0, limit: count, stride };
        }
    }
    let inner = [moves(operator.out[2], map.out[2]), moves(operator.red[2], map.red[2])];
    let pixel = (operator.out[2] - 1) * inner[0] + (operator.red[2] - 1) * inner[1] + 1;
    let row = axes[1].count.checked_mul(pixel)?;
    let size = axes[0].count.checked_mul(row)?;
    if size > GROWTH.0 * elements + GROWTH.1 {
        return None;
    }
    let out = [out[0] * row, out[1] * pixel, inner[0]];
    let red = [red[0] * row, red[1] * pixel, inner[1]];
    Some((Steps { base: 0, out, red, elements: size }, Image { axes, pixel, base: map.base }))
}

/// Offsets of the runs of an element's terms, and the length of a run.
fn runs(red: &[usize; 3], steps: &[usize; 3]) -> Option<(Vec<usize>, usize)> {
    let mut run = 1;
    let mut outer = 3;
    while outer > 0 && (red[outer - 1] == 1 || steps[outer - 1] == run) {
        run *= red[outer - 1];
        outer -= 1;
    }
    let count: usize = red[..outer].iter().product();
    // A run of one term with others beside it is no run: its lanes would be mostly empty.
    if count > MOST_RUNS || (run == 1 && count > 1) {
        return None;
    }
    let mut offsets = vec![0];
    for axis in 0..outer {
        offsets =
            offsets.iter().flat_map(|offset| (0..red[axis]).map(move |t| offset + t * steps[axis])).collect();
    }
    Some((offsets, run))
}
