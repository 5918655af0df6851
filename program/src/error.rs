//! Why a program is refused.

use crate::OperatorIndex;

/// A rule of legality (SPEC 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Numbers of things, and sizes.
    Counts,
    /// What operands name.
    Reference,
    /// Restrictions of folds, windows and ranges.
    Shape,
    /// Every address in range.
    Address,
    /// No empty window.
    Window,
    /// Well-formed requantisation records.
    Record,
    /// Every intermediate below 2^62.
    Bound,
    /// Every step within the referee's reach.
    Witness,
}

/// A program that breaks a rule of legality.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("illegal program: {}{what} (rule {rule:?}); use a program written by the compiler, or mend the one that wrote it",
    .operator.map(|o| format!("operator {o}: ")).unwrap_or_default())]
pub struct Illegal {
    /// The rule.
    pub rule: Rule,
    /// The operator it is broken in, if it is one operator's.
    pub operator: Option<OperatorIndex>,
    /// What is wrong.
    pub what: String,
}
