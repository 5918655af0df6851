//! Any fold by lanes: outputs that differ in o3 alone are computed side by side, one term at a time. Windows do not
//! move along o3, so the lanes agree on which terms are inside.

use narrows_program::Fold;

use super::arch::Work;
use super::finish::{Accumulator, At, Ending};
use super::pairs;
use super::plan::{Map, Planned};
use super::span::{Span, dot, row_coordinates};
use super::tasks::tasks;
use super::values::{Element, View, with_view};

/// Lanes that are computed at once: their accumulators stay in the first cache.
pub(super) const LANES: usize = 512;

/// Evaluates the ending's operator into `out`. `narrow`: accumulators provably fit 32 bits.
pub(super) fn run(ending: Ending<'_>, a: View<'_>, b: Option<View<'_>>, narrow: bool, out: &mut [u8]) {
    if let (View::I8(a), Some(View::I8(b))) = (a, b)
        && pairs::run(ending, a, b, out)
    {
        return;
    }
    with_view!(a, a => match (b, narrow) {
        (None, true) => single::<_, i32>(ending, a, out),
        (None, false) => single::<_, i64>(ending, a, out),
        (Some(b), true) => with_view!(b, b => double::<_, _, i32>(ending, a, b, out)),
        (Some(b), false) => with_view!(b, b => double::<_, _, i64>(ending, a, b, out)),
    });
}

#[inline(always)]
fn load<T: Element, S: Accumulator>(value: T) -> S {
    S::from(value.get())
}

/// Folds of operand a alone.
fn single<A: Element, S: Accumulator>(ending: Ending<'_>, a: &[A], out: &mut [u8]) {
    let operator = ending.operator;
    match operator.fold {
        Fold::Max => fold(ending, out, S::from(operator.pad), Greatest { operator, a }),
        Fold::Sum => fold(ending, out, S::from(0), Sum { operator, a }),
        Fold::ArgMax => unreachable!("the plan has an argmax run by terms"),
        Fold::Dot | Fold::Pair | Fold::Gather => unreachable!("legality: this fold has a b"),
    }
}

/// Folds of operands a and b.
fn double<A: Element, B: Element, S: Accumulator>(ending: Ending<'_>, a: &[A], b: &[B], out: &mut [u8]) {
    let operator = ending.operator;
    let map = operator.b.as_ref().expect("this fold has a b").map;
    let two = Two { operator, a, b, map };
    match operator.fold {
        Fold::Dot => fold(ending, out, S::from(0), Dot(two)),
        Fold::Pair => fold(ending, out, S::from(0), Pair(two)),
        Fold::Gather => fold(ending, out, S::from(0), Gather(two)),
        Fold::Sum | Fold::Max | Fold::ArgMax => unreachable!("legality: this fold has no b"),
    }
}

/// The terms of lanes.
trait Terms<S>: Sync {
    /// Whether the accumulators begin with a value; otherwise a single term overwrites them.
    const FROM_START: bool;

    /// Folds all terms into the accumulators of neighbouring lanes, the first of which is at `o`.
    fn fold(&self, acc: &mut [S], o: [usize; 4]);
}

/// Runs a body for every inside term at coordinates `o`, with its address in a and its steps (t0, t1, t2).
macro_rules! for_terms {
    ($operator:expr, $o:expr, |$at:ident, $t:ident| $body:expr) => {
        if let Some(span) = Span::new($operator, $o) {
            for t0 in span.t0.0..span.t0.1 {
                for t1 in span.t1.0..span.t1.1 {
                    let run =
                        span.address + (t0 - span.t0.0) * span.step[0] + (t1 - span.t1.0) * span.step[1];
                    for t2 in 0..$operator.red[2] {
                        let ($at, $t) = (run + t2 * span.step[2], [t0, t1, t2]);
                        $body
                    }
                }
            }
        }
    };
}

struct Greatest<'a, A> {
    operator: &'a Planned,
    a: &'a [A],
}

impl<A: Element, S: Accumulator> Terms<S> for Greatest<'_, A> {
    const FROM_START: bool = true;

    #[inline(always)]
    fn fold(&self, acc: &mut [S], o: [usize; 4]) {
        let step = self.operator.a.map.out[3];
        for_terms!(self.operator, o, |at, _t| {
            each(acc, self.a, at, step, |acc, a| *acc = (*acc).max(load(a)));
        });
    }
}

struct Sum<'a, A> {
    operator: &'a Planned,
    a: &'a [A],
}

impl<A: Element, S: Accumulator> Terms<S> for Sum<'_, A> {
    const FROM_START: bool = true;

    #[inline(always)]
    fn fold(&self, acc: &mut [S], o: [usize; 4]) {
        let step = self.operator.a.map.out[3];
        for_terms!(self.operator, o, |at, _t| each(acc, self.a, at, step, |acc, a| *acc = acc.plus(load(a))));
    }
}

/// Two operands, and the second's map.
struct Two<'a, A, B> {
    operator: &'a Planned,
    a: &'a [A],
    b: &'a [B],
    map: Map,
}

