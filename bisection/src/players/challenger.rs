//! The challenger's side: naming the first thing that differs.

use narrows_commitment::{Digest, Tile};
use narrows_program::Program;

use crate::witness::descriptor;
use crate::{Call, MatchState, Phase, Trace, WitnessSource};

use super::executor::true_sums;
use super::follower::{Follower, nothing};

/// How a challenger chooses among what is shown: an index, or `None` to stay silent.
pub trait Choice {
    /// Which of the claimed `nodes`, beside one's `own`.
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize>;
    /// Which element, of `size` bytes, of the claimed tile, beside one's own.
    fn element(&mut self, claimed: &Tile, own: &Tile, size: usize) -> Option<usize>;
    /// Which partial value, beside one's own.
    fn segment(&mut self, claimed: &[i64], own: &[i64]) -> Option<usize>;
}

/// The honest choice: the first that differs.
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstDifference;

fn first_difference<T: PartialEq>(claimed: &[T], own: &[T]) -> Option<usize> {
    claimed.iter().zip(own).position(|(claimed, own)| claimed != own)
}

impl Choice for FirstDifference {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        first_difference(claimed, own)
    }

    fn element(&mut self, claimed: &Tile, own: &Tile, size: usize) -> Option<usize> {
        first_difference(claimed, own).map(|byte| byte / size)
    }

    fn segment(&mut self, claimed: &[i64], own: &[i64]) -> Option<usize> {
        first_difference(claimed, own)
    }
}

/// Plays the challenger from its own trace.
#[derive(Debug)]
pub struct Challenger<'a, C> {
    /// The program.
    pub program: &'a Program,
    /// Its own trace of the same input.
    pub trace: &'a Trace,
    /// How it chooses.
    pub choice: C,
}

impl<C: Choice> Challenger<'_, C> {
    /// The next move in `state`, given what `follower` saw; `None` when it is not its turn, or it has nothing to name.
    pub fn respond(&mut self, follower: &Follower, state: &MatchState) -> Option<Call> {
        let match_id = follower.id();
        match state.phase {
            Phase::LayerC | Phase::TileC => self.pick(follower, state),
            Phase::Name => self.name(follower, state),
            Phase::Seg => {
                let descriptor = descriptor(self.program, state.layer);
                let element = follower.element()?;
                let own = true_sums(self.program, self.trace, state.layer, element);
                let index = self.choice.segment(follower.sums(), &own)? as u32;
                let witness = Box::new(self.source(follower).witness(state.layer, element, Some(index)));
                Some(Call::Segment {
                    match_id,
                    state: state.hash(match_id),
                    descriptor: descriptor.bytes().to_vec(),
                    sums: follower.sums().to_vec(),
                    index,
                    witness,
                })
            }
            _ => None,
        }
    }

    fn source<'s>(&'s self, follower: &'s Follower) -> WitnessSource<'s> {
        WitnessSource { program: self.program, trace: self.trace, claimed: follower.claimed() }
    }

    fn pick(&mut self, follower: &Follower, state: &MatchState) -> Option<Call> {
        let match_id = follower.id();
        let bits = u32::from(self.program.header().reveal_bits.min(state.remaining));
        let layers = state.phase == Phase::LayerC;
        let tree = if layers { self.trace.tree() } else { self.trace.layer_tree(state.layer) };
        let own = tree.descendants(u32::from(state.remaining), u64::from(state.position), bits);
        // A tree of depth 0 has no reveal: the node is its own only descendant.
        let nodes = if bits == 0 { vec![state.node] } else { follower.nodes().to_vec() };
        if nodes.len() != own.len() {
            return None;
        }
        let child = self.choice.child(&nodes, &own)? as u32;
        let position = u64::from(state.position) << bits | u64::from(child);
        let leaf =
            layers && u32::from(state.remaining) == bits && position < self.program.layers().len() as u64;
        let (descriptor, path) = if leaf {
            let layer = narrows_program::LayerIndex(position as u32);
            (self.program.descriptor(layer).to_vec(), self.program.layers_tree().path(position))
        } else {
            (Vec::new(), Vec::new())
        };
        Some(Call::Pick { match_id, state: state.hash(match_id), nodes, child, descriptor, path })
    }

    fn name(&mut self, follower: &Follower, state: &MatchState) -> Option<Call> {
        let match_id = follower.id();
        let descriptor = descriptor(self.program, state.layer);
        let tile: Tile = follower.tile().try_into().ok()?;
        let own = self.trace.tile(state.layer, state.tile());
        let size = descriptor.element_bytes();
        let element = self.choice.element(&tile, &own, size)?;
        let index = u64::from(state.position) * (128 / size) as u64 + element as u64;
        let witness = if index < descriptor.elements() && descriptor.terms() <= descriptor.split() {
            self.source(follower).witness(state.layer, index, None)
        } else {
            crate::Witness { a: nothing(), b: nothing(), params: nothing() }
        };
        Some(Call::Name {
            match_id,
            state: state.hash(match_id),
            tile: tile.to_vec(),
            element: element as u8,
            descriptor: descriptor.bytes().to_vec(),
            witness: Box::new(witness),
        })
    }
}
