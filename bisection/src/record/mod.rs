//! The record of a dispute: everything that anybody needs to judge it again, in one file that people can read.
//!
//! A record holds the calls about one claim's job from the program's registration to the last one about the claim: other
//! claims on the job decide whose the fee is. [`Record::decode`] refuses a file with any altered byte; [`crate::replay()`]
//! refuses one whose digests were made anew over another story.

use std::collections::BTreeMap;

use narrows_commitment::ProgramRoot;
use narrows_program::{LayerIndex, OperatorIndex, Program};
use serde::{Deserialize, Serialize};

use crate::game::ClaimStatus;
use crate::{Account, Block, BlockTime, Call, ClaimId, Event, Game, Parameters, Wei};

mod about;
mod codec;
mod select;

pub(crate) use about::{claim_of, match_number_of, posted_of};
pub(crate) use select::select;

/// The version of the file's form.
pub const RECORD_VERSION: u32 = 5;
/// The most bytes of a record file.
pub const MAX_RECORD_BYTES: usize = 64 << 20;
/// The most entries of a record.
pub const MAX_RECORD_ENTRIES: usize = 100_000;
/// Times on the chain's clock stay below this, as they do in a match's word.
pub const MAX_BLOCK_TIME: BlockTime = BlockTime((1 << 40) - 1);

/// The most characters of a label that are shown.
const LABEL_CHARS: usize = 80;

/// A call that stood, as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The block that it stood in: when, and what gas cost, by which lost bonds are settled.
    pub block: Block,
    /// Who called.
    pub sender: Account,
    /// What was sent along.
    pub value: Wei,
    /// What the call cost, where it is known. A replay cannot check it.
    pub gas_used: Option<u64>,
    /// The call.
    pub call: Call,
    /// What the contracts announced.
    pub events: Vec<Event>,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The chain's number.
    pub chain_id: u64,
    /// The account of the contract `Game`.
    pub game: Account,
    /// The game's parameters.
    pub parameters: Parameters,
    /// The program; the entry that registered it holds its header and roots.
    pub program: ProgramRoot,
    /// The claim.
    pub claim: ClaimId,
    /// What to call the program's parts before a person. A replay cannot check them.
    pub labels: Labels,
}

/// What to call a program's layers and operators before a person, each in order; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// The layers.
    pub layers: Vec<String>,
    /// The operators.
    pub operators: Vec<String>,
}

impl Labels {
    /// The labels of `program`, in its source model's names.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        let layers = (0..program.header().layers).map(|index| program.layer_label(LayerIndex(index)));
        let operators =
            (0..program.header().operators).map(|index| program.operator_label(OperatorIndex(index)));
        Self { layers: layers.collect(), operators: operators.collect() }
    }

    /// What to call a layer: printable, and cut to a line's length. `None` when it has no label.
    #[must_use]
    pub fn layer(&self, index: LayerIndex) -> Option<String> {
        printable(&self.layers, index.0)
    }

    /// What to call an operator: printable, and cut to a line's length. `None` when it has no label.
    #[must_use]
    pub fn operator(&self, index: OperatorIndex) -> Option<String> {
        printable(&self.operators, index.0)
    }
}

/// A label as it can be shown on a terminal.
fn printable(labels: &[String], index: u32) -> Option<String> {
    let label = labels.get(usize::try_from(index).ok()?).filter(|label| !label.is_empty())?;
    let shown = |c: char| if c.is_control() { '?' } else { c };
    Some(label.chars().take(LABEL_CHARS).map(shown).collect())
}

/// How it ended: the claim's status and the money, counting the recorded calls alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What has become of the claim.
    pub verdict: ClaimStatus,
    /// Who is owed what; nobody has withdrawn anything.
    pub owed: BTreeMap<Account, Wei>,
    /// Fees and bonds that are not settled, and all that is owed.
    pub locked: Wei,
    /// What was burned.
    pub burned: Wei,
}

impl Outcome {
    /// The outcome of `claim` in `game`; `None` when there is no such claim.
    #[must_use]
    pub fn of(game: &Game, claim: ClaimId) -> Option<Self> {
        let verdict = game.claim(claim)?.status;
        Some(Self { verdict, owed: game.creditors(), locked: game.locked(), burned: game.burned() })
    }
}

/// The record of a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is about.
    pub head: Head,
    /// The calls, in the chain's order.
    pub entries: Vec<Entry>,
    /// How it ended.
    pub outcome: Outcome,
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What it is about.
    Head,
    /// The entry with this position, from 0.
    Entry(usize),
    /// How it ended.
    Outcome,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Head => f.write_str("its head"),
            Self::Entry(index) => write!(f, "its entry {index}"),
            Self::Outcome => f.write_str("its outcome"),
        }
    }
}

/// Why bytes are not a record, or entries do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// More bytes than are read.
    #[error("the record has {0} bytes, more than {MAX_RECORD_BYTES}; it is no record of a single claim")]
    TooLarge(usize),
    /// More entries than are read.
    #[error("the record has {0} entries, more than {MAX_RECORD_ENTRIES}; it is no record of a single claim")]
    TooMany(usize),
    /// Not JSON of a record's form.
    #[error("the file is no record, or was altered: {0}; fetch it again, or record the dispute anew")]
    Form(String),
    /// A version that this program does not read.
    #[error("the record is of version {0}, not {RECORD_VERSION}; use the release that wrote it")]
    Version(u32),
    /// A value that its digest does not match.
    #[error(
        "the record was altered: {0} does not match its digest; fetch it again, or record the dispute anew"
    )]
    Altered(Part),
    /// Values as they should be, written otherwise than a record is.
    #[error(
        "the record was altered: its values are not written as a record's are; fetch it again, or record the dispute anew"
    )]
    Spelling,
    /// Times that go back or are beyond any chain's.
    #[error("the record's entry {0} has a time that goes back or is 2^40 or later; record the dispute anew")]
    Time(usize),
    /// The history does not hold the claim, its job or its program.
    #[error(
        "the history has no {what} for claim {claim}; read the chain from the block that deployed the game"
    )]
    Missing {
        /// The claim.
        claim: ClaimId,
        /// What is missing.
        what: &'static str,
    },
}

#[cfg(test)]
mod tests;
