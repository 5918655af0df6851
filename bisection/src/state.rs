//! The state of a match, its packed word and its hash (PROTOCOL 4.1).

use narrows_commitment::{Digest, depth_for, keccak};
use narrows_program::{ElementIndex, TileIndex};
use serde::{Deserialize, Serialize};

use crate::{Account, BlockTime, Footing, Parameters, Standing, StateHash};

/// Where a match stands; the discriminants are the contract's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Phase {
    /// The executor owes descendants of a node of the trace tree.
    LayerE = 1,
    /// The challenger picks among them.
    LayerC = 2,
    /// The executor owes the disputed layer's sub-trace.
    SubE = 3,
    /// The challenger picks an operator of the layer.
    SubC = 4,
    /// The executor owes descendants of a node of a tensor's tree.
    TileE = 5,
    /// The challenger picks among them.
    TileC = 6,
    /// The executor owes the tiles under the node.
    DataE = 7,
    /// The challenger names an element of one of them.
    Name = 8,
    /// The executor owes the named element's partial values.
    FoldE = 9,
    /// The challenger proves one of them wrong.
    Seg = 10,
    /// The challenger won.
    Won = 11,
    /// The challenger lost.
    Lost = 12,
    /// Overtaken or won, and the bond returned.
    Reclaimed = 13,
    /// A bare commitment, which is never played.
    Committed = 14,
    /// The challenger names an element, the nodes above whose operands' tiles are shown.
    Ready = 16,
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
    const ALL: [Self; 15] = [
        Self::LayerE,
        Self::LayerC,
        Self::SubE,
        Self::SubC,
        Self::TileE,
        Self::TileC,
        Self::DataE,
        Self::Name,
        Self::FoldE,
        Self::Seg,
        Self::Won,
        Self::Lost,
        Self::Reclaimed,
        Self::Committed,
        Self::Ready,
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
            Self::LayerE | Self::SubE | Self::TileE | Self::DataE | Self::FoldE => Some(Side::Executor),
            Self::LayerC | Self::SubC | Self::TileC | Self::Name | Self::Seg | Self::Ready => {
                Some(Side::Challenger)
            }
            Self::Won | Self::Lost | Self::Reclaimed | Self::Committed => None,
        }
    }
}

/// All that a match is, apart from its claim and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchState {
    /// Where it stands.
    pub phase: Phase,
    /// Levels below the current node.
    pub remaining: u8,
    /// The current node's index at its level.
    pub position: u32,
    /// The disputed layer's index once that is reached, then the disputed operator's; below 2^24.
    pub place: u32,
    /// When the present turn began; below 2^40.
    pub turn_start: BlockTime,
    /// What the executor's clock still holds, in seconds.
    pub executor_clock: u32,
    /// What the challenger's clock still holds, in seconds.
    pub challenger_clock: u32,
    /// Moves that the executor's side has made, up to 255.
    pub answers: u8,
    /// Operators of the disputed layer; 0 before it is known.
    pub operators: u8,
    /// The named element's position in its tile.
    pub element: u8,
    /// Leaves of the tree that is narrowed down: the program's layers, then the disputed tensor's tiles; then the named
    /// element's value in two's complement.
    pub subject: u32,
    /// Levels that a reveal goes down, b of the program's header.
    pub reveal_bits: u8,
    /// The current node, the list, or the statement's hash.
    pub node: Digest,
    /// The layers root, then the disputed layer's leaf, then the operator's leaf.
    pub scope: Digest,
    /// The sub-trace's root; zero when there is none. In READY the digest of the nodes that were shown.
    pub list: Digest,
    /// Whose match it is.
    pub challenger: Account,
    /// keccak(commitment, openedAt, bond).
    pub seat: Digest,
}

impl MatchState {
    /// A match at its beginning, under the root `node` of the trace of so many layers, `scope` being the layers root.
    ///
    /// # Panics
    /// With more layers than programs have.
    #[must_use]
    pub fn start(layers: u32, reveal_bits: u8, parameters: &Parameters, opened_at: BlockTime) -> Self {
        let depth = depth_for(layers.into());
        Self {
            phase: if depth == 0 { Phase::LayerC } else { Phase::LayerE },
            remaining: u8::try_from(depth).expect("a tree of 2^20 layers has 20 levels"),
            turn_start: opened_at,
            executor_clock: parameters.executor_clock_seconds,
            challenger_clock: parameters.challenger_clock_seconds,
            subject: layers,
            reveal_bits,
            ..Self::idle(Phase::LayerE)
        }
    }

    /// A state that says nothing but its phase.
    #[must_use]
    pub fn idle(phase: Phase) -> Self {
        Self {
            phase,
            remaining: 0,
            position: 0,
            place: 0,
            turn_start: BlockTime(0),
            executor_clock: 0,
            challenger_clock: 0,
            answers: 0,
            operators: 0,
            element: 0,
            subject: 0,
            reveal_bits: 0,
            node: Digest::default(),
            scope: Digest::default(),
            list: Digest::default(),
            challenger: Account::default(),
            seat: Digest::default(),
        }
    }

