//! Runs a planned product tile by tile, on all threads.

use std::ops::Range;

use rayon::prelude::*;

use super::{Columns, Job, Kernel, TILE, TILE_ROWS, Work};
use crate::engine::finish::{At, Ending};
use crate::engine::gemm::{Gemm, Packing, Weights};
use crate::engine::plan::End;

/// Most rows of a task, small enough for their places to be kept on the stack.
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
    pub ending: Ending<'a>,
    pub gemm: &'a Gemm,
    pub packing: &'a Packing,
    pub finish: &'a Finish,
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
    /// Row by row, by the portable code.
    Rows,
}

/// The output, shared by tasks that write disjoint parts.
struct Canvas {
    out: *mut u8,
    len: usize,
}

// SAFETY: tasks write disjoint bytes, see `Drive::task`.
unsafe impl Sync for Canvas {}

impl Canvas {
    /// `len` bytes from `at` on.
    ///
    /// # Safety
    /// They lie inside the output, and belong to the caller's task alone.
    #[allow(clippy::mut_from_ref, reason = "the caller vouches that nobody else has them")]
    unsafe fn piece(&self, at: usize, len: usize) -> &mut [u8] {
        // SAFETY: passed on.
        unsafe { std::slice::from_raw_parts_mut(self.out.add(at), len) }
    }
}

/// Which part of the output a task writes.
struct Division {
    /// Rows of a block, and blocks.
    rows: usize,
    row_blocks: usize,
    /// Panels of a block, and blocks.
    panels: usize,
    panel_blocks: usize,
}

/// A tile's sums: of a pass, of a second one that vectors end together with it, and of all.
struct Room {
    acc: [i32; TILE],
    high: [i32; TILE],
    sums: [i64; TILE],
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
    /// Where the row's records and divisors begin.
    at: [At; BLOCK],
}

impl Drive<'_> {
    /// Writes the whole output.
    pub fn run(&self, out: &mut [u8]) {
        let division = self.divide();
        let batches: usize = self.gemm.batch.iter().product();
        let tasks = batches * division.row_blocks * division.panel_blocks;
        assert_eq!(out.len(), self.ending.operator.output_bytes(), "the output's size");
        let canvas = Canvas { out: out.as_mut_ptr(), len: out.len() };
        if tasks == 1 {
            return self.task(0, &division, &canvas);
        }
        (0..tasks).into_par_iter().with_max_len(1).for_each(|task| self.task(task, &division, &canvas));
    }

    fn divide(&self) -> Division {
        let gemm = self.gemm;
        let shape = self.ending.kernel.tile().expect("a kernel with tiles");
        let (rows, batches): (usize, usize) = (gemm.rows.iter().product(), gemm.batch.iter().product());
        let panels = self.packing.panels;
        let terms = batches * rows * self.ending.operator.out[3] * self.ending.operator.terms;
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
        let block = rows.div_ceil(by_rows).next_multiple_of(shape.rows).min(BLOCK / shape.rows * shape.rows);
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
        let (batch, part) = (
            task / (division.row_blocks * division.panel_blocks),
            task % (division.row_blocks * division.panel_blocks),
        );
        let (row_block, panel_block) = (part % division.row_blocks, part / division.row_blocks);
        let rows = self.rows(batch, row_block * division.rows, division.rows);
        let first = panel_block * division.panels;
        let shape = self.ending.kernel.tile().expect("a kernel with tiles");
        let mut room = Room { acc: [0; TILE], high: [0; TILE], sums: [0; TILE] };
        let panels = first..(first + division.panels).min(self.packing.panels);
        let panel_bytes = self.packing.groups * shape.columns * 4;
        let tiles = || (0..rows.len).step_by(shape.rows).map(|row| row..(row + shape.rows).min(rows.len));
        let mut tile = |panel: usize, range: Range<usize>, ahead: usize| {
            let number = batch * self.packing.panels + panel;
            self.tile((number, ahead), panel * shape.columns, &rows, range, &mut room, canvas);
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
        let (gemm, operator) = (self.gemm, self.ending.operator);
        let total: usize = gemm.rows.iter().product();
        let mut rows = Rows {
            len: count.min(total - first),
            a: [0; BLOCK],
            out: [0; BLOCK],
            furthest: 0,
            at: [At::default(); BLOCK],
        };
        let base = coordinates(&gemm.batch, batch);
        let mut o = coordinates(&gemm.rows, first);
        for index in 0..rows.len {
            let at: [usize; 3] = std::array::from_fn(|axis| base[axis] + o[axis]);
            rows.a[index] = gemm.geometry.base + (0..3).map(|i| at[i] * gemm.geometry.out[i]).sum::<usize>();
            let row = (at[0] * operator.out[1] + at[1]) * operator.out[2] + at[2];
            rows.out[index] = row * operator.out[3] * operator.width;
            rows.furthest = rows.furthest.max(rows.out[index]);
            rows.at[index] = At::new(operator, &[at[0], at[1], at[2], 0]);
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
        Room { acc, high, sums }: &mut Room,
        canvas: &Canvas,
    ) {
        let (packing, operator, kernel) = (self.packing, self.ending.operator, self.ending.kernel);
        let columns = kernel.tile().expect("a kernel with tiles").columns;
        static ZEROS: [i32; TILE] = [0; TILE];
        let multiply = |index: usize, acc: &mut [i32; TILE]| {
            let pass = &packing.passes[index];
            let from = (panel * packing.groups + pass.first) * columns * 4;
            let number = panel * packing.passes.len() + index;
            let start = number * columns;
            let job = Job {
                a: self.a,
                rows: &rows.a[range.clone()],
                segments: &pass.segments,
                order: &self.weights.orders[number],
                panel: &self.weights.data.bytes()[from..from + pass.segments.groups() * columns * 4],
                start: if self.shifted {
                    &self.weights.starts[start..start + columns]
                } else {
                    &ZEROS[..columns]
                },
                ahead,
            };
            kernel.multiply(self.gemm.wide, &job, acc);
        };
        let width = operator.width;
        let count = columns.min(operator.out[3] - column);
        let places = &rows.out[range.clone()];
        assert!(rows.furthest + (column + count) * width <= canvas.len, "a row leaves the output");
        multiply(0, acc);
        if let Finish::Vectors(table) = self.finish {
            let mut tile = Sums { acc, high: None };
            if packing.passes.len() > 1 {
                multiply(1, high);
                tile.high = Some(high);
            }
            let mut columns = Columns {
                count,
                table: &table[3 * panel * columns..][..3 * columns],
                lo: operator.lo as i32,
                hi: operator.hi as i32,
                width,
                first: column * width,
            };
            if !matches!(operator.end, End::Table(_)) {
                // SAFETY: the bounds were just checked, and tasks write disjoint parts.
                return unsafe { finish(kernel, tile, &columns, places, canvas.out) };
            }
            // What the table is asked for, row after row.
            let mut values = [0i32; TILE];
            let stride = self.ending.kernel.tile().expect("a kernel with tiles").columns;
            let rows: [usize; TILE_ROWS] = std::array::from_fn(|row| row * stride * 4);
            (columns.width, columns.first) = (4, 0);
            // SAFETY: a tile has room for the rows and columns of a tile, of 4 bytes each.
            unsafe { finish(kernel, tile, &columns, &rows[..places.len()], values.as_mut_ptr().cast()) };
            for (values, place) in values.chunks(stride).zip(places) {
                // SAFETY: as above.
                let out = unsafe { canvas.piece(place + column * width, count * width) };
                self.ending.look_up(&values[..count], out);
            }
            return;
        }
        let used = places.len() * columns;
        for (index, pass) in packing.passes.iter().enumerate() {
            if index > 0 {
                multiply(index, acc);
            }
            let (sums, acc) = (&mut sums[..used], &acc[..used]);
            kernel.vectorize(Add { sums, acc, shift: pass.shift, first: index == 0 });
        }
        kernel.vectorize(Rowwise { drive: self, sums, stride: columns, rows, range, column, count, canvas });
    }
}

/// Adds a pass's sums, shifted, to the elements', or begins with the first pass's.
struct Add<'a> {
    sums: &'a mut [i64],
    acc: &'a [i32],
    shift: u32,
    first: bool,
}

