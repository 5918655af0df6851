//! How far a long step has come.

/// A step that may take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The float run over the calibration samples.
    Calibrating,
    /// The comparison of every operator on the calibration samples.
    Comparing,
    /// The comparison of outputs on the test samples.
    Testing,
}

/// So many samples of a step are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// Samples done.
    pub done: usize,
    /// Samples in all.
    pub total: usize,
}