    /// The packed word, most significant byte first.
    #[must_use]
    pub fn word(&self) -> Digest {
        let mut word = [0; 32];
        let mut end = 32;
        let mut put = |value: u64, bytes: usize| {
            word[end - bytes..end].copy_from_slice(&value.to_be_bytes()[8 - bytes..]);
            end -= bytes;
        };
        put(self.phase as u64, 1);
        put(u64::from(self.remaining), 1);
        put(u64::from(self.position), 4);
        put(u64::from(self.place), 3);
        put(self.turn_start.0, 5);
        put(u64::from(self.executor_clock), 4);
        put(u64::from(self.challenger_clock), 4);
        put(u64::from(self.answers), 1);
        put(u64::from(self.operators), 1);
        put(u64::from(self.element), 1);
        put(u64::from(self.subject), 4);
        put(u64::from(self.reveal_bits), 1);
        Digest(word)
    }

    /// Unpacks a word beside its digests; `None` for an unknown phase or a set bit beyond the fields.
    #[must_use]
    pub fn from_parts(standing: &Standing, node: Digest, challenger: Account, seat: Digest) -> Option<Self> {
        let word = standing.word.0;
        let mut end = 32;
        let mut take = |bytes: usize| {
            end -= bytes;
            word[end..end + bytes].iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let state = Self {
            phase: Phase::from_code(take(1) as u8)?,
            remaining: take(1) as u8,
            position: take(4) as u32,
            place: take(3) as u32,
            turn_start: BlockTime(take(5)),
            executor_clock: take(4) as u32,
            challenger_clock: take(4) as u32,
            answers: take(1) as u8,
            operators: take(1) as u8,
            element: take(1) as u8,
            subject: take(4) as u32,
            reveal_bits: take(1) as u8,
            node,
            scope: standing.scope,
            list: standing.list,
            challenger,
            seat,
        };
        (take(2) == 0).then_some(state)
    }

    /// keccak(scope, list, seat).
    #[must_use]
    pub fn ground(&self) -> Digest {
        ground(self.scope, self.list, self.seat)
    }

    /// keccak(challenger, ground).
    #[must_use]
    pub fn context(&self) -> Digest {
        context(self.challenger, self.ground())
    }

    /// What a reveal of nodes or tiles carries of this state: the rest is its context.
    #[must_use]
    pub fn shown(&self) -> Footing {
        Footing { word: self.word(), rest: self.context() }
    }

    /// What a pick inside a tree carries of it: the rest is its ground.
    #[must_use]
    pub fn picked(&self) -> Footing {
        Footing { word: self.word(), rest: self.ground() }
    }

    /// What the moves carry whose evidence gives the scope: the rest is the seat.
    #[must_use]
    pub fn seated(&self) -> Footing {
        Footing { word: self.word(), rest: self.seat }
    }

    /// What a call without evidence carries of it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing { word: self.word(), scope: self.scope, list: self.list }
    }

    /// keccak(word, node, context).
    #[must_use]
    pub fn hash(&self) -> StateHash {
        state_hash(self.word(), self.node, self.context())
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
        Some(BlockTime(self.turn_start.0.saturating_add(allowed)))
    }

    /// The real tiles under the current node of a tensor's tree: min(2^remaining, tiles - position * 2^remaining).
    #[must_use]
    pub fn real_tiles(&self) -> u64 {
        real_tiles(self.remaining, self.position, self.subject)
    }

    /// Levels that the next reveal or pick covers, k: min(b, remaining) in the layers tree, min(b, remaining - 2) in a
    /// tensor's.
    #[must_use]
    pub const fn levels(&self) -> u8 {
        let below = match self.phase {
            Phase::LayerE | Phase::LayerC => self.remaining,
            _ => self.remaining.saturating_sub(2),
        };
        if self.reveal_bits < below { self.reveal_bits } else { below }
    }

    /// The named element's claimed value, in FOLD_E and SEG.
    #[must_use]
    pub const fn value(&self) -> i32 {
        self.subject as i32
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

impl Footing {
    /// The index at its level of the node that the word names, whatever else is wrong with it.
    #[must_use]
    pub fn position(&self) -> u32 {
        self.field(26)
    }

    /// Four bytes of the word.
    fn field(&self, at: usize) -> u32 {
        let word = &self.word.0;
        u32::from_be_bytes([word[at], word[at + 1], word[at + 2], word[at + 3]])
    }

    /// The levels below the node that the word names, whatever else is wrong with it.
    #[must_use]
    pub const fn remaining(&self) -> u8 {
        self.word.0[30]
    }

    /// The real tiles under the node that the word names, whatever else is wrong with it.
    #[must_use]
    pub fn real_tiles(&self) -> u64 {
        real_tiles(self.remaining(), self.position(), self.field(3))
    }
}

/// min(2^remaining, tiles - position * 2^remaining), 0 where that is negative.
fn real_tiles(remaining: u8, position: u32, tiles: u32) -> u64 {
    let Some(width) = 1u64.checked_shl(remaining.into()) else {
        // Wider than any tensor: only the first node holds anything.
        return if position == 0 { tiles.into() } else { 0 };
    };
    let first = u128::from(position) * u128::from(width);
    let rest = u128::from(tiles).saturating_sub(first);
    u64::try_from(rest).map_or(width, |rest| rest.min(width))
}

/// keccak(word, node, context).
#[must_use]
pub fn state_hash(word: Digest, node: Digest, context: Digest) -> StateHash {
    StateHash(keccak(&[word.0, node.0, context.0].concat()))
}

/// keccak(challenger, ground).
#[must_use]
pub fn context(challenger: Account, ground: Digest) -> Digest {
    keccak(&[[0; 12].as_slice(), &challenger.0, &ground.0].concat())
}

/// keccak(scope, list, seat).
#[must_use]
pub fn ground(scope: Digest, list: Digest, seat: Digest) -> Digest {
    keccak(&[scope.0, list.0, seat.0].concat())
}
