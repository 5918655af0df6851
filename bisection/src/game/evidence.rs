//! The state that a move answers, by what it carries of it and what its evidence gives (PROTOCOL 4.1, 4.2).

use narrows_commitment::{
    Digest, Domain, TILE_BYTES, TensorRoot, Tile, climb, climb_tile, fold_up, node_over, tagged, tile_leaf,
};

use crate::referee::{Descriptor, export_leaf, operator_leaf};
use crate::{
    Account, Call, ClaimId, Footing, Posted, Refusal, Seat, Standing, StateHash, context, ground, state_hash,
};

use super::layer::Head;
use super::{Game, ids};

/// The most nodes of a reveal, 2^6.
const MAX_NODES: usize = 64;
/// The most siblings of a node, and the longest path.
const MAX_SIBLINGS: usize = 32;

/// The match that a call says it answers, and its state.
pub(super) struct Carried {
    pub claim: ClaimId,
    pub number: u64,
    /// The state, or why the evidence gives none.
    pub state: Result<StateHash, Refusal>,
}

impl Game {
    /// What `call`, a move, the timeout or a reclaim by `sender`, carries; `None` for any other call.
    pub(super) fn carried(&self, sender: Account, call: &Call) -> Option<Carried> {
        let none = Digest::default();
        let carried = |claim, number: &u64, state| Some(Carried { claim, number: *number, state });
        let of = |posted: &Posted| self.claim_id(posted);
        match call {
            Call::Reveal { claim, number, footing, nodes } => {
                let state = revealed(nodes).map(|node| state_hash(footing.word, node, footing.rest));
                carried(*claim, number, state)
            }
            Call::Pick { claim, number, footing, child, node, siblings } => {
                let node = climbed(climb, (*child).into(), *node, siblings);
                let state = node.map(|node| state_hash(footing.word, node, context(sender, footing.rest)));
                carried(*claim, number, state)
            }
            Call::Enter { claim, number, footing, child, node, siblings, layer, operator, path } => {
                let state = climbed(climb, (*child).into(), *node, siblings).and_then(|node| {
                    let index = (u64::from(footing.position()) << siblings.len()) + u64::from(*child);
                    let scope = layers_root(index, layer, operator, path)?;
                    Ok(seated(footing, node, scope, none, sender))
                });
                carried(*claim, number, state)
            }
            Call::SubTrace { posted, number, footing, challenger, layer, roots, .. } => {
                let scope = tagged(Domain::Layer, &[layer]);
                let state = stated(layer, roots).map(|node| seated(footing, node, scope, none, *challenger));
                carried(of(posted), number, state)
            }
            Call::PickOperator { claim, number, footing, position, layer, root, root_path, .. } => {
                let scope = tagged(Domain::Layer, &[layer]);
                let list = climbed(climb, (*position).into(), root.0, root_path);
                carried(*claim, number, list.map(|list| seated(footing, list, scope, list, sender)))
            }
            Call::RevealTiles { claim, number, footing, tiles } => {
                let state = tiled(footing, tiles).map(|node| state_hash(footing.word, node, footing.rest));
                carried(*claim, number, state)
            }
            Call::Prepare { posted, number, footing, list, node, operator, .. } => {
                let state = seated(footing, *node, operator_leaf(operator), *list, sender);
                carried(of(posted), number, Ok(state))
            }
            Call::Name { posted, number, footing, list, tile, slot, siblings, operator, .. } => {
                let leaf = tagged(Domain::Tile, &[tile]);
                let node = climbed(climb_tile, (*slot).into(), leaf, siblings);
                let scope = operator_leaf(operator);
                carried(of(posted), number, node.map(|node| seated(footing, node, scope, *list, sender)))
            }
            Call::Fold { posted, number, footing, list, challenger, operator, .. } => {
                let state = seated(footing, none, operator_leaf(operator), *list, *challenger);
                carried(of(posted), number, Ok(state))
            }
            Call::Segment { posted, number, footing, list, operator, sums, .. } => {
                let node = ids::statement(sums);
                let state = seated(footing, node, operator_leaf(operator), *list, sender);
                carried(of(posted), number, Ok(state))
            }
            Call::Timeout { posted, number, standing, seated, node } => {
                let state = whole(standing, *node, seated.challenger, &seated.seat);
                carried(of(posted), number, Ok(state))
            }
            Call::Reclaim { claim, number, standing, seated, node } => {
                let state = whole(standing, *node, seated.challenger, &seated.seat);
                carried(*claim, number, Ok(state))
            }
            _ => None,
        }
    }
}

