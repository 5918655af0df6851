//! Everything that the contracts answer, and every reason to refuse.

use narrows_commitment::{Digest, ProgramRoot, TensorRoot};
use serde::{Deserialize, Serialize};

use crate::{Account, BlockTime, ClaimId, JobId, MatchId, Posted, Wei};

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
        #[serde(with = "crate::hex")]
        input: Vec<u8>,
    },
    /// An executor committed to a claim.
    ClaimCommitted { job: JobId, executor: Account, number: u64, commitment: Digest, committed_at: BlockTime },
    /// A claim stands.
    ClaimPosted {
        claim: ClaimId,
        posted: Posted,
        number: u64,
        window_end: BlockTime,
        hard_end: BlockTime,
        #[serde(with = "crate::hex")]
        output: Vec<u8>,
    },
    /// A commitment was never posted.
    ClaimLapsed { job: JobId, number: u64 },
    /// The claim is final.
    ClaimFinal { claim: ClaimId, job: JobId },
    /// The fee is a claim's.
    JobAwarded { job: JobId, claim: ClaimId },
    /// The fee went back.
    JobRefunded { job: JobId },
    /// A match begins.
    MatchOpened {
        match_id: MatchId,
        claim: ClaimId,
        challenger: Account,
        number: u64,
        commitment: Digest,
        bond: Wei,
    },
    /// Somebody committed to its own trace.
    Committed { claim: ClaimId, challenger: Account, number: u64, commitment: Digest },
    /// Descendants were shown.
    Revealed { match_id: MatchId, word: Digest, nodes: Vec<Digest> },
    /// A descendant was named.
    Picked { match_id: MatchId, word: Digest, node: Digest },
    /// The disputed layer's roots were stated.
    SubTraced { match_id: MatchId, word: Digest, roots: Vec<TensorRoot> },
    /// An operator of the disputed layer was named.
    OperatorPicked { match_id: MatchId, word: Digest, position: u32 },
    /// The tiles under the node were shown.
    TilesRevealed {
        match_id: MatchId,
        word: Digest,
        #[serde(with = "crate::hex")]
        tiles: Vec<u8>,
    },
    /// Nodes above the tiles that a name will open were shown; `list` is their digest.
    Prepared { match_id: MatchId, word: Digest, list: Digest },
    /// An element of more than one segment was named.
    Named { match_id: MatchId, word: Digest, element: u32, value: i32 },
    /// Partial values were stated.
    Folded { match_id: MatchId, word: Digest, sums: Vec<i64> },
    /// The challenger won.
    MatchWon { match_id: MatchId, claim: ClaimId },
    /// The challenger lost.
    MatchLost { match_id: MatchId, claim: ClaimId },
    /// The claim is refuted; the point is 0 when the reward is paid.
    ClaimRefuted { claim: ClaimId, job: JobId, point: Digest },
    /// A commitment was opened at the point.
    RewardOpened { claim: ClaimId, number: u64, challenger: Account },
    /// The reward is owed to the winner, or burned (winner 0).
    RewardCollected { claim: ClaimId, winner: Account, amount: Wei },
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
    UnknownCommitment,
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
    BadSignature,
    PaddingHonest,
    OutOfRange,
    FoldMismatch,
    WitnessMissing,
    WitnessExtra,
    NoFault,
    NoReward,
    NotBetter,
    NotACopy,
    NothingOwed,
    TransferFailed,
}
