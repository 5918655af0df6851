//! Folds by terms: the terms of one output stand next to each other and are folded side by side, one output after
//! another. The place of a greatest term is always found this way.

use narrows_program::Fold;

use super::arch::Work;
use super::finish::{At, Ending};
use super::kernel;
use super::plan::Planned;
use super::span::{Span, dot, row_coordinates};
use super::tasks::tasks;
use super::values::{Element, View, with_view};

/// Outputs that end together, and the least of a task.
const OUTPUTS: usize = 64;

/// Terms of 16 bits or fewer that certainly sum in 32.
const BLOCK: usize = 1 << 15;

/// Evaluates the ending's operator into `out`. `block`: products that certainly sum in 32 bits.
pub(super) fn run(
    ending: Ending<'_>,
    a: View<'_>,
    b: Option<View<'_>>,
    block: Option<usize>,
    out: &mut [u8],
) {
    let operator = ending.operator;
    with_view!(a, a => match (operator.fold, b) {
        (Fold::Sum, _) => fold(ending, Sum { operator, a }, out),
        (Fold::Max, _) => fold(ending, Greatest { operator, a }, out),
        (Fold::ArgMax, _) => fold(ending, Place { operator, a }, out),
        (Fold::Dot, Some(b)) => with_view!(b, b => fold(ending, Dot { operator, a, b, block }, out)),
        (fold, _) => unreachable!("{fold:?} does not run by terms"),
    });
}

/// Folds one output.
trait Output: Sync {
    fn fold(&self, o: [usize; 4]) -> i64;
}

/// Runs a body for every run of inside terms (t0, t1) at coordinates `o`, with its address in a and (t0, t1).
macro_rules! for_runs {
    ($operator:expr, $o:expr, |$at:ident, $t:ident| $body:expr) => {
        if let Some(span) = Span::new($operator, $o) {
            for t0 in span.t0.0..span.t0.1 {
                for t1 in span.t1.0..span.t1.1 {
                    let $at =
                        span.address + (t0 - span.t0.0) * span.step[0] + (t1 - span.t1.0) * span.step[1];
                    let $t = [t0, t1];
                    $body
                }
            }
        }
    };
}

struct Sum<'a, A> {
    operator: &'a Planned,
    a: &'a [A],
}

impl<A: Element> Output for Sum<'_, A> {
    #[inline(always)]
    fn fold(&self, o: [usize; 4]) -> i64 {
        let mut acc = 0i64;
        for_runs!(self.operator, o, |at, _t| acc =
            acc.wrapping_add(sum(&self.a[at..][..self.operator.red[2]])));
        acc
    }
}

struct Greatest<'a, A> {
    operator: &'a Planned,
    a: &'a [A],
}

impl<A: Element> Output for Greatest<'_, A> {
    #[inline(always)]
    fn fold(&self, o: [usize; 4]) -> i64 {
        let mut acc = self.operator.pad;
        for_runs!(self.operator, o, |at, _t| acc = acc.max(greatest(&self.a[at..][..self.operator.red[2]])));
        acc.into()
    }
}

/// The place of the greatest.
struct Place<'a, A> {
    operator: &'a Planned,
    a: &'a [A],
}

impl<A: Element> Output for Place<'_, A> {
    #[inline(always)]
    fn fold(&self, o: [usize; 4]) -> i64 {
        let [_, r1, r2] = self.operator.red;
        let mut best = (i32::MIN, 0);
        for_runs!(self.operator, o, |at, t| {
            let found = first_greatest(self.a, at, self.operator.a.map.red[2], r2);
            let first = (t[0] * r1 + t[1]) * r2;
            if first == 0 || found.0 > best.0 {
                best = (found.0, first + found.1);
            }
        });
        // Legality: an element has at most 2^24 terms.
        best.1 as i64
    }
}

struct Dot<'a, A, B> {
    operator: &'a Planned,
    a: &'a [A],
    b: &'a [B],
    block: Option<usize>,
}

impl<A: Element, B: Element> Output for Dot<'_, A, B> {
    #[inline(always)]
    fn fold(&self, o: [usize; 4]) -> i64 {
        let map = &self.operator.b.as_ref().expect("a dot product has a b").map;
        let (first, count) = (map.base + dot(&o, &map.out), self.operator.red[2]);
        let mut acc = 0i64;
        for_runs!(self.operator, o, |at, t| {
            let b_at = first + t[0] * map.red[0] + t[1] * map.red[1];
            acc = acc.wrapping_add(kernel::dot(&self.a[at..][..count], &self.b[b_at..][..count], self.block));
        });
        acc
    }
}

/// Evaluates every output, and ends them.
fn fold(ending: Ending<'_>, fold: impl Output, out: &mut [u8]) {
    tasks(ending.operator, ending.operator.out[3], OUTPUTS, out, |first, out| {
        ending.kernel.vectorize(Task { ending: &ending, fold: &fold, first, out });
    });
}

/// A piece of the output, from element `first` on.
struct Task<'a, F> {
    ending: &'a Ending<'a>,
    fold: &'a F,
    first: usize,
    out: &'a mut [u8],
}

impl<F: Output> Work for Task<'_, F> {
    #[inline(always)]
    fn run(self) {
        let operator = self.ending.operator;
        let (width, bytes) = (operator.out[3], operator.width);
        let (count, mut done) = (self.out.len() / bytes, 0);
        let mut acc = [0i64; OUTPUTS];
        while done < count {
            let (row, from) = ((self.first + done) / width, (self.first + done) % width);
            let acc = &mut acc[..OUTPUTS.min(width - from).min(count - done)];
            let [o0, o1, o2] = row_coordinates(&operator.out, row);
            for (i, acc) in acc.iter_mut().enumerate() {
                *acc = self.fold.fold([o0, o1, o2, from + i]);
            }
            let at = At::new(operator, &[o0, o1, o2, from]);
            self.ending.write(acc, at, &mut self.out[done * bytes..][..acc.len() * bytes]);
            done += acc.len();
        }
    }
}

#[inline(always)]
fn sum<A: Element>(a: &[A]) -> i64 {
    if A::SHORT {
        let sums = a.chunks(BLOCK).map(|a| a.iter().fold(0i32, |sum, a| sum.wrapping_add(a.get())));
        return sums.fold(0i64, |sum, part| sum.wrapping_add(part.into()));
    }
    a.iter().fold(0i64, |sum, a| sum.wrapping_add(a.get().into()))
}

#[inline(always)]
fn greatest<A: Element>(a: &[A]) -> i32 {
    a.iter().fold(i32::MIN, |most, a| most.max(a.get()))
}

/// The greatest of `count` elements from `at` on, `step` apart, and which is the first such.
#[inline(always)]
fn first_greatest<A: Element>(a: &[A], at: usize, step: usize, count: usize) -> (i32, usize) {
    if step == 1 {
        let a = &a[at..][..count];
        let most = greatest(a);
        return (most, a.iter().position(|a| a.get() == most).unwrap_or(0));
    }
    let values = (0..count).map(|t| a[at + t * step].get());
    values.enumerate().fold(
        (i32::MIN, 0),
        |best, (t, value)| {
            if t == 0 || value > best.0 { (value, t) } else { best }
        },
    )
}
