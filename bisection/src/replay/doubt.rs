//! What a match has narrowed the dispute to.

use std::fmt;

use narrows_program::{ElementIndex, LayerIndex, SegmentIndex, TileIndex};

use crate::referee::Descriptor;
use crate::{Game, Match, Phase, Side};

/// Neighbouring things: how many, and the first one's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first one's index.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// What is still in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing is disputed, or everything is decided.
    Nothing,
    /// The outputs of some layers.
    Layers(Span),
    /// Some tiles of one layer's output.
    Tiles(LayerIndex, Span),
    /// One tile.
    Tile(LayerIndex, TileIndex),
    /// One element.
    Element {
        /// The layer.
        layer: LayerIndex,
        /// The element.
        element: ElementIndex,
        /// Its claimed value.
        value: i32,
        /// Terms of its fold.
        terms: u64,
        /// Segments of its fold.
        segments: u64,
    },
}

/// What decided a match, or a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// A side ran out of time.
    Silence(Side),
    /// A node of the trace that must be padding is not.
    PaddedLayer,
    /// A node or a byte of a tensor that must be padding is not.
    PaddedTensor(LayerIndex),
    /// An element was recomputed; `true` when it was as claimed.
    Element(LayerIndex, ElementIndex, bool),
    /// The segment of an element was recomputed; `true` when it was as stated.
    Segment(LayerIndex, ElementIndex, SegmentIndex, bool),
}

impl Doubt {
    /// What `one` has left in doubt; `descriptor` is the disputed layer's, once it is known.
    #[must_use]
    pub(super) fn of(game: &Game, one: &Match, descriptor: Option<&Descriptor>) -> Self {
        let state = &one.state;
        let claim = game.claim(one.claim);
        let program = claim.and_then(|claim| game.job(claim.job)).and_then(|job| game.program(job.program));
        let span = |leaves: u32| {
            let first = u64::from(state.position).checked_shl(state.remaining.into()).unwrap_or(u64::MAX);
            let width = 1u64.checked_shl(state.remaining.into()).unwrap_or(u64::MAX);
            Span { first, count: u64::from(leaves).saturating_sub(first).min(width) }
        };
        match state.phase {
            Phase::LayerE | Phase::LayerC => {
                Self::Layers(span(program.map_or(0, |program| program.header.layers)))
            }
            Phase::TileE | Phase::TileC => Self::Tiles(state.layer, span(state.tiles)),
            Phase::DataE | Phase::Name => Self::Tile(state.layer, state.tile()),
            Phase::FoldE | Phase::Seg => match descriptor {
                None => Self::Tile(state.layer, state.tile()),
                Some(descriptor) => Self::Element {
                    layer: state.layer,
                    element: element(one, descriptor, state.element),
                    value: state.value,
                    terms: descriptor.terms(),
                    segments: descriptor.segments(),
                },
            },
            Phase::Won | Phase::Lost | Phase::Reclaimed => Self::Nothing,
        }
    }
}

/// The index in its tensor of element `in_tile` of the disputed tile.
pub(super) fn element(one: &Match, descriptor: &Descriptor, in_tile: u8) -> ElementIndex {
    let per_tile = 128 / descriptor.element_bytes() as u64;
    let index = u64::from(one.state.position) * per_tile + u64::from(in_tile);
    ElementIndex(u32::try_from(index).unwrap_or(u32::MAX))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => f.write_str("padding"),
            1 => write!(f, "{}", self.first),
            count => write!(f, "{}–{}", self.first, self.first.saturating_add(count - 1)),
        }
    }
}
