//! Everything that may be said to the contracts, everything they answer, and every reason to refuse.

use narrows_commitment::{Digest, LayersRoot, MultiProof, ProgramRoot, TensorRoot, TraceRoot};
use serde::{Deserialize, Serialize};

use crate::{Account, BlockTime, ClaimId, JobId, MatchId, StateHash, Wei};

/// Bytes as hexadecimal text, for records and journals that people read.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bad = || serde::de::Error::custom("bytes are an even number of hexadecimal digits");
        if text.len() % 2 != 0 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(bad());
        }
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).map_err(|_| bad()))
            .collect()
    }
}

/// Tiles of one tensor, opened to where the tensor is committed (PROTOCOL 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The tensor's root.
    pub root: TensorRoot,
    /// From the root to the trace root or the constants root; empty for the job's input.
    pub root_path: Vec<Digest>,
    /// The opened tiles, strictly increasing.
    pub indices: Vec<u32>,
    /// Their bytes, 128 each.
    #[serde(with = "hex")]
    pub tiles: Vec<u8>,
    /// The rest of the tensor's tree.
    pub proof: MultiProof,
}

/// What the referee reads of the operands and the records of one element (PROTOCOL 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Operand a.
    pub a: Opened,
    /// Operand b; empty when the operator has none.
    pub b: Opened,
    /// The requantisation record; empty in a segment.
    pub params: Opened,
}

/// A call to the contracts, without its sender, value and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the arguments that PROTOCOL 3 and 4.2 name")]
pub enum Call {
    /// Registers a program by its header and roots.
    Register {
        #[serde(with = "hex")]
        header: Vec<u8>,
        layers_root: LayersRoot,
        constants_root: Digest,
    },
    /// Asks for a run, with its fee as value.
    PostJob {
        program: ProgramRoot,
        #[serde(with = "hex")]
        input: Vec<u8>,
        salt: Digest,
        deadline: BlockTime,
    },
    /// Claims an output, with the executor's bond as value.
    PostClaim {
        job: JobId,
        trace_root: TraceRoot,
        #[serde(with = "hex")]
        output: Vec<u8>,
        path: Vec<Digest>,
    },
    /// Challenges a claim, with the challenger's bond as value.
    Open { claim: ClaimId, commitment: Digest },
    /// Shows the descendants of the current node.
    Reveal { match_id: MatchId, state: StateHash, nodes: Vec<Digest> },
    /// Names the first descendant that differs.
    Pick {
        match_id: MatchId,
        state: StateHash,
        nodes: Vec<Digest>,
        child: u32,
        #[serde(with = "hex")]
        descriptor: Vec<u8>,
        path: Vec<Digest>,
    },
    /// Shows the disputed tile.
    RevealTile {
        match_id: MatchId,
        state: StateHash,
        #[serde(with = "hex")]
        tile: Vec<u8>,
    },
    /// Names the first element that differs, and proves it if its fold is one segment.
    Name {
        match_id: MatchId,
        state: StateHash,
        #[serde(with = "hex")]
        tile: Vec<u8>,
        element: u8,
        #[serde(with = "hex")]
        descriptor: Vec<u8>,
        witness: Box<Witness>,
    },
    /// States the partial values of the named element.
    Fold {
        match_id: MatchId,
        state: StateHash,
        #[serde(with = "hex")]
        descriptor: Vec<u8>,
        sums: Vec<i64>,
        params: Box<Opened>,
    },
    /// Proves one partial value wrong.
    Segment {
        match_id: MatchId,
        state: StateHash,
        #[serde(with = "hex")]
        descriptor: Vec<u8>,
        sums: Vec<i64>,
        index: u32,
        witness: Box<Witness>,
    },
    /// Ends a match whose turn has run out.
    Timeout { match_id: MatchId },
    /// Makes a claim final.
    Finalise { claim: ClaimId },
    /// Returns the fee of a job that nobody answered.
    Refund { job: JobId },
    /// Returns the bond of a match that was overtaken.
    Reclaim { match_id: MatchId },
    /// Pays the sender what it is owed.
    Withdraw,
}

impl Call {
    /// The contract function's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::PostJob { .. } => "postJob",
            Self::PostClaim { .. } => "postClaim",
            Self::Open { .. } => "open",
            Self::Reveal { .. } => "reveal",
            Self::Pick { .. } => "pick",
            Self::RevealTile { .. } => "revealTile",
            Self::Name { .. } => "name",
            Self::Fold { .. } => "fold",
            Self::Segment { .. } => "segment",
            Self::Timeout { .. } => "timeout",
            Self::Finalise { .. } => "finalise",
            Self::Refund { .. } => "refund",
            Self::Reclaim { .. } => "reclaim",
            Self::Withdraw => "withdraw",
        }
    }
}

/// What the contracts announce (PROTOCOL 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are those that PROTOCOL 5 names")]
pub enum Event {
    /// A program is registered.
    Registered { program: ProgramRoot },
    /// A job stands.
    JobPosted {
        job: JobId,
        requester: Account,
        program: ProgramRoot,
        input_root: TensorRoot,
        fee: Wei,
        deadline: BlockTime,
        #[serde(with = "hex")]
        input: Vec<u8>,
    },
    /// A claim stands.
    ClaimPosted {
        claim: ClaimId,
        job: JobId,
        executor: Account,
        trace_root: TraceRoot,
        window_end: BlockTime,
        hard_end: BlockTime,
        #[serde(with = "hex")]
        output: Vec<u8>,
    },
    /// A match begins.
    MatchOpened { match_id: MatchId, claim: ClaimId, challenger: Account, number: u64, commitment: Digest },
    /// Descendants were shown.
    Revealed { match_id: MatchId, nodes: Vec<Digest> },
    /// A descendant was named.
    Picked { match_id: MatchId, child: u32 },
    /// The tile was shown.
    TileRevealed {
        match_id: MatchId,
        #[serde(with = "hex")]
        tile: Vec<u8>,
    },
    /// An element of more than one segment was named.
    Named { match_id: MatchId, element: u32, value: i32 },
    /// Partial values were stated.
    Folded { match_id: MatchId, sums: Vec<i64> },
    /// The challenger won: the claim is refuted.
    MatchWon { match_id: MatchId, claim: ClaimId },
    /// The challenger lost.
    MatchLost { match_id: MatchId, claim: ClaimId },
    /// The claim is final.
    ClaimFinal { claim: ClaimId, job: JobId },
    /// The fee went back.
    JobRefunded { job: JobId },
    /// A bond went back.
    Reclaimed { match_id: MatchId },
    /// Money left.
    Withdrawn { account: Account, amount: Wei },
}

/// Why a call is refused; the names are the contracts' errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("refused: {self:?}")]
#[allow(missing_docs, reason = "PROTOCOL 3 and 4 say when each is given")]
pub enum Refusal {
    BadHeader,
    UnknownProgram,
    UnknownJob,
    UnknownClaim,
    UnknownMatch,
    Exists,
    JobClosed,
    ClaimClosed,
    WrongPhase,
    WrongState,
    WrongLength,
    WrongValue,
    WrongCount,
    WrongIndex,
    WrongDescriptor,
    WrongStatement,
    NotYourMove,
    TooLate,
    NotYet,
    BadOpening,
    PaddingHonest,
    OutOfRange,
    FoldMismatch,
    WitnessMissing,
    WitnessExtra,
    NothingOwed,
    TransferFailed,
}
