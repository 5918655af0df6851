//! What a match has narrowed the dispute to.

use std::fmt;

use narrows_program::{ElementIndex, LayerIndex, OperatorIndex, SegmentIndex, TileIndex};

use crate::referee::Descriptor;
use crate::{ClaimId, MatchState, Phase, Side};

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
    /// What some layers export.
    Layers(Span),
    /// The outputs of a layer's operators, by their indices in the program.
    Operators(LayerIndex, Span),
    /// Some tiles of one operator's output.
    Tiles(OperatorIndex, Span),
    /// One element.
    Element {
        /// The operator.
        operator: OperatorIndex,
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
    PaddedTrace,
    /// A node or an element of an operator's output that must be padding is not.
    PaddedTensor(OperatorIndex),
    /// An element was recomputed; `true` when it was as claimed.
    Element(OperatorIndex, ElementIndex, bool),
    /// The segment of an element was recomputed; `true` when it was as stated.
    Segment(OperatorIndex, ElementIndex, SegmentIndex, bool),
    /// The claim copies one that was refuted.
    Copy(ClaimId),
}

/// What a match's calls have told of the place in dispute.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The disputed layer, its first operator and how many it has.
    pub layer: Option<(LayerIndex, OperatorIndex, u8)>,
    /// The disputed operator.
    pub operator: Option<(OperatorIndex, Descriptor)>,
}

impl Place {
    /// Takes note of the head of a layer's leaf: be32(first) | count | …
    pub fn reach_layer(&mut self, index: LayerIndex, head: &[u8]) {
        if let Some((first, [count, ..])) = head.split_first_chunk::<4>() {
            self.layer = Some((index, OperatorIndex(u32::from_be_bytes(*first)), *count));
        }
    }

    /// Takes note of the operator at `position` of the layer.
    pub fn reach_operator(&mut self, position: u32, bytes: &[u8]) {
        if let (Some((_, first, _)), Some(descriptor)) = (self.layer, Descriptor::decode(bytes)) {
            self.operator = Some((OperatorIndex(first.0.saturating_add(position)), descriptor));
        }
    }
}

impl Doubt {
    /// What `state` has left in doubt, in a program of `layers` layers.
    pub(super) fn of(state: &MatchState, layers: u32, place: &Place) -> Self {
        let span = |leaves: u32| {
            let first = u64::from(state.position).checked_shl(state.remaining.into()).unwrap_or(u64::MAX);
            let width = 1u64.checked_shl(state.remaining.into()).unwrap_or(u64::MAX);
            Span { first, count: u64::from(leaves).saturating_sub(first).min(width) }
        };
        match (state.phase, place.layer, place.operator) {
            (Phase::LayerE | Phase::LayerC, ..) => Self::Layers(span(layers)),
            (Phase::SubE | Phase::SubC, Some((layer, first, count)), _) => {
                Self::Operators(layer, Span { first: first.0.into(), count: count.into() })
            }
            (
                Phase::TileE | Phase::TileC | Phase::DataE | Phase::Name | Phase::Ready,
                _,
                Some((operator, _)),
            ) => Self::Tiles(operator, span(state.subject)),
            (Phase::FoldE | Phase::Seg, _, Some((operator, descriptor))) => Self::Element {
                operator,
                element: element(&descriptor, state.tile(), state.element),
                value: state.value(),
                terms: descriptor.terms(),
                segments: descriptor.segments(),
            },
            _ => Self::Nothing,
        }
    }
}

/// The index in its tensor of element `in_tile` of a tile.
pub(super) fn element(descriptor: &Descriptor, tile: TileIndex, in_tile: u8) -> ElementIndex {
    let per_tile = 128 / descriptor.element_bytes() as u64;
    let index = u64::from(tile.0) * per_tile + u64::from(in_tile);
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
