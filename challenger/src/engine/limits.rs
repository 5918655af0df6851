//! How much memory a plan and a run may take.

/// Limits in elements, not bytes: an element takes one to eight.
///
/// They change speed and memory, never an answer: operators beyond a limit are computed region by region, and plans beyond
/// [`Limits::kept`] are made again in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Elements that operand a of a region is gathered to, in a region of more than one output.
    pub gathered: usize,
    /// Elements that operand b of a region is gathered to, likewise.
    pub weights: usize,
    /// Outputs of a region.
    pub outputs: usize,
    /// Elements that all plans of a program keep.
    pub kept: usize,
    /// Regions of an operator that are planned ahead.
    pub regions: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { gathered: 1 << 22, weights: 1 << 28, outputs: 1 << 21, kept: 1 << 28, regions: 1 << 12 }
    }
}
