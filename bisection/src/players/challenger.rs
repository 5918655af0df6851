//! The challenger's side: naming the first thing that differs.

use narrows_commitment::{Digest, TILE_BYTES, TensorRoot, Tile, Tree, padding, tile_leaf};
use narrows_program::{LayerIndex, OperatorIndex, Program, TileIndex};

use crate::{Call, Phase, Trace, Witness, WitnessSource};

use super::executor::true_sums;
use super::follower::{Follower, bits, whole_layer};

/// Bytes of the largest witness that is sent in one move where two would do: with more, the move's bytes alone cost over
/// 150,000 gas.
pub const MOST_AT_ONCE: usize = 2_680;

/// How a challenger chooses among what is shown: an index, or `None` to stay silent. What is not said otherwise is the honest
/// choice: the first that differs.
pub trait Choice {
    /// Which of the claimed `nodes`, beside one's `own`.
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        first_difference(claimed, own)
    }
    /// Which operator of a layer, by the claimed output roots beside one's own.
    fn operator(&mut self, claimed: &[TensorRoot], own: &[TensorRoot]) -> Option<usize> {
        first_difference(claimed, own)
    }
    /// Which tile of the claimed ones beside one's own, and which element of it, of `size` bytes.
    fn element(&mut self, claimed: &[Tile], own: &[Tile], size: usize) -> Option<(usize, usize)> {
        let tile = first_difference(claimed, own)?;
        first_difference(&claimed[tile], &own[tile]).map(|byte| (tile, byte / size))
    }
    /// Which partial value, beside one's own.
    fn segment(&mut self, claimed: &[i64], own: &[i64]) -> Option<usize> {
        first_difference(claimed, own)
    }
    /// Whether to show the nodes above the tiles of a step in a move of their own, which costs a transaction and a turn: by the
    /// whole `witness`, and what of it would be left for the move after.
    fn prepares(&mut self, witness: &Witness, left: &Witness) -> bool {
        witness.bytes() > MOST_AT_ONCE && left.bytes() <= MOST_AT_ONCE
    }
}

/// The honest choice: the first that differs.
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstDifference;

impl Choice for FirstDifference {}

