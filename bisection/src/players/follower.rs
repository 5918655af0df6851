//! Following a match by its events alone, so that a node can resume from the chain's log.

use narrows_commitment::Digest;
use narrows_program::{LayerIndex, Program};

use crate::{ClaimedNodes, Event, MatchId, Opened};

/// What a match has shown so far.
#[derive(Debug, Clone)]
pub struct Follower {
    id: MatchId,
    /// Levels below the current node.
    remaining: u32,
    position: u64,
    layer: Option<LayerIndex>,
    claimed: ClaimedNodes,
    nodes: Vec<Digest>,
    tile: Vec<u8>,
    sums: Vec<i64>,
    element: Option<u64>,
}

impl Follower {
    /// A follower of match `id` about a claim on `program`.
    #[must_use]
    pub fn new(program: &Program, id: MatchId) -> Self {
        Self {
            id,
            remaining: program.layers_tree().depth(),
            position: 0,
            layer: None,
            claimed: ClaimedNodes::default(),
            nodes: Vec::new(),
            tile: Vec::new(),
            sums: Vec::new(),
            element: None,
        }
    }

    /// Takes note of an event; those of other matches are ignored.
    pub fn observe(&mut self, program: &Program, event: &Event) {
        match event {
            Event::Revealed { match_id, nodes } if *match_id == self.id => {
                let bits = self.bits(program);
                if self.layer.is_none() {
                    self.claimed.learn(self.remaining - bits, self.position << bits, nodes);
                }
                self.nodes.clone_from(nodes);
            }
            Event::Picked { match_id, child } if *match_id == self.id => {
                let bits = self.bits(program);
                self.position = self.position << bits | u64::from(*child);
                self.remaining -= bits;
                self.nodes.clear();
                if self.layer.is_none() && self.remaining == 0 {
                    self.reach_layer(program);
                }
            }
            Event::TileRevealed { match_id, tile } if *match_id == self.id => self.tile.clone_from(tile),
            Event::Named { match_id, element, .. } if *match_id == self.id => {
                self.element = Some(u64::from(*element));
            }
            Event::Folded { match_id, sums } if *match_id == self.id => self.sums.clone_from(sums),
            _ => {}
        }
    }

    fn reach_layer(&mut self, program: &Program) {
        let Some(operator) = program.layers().get(self.position as usize) else {
            return; // A padding leaf: the match is over.
        };
        let layer = LayerIndex(self.position as u32);
        self.layer = Some(layer);
        self.position = 0;
        self.remaining =
            narrows_commitment::depth_for(narrows_commitment::tile_count(operator.output_bytes()));
    }

    fn bits(&self, program: &Program) -> u32 {
        u32::from(program.header().reveal_bits).min(self.remaining)
    }

    /// The match.
    #[must_use]
    pub fn id(&self) -> MatchId {
        self.id
    }

    /// The nodes of the claimed trace shown so far.
    #[must_use]
    pub fn claimed(&self) -> &ClaimedNodes {
        &self.claimed
    }

    /// The nodes of the last reveal, if it was not answered yet.
    #[must_use]
    pub fn nodes(&self) -> &[Digest] {
        &self.nodes
    }

    /// The disputed tile, once shown.
    #[must_use]
    pub fn tile(&self) -> &[u8] {
        &self.tile
    }

    /// The stated partial values, once stated.
    #[must_use]
    pub fn sums(&self) -> &[i64] {
        &self.sums
    }

    /// The named element, once named for its segments.
    #[must_use]
    pub fn element(&self) -> Option<u64> {
        self.element
    }
}

/// An empty opening, as moves without a witness carry.
pub(super) fn nothing() -> Opened {
    Opened::default()
}
