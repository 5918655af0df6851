//! Any fold by lanes: outputs that differ in o3 alone are computed side by side, one term at a time. Windows do not
//! move along o3, so the lanes agree on which terms are inside.

use narrows_program::{DType, Fold};

use super::arch::Kernel;
use super::finish::{Accumulator, finish, tame, tasks};
use super::plan::Planned;
use super::span::{Span, dot, row_coordinates};
use super::values::{Element, View, with_view};

/// Lanes that are computed at once: their accumulators stay in the first cache.
const LANES: usize = 512;

/// Evaluates `operator` into `out`. `narrow`: accumulators provably fit 32 bits.
pub(super) fn run(
    kernel: Kernel,
    operator: &Planned,
    a: View<'_>,
    b: Option<View<'_>>,
    narrow: bool,
    out: &mut [u8],
) {
    if let (View::I8(a), Some(View::I8(b))) = (a, b)
        && pairs(kernel, operator, a, b, out)
    {
        return;
    }
    with_view!(a, a => match (b, narrow) {
        (None, true) => single::<_, i32>(kernel, operator, a, out),
        (None, false) => single::<_, i64>(kernel, operator, a, out),
        (Some(b), true) => with_view!(b, b => double::<_, _, i32>(kernel, operator, a, b, out)),
        (Some(b), false) => with_view!(b, b => double::<_, _, i64>(kernel, operator, a, b, out)),
    });
}

/// Evaluates a sum of two 8-bit tensors that stand as the output does, with one record, if the operator is one; says
/// whether it was.
fn pairs(kernel: Kernel, operator: &Planned, a: &[[u8; 1]], b: &[[u8; 1]], out: &mut [u8]) -> bool {
    let b_map = operator.b.as_ref().map(|b| b.map);
    let plain = operator.fold == Fold::Pair
        && operator.dtype == DType::I8
        && operator.tame
        && operator.out[..3] == [1; 3]
        && operator.params[3] == 0
        && operator.a.map.out[3] == 1
        && b_map.is_some_and(|map| map.out[3] == 1);
    let (true, Some(b_map), record) = (plain, b_map, &operator.records) else { return false };
    let count = operator.out[3];
    let a = a[operator.a.map.base..][..count].as_flattened();
    let b = b[b_map.base..][..count].as_flattened();
    let record = (record.multipliers[0], record.addends[0], record.shifts[0]);
    let clip = (operator.lo as i32, operator.hi as i32);
    tasks(operator, count, LANES, out, |first, out| {
        let range = first..first + out.len();
        let (a, b) = (&a[range.clone()], &b[range]);
        let done = kernel.pair_alike([a, b], (operator.scale_a, operator.scale_b), record, clip, out);
        kernel.vectorize(|| {
            for ((a, b), out) in a[done..].iter().zip(&b[done..]).zip(&mut out[done..]) {
                let scaled = |v: u8, scale: i32| i32::from(v.cast_signed()).wrapping_mul(scale);
                let acc = scaled(*a, operator.scale_a).wrapping_add(scaled(*b, operator.scale_b));
                *out = tame(acc, record, clip) as u8;
            }
        });
    });
    true
}

#[inline(always)]
fn load<T: Element, S: Accumulator>(value: T) -> S {
    S::from(value.get())
}

/// Folds of operand a alone.
fn single<A: Element, S: Accumulator>(kernel: Kernel, operator: &Planned, a: &[A], out: &mut [u8]) {
    let step = operator.a.map.out[3];
    match operator.fold {
        Fold::Max => fold(kernel, operator, out, S::from(operator.pad), |acc, at, _| {
            each(acc, a, at, step, |acc, a| *acc = (*acc).max(load(a)));
        }),
        Fold::Sum => fold(kernel, operator, out, S::from(0), |acc, at, _| {
            each(acc, a, at, step, |acc, a| *acc = acc.plus(load(a)));
        }),
        Fold::Dot | Fold::Pair => unreachable!("legality: this fold has a b"),
    }
}

/// Folds of operands a and b.
fn double<A: Element, B: Element, S: Accumulator>(
    kernel: Kernel,
    operator: &Planned,
    a: &[A],
    b: &[B],
    out: &mut [u8],
) {
    let steps = (operator.a.map.out[3], operator.b.as_ref().expect("this fold has a b").map.out[3]);
    match operator.fold {
        Fold::Dot => fold(kernel, operator, out, S::from(0), |acc, a_at, b_at| {
            each2(acc, (a, a_at, steps.0), (b, b_at, steps.1), |acc, a, b| {
                *acc = acc.plus(load::<_, S>(a).times(load(b)));
            });
        }),
        Fold::Pair => {
            let (scale_a, scale_b) = (S::from(operator.scale_a), S::from(operator.scale_b));
            fold(kernel, operator, out, S::from(0), |acc, a_at, b_at| {
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
    kernel: Kernel,
    operator: &Planned,
    out: &mut [u8],
    start: S,
    term: impl Fn(&mut [S], usize, usize) + Sync,
) {
    tasks(operator, operator.out[3], LANES, out, |first, out| {
        kernel.vectorize(|| task(kernel, operator, first, out, start, &term));
    });
}

#[inline(always)]
fn task<S: Accumulator>(
    kernel: Kernel,
    operator: &Planned,
    first: usize,
    out: &mut [u8],
    start: S,
    term: &impl Fn(&mut [S], usize, usize),
) {
    let (width, count) = (operator.out[3], out.len() / operator.dtype.bytes());
    let mut lanes = [start; LANES];
    let mut done = 0;
    while done < count {
        let (row, from) = ((first + done) / width, (first + done) % width);
        let acc = &mut lanes[..LANES.min(width - from).min(count - done)];
        let [o0, o1, o2] = row_coordinates(&operator.out, row);
        let o = [o0, o1, o2, from];
        acc.fill(start);
        terms(operator, o, |a, b| term(acc, a, b));
        let params = dot(&o, &operator.params);
        let bytes = operator.dtype.bytes();
        finish(kernel, operator, acc, params, &mut out[done * bytes..][..acc.len() * bytes]);
        done += acc.len();
    }
}

/// Calls `term(address in a, address in b)` for every inside term at `o`; the address in b is 0 if there is no b.
#[inline(always)]
fn terms(operator: &Planned, o: [usize; 4], mut term: impl FnMut(usize, usize)) {
    let Some(span) = Span::new(operator, o) else { return };
    let (b, b_red) =
        operator.b.as_ref().map_or((0, [0; 3]), |b| (b.map.base + dot(&o, &b.map.out), b.map.red));
    for t0 in span.t0.0..span.t0.1 {
        for t1 in span.t1.0..span.t1.1 {
            let a = span.address + (t0 - span.t0.0) * span.step[0] + (t1 - span.t1.0) * span.step[1];
            let b = b + t0 * b_red[0] + t1 * b_red[1];
            for t2 in 0..operator.red[2] {
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