fn first_difference<T: PartialEq>(claimed: &[T], own: &[T]) -> Option<usize> {
    claimed.iter().zip(own).position(|(claimed, own)| claimed != own)
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
    /// The next move, given what `follower` saw; `None` when it is not its turn, or it has nothing to name.
    ///
    /// In LAYER_E, which is the executor's turn, it picks at once if it knows the nodes that would be revealed: see
    /// [`Follower::learn`].
    pub fn respond(&mut self, follower: &Follower) -> Option<Call> {
        if follower.is_lost() {
            return None;
        }
        match follower.state().phase {
            Phase::LayerE | Phase::LayerC => self.pick_layer(follower),
            Phase::SubC => self.pick_operator(follower),
            Phase::TileC => self.pick_tile(follower),
            Phase::Name | Phase::Ready => self.name(follower),
            Phase::Seg => self.segment(follower),
            _ => None,
        }
    }

    fn source<'s>(&'s self, follower: &'s Follower) -> WitnessSource<'s> {
        WitnessSource {
            program: self.program,
            trace: self.trace,
            claimed: &follower.shown().claimed,
            list: follower.list(),
        }
    }

    fn pick_layer(&mut self, follower: &Follower) -> Option<Call> {
        let state = follower.state();
        let bits = bits(state);
        let (level, index) = (u32::from(state.remaining), u64::from(state.position));
        let nodes = match (bits, state.phase) {
            // A tree of depth 0 has no reveal: the node is its own only descendant.
            (0, _) => vec![state.node],
            (_, Phase::LayerC) => follower.shown().nodes.clone(),
            _ => follower.shown().claimed.row(level - bits, index << bits, bits)?,
        };
        let own = self.trace.tree().descendants(level, index, bits);
        let child = self.child(&nodes, &own)?;
        let position = index << bits | u64::from(child);
        if level > bits || position >= self.program.layers().len() as u64 {
            return Some(pick(follower, &nodes, child));
        }
        let at = LayerIndex(position as u32);
        let layer = self.program.layer(at);
        let operator = match layer.count {
            1 => self.program.operator_bytes(layer.first),
            _ => self.program.operators_tree(at).root().0.to_vec(),
        };
        Some(Call::Enter {
            claim: follower.claim(),
            number: follower.number(),
            footing: state.seated(),
            child,
            node: nodes[child as usize],
            siblings: Tree::new(nodes.clone()).path(u64::from(child)),
            layer: layer.head(),
            operator,
            path: self.program.layers_tree().path(position),
        })
    }

    fn pick_tile(&mut self, follower: &Follower) -> Option<Call> {
        let state = follower.state();
        let bits = bits(state);
        let tree = self.trace.operator_tree(follower.operator()?);
        let own = tree.descendants(state.remaining.into(), state.position.into(), bits);
        let nodes = &follower.shown().nodes;
        let child = self.child(nodes, &own)?;
        Some(pick(follower, nodes, child))
    }

    /// The chosen child of `nodes`; `None` for one that does not exist.
    fn child(&mut self, nodes: &[Digest], own: &[Digest]) -> Option<u32> {
        if nodes.len() != own.len() {
            return None;
        }
        let child = self.choice.child(nodes, own).filter(|child| *child < nodes.len())?;
        u32::try_from(child).ok()
    }

    fn pick_operator(&mut self, follower: &Follower) -> Option<Call> {
        let state = follower.state();
        let at = LayerIndex(state.place);
        let roots = &follower.shown().roots;
        let position = self.choice.operator(roots, &self.trace.sub_roots(at))?;
        let root = *roots.get(position)?;
        let layer = self.program.layer(at);
        let list = Tree::new(roots.iter().map(|root| root.0).collect());
        Some(Call::PickOperator {
            claim: follower.claim(),
            number: follower.number(),
            footing: state.seated(),
            position: position as u32,
            layer: whole_layer(self.program, at),
            operator: self.program.operator_bytes(OperatorIndex(layer.first.0 + position as u32)),
            operator_path: self.program.operators_tree(at).path(position as u64),
            root,
            root_path: list.path(position as u64),
        })
    }

    /// The name of an element, or what prepares it.
    fn name(&mut self, follower: &Follower) -> Option<Call> {
        let state = follower.state();
        let index = follower.operator()?;
        let operator = self.program.operator(index);
        let size = operator.dtype.bytes();
        let (tiles, _) = follower.shown().tiles.as_chunks::<TILE_BYTES>();
        let first = state.position << state.remaining;
        let own = (first..).take(tiles.len()).map(|tile| self.trace.tile(index, TileIndex(tile)));
        let own: Vec<Tile> = own.collect();
        let (slot, in_tile) = self.choice.element(tiles, &own, size)?;
        let tile = tiles.get(slot)?;
        let element = (u64::from(first) + slot as u64) * (TILE_BYTES / size) as u64 + in_tile as u64;
        let whole = element < operator.elements() && operator.terms() <= u64::from(operator.split);
        let mut witness =
            if whole { self.source(follower).witness(index, element, None) } else { Witness::default() };
        let (above, under) = witness.halves();
        // With little time left one move is safer than two.
        let in_time = state.challenger_clock >= follower.clock() / 2;
        if state.phase == Phase::Ready {
            // The tiles under the nodes that were shown; if it shows other tiles, they are refused.
            witness = under;
        } else if whole && in_time && self.choice.prepares(&witness, &under) {
            return Some(Call::Prepare {
                posted: *follower.posted(),
                number: follower.number(),
                footing: state.seated(),
                list: state.list,
                node: state.node,
                operator: self.program.operator_bytes(index),
                witness: Box::new(above),
            });
        }
        // What lies beyond the tensor is padding.
        let leaf = |slot: usize| tiles.get(slot).map_or_else(|| padding(0), tile_leaf);
        let beside = (0..1 << state.remaining).filter(|other| *other != slot).map(leaf);
        Some(Call::Name {
            posted: *follower.posted(),
            number: follower.number(),
            footing: state.seated(),
            list: state.list,
            tile: tile.to_vec(),
            slot: slot as u8,
            siblings: beside.collect(),
            element: u8::try_from(in_tile).ok()?,
            operator: self.program.operator_bytes(index),
            witness: Box::new(witness),
        })
    }

    fn segment(&mut self, follower: &Follower) -> Option<Call> {
        let operator = follower.operator()?;
        let element = u64::from(follower.element(self.program)?.0);
        let sums = follower.shown().sums.clone();
        let own = true_sums(self.program, self.trace, operator, element);
        let index = self.choice.segment(&sums, &own).filter(|index| *index < sums.len())? as u32;
        let witness = Box::new(self.source(follower).witness(operator, element, Some(index)));
        Some(Call::Segment {
            posted: *follower.posted(),
            number: follower.number(),
            footing: follower.state().seated(),
            list: follower.state().list,
            operator: self.program.operator_bytes(operator),
            sums,
            index,
            witness,
        })
    }
}

/// The pick of `child` among `nodes`.
fn pick(follower: &Follower, nodes: &[Digest], child: u32) -> Call {
    Call::Pick {
        claim: follower.claim(),
        number: follower.number(),
        footing: follower.state().picked(),
        child,
        node: nodes[child as usize],
        siblings: Tree::new(nodes.to_vec()).path(u64::from(child)),
    }
}
