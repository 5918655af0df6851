//! Runs a planned product tile by tile, on all threads.

use std::ops::Range;

use rayon::prelude::*;

use super::{Columns, Job, Kernel, TILE};
use crate::engine::finish::{put, requantise};
use crate::engine::gemm::{Gemm, Weights};
use crate::engine::plan::Planned;

/// Most rows of a task: a multiple of every kernel's tile, small enough for their places to be kept on the stack.
const BLOCK: usize = 504;

/// Bytes of columns that stay in the first cache while they meet many rows.
const NEAR: usize = 1 << 15;

/// How far ahead one row asks for columns, in bytes; more rows take longer.
const AHEAD: usize = 1 << 14;

/// Multiply-accumulates that are worth a task of their own: some microseconds.
const TASK_TERMS: usize = 1 << 21;

/// Tasks for a thread: enough to even out threads that are interrupted.
const TASKS_A_THREAD: usize = 6;

/// A product about to run.
pub(in crate::engine) struct Drive<'a> {
    pub kernel: Kernel,
    pub operator: &'a Planned,
    pub gemm: &'a Gemm,
    /// Operand a as the kernel reads it.
    pub a: &'a [u8],
    /// Whether a is read as a + 128.
    pub shifted: bool,
    pub weights: &'a Weights,
}

/// How elements end.
#[derive(Debug, Clone)]
pub(in crate::engine) enum Finish {
    /// By vectors: for each batch and panel, for each vector of columns, multipliers, addends and shifts, each of
    /// even and odd columns.
    Vectors(Vec<i64>),
    /// One at a time.
    Single,
}

/// The output, shared by tasks that write disjoint parts.
struct Canvas {
    out: *mut u8,
    len: usize,
}

// SAFETY: tasks write disjoint bytes, see `Drive::task`.
unsafe impl Sync for Canvas {}

/// Which part of the output a task writes.
struct Division {
    /// Rows of a block, and blocks.
    rows: usize,
    row_blocks: usize,
    /// Panels of a block, and blocks.
    panels: usize,
    panel_blocks: usize,
}

/// Where the rows of a block stand.
struct Rows {
    len: usize,
    /// Byte offset in a.
    a: [usize; BLOCK],
    /// Byte offset in the output.
    out: [usize; BLOCK],
    /// The greatest of these.
    furthest: usize,
    /// Index of the row's first record.
    params: [usize; BLOCK],
}