/// The state of a match whose footing holds the seat.
fn seated(footing: &Footing, node: Digest, scope: Digest, list: Digest, challenger: Account) -> StateHash {
    state_hash(footing.word, node, context(challenger, ground(scope, list, footing.rest)))
}

/// The state of a match all of which is shown.
pub(super) fn whole(standing: &Standing, node: Digest, challenger: Account, seat: &Seat) -> StateHash {
    let ground = ground(standing.scope, standing.list, ids::seat(seat));
    state_hash(standing.word, node, context(challenger, ground))
}

/// `enter`: the layer's leaf climbed by its path.
fn layers_root(index: u64, head: &[u8], operator: &[u8], path: &[Digest]) -> Result<Digest, Refusal> {
    if path.len() > MAX_SIBLINGS {
        return Err(Refusal::WrongCount);
    }
    Ok(climb(index, layer_leaf(head, operator)?, path))
}

/// The leaf of the layer with this head, and with this only operator or this operators root.
pub(super) fn layer_leaf(head: &[u8], operator: &[u8]) -> Result<Digest, Refusal> {
    let head = Head::parse(head).ok_or(Refusal::WrongLength)?;
    let operators_root = match head.count {
        1 => Descriptor::decode(operator).ok_or(Refusal::WrongLength)?.operator_leaf(),
        _ => Digest(operator.try_into().map_err(|_| Refusal::WrongLength)?),
    };
    Ok(head.leaf(operators_root))
}

/// `reveal`: the nodes hashed up.
fn revealed(nodes: &[Digest]) -> Result<Digest, Refusal> {
    if nodes.len() > MAX_NODES {
        return Err(Refusal::WrongCount);
    }
    fold_up(nodes).ok_or(Refusal::WrongCount)
}

/// `pick`, `enter`, `pickOperator`, `name`: a node climbed by its siblings.
fn climbed(
    climb: impl FnOnce(u64, Digest, &[Digest]) -> Digest,
    index: u64,
    node: Digest,
    siblings: &[Digest],
) -> Result<Digest, Refusal> {
    if siblings.len() > MAX_SIBLINGS {
        return Err(Refusal::WrongCount);
    }
    Ok(climb(index, node, siblings))
}

/// `subTrace`: the layer leaf of the exported roots.
fn stated(layer: &[u8], roots: &[TensorRoot]) -> Result<Digest, Refusal> {
    let (head, _) = Head::parse_whole(layer).ok_or(Refusal::WrongCount)?;
    let exported = head.exports.iter().map(|position| roots.get(usize::from(*position)).copied());
    let exported: Option<Vec<TensorRoot>> = exported.collect();
    Ok(export_leaf(&exported.ok_or(Refusal::WrongCount)?))
}

/// `revealTiles`: the tiles' leaves, and padding leaves for what lies beyond the tensor, hashed up.
fn tiled(footing: &Footing, bytes: &[u8]) -> Result<Digest, Refusal> {
    let (tiles, rest): (&[Tile], _) = bytes.as_chunks::<TILE_BYTES>();
    if !rest.is_empty() || tiles.is_empty() {
        return Err(Refusal::WrongCount);
    }
    if tiles.len() as u64 > footing.real_tiles() {
        return Err(Refusal::WrongCount);
    }
    let level = u32::from(footing.remaining());
    Ok(node_over(tiles.iter().map(tile_leaf).collect(), level))
}
