//! Everything that may be said to the contracts.

use narrows_commitment::{Digest, LayersRoot, ProgramRoot, TensorRoot, TraceRoot};
use serde::{Deserialize, Serialize};

use crate::{Account, BlockTime, ClaimId, JobId, Opened, Wei, Witness};

/// What a claim says (PROTOCOL 3); its id is a hash of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posted {
    /// What it answers.
    pub job: JobId,
    /// Whose it is.
    pub executor: Account,
    /// The trace on trial.
    pub trace_root: TraceRoot,
    /// The root of the output's bytes.
    pub output_root: TensorRoot,
}

/// What a move carries of its match's state (PROTOCOL 4.1): the word, and the digest of what neither its sender nor its
/// evidence gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footing {
    /// The packed word, most significant byte first.
    pub word: Digest,
    /// The context where anybody may move and the evidence gives nothing of it, the ground where a challenger picks inside a
    /// tree, and otherwise the seat.
    pub rest: Digest,
}

/// What a call without evidence carries of it, beside the node and the seat (PROTOCOL 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The packed word, most significant byte first.
    pub word: Digest,
    /// The layers root, then the layer's leaf, then the operator's leaf.
    pub scope: Digest,
    /// The sub-trace's root, or 0.
    pub list: Digest,
}

/// A challenger's seat, as it gives it itself (PROTOCOL 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// What it committed to: keccak(salt, challenger, claimId, depth, ownRoot).
    pub commitment: Digest,
    /// When.
    pub opened_at: BlockTime,
    /// What it staked; 0 for a bare commitment.
    pub bond: Wei,
}

/// A challenger's seat, as anybody gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seated {
    /// Whose it is.
    pub challenger: Account,
    /// The rest.
    pub seat: Seat,
}

/// Where a verdict found the fault, and what would have been right (PROTOCOL 4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The operator's index in the program.
    pub operator: u32,
    /// The depth of its output's tree.
    pub depth: u8,
    /// Bytes of an output element.
    pub element_bytes: u8,
    /// The element's index.
    pub element: u32,
    /// The right value.
    pub value: i32,
    /// keccak of the bytes before the element in its claimed tile, which are right where the fault is the first in the tile.
    pub before: Digest,
}

/// A whole refutation in one call (PROTOCOL 4.6).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are those that PROTOCOL 4.6 names")]
pub struct Refutation {
    pub layer_index: u32,
    #[serde(with = "crate::hex")]
    pub layer: Vec<u8>,
    pub layer_path: Vec<Digest>,
    #[serde(with = "crate::hex")]
    pub operator: Vec<u8>,
    pub position: u32,
    pub operator_path: Vec<Digest>,
    pub trace_path: Vec<Digest>,
    pub exports: Vec<TensorRoot>,
    pub list: Digest,
    pub list_path: Vec<Digest>,
    #[serde(with = "crate::hex")]
    pub signature: Vec<u8>,
    pub tile_index: u32,
    #[serde(with = "crate::hex")]
    pub tile: Vec<u8>,
    pub tile_path: Vec<Digest>,
    pub element: u8,
    pub witness: Witness,
}

/// A call to the contracts, without its sender, value and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the arguments that PROTOCOL 3 and 4 name")]
pub enum Call {
    /// Registers a program by its header and root of layers.
    Register {
        #[serde(with = "crate::hex")]
        header: Vec<u8>,
        layers_root: LayersRoot,
    },
    /// Asks for a run, with its fee as value.
    PostJob {
        program: ProgramRoot,
        #[serde(with = "crate::hex")]
        input: Vec<u8>,
        salt: Digest,
        deadline: BlockTime,
    },
    /// Commits to a claim, with the executor's bond and the claim fee as value.
    CommitClaim { job: JobId, commitment: Digest },
    /// Claims an output that was committed to.
    PostClaim {
        job: JobId,
        number: u64,
        committed_at: BlockTime,
        salt: Digest,
        trace_root: TraceRoot,
        #[serde(with = "crate::hex")]
        output: Vec<u8>,
        path: Vec<Digest>,
    },
    /// Ends a commitment that was never posted.
    Lapse { job: JobId, number: u64, executor: Account, commitment: Digest, committed_at: BlockTime },
    /// Makes a claim final.
    Finalise { posted: Posted },
    /// Pays a job's fee to its earliest final claim.
    Award { posted: Posted },
    /// Moves a job's `next` over what is resolved.
    Advance { job: JobId },
    /// Returns the fee of a job that nobody answered.
    Refund { job: JobId },
    /// Pays the sender what it is owed.
    Withdraw,