struct Dot<'a, A, B>(Two<'a, A, B>);

impl<A: Element, B: Element, S: Accumulator> Terms<S> for Dot<'_, A, B> {
    const FROM_START: bool = true;

    #[inline(always)]
    fn fold(&self, acc: &mut [S], o: [usize; 4]) {
        let Two { operator, a, b, map } = &self.0;
        let (a_step, b_step) = (operator.a.map.out[3], map.out[3]);
        let first = map.base + dot(&o, &map.out);
        for_terms!(operator, o, |at, t| {
            let b_at = first + t[0] * map.red[0] + t[1] * map.red[1] + t[2] * map.red[2];
            each2(acc, (a, at, a_step), (b, b_at, b_step), |acc, a, b| {
                *acc = acc.plus(load::<_, S>(a).times(load(b)));
            });
        });
    }
}

struct Pair<'a, A, B>(Two<'a, A, B>);

impl<A: Element, B: Element, S: Accumulator> Terms<S> for Pair<'_, A, B> {
    const FROM_START: bool = false;

    #[inline(always)]
    fn fold(&self, acc: &mut [S], o: [usize; 4]) {
        let Two { operator, a, b, map } = &self.0;
        let (scale_a, scale_b) = (S::from(operator.scale_a), S::from(operator.scale_b));
        let (a_step, b_step) = (operator.a.map.out[3], map.out[3]);
        let b_at = map.base + dot(&o, &map.out);
        match Span::new(operator, o) {
            Some(span) => each2(acc, (a, span.address, a_step), (b, b_at, b_step), |acc, a, b| {
                *acc = load::<_, S>(a).times(scale_a).plus(load::<_, S>(b).times(scale_b));
            }),
            // A missed a is the pad of a pair, 0.
            None => each(acc, b, b_at, b_step, |acc, b| *acc = load::<_, S>(b).times(scale_b)),
        }
    }
}

struct Gather<'a, A, B>(Two<'a, A, B>);

impl<A: Element, B: Element, S: Accumulator> Terms<S> for Gather<'_, A, B> {
    const FROM_START: bool = false;

    #[inline(always)]
    fn fold(&self, acc: &mut [S], o: [usize; 4]) {
        let Two { operator, a, b, map } = &self.0;
        // Legality: a row's step is not negative, and there is a row. Whatever the index, the row is one of them.
        let (row, rows) = (operator.scale_a as usize, operator.scale_b);
        let place = |index: A| index.get().clamp(0, rows - 1) as usize * row;
        let (a_step, b_step) = (operator.a.map.out[3], map.out[3]);
        let a_at = operator.a.map.base + dot(&o, &operator.a.map.out);
        let b_at = map.base + dot(&o, &map.out);
        if a_step == 0 || acc.len() == 1 {
            return each(acc, b, b_at + place(a[a_at]), b_step, |acc, b| *acc = load(b));
        }
        for (i, acc) in acc.iter_mut().enumerate() {
            *acc = load(b[b_at + i * b_step + place(a[a_at + i * a_step])]);
        }
    }
}

/// Evaluates lanes by their terms, and ends them.
fn fold<S: Accumulator>(ending: Ending<'_>, out: &mut [u8], start: S, terms: impl Terms<S>) {
    tasks(ending.operator, ending.operator.out[3], LANES, out, |first, out| {
        ending.kernel.vectorize(Task { ending: &ending, terms: &terms, start, first, out });
    });
}

/// A piece of the output, from element `first` on.
struct Task<'a, S, T> {
    ending: &'a Ending<'a>,
    terms: &'a T,
    start: S,
    first: usize,
    out: &'a mut [u8],
}

impl<S: Accumulator, T: Terms<S>> Work for Task<'_, S, T> {
    #[inline(always)]
    fn run(self) {
        let operator = self.ending.operator;
        let bytes = operator.width;
        let (width, count) = (operator.out[3], self.out.len() / bytes);
        let mut lanes = [self.start; LANES];
        let mut done = 0;
        while done < count {
            let (row, from) = ((self.first + done) / width, (self.first + done) % width);
            let acc = &mut lanes[..LANES.min(width - from).min(count - done)];
            let [o0, o1, o2] = row_coordinates(&operator.out, row);
            let o = [o0, o1, o2, from];
            if T::FROM_START {
                acc.fill(self.start);
            }
            self.terms.fold(acc, o);
            let at = At::new(operator, &o);
            self.ending.write(acc, at, &mut self.out[done * bytes..][..acc.len() * bytes]);
            done += acc.len();
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
        (0, 1) => {
            let a = a[a_at];
            acc.iter_mut().zip(&b[b_at..b_at + len]).for_each(|(acc, b)| combine(acc, a, *b));
        }
        _ => {
            let lanes = acc.iter_mut().enumerate();
            lanes.for_each(|(i, acc)| combine(acc, a[a_at + i * a_step], b[b_at + i * b_step]));
        }
    }
}
