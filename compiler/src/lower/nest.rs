//! The loops of an operator: the dimensions of its output and reduction, cut and joined until they fit the descriptor.

use crate::view::{Factor, View, merged};

/// In which order an operator stores its output, and so walks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// In that of operand a, where a names every element of the output once; else row-major.
    Follow,
    /// These dimensions, the slowest first.
    Dims(Vec<usize>),
    /// As [`Order::Follow`], the dimensions with windows first.
    Windows(Vec<usize>),
    /// These dimensions, the slowest first; one with a window stands second, behind all that come before it.
    Between(Vec<usize>, usize),
}

/// A loop: its length and each operand's step.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loop {
    dim: usize,
    /// Its place among all loops in logical order.
    place: usize,
    size: usize,
    steps: Vec<usize>,
}

/// Loops that fit a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nest {
    /// Output dimensions.
    pub out: [usize; 4],
    /// Reduction dimensions.
    pub red: [usize; 3],
    /// For each operand its steps along the output.
    pub out_steps: Vec<[usize; 4]>,
    /// For each operand its steps along the reduction.
    pub red_steps: Vec<[usize; 3]>,
    /// How the output reads in logical order.
    pub view: View,
    /// For each loop of the output that is pinned, which of O0 and O1 it became.
    pub windows: usize,
}

/// How a fold's reduction is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    /// In any order: runs of neighbouring elements of a innermost.
    Free,
    /// In logical order: the terms' places count.
    Ordered,
    /// The first so many dimensions have windows and stay first, the rest is in any order.
    Windows(usize),
}

/// Finds loops for operands whose views have the same dimensions: `rank` of the output, then those of the reduction.
/// `None` where more loops remain than a descriptor has.
pub(super) fn nest(views: &[&View], rank: usize, order: &Order, reduction: Reduction) -> Option<Nest> {
    let dims = views[0].dims.len();
    let mut loops = Vec::new();
    for dim in 0..dims {
        let factors: Vec<&[Factor]> = views.iter().map(|view| &view.dims[dim][..]).collect();
        for (size, steps) in common(&factors)? {
            loops.push(Loop { dim, place: loops.len(), size, steps });
        }
    }
    let red: Vec<Loop> = loops.iter().filter(|l| l.dim >= rank).cloned().collect();
    loops.retain(|l| l.dim < rank);
    let (pinned, out) = arranged(loops, order);
    let view = stored(&out, rank);
    let (out, out_steps) = fit::<4>(out, &pinned, views.len())?;
    let (red_pinned, red) = match reduction {
        Reduction::Free => (Vec::new(), by_step(red)),
        Reduction::Ordered => (Vec::new(), red),
        Reduction::Windows(count) => {
            let pinned: Vec<usize> = (rank..rank + count).collect();
            let (first, rest): (Vec<_>, Vec<_>) = red.into_iter().partition(|l| pinned.contains(&l.dim));
            (pinned, first.into_iter().chain(by_step(rest)).collect())
        }
    };
    let (red, red_steps) = fit::<3>(red, &red_pinned, views.len())?;
    Some(Nest { out, red, out_steps, red_steps, view, windows: pinned.len() })
}

/// The factors of one dimension in several views, cut alike, each with every view's step.
fn common(views: &[&[Factor]]) -> Option<Vec<(usize, Vec<usize>)>> {
    let mut left: Vec<Vec<Factor>> = views.iter().map(|factors| merged(factors)).collect();
    let mut out = Vec::new();
    while left.iter().any(|factors| !factors.is_empty()) {
        let size = left.iter().map(|factors| factors.last().map_or(1, |f| f.size)).min()?;
        assert!(size > 1, "views of one dimension are of one length");
        let mut steps = Vec::with_capacity(left.len());
        for factors in &mut left {
            let factor = factors.pop()?;
            if !factor.size.is_multiple_of(size) {
                return None;
            }
            steps.push(factor.step);
            if factor.size > size {
                factors.push(Factor { size: factor.size / size, step: factor.step * size });
            }
        }
        out.push((size, steps));
    }
    out.reverse();
    Some(out)
}

