//! How much memory a plan and a run may take.
//!
//! By default what a region works on stays in a core's cache, and regions are worked on by all threads.

use super::product::Axes;
use super::reads::Reads;
use super::region::Region;

/// Limits in elements, not bytes: an element takes one to eight.
///
/// They change speed and memory, never an answer: operators beyond a limit are computed region by region, and plans beyond
/// [`Limits::kept`] are made again in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Elements that operand a of a region is gathered to, in a region of more than one output; twice as many where regions are
    /// some columns of a product each, which all read the same rows.
    pub gathered: usize,
    /// Elements that operand b of a region is gathered to, in a region of more than one column of a matrix.
    pub weights: usize,
    /// Elements that operands are gathered to in all regions that threads work on at a time, if they are more than one.
    pub at_once: usize,
    /// Outputs of a region.
    pub outputs: usize,
    /// Elements that all plans of a program keep.
    pub kept: usize,
    /// Regions of an operator that are planned ahead.
    pub regions: u64,
}

impl Limits {
    /// Terms below which an operator is not cut for the threads' sake alone.
    const SHARE: u64 = 1 << 13;
    /// Rows of a product beyond which reading its columns once more costs little: where operand a is gathered through windows,
    /// and where it is read as it stands.
    const ROWS: [usize; 2] = [64, 256];

    /// Whether a product is cut into columns: where it has so few rows that the matrix of its columns would be read too often
    /// if it were cut into rows. All regions then read the same rows.
    pub(crate) fn by_columns(&self, a: &Reads, b: &Reads, whole: &Region) -> Option<Vec<usize>> {
        let axes = Axes::new(a, b, whole);
        let [matrices, rows, terms, columns] = axes.sizes(a, whole);
        let most = Self::ROWS[usize::from(a.windows.iter().all(|window| window.limit == 0))];
        let few = matrices == 1 && rows <= most.min(columns);
        (few && rows.saturating_mul(terms) <= self.gathered.saturating_mul(2)).then_some(axes.columns)
    }

    /// Outputs of a region of an operator of so many, each of so many terms: enough regions for every thread.
    pub(crate) fn outputs_of(&self, elements: u64, terms: u64) -> usize {
        let work = elements.saturating_mul(terms);
        let share = work.div_ceil(rayon::current_num_threads() as u64).max(Self::SHARE).div_ceil(terms);
        self.outputs.min(usize::try_from(share).unwrap_or(usize::MAX))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            gathered: 1 << 18,
            weights: 1 << 22,
            at_once: 1 << 27,
            outputs: 1 << 16,
            kept: 1 << 28,
            regions: 1 << 12,
        }
    }
}