impl Drive<'_> {
    /// Writes the whole output.
    pub fn run(&self, out: &mut [u8]) {
        let division = self.divide();
        let batches: usize = self.gemm.batch.iter().product();
        let tasks = batches * division.row_blocks * division.panel_blocks;
        assert_eq!(out.len(), self.operator.output_bytes(), "the output's size");
        let canvas = Canvas { out: out.as_mut_ptr(), len: out.len() };
        if tasks == 1 {
            return self.task(0, &division, &canvas);
        }
        (0..tasks).into_par_iter().with_max_len(1).for_each(|task| self.task(task, &division, &canvas));
    }

    fn divide(&self) -> Division {
        let gemm = self.gemm;
        let shape = self.kernel.tile().expect("a kernel with tiles");
        let (rows, batches): (usize, usize) = (gemm.rows.iter().product(), gemm.batch.iter().product());
        let panels = gemm.packing.panels;
        let terms = batches * rows * self.operator.out[3] * self.operator.terms;
        let wanted = (terms / TASK_TERMS).clamp(1, TASKS_A_THREAD * rayon::current_num_threads());
        let wanted = wanted.div_ceil(batches);
        // The operand that is smaller is read by several threads.
        let (by_rows, by_panels) = if panels * shape.columns > rows {
            let by_panels = wanted.min(panels);
            (wanted.div_ceil(by_panels), by_panels)
        } else {
            let by_rows = wanted.min(rows.div_ceil(shape.rows));
            (by_rows, wanted.div_ceil(by_rows).min(panels))
        };
        let block = rows.div_ceil(by_rows).next_multiple_of(shape.rows).min(BLOCK);
        let panel_block = panels.div_ceil(by_panels);
        Division {
            rows: block,
            row_blocks: rows.div_ceil(block),
            panels: panel_block,
            panel_blocks: panels.div_ceil(panel_block),
        }
    }

    /// Writes the elements of one batch, block of rows and block of panels. A task's number determines these three, an
    /// element's coordinates determine its batch, row and panel, and blocks of rows and of panels do not overlap: so
    /// no element belongs to two tasks.
    fn task(&self, task: usize, division: &Division, canvas: &Canvas) {
        let gemm = self.gemm;
        let (batch, part) = (
            task / (division.row_blocks * division.panel_blocks),
            task % (division.row_blocks * division.panel_blocks),
        );
        let (row_block, panel_block) = (part % division.row_blocks, part / division.row_blocks);
        let rows = self.rows(batch, row_block * division.rows, division.rows);
        let first = panel_block * division.panels;
        let shape = self.kernel.tile().expect("a kernel with tiles");
        let mut acc = [0; TILE];
        let panels = first..(first + division.panels).min(gemm.packing.panels);
        let panel_bytes = gemm.packing.groups * shape.columns * 4;
        let tiles = || (0..rows.len).step_by(shape.rows).map(|row| row..(row + shape.rows).min(rows.len));
        let mut tile = |panel: usize, range: Range<usize>, ahead: usize| {
            let number = batch * gemm.packing.panels + panel;
            self.tile((number, ahead), panel * shape.columns, &rows, range, &mut acc, canvas);
        };
        if panels.len() * panel_bytes <= NEAR {
            // The panels stay near while rows pass by, and each row is written in one go.
            tiles().for_each(|range| {
                panels.clone().for_each(|panel| tile(panel, range.clone(), AHEAD / range.len()))
            });
        } else {
            // A panel comes from afar once, the next one while this one is used.
            let ahead =
                |range: &Range<usize>| if rows.len > shape.rows { panel_bytes } else { AHEAD / range.len() };
            panels.for_each(|panel| tiles().for_each(|range| tile(panel, range.clone(), ahead(&range))));
        }
    }

    /// Where `count` rows of a batch from `first` on stand.
    fn rows(&self, batch: usize, first: usize, count: usize) -> Rows {
        let (gemm, operator) = (self.gemm, self.operator);
        let total: usize = gemm.rows.iter().product();
        let mut rows = Rows {
            len: count.min(total - first),
            a: [0; BLOCK],
            out: [0; BLOCK],
            furthest: 0,
            params: [0; BLOCK],
        };
        let base = coordinates(&gemm.batch, batch);
        let mut o = coordinates(&gemm.rows, first);
        for index in 0..rows.len {
            let at: [usize; 3] = std::array::from_fn(|axis| base[axis] + o[axis]);
            rows.a[index] = gemm.geometry.base + (0..3).map(|i| at[i] * gemm.geometry.out[i]).sum::<usize>();
            let row = (at[0] * operator.out[1] + at[1]) * operator.out[2] + at[2];
            rows.out[index] = row * operator.out[3] * operator.dtype.bytes();
            rows.furthest = rows.furthest.max(rows.out[index]);
            rows.params[index] = (0..3).map(|i| at[i] * operator.params[i]).sum();
            for axis in (0..3).rev() {
                o[axis] += 1;
                if o[axis] < gemm.rows[axis] {
                    break;
                }
                o[axis] = 0;
            }
        }
        rows
    }

    /// Computes and writes one tile; `panel` counts over batches, `column` is its first column, and columns are asked
    /// for `ahead` bytes before their use.
    fn tile(
        &self,
        (panel, ahead): (usize, usize),
        column: usize,
        rows: &Rows,
        range: Range<usize>,
        acc: &mut [i32; TILE],
        canvas: &Canvas,
    ) {
        let (gemm, packing, operator) = (self.gemm, &self.gemm.packing, self.operator);
        let columns = self.kernel.tile().expect("a kernel with tiles").columns;
        static ZEROS: [i32; TILE] = [0; TILE];
        let multiply = |index: usize, acc: &mut [i32; TILE]| {
            let pass = &packing.passes[index];
            let from = (panel * packing.groups + pass.first) * columns * 4;
            let start = (panel * packing.passes.len() + index) * columns;
            let job = Job {
                a: self.a,
                rows: &rows.a[range.clone()],
                segments: &pass.segments,
                panel: &self.weights.data.bytes()[from..from + pass.segments.groups() * columns * 4],
                start: if self.shifted {
                    &self.weights.starts[start..start + columns]
                } else {
                    &ZEROS[..columns]
                },
                ahead,
            };
            self.kernel.multiply(gemm.wide, &job, acc);
        };
        let width = operator.dtype.bytes();
        let count = columns.min(operator.out[3] - column);
        let places = &rows.out[range.clone()];
        assert!(rows.furthest + (column + count) * width <= canvas.len, "a row leaves the output");
        multiply(0, acc);
        if let Finish::Vectors(table) = &gemm.finish {
            let table = &table[3 * panel * columns..][..3 * columns];
            let columns = Columns {
                count,
                table,
                lo: operator.lo as i32,
                hi: operator.hi as i32,
                width,
                first: column * width,
            };
            match self.kernel {
                Kernel::Portable => unreachable!("the portable kernel has no tiles"),
                // SAFETY: the value proves the features, the bounds were just checked, and tasks write disjoint parts.
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx2(_) => unsafe { super::avx2::finish(acc, &columns, places, canvas.out) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx512(_) => unsafe { super::avx512::finish(acc, &columns, places, canvas.out) },
            }
            return;
        }
        let shift = packing.passes[0].shift;
        let mut sums: [i64; TILE] = std::array::from_fn(|i| i64::from(acc[i]) << shift);
        for (index, pass) in packing.passes.iter().enumerate().skip(1) {
            multiply(index, acc);
            sums.iter_mut().zip(&*acc).for_each(|(sum, acc)| *sum += i64::from(*acc) << pass.shift);
        }
        for (row, place) in places.iter().enumerate() {
            // SAFETY: inside the output, as was just checked, and of this task alone.
            let out = unsafe {
                std::slice::from_raw_parts_mut(canvas.out.add(place + column * width), count * width)
            };
            let params = rows.params[range.start + row] + column * operator.params[3];
            for i in 0..count {
                let record = &operator.records.list[params + i * operator.params[3]];
                put(
                    operator.dtype,
                    out,
                    i,
                    requantise(sums[row * columns + i], record, operator.lo, operator.hi),
                );
            }
        }
    }
}

/// Coordinates of the index-th of `dims`, in row-major order.
fn coordinates(dims: &[usize; 3], index: usize) -> [usize; 3] {
    [index / (dims[1] * dims[2]), index / dims[2] % dims[1], index % dims[2]]
}