/// The loops in the order of storage, and which dimensions must keep the first places.
fn arranged(loops: Vec<Loop>, order: &Order) -> (Vec<usize>, Vec<Loop>) {
    let follow = |loops: Vec<Loop>| {
        if loops.iter().all(|l| l.steps[0] > 0) { by_step(loops) } else { loops }
    };
    match order {
        Order::Follow => (Vec::new(), follow(loops)),
        Order::Dims(dims) => (Vec::new(), by_dims(loops, dims)),
        Order::Between(dims, dim) => (vec![BEFORE, *dim], by_dims(loops, dims)),
        Order::Windows(pinned) => {
            let (mut first, rest): (Vec<_>, Vec<_>) =
                loops.into_iter().partition(|l| pinned.contains(&l.dim));
            let place = |dim: usize| pinned.iter().position(|d| *d == dim);
            first.sort_by_key(|l| (place(l.dim), l.place));
            (pinned.clone(), first.into_iter().chain(follow(rest)).collect())
        }
    }
}

/// Stands, among pinned dimensions, for all loops before the next one.
const BEFORE: usize = usize::MAX;

fn by_dims(mut loops: Vec<Loop>, dims: &[usize]) -> Vec<Loop> {
    let place = |dim: usize| dims.iter().position(|d| *d == dim).expect("an order names every dimension");
    loops.sort_by_key(|l| (place(l.dim), l.place));
    loops
}

fn by_step(mut loops: Vec<Loop>) -> Vec<Loop> {
    loops.sort_by(|a, b| b.steps[0].cmp(&a.steps[0]).then(a.place.cmp(&b.place)));
    loops
}

/// The output's view: row-major over the loops as they are walked.
fn stored(loops: &[Loop], rank: usize) -> View {
    let mut dims: Vec<Vec<(usize, Factor)>> = vec![Vec::new(); rank];
    let mut step = 1;
    for l in loops.iter().rev() {
        dims[l.dim].push((l.place, Factor { size: l.size, step }));
        step *= l.size;
    }
    let dims = dims.into_iter().map(|mut dim| {
        dim.sort_by_key(|(place, _)| *place);
        merged(&dim.into_iter().map(|(_, factor)| factor).collect::<Vec<_>>())
    });
    View { base: 0, dims: dims.collect() }
}

/// Neighbouring loops joined where every operand's elements lie behind each other.
fn joined(loops: Vec<Loop>) -> Vec<Loop> {
    let mut out: Vec<Loop> = Vec::new();
    for l in loops {
        let behind = |last: &Loop| last.steps.iter().zip(&l.steps).all(|(a, b)| *a == b * l.size);
        match out.last_mut() {
            Some(last) if behind(last) => {
                last.size *= l.size;
                last.steps = l.steps;
            }
            _ => out.push(l),
        }
    }
    out
}

/// Sizes and every operand's steps in N places, the pinned dimensions in the first ones.
fn fit<const N: usize>(
    loops: Vec<Loop>,
    pinned: &[usize],
    operands: usize,
) -> Option<([usize; N], Vec<[usize; N]>)> {
    let mut places: Vec<Option<Loop>> = Vec::new();
    let mut rest = loops;
    for &dim in pinned {
        if dim == BEFORE {
            let before = rest.iter().position(|l| l.dim == pinned[1]).unwrap_or(0);
            let behind = rest.split_off(before);
            let mut own = joined(std::mem::replace(&mut rest, behind));
            places.push(own.pop());
            if !own.is_empty() {
                return None;
            }
            continue;
        }
        let own = rest.iter().take_while(|l| l.dim == dim).count();
        let behind = rest.split_off(own);
        let mut own = joined(std::mem::replace(&mut rest, behind));
        let only = own.pop();
        if !own.is_empty() {
            return None;
        }
        places.push(only);
    }
    let rest = joined(rest);
    if places.len() + rest.len() > N {
        return None;
    }
    let free = N - places.len() - rest.len();
    // The innermost places are used, so that the innermost run is the last.
    places.extend(std::iter::repeat_n(None, free));
    places.extend(rest.into_iter().map(Some));
    let size = |place: &Option<Loop>| place.as_ref().map_or(1, |l| l.size);
    let steps = (0..operands)
        .map(|operand| std::array::from_fn(|at| places[at].as_ref().map_or(0, |l| l.steps[operand])));
    Some((std::array::from_fn(|at| size(&places[at])), steps.collect()))
}
