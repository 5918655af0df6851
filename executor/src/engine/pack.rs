//! Copies of operand b in the order in which an operator reads it.

use super::plan::Map;
use super::values::{Element, View, with_view};

/// Which loops are innermost in the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Terms: each element's terms stand next to each other.
    Rows,
    /// Outputs: for each term, the outputs of a row stand next to each other.
    Lanes,
}

/// A copy's shape: its loops, outermost first, as (count, step in the source).
#[derive(Debug, Clone)]
pub(super) struct Pack {
    source: Map,
    loops: Vec<(usize, usize)>,
    len: usize,
}

impl Pack {
    /// Plans a copy of what `map` reads and turns `map` into the copy's own. Output dimensions along which the operand
    /// does not move are not copied.
    pub fn new(map: &mut Map, out: [usize; 4], red: [usize; 3], order: Order) -> Self {
        let source = *map;
        // Loops o0 … o3 are 0 … 3, t0 … t2 are 4 … 6.
        let (sequence, dense) = match order {
            Order::Rows => ([0, 1, 2, 3, 4, 5, 6], true),
            Order::Lanes => ([0, 1, 2, 4, 5, 6, 3], false),
        };
        let (mut loops, mut len) = (Vec::new(), 1usize);
        *map = Map { base: 0, out: [0; 4], red: [0; 3] };
        for index in sequence.into_iter().rev() {
            let (count, step, target) = match index {
                0..4 => (out[index], source.out[index], &mut map.out[index]),
                _ => (red[index - 4], source.red[index - 4], &mut map.red[index - 4]),
            };
            if count > 1 && (step > 0 || (dense && index >= 4)) {
                *target = len;
                // Counts are the output's, below 2^31, times the terms', below 2^24.
                len *= count;
                loops.push((count, step));
            }
        }
        loops.reverse();
        Self { source, loops, len }
    }

    /// Elements of the copy.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The map of the tensor that is copied.
    pub fn source_map(&self) -> Map {
        self.source
    }

    /// The copy, in canonical bytes.
    pub fn apply(&self, view: View<'_>) -> Vec<u8> {
        with_view!(view, v => self.copy(v).into_flattened())
    }

    fn copy<T: Element>(&self, values: &[T]) -> Vec<T> {
        let mut out = Vec::with_capacity(self.len);
        descend(&self.loops, self.source.base, values, &mut out);
        out
    }
}

fn descend<T: Element>(loops: &[(usize, usize)], at: usize, values: &[T], out: &mut Vec<T>) {
    match loops {
        [] => out.push(values[at]),
        [(count, 1)] => out.extend_from_slice(&values[at..at + count]),
        [(count, step)] => out.extend((0..*count).map(|i| values[at + i * step])),
        [(count, step), rest @ ..] => (0..*count).for_each(|i| descend(rest, at + i * step, values, out)),
    }
}