    /// Challenges a claim, with the challenger's bond as value.
    Open { posted: Posted, commitment: Digest },
    /// Commits to one's own trace, for the reward.
    Commit { claim: ClaimId, commitment: Digest },
    /// Shows the descendants of the current node.
    Reveal { claim: ClaimId, number: u64, footing: Footing, nodes: Vec<Digest> },
    /// Names the first descendant that differs, where that is no layer.
    Pick { claim: ClaimId, number: u64, footing: Footing, child: u32, node: Digest, siblings: Vec<Digest> },
    /// Names the first layer that differs.
    Enter {
        claim: ClaimId,
        number: u64,
        footing: Footing,
        child: u32,
        node: Digest,
        siblings: Vec<Digest>,
        #[serde(with = "crate::hex")]
        layer: Vec<u8>,
        #[serde(with = "crate::hex")]
        operator: Vec<u8>,
        path: Vec<Digest>,
    },
    /// States the outputs' roots of the disputed layer's operators. `layer` is its leaf's whole preimage but for the domain
    /// byte: the head and the 32 bytes of the operators root.
    SubTrace {
        posted: Posted,
        number: u64,
        footing: Footing,
        challenger: Account,
        #[serde(with = "crate::hex")]
        layer: Vec<u8>,
        roots: Vec<TensorRoot>,
        #[serde(with = "crate::hex")]
        signature: Vec<u8>,
    },
    /// Names the first operator of the disputed layer that differs. `layer` is the head and the operators root, as in
    /// [`Call::SubTrace`].
    PickOperator {
        claim: ClaimId,
        number: u64,
        footing: Footing,
        position: u32,
        #[serde(with = "crate::hex")]
        layer: Vec<u8>,
        #[serde(with = "crate::hex")]
        operator: Vec<u8>,
        operator_path: Vec<Digest>,
        root: TensorRoot,
        root_path: Vec<Digest>,
    },
    /// Shows the tiles under the current node.
    RevealTiles {
        claim: ClaimId,
        number: u64,
        footing: Footing,
        #[serde(with = "crate::hex")]
        tiles: Vec<u8>,
    },
    /// Shows the nodes above the tiles that the name opens which follows. Each opening is of one node, in the place of a tile.
    Prepare {
        posted: Posted,
        number: u64,
        footing: Footing,
        list: Digest,
        node: Digest,
        #[serde(with = "crate::hex")]
        operator: Vec<u8>,
        witness: Box<Witness>,
    },
    /// Names the first element that differs, and proves it if its fold is one segment.
    Name {
        posted: Posted,
        number: u64,
        footing: Footing,
        list: Digest,
        #[serde(with = "crate::hex")]
        tile: Vec<u8>,
        slot: u8,
        siblings: Vec<Digest>,
        element: u8,
        #[serde(with = "crate::hex")]
        operator: Vec<u8>,
        witness: Box<Witness>,
    },
    /// States the partial values of the named element.
    Fold {
        posted: Posted,
        number: u64,
        footing: Footing,
        list: Digest,
        challenger: Account,
        #[serde(with = "crate::hex")]
        operator: Vec<u8>,
        sums: Vec<i64>,
        params: Box<Opened>,
        third: Box<Opened>,
        #[serde(with = "crate::hex")]
        signature: Vec<u8>,
    },
    /// Proves one partial value wrong.
    Segment {
        posted: Posted,
        number: u64,
        footing: Footing,
        list: Digest,
        #[serde(with = "crate::hex")]
        operator: Vec<u8>,
        sums: Vec<i64>,
        index: u32,
        witness: Box<Witness>,
    },
    /// Ends a match whose turn has run out.
    Timeout { posted: Posted, number: u64, standing: Standing, seated: Seated, node: Digest },
    /// Returns the bond of a match that was overtaken, or won.
    Reclaim { claim: ClaimId, number: u64, standing: Standing, seated: Seated, node: Digest },

    /// Refutes a claim at once.
    Refute { posted: Posted, refutation: Box<Refutation> },
    /// Refutes a copy of a refuted claim.
    RefuteCopy { original: Posted, copy: Posted },
    /// Shows that one knew the right value before the verdict.
    OpenReward {
        claim: ClaimId,
        number: u64,
        standing: Standing,
        node: Digest,
        seat: Seat,
        point: Point,
        salt: Digest,
        depth: u8,
        #[serde(with = "crate::hex")]
        tile: Vec<u8>,
        path: Vec<Digest>,
    },
    /// Pays, or burns, a reward whose time is up.
    CollectReward { claim: ClaimId },
}

impl Call {
    /// The contract function's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::PostJob { .. } => "postJob",
            Self::CommitClaim { .. } => "commitClaim",
            Self::PostClaim { .. } => "postClaim",
            Self::Lapse { .. } => "lapse",
            Self::Finalise { .. } => "finalise",
            Self::Award { .. } => "award",
            Self::Advance { .. } => "advance",
            Self::Refund { .. } => "refund",
            Self::Withdraw => "withdraw",
            Self::Open { .. } => "open",
            Self::Commit { .. } => "commit",
            Self::Reveal { .. } => "reveal",
            Self::Pick { .. } => "pick",
            Self::Enter { .. } => "enter",
            Self::SubTrace { .. } => "subTrace",
            Self::PickOperator { .. } => "pickOperator",
            Self::RevealTiles { .. } => "revealTiles",
            Self::Prepare { .. } => "prepare",
            Self::Name { .. } => "name",
            Self::Fold { .. } => "fold",
            Self::Segment { .. } => "segment",
            Self::Timeout { .. } => "timeout",
            Self::Reclaim { .. } => "reclaim",
            Self::Refute { .. } => "refute",
            Self::RefuteCopy { .. } => "refuteCopy",
            Self::OpenReward { .. } => "openReward",
            Self::CollectReward { .. } => "collectReward",
        }
    }

    /// Whether the function takes money.
    #[must_use]
    pub const fn is_payable(&self) -> bool {
        matches!(self, Self::PostJob { .. } | Self::CommitClaim { .. } | Self::Open { .. })
    }
}
