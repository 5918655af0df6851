//! The state of a match, its packed word and its hash (PROTOCOL 4.1).

use narrows_commitment::{Digest, keccak};
use narrows_program::{ElementIndex, LayerIndex, TileIndex};
use serde::{Deserialize, Serialize};

use crate::{BlockTime, MatchId, StateHash};

/// Where a match stands; the discriminants are the contract's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Phase {
    /// The executor owes descendants of a node of the trace tree.
    LayerE = 1,
    /// The challenger picks among them.
    LayerC = 2,
    /// The executor owes descendants of a node of a tensor's tree.
    TileE = 5,
    /// The challenger picks among them.
    TileC = 6,
    /// The executor owes the disputed tile.
    DataE = 7,
    /// The challenger names an element of it.
    Name = 8,
    /// The executor owes the named element's partial values.
    FoldE = 9,
    /// The challenger proves one of them wrong.
    Seg = 10,
    /// The challenger won.
    Won = 11,
    /// The challenger lost.
    Lost = 12,
    /// Overtaken, and the bond returned.
    Reclaimed = 13,
}

/// A party of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Whose claim it is.
    Executor,
    /// Who disputes it.
    Challenger,
}

impl Phase {
    const ALL: [Self; 11] = [
        Self::LayerE,
        Self::LayerC,
        Self::TileE,
        Self::TileC,
        Self::DataE,
        Self::Name,
        Self::FoldE,
        Self::Seg,
        Self::Won,
        Self::Lost,
        Self::Reclaimed,
    ];

    /// The phase with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| *phase as u8 == code)
    }

    /// Whose clock runs; `None` once the match is over.
    #[must_use]
    pub const fn turn(self) -> Option<Side> {
        match self {
            Self::LayerE | Self::TileE | Self::DataE | Self::FoldE => Some(Side::Executor),
            Self::LayerC | Self::TileC | Self::Name | Self::Seg => Some(Side::Challenger),
            Self::Won | Self::Lost | Self::Reclaimed => None,
        }
    }
}

/// All that a match is, apart from who plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchState {
    /// Where it stands.
    pub phase: Phase,
    /// Levels below the current node.
    pub remaining: u8,
    /// The current node's index at its level.
    pub position: u32,
    /// The disputed layer, once known; below 2^24.
    pub layer: LayerIndex,
    /// When the present turn began; below 2^40.
    pub turn_start: BlockTime,
    /// What the executor's clock still holds, in seconds.
    pub executor_clock: u32,
    /// What the challenger's clock still holds, in seconds.
    pub challenger_clock: u32,
    /// Tiles of the disputed tensor; 0 before the layer is known.
    pub tiles: u32,
    /// The named element's position in its tile.
    pub element: u8,
    /// The named element's claimed value.
    pub value: i32,
    /// The current node, or the statement's hash.
    pub node: Digest,
    /// The disputed layer's operator leaf; zero before it is known.
    pub operator: Digest,
}

impl MatchState {
    /// The packed word, most significant byte first.
    #[must_use]
    pub fn word(&self) -> [u8; 32] {
        let mut word = [0; 32];
        let mut end = 32;
        let mut put = |value: u64, bytes: usize| {
            word[end - bytes..end].copy_from_slice(&value.to_be_bytes()[8 - bytes..]);
            end -= bytes;
        };
        put(self.phase as u64, 1);
        put(u64::from(self.remaining), 1);
        put(u64::from(self.position), 4);
        put(u64::from(self.layer.0), 3);
        put(self.turn_start.0, 5);
        put(u64::from(self.executor_clock), 4);
        put(u64::from(self.challenger_clock), 4);
        put(u64::from(self.tiles), 4);
        put(u64::from(self.element), 1);
        put(u64::from(self.value as u32), 4);
        word
    }

    /// Unpacks a word and its digests; `None` for an unknown phase.
    #[must_use]
    pub fn from_word(word: &[u8; 32], node: Digest, operator: Digest) -> Option<Self> {
        let mut end = 32;
        let mut take = |bytes: usize| {
            end -= bytes;
            word[end..end + bytes].iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
        };
        Some(Self {
            phase: Phase::from_code(take(1) as u8)?,
            remaining: take(1) as u8,
            position: take(4) as u32,
            layer: LayerIndex(take(3) as u32),
            turn_start: BlockTime(take(5)),
            executor_clock: take(4) as u32,
            challenger_clock: take(4) as u32,
            tiles: take(4) as u32,
            element: take(1) as u8,
            value: take(4) as u32 as i32,
            node,
            operator,
        })
    }

    /// keccak(matchId, word, node, operator).
    #[must_use]
    pub fn hash(&self, id: MatchId) -> StateHash {
        let parts = [id.0.0, self.word(), self.node.0, self.operator.0];
        StateHash(keccak(&parts.concat()))
    }

    /// The clock of `side`, in seconds.
    #[must_use]
    pub const fn clock(&self, side: Side) -> u32 {
        match side {
            Side::Executor => self.executor_clock,
            Side::Challenger => self.challenger_clock,
        }
    }

    /// When the present turn runs out: until then its move is legal, from then on only the timeout is.
    #[must_use]
    pub fn deadline(&self, parameters: &crate::Parameters) -> Option<BlockTime> {
        let side = self.phase.turn()?;
        let allowed = u64::from(parameters.grace_seconds) + u64::from(self.clock(side));
        Some(BlockTime(self.turn_start.0 + allowed))
    }

    /// The tile under dispute, once the match has come down to one.
    #[must_use]
    pub const fn tile(&self) -> TileIndex {
        TileIndex(self.position)
    }

    /// The named element's index in its tensor, of elements of `bytes` bytes.
    #[must_use]
    pub const fn named_element(&self, bytes: usize) -> ElementIndex {
        ElementIndex(self.position * (128 / bytes as u32) + self.element as u32)
    }
}
