//! Any fold by lanes: outputs that differ in o3 alone are computed side by side, one term at a time. Windows do not
//! move along o3, so the lanes agree on which terms are inside.

use narrows_program::Fold;

use super::finish::{put, requantise, tasks};
use super::plan::Layer;
use super::span::{Span, dot, row_coordinates};
use super::values::{Element, Values, with_values};

/// Lanes that are computed at once: their accumulators stay in the first cache.
const LANES: usize = 512;

/// Evaluates `layer` into `out`. `narrow`: accumulators provably fit 32 bits.
pub(super) fn run(layer: &Layer, a: &Values, b: Option<&Values>, narrow: bool, out: &mut [u8]) {
    with_values!(a, a => match (b, narrow) {
        (None, true) => single::<_, i32>(layer, a, out),
        (None, false) => single::<_, i64>(layer, a, out),
        (Some(b), true) => with_values!(b, b => double::<_, _, i32>(layer, a, b, out)),
        (Some(b), false) => with_values!(b, b => double::<_, _, i64>(layer, a, b, out)),
    });
}

/// What accumulators can do. Their arithmetic wraps in name only: the plan chooses a width that holds every partial
/// accumulator of the layer.
trait Accumulator: Copy + Send + Sync + From<i32> + Into<i64> + Ord {
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

macro_rules! accumulator {
    ($($name:ty)*) => {$(
        impl Accumulator for $name {
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
        }
    )*};
}

accumulator!(i32 i64);

#[inline(always)]
fn load<T: Element, S: Accumulator>(value: T) -> S {
    S::from(value.into())
}

/// Folds of operand a alone.
fn single<A: Element, S: Accumulator>(layer: &Layer, a: &[A], out: &mut [u8]) {
    let step = layer.a.map.out[3];
    match layer.fold {
        Fold::Max => fold(layer, out, S::from(layer.pad), |acc, at, _| {
            each(acc, a, at, step, |acc, a| *acc = (*acc).max(load(a)));
        }),
        Fold::Sum => fold(layer, out, S::from(0), |acc, at, _| {
            each(acc, a, at, step, |acc, a| *acc = acc.plus(load(a)));
        }),
        Fold::Dot | Fold::Pair => unreachable!("legality: this fold has a b"),
    }
}

/// Folds of operands a and b.
fn double<A: Element, B: Element, S: Accumulator>(layer: &Layer, a: &[A], b: &[B], out: &mut [u8]) {
    let steps = (layer.a.map.out[3], layer.b.as_ref().expect("this fold has a b").map.out[3]);
    match layer.fold {
        Fold::Dot => fold(layer, out, S::from(0), |acc, a_at, b_at| {
            each2(acc, (a, a_at, steps.0), (b, b_at, steps.1), |acc, a, b| {
                *acc = acc.plus(load::<_, S>(a).times(load(b)));
            });
        }),
        Fold::Pair => {
            let (scale_a, scale_b) = (S::from(layer.scale_a), S::from(layer.scale_b));
            fold(layer, out, S::from(0), |acc, a_at, b_at| {
                each2(acc, (a, a_at, steps.0), (b, b_at, steps.1), |acc, a, b| {
                    *acc = load::<_, S>(a).times(scale_a).plus(load::<_, S>(b).times(scale_b));
                });
            });
        }
        Fold::Sum | Fold::Max => unreachable!("legality: this fold has no b"),
    }
}

/// Runs `term(accumulators, address in a, address in b)` for every inside term, and finishes.
fn fold<S: Accumulator>(
    layer: &Layer,
    out: &mut [u8],
    start: S,
    term: impl Fn(&mut [S], usize, usize) + Sync,
) {
    tasks(layer, layer.out[3], LANES, out, |first, out| task(layer, first, out, start, &term));
}

fn task<S: Accumulator>(
    layer: &Layer,
    first: usize,
    out: &mut [u8],
    start: S,
    term: &impl Fn(&mut [S], usize, usize),
) {
    let (width, count) = (layer.out[3], out.len() / layer.dtype.bytes());
    let mut lanes = [start; LANES];
    let mut done = 0;
    while done < count {
        let (row, from) = ((first + done) / width, (first + done) % width);
        let acc = &mut lanes[..LANES.min(width - from).min(count - done)];
        let [o0, o1, o2] = row_coordinates(&layer.out, row);
        let o = [o0, o1, o2, from];
        acc.fill(start);
        terms(layer, o, |a, b| term(acc, a, b));
        let params = dot(&o, &layer.params);
        for (lane, acc) in acc.iter().enumerate() {
            let record = &layer.records[params + lane * layer.params[3]];
            put(layer.dtype, out, done + lane, requantise((*acc).into(), record, layer.lo, layer.hi));
        }
        done += acc.len();
    }
}

/// Calls `term(address in a, address in b)` for every inside term at `o`; the address in b is 0 if there is no b.
fn terms(layer: &Layer, o: [usize; 4], mut term: impl FnMut(usize, usize)) {
    let Some(span) = Span::new(layer, o) else { return };
    let (b, b_red) = layer.b.as_ref().map_or((0, [0; 3]), |b| (b.map.base + dot(&o, &b.map.out), b.map.red));
    for t0 in span.t0.0..span.t0.1 {
        for t1 in span.t1.0..span.t1.1 {
            let a = span.address + (t0 - span.t0.0) * span.step[0] + (t1 - span.t1.0) * span.step[1];
            let b = b + t0 * b_red[0] + t1 * b_red[1];
            for t2 in 0..layer.red[2] {
                term(a + t2 * span.step[2], b + t2 * b_red[2]);
            }
        }
    }
}

/// Combines lane i with element `at + i * step` of `a`.
#[inline(always)]
fn each<S, A: Element>(acc: &mut [S], a: &[A], at: usize, step: usize, combine: impl Fn(&mut S, A)) {
    if step == 1 {
        let a = &a[at..at + acc.len()];
        acc.iter_mut().zip(a).for_each(|(acc, a)| combine(acc, *a));
    } else {
        acc.iter_mut().enumerate().for_each(|(i, acc)| combine(acc, a[at + i * step]));
    }
}

/// Combines lane i with elements of a and b, each given as (tensor, address of lane 0, step).
#[inline(always)]
fn each2<S, A: Element, B: Element>(
    acc: &mut [S],
    (a, a_at, a_step): (&[A], usize, usize),
    (b, b_at, b_step): (&[B], usize, usize),
    combine: impl Fn(&mut S, A, B),
) {
    let len = acc.len();
    match (a_step, b_step) {
        (1, 1) => {
            let pairs = a[a_at..a_at + len].iter().zip(&b[b_at..b_at + len]);
            acc.iter_mut().zip(pairs).for_each(|(acc, (a, b))| combine(acc, *a, *b));
        }
        (1, 0) => {
            let b = b[b_at];
            acc.iter_mut().zip(&a[a_at..a_at + len]).for_each(|(acc, a)| combine(acc, *a, b));
        }
        _ => {
            let lanes = acc.iter_mut().enumerate();
            lanes.for_each(|(i, acc)| combine(acc, a[a_at + i * a_step], b[b_at + i * b_step]));
        }
    }
}
