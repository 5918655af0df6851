//! Dot products by rows: the terms of a are gathered once for all outputs that share them, and meet contiguous rows
//! of b.

use super::finish::{At, Ending};
use super::kernel::{self, ROWS};
use super::span::{Span, dot, row_coordinates};
use super::tasks::tasks;
use super::values::{Element, View};

/// Least outputs that share a gathered row across tasks, so that gathering stays a small part.
const LEAST_OUTPUTS: usize = 32;

/// Elements with more terms than this are gathered one at a time, to bound the memory of a task.
const MANY_TERMS: usize = 1 << 16;

/// Outputs of a row that end together.
const OUTPUTS: usize = 64;

/// Evaluates the ending's operator into `out`. 8-bit rows are gathered as 16 bits, the width that vector units multiply.
pub(super) fn run<B: Element>(
    ending: Ending<'_>,
    a: View<'_>,
    b: &[B],
    block: Option<usize>,
    out: &mut [u8],
) {
    match a {
        View::I8(a) => {
            Rows { ending, a, b, block, convert: |v: [u8; 1]| i16::from(v[0].cast_signed()) }.run(out)
        }
        View::I16(a) => Rows { ending, a, b, block, convert: i16::from_le_bytes }.run(out),
        View::I32(a) => Rows { ending, a, b, block, convert: i32::from_le_bytes }.run(out),
    }
}

struct Rows<'a, A, B, F> {
    ending: Ending<'a>,
    a: &'a [A],
    b: &'a [B],
    block: Option<usize>,
    /// From a's type to the gathered one.
    convert: F,
}

/// Rows that meet the same rows of b, gathered and waiting.
struct Batch<R> {
    /// Gathered terms, one row after another.
    terms: Vec<R>,
    /// Rows that fit, at most [`ROWS`].
    capacity: usize,
    /// Of each row: where its records and divisors stand, and its first output in the task's piece.
    rows: [(At, usize); ROWS],
    len: usize,
    /// Where the rows of b begin.
    b: usize,
    /// The outputs of each row, as a range of o3.
    range: (usize, usize),
    /// What the first row was gathered for, apart from output dimensions along which a does not move.
    first: Option<[usize; 3]>,
}

impl<A: Element, B: Element, R: Element, F: Fn(A) -> R + Sync> Rows<'_, A, B, F> {
    fn run(&self, out: &mut [u8]) {
        tasks(self.ending.operator, self.ending.operator.out[3], LEAST_OUTPUTS, out, |first, out| {
            self.task(first, out)
        });
    }

    /// Writes the elements from `first` on that `out` has room for.
    fn task(&self, first: usize, out: &mut [u8]) {
        let operator = self.ending.operator;
        let (width, count) = (operator.out[3], out.len() / operator.width);
        let capacity = if operator.terms > MANY_TERMS { 1 } else { count.div_ceil(width).min(ROWS) };
        let terms = vec![R::default(); operator.terms * capacity];
        let rows = [(At::default(), 0); ROWS];
        let mut batch = Batch { terms, capacity, rows, len: 0, b: 0, range: (0, 0), first: None };
        let b_map = &operator.b.as_ref().expect("a dot product has a b").map;
        let mut done = 0;
        while done < count {
            let (row, from) = ((first + done) / width, (first + done) % width);
            let range = (from, width.min(from + count - done));
            let [o0, o1, o2] = row_coordinates(&operator.out, row);
            let o = [o0, o1, o2, 0];
            let b = b_map.base + dot(&o, &b_map.out);
            if batch.len == batch.capacity || batch.b != b || batch.range != range {
                self.flush(&mut batch, out);
            }
            (batch.b, batch.range) = (b, range);
            self.gather(&mut batch, o);
            batch.rows[batch.len] = (At::new(operator, &[o0, o1, o2, from]), done);
            batch.len += 1;
            done += range.1 - range.0;
        }
        self.flush(&mut batch, out);
    }

    /// Gathers the terms of a at `o` as the batch's next row, zeros (the pad of a dot product) outside the windows.
    fn gather(&self, batch: &mut Batch<R>, o: [usize; 4]) {
        let operator = self.ending.operator;
        let moves =
            |axis: usize| operator.a.map.out[axis] > 0 || (axis < 2 && operator.windows[axis].limit > 0);
        let what = std::array::from_fn(|axis| if moves(axis) { o[axis] } else { 0 });
        if batch.len == 0 && batch.first.replace(what) == Some(what) {
            return;
        }
        let row = &mut batch.terms[batch.len * operator.terms..][..operator.terms];
        let [_, r1, r2] = operator.red;
        let Some(span) = Span::new(operator, o) else { return row.fill(R::default()) };
        let whole = span.t0 == (0, operator.red[0]) && span.t1 == (0, r1);
        if !whole {
            row.fill(R::default());
        }
        // Neighbouring t1 whose runs of t2 touch are one run.
        let run = r2 * (span.t1.1 - span.t1.0);
        let touching = span.step[2] == 1 && span.step[1] == r2 || r2 == 1 && span.step[1] == 1;
        for t0 in span.t0.0..span.t0.1 {
            let at = span.address + (t0 - span.t0.0) * span.step[0];
            if touching {
                self.copy(&mut row[(t0 * r1 + span.t1.0) * r2..][..run], at, 1);
                continue;
            }
            for t1 in span.t1.0..span.t1.1 {
                let at = at + (t1 - span.t1.0) * span.step[1];
                self.copy(&mut row[(t0 * r1 + t1) * r2..][..r2], at, span.step[2]);
            }
        }
    }

    fn copy(&self, to: &mut [R], at: usize, step: usize) {
        if step == 1 {
            let from = &self.a[at..at + to.len()];
            to.iter_mut().zip(from).for_each(|(to, from)| *to = (self.convert)(*from));
        } else {
            to.iter_mut().enumerate().for_each(|(i, to)| *to = (self.convert)(self.a[at + i * step]));
        }
    }

    /// Computes and writes the outputs of the batch's rows, and empties it.
    fn flush(&self, batch: &mut Batch<R>, out: &mut [u8]) {
        let operator = self.ending.operator;
        let (terms, bytes) = (operator.terms, operator.width);
        let step = operator.b.as_ref().expect("a dot product has a b").map.out[3];
        let mut filled = batch.terms.chunks_exact(terms);
        let rows: [&[R]; ROWS] = std::array::from_fn(|_| filled.next().unwrap_or_default());
        let mut sums = [[0; OUTPUTS]; ROWS];
        let (from, to) = batch.range;
        for first in (from..to).step_by(OUTPUTS) {
            let count = OUTPUTS.min(to - first);
            for index in 0..count {
                let b = &self.b[batch.b + (first + index) * step..][..terms];
                let products =
                    match batch.len {
                        ROWS => kernel::dot4(rows, b, self.block),
                        len => std::array::from_fn(|row| {
                            if row < len { kernel::dot(rows[row], b, self.block) } else { 0 }
                        }),
                    };
                sums.iter_mut().zip(products).for_each(|(sums, product)| sums[index] = product);
            }
            for (sums, (at, place)) in sums.iter().zip(batch.rows).take(batch.len) {
                let at = at.along(operator, first - from);
                let out = &mut out[(place + first - from) * bytes..][..count * bytes];
                self.ending.write(&sums[..count], at, out);
            }
        }
        batch.len = 0;
    }
}