impl Work for Add<'_> {
    #[inline(always)]
    fn run(self) {
        let parts = self.acc.iter().map(|acc| i64::from(*acc).wrapping_shl(self.shift));
        if self.first {
            self.sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum = part);
        } else {
            self.sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum = sum.wrapping_add(part));
        }
    }
}

/// Ends a tile row by row.
struct Rowwise<'a> {
    drive: &'a Drive<'a>,
    sums: &'a [i64; TILE],
    /// Sums from one row to the next.
    stride: usize,
    rows: &'a Rows,
    /// The tile's rows.
    range: Range<usize>,
    /// The tile's first column, and how many there are.
    column: usize,
    count: usize,
    canvas: &'a Canvas,
}

impl Work for Rowwise<'_> {
    #[inline(always)]
    fn run(self) {
        let ending = &self.drive.ending;
        let width = ending.operator.width;
        for (row, sums) in self.range.zip(self.sums.chunks(self.stride)) {
            // SAFETY: the caller compared the rows with the output, and the task alone has them.
            let out =
                unsafe { self.canvas.piece(self.rows.out[row] + self.column * width, self.count * width) };
            let at = self.rows.at[row].along(ending.operator, self.column);
            ending.write_inline(&sums[..self.count], at, out);
        }
    }
}

/// A tile's sums as vectors end them.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    pub acc: &'a [i32; TILE],
    /// What is added 256 times, on kernels that end two passes at once ([`Kernel::tile`]).
    pub high: Option<&'a [i32; TILE]>,
}

/// Requantises and writes a tile by vectors.
///
/// # Safety
/// Every row's columns lie inside `out`, and no other thread touches them.
pub(super) unsafe fn finish(
    kernel: Kernel,
    sums: Sums<'_>,
    columns: &Columns<'_>,
    places: &[usize],
    out: *mut u8,
) {
    #[allow(unused_variables, reason = "not on every CPU")]
    let Sums { acc, high } = sums;
    assert!(high.is_none() || kernel.tile().is_some_and(|tile| tile.passes == 2), "passes that vectors end");
    match kernel {
        Kernel::Portable => unreachable!("the portable kernel has no tiles"),
        // SAFETY: the value proves the features, the rest is passed on.
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2(_) => unsafe { super::avx2::finish(sums, columns, places, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512(_) => unsafe { super::avx512::finish(acc, columns, places, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Kernel::Neon(_) | Kernel::NeonDot(_) => unsafe { super::neon::finish(acc, columns, places, out) },
    }
}

/// Coordinates of the index-th of `dims`, in row-major order.
fn coordinates(dims: &[usize; 3], index: usize) -> [usize; 3] {
    [index / (dims[1] * dims[2]), index / dims[2] % dims[1], index % dims[2]]
}
