//! A replayed dispute, told move by move.

use std::collections::BTreeMap;
use std::fmt;

use narrows_program::{LayerIndex, OperatorIndex};

use crate::game::ClaimStatus;
use crate::record::Outcome;
use crate::{Account, BlockTime, ClaimId, Phase, Side};

use super::doubt::{Doubt, Finding, Span};

/// In what part somebody made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mover {
    /// Who asked for the run.
    Requester,
    /// Whose claim it is.
    Executor,
    /// Who disputes it.
    Challenger,
    /// Somebody else.
    Anyone,
}

/// One call of the dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub time: BlockTime,
    /// Who, by the part it plays.
    pub mover: Mover,
    /// Who.
    pub account: Account,
    /// The contract function's name.
    pub call: &'static str,
    /// The match, by its number among its claim's; `None` for calls about no match.
    pub match_number: Option<u64>,
    /// Whether it is about the recorded claim, not about another one on the same job.
    pub of_the_claim: bool,
    /// The match's phase before it.
    pub before: Option<Phase>,
    /// The match's phase after it.
    pub after: Option<Phase>,
    /// What is in doubt after it.
    pub doubt: Doubt,
    /// The disputed layer, once it is known, with its label if it has one.
    pub layer: Option<(LayerIndex, Option<String>)>,
    /// The disputed operator, once it is known, with its label if it has one.
    pub operator: Option<(OperatorIndex, Option<String>)>,
    /// What decided the match, if this call did.
    pub finding: Option<Finding>,
    /// What it cost, where that is recorded.
    pub gas: Option<u64>,
}

/// A dispute, replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The claim.
    pub claim: ClaimId,
    /// Its calls, in order.
    pub steps: Vec<Step>,
    /// How it ended: replayed, and equal to what is recorded.
    pub outcome: Outcome,
}

impl Story {
    /// What refuted the claim, if it is refuted.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        if self.outcome.verdict != ClaimStatus::Refuted {
            return None;
        }
        // A match that was lost has a finding too; after the one that refuted the claim there is no other.
        self.steps.iter().rev().filter(|step| step.of_the_claim).find_map(|step| step.finding)
    }

    /// All recorded gas of each part; a call whose gas is not recorded counts nothing.
    #[must_use]
    pub fn gas_by_mover(&self) -> BTreeMap<Mover, u64> {
        let mut sums = BTreeMap::new();
        for step in &self.steps {
            let sum: &mut u64 = sums.entry(step.mover).or_default();
            *sum = sum.saturating_add(step.gas.unwrap_or_default());
        }
        sums
    }
}

impl fmt::Display for Mover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Requester => "requester",
            Self::Executor => "executor",
            Self::Challenger => "challenger",
            Self::Anyone => "anyone",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = |stood: &bool| if *stood { "is right" } else { "is wrong" };
        match self {
            Self::Silence(Side::Executor) => f.write_str("the executor ran out of time"),
            Self::Silence(Side::Challenger) => f.write_str("the challenger ran out of time"),
            Self::PaddedTrace => f.write_str("the trace's padding is wrong"),
            Self::PaddedTensor(operator) => write!(f, "the padding of operator {operator} is wrong"),
            Self::Element(operator, element, stood) => {
                write!(f, "element {element} of operator {operator} {}", ending(stood))
            }
            Self::Segment(operator, element, segment, stood) => {
                let ending = ending(stood);
                write!(f, "partial value {segment} of element {element} of operator {operator} {ending}")
            }
            Self::Copy(original) => write!(f, "a copy of the refuted claim {original}"),
        }
    }
}

impl Step {
    /// What is in doubt, in words; empty when nothing is.
    #[must_use]
    pub fn doubt_text(&self) -> String {
        let many = |count: u64, one: &str| if count == 1 { one.to_string() } else { format!("{one}s") };
        let named = |what: &str, label: Option<&String>| match label {
            Some(label) => format!("{what} ({label})"),
            None => what.to_string(),
        };
        let layer =
            |index| named(&format!("layer {index}"), self.layer.as_ref().and_then(|(_, l)| l.as_ref()));
        let operator =
            |index| named(&format!("operator {index}"), self.operator.as_ref().and_then(|(_, l)| l.as_ref()));
        let counted = |span: Span, one: &str| match span.count {
            1 => format!("{one} {span}"),
            count => format!("{count} {} ({span})", many(count, one)),
        };
        match self.doubt {
            Doubt::Nothing => String::new(),
            Doubt::Layers(span) => counted(span, "layer"),
            Doubt::Operators(at, span) => format!("{} of {}", counted(span, "operator"), layer(at)),
            Doubt::Tiles(at, span) => format!("{} of {}", counted(span, "tile"), operator(at)),
            Doubt::Element { operator: at, element, value, terms, segments } => {
                let at = operator(at);
                format!("element {element} = {value} of {at}, {terms} terms in {segments} segments")
            }
        }
    }
}

impl fmt::Display for Step {
    /// One line for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t={} {:<10} {:<10}", self.time.0, self.mover, self.call)?;
        if let Some(number) = self.match_number {
            write!(f, " match {number}")?;
        }
        if let Some(after) = self.after {
            match self.before {
                Some(before) => write!(f, " {before:?} -> {after:?}")?,
                None => write!(f, " -> {after:?}")?,
            }
        }
        match (&self.finding, self.doubt) {
            (Some(finding), _) => write!(f, ": {finding}")?,
            (None, Doubt::Nothing) => {}
            (None, _) => write!(f, ": {} in doubt", self.doubt_text())?,
        }
        self.gas.map_or(Ok(()), |gas| write!(f, "; {gas} gas"))
    }
}
