//! Divides an output among threads.

use rayon::prelude::*;

use super::plan::Planned;

/// Terms of work that are worth a task of their own: some microseconds.
const TASK_TERMS: usize = 1 << 15;

/// Tasks for a thread: enough to even out threads that are interrupted.
const TASKS_A_THREAD: usize = 6;

/// Runs `task(first element, its bytes)` over pieces of `out`, side by side. A piece has at least `least` elements; if
/// it holds whole rows of `row` elements, it holds a multiple of four rows.
pub(super) fn tasks(
    operator: &Planned,
    row: usize,
    least: usize,
    out: &mut [u8],
    task: impl Fn(usize, &mut [u8]) + Sync,
) {
    let width = operator.width;
    let total = out.len() / width;
    let even = total.div_ceil(TASKS_A_THREAD * rayon::current_num_threads());
    let wanted = (TASK_TERMS / operator.terms).max(least).max(even);
    let piece = if wanted < row { wanted.next_multiple_of(least) } else { wanted.next_multiple_of(4 * row) };
    if piece >= total {
        return task(0, out);
    }
    out.par_chunks_mut(piece * width).enumerate().for_each(|(index, out)| task(index * piece, out));
}
