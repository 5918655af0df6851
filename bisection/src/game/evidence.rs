//! What a move carries of the state that it answers (PROTOCOL 4.1), and the node that its evidence gives (4.2).

use narrows_commitment::{
    Digest, Domain, TILE_BYTES, TensorRoot, Tile, Tree, fold_up, inner, padding, tagged, tile_leaf,
};

use crate::referee::{climb, export_leaf};
use crate::{Account, Call, ClaimId, Posted, Refusal, Seat, Seated, Standing};

use super::layer::Head;
use super::{Game, ids};

/// The most nodes of a reveal, 2^6.
const MAX_NODES: usize = 64;
/// The most siblings of a node.
const MAX_SIBLINGS: usize = 32;

/// The state that a call says it answers.
pub(super) struct Carried<'a> {
    pub claim: ClaimId,
    pub number: u64,
    pub standing: &'a Standing,
    /// The seat's digest; of a challenger's own seat the sender is the challenger.
    pub seat: Digest,
    /// The current node, or why the evidence gives none.
    pub node: Result<Digest, Refusal>,
}

impl Game {
    /// What `call`, a move, the timeout or a reclaim by `sender`, carries; `None` for any other call.
    pub(super) fn carried<'a>(&self, sender: Account, call: &'a Call) -> Option<Carried<'a>> {
        let own = |seat: &Seat| ids::seat(&Seated { challenger: sender, seat: *seat });
        let of = |posted: &Posted| self.claim_id(posted);
        let carried = |claim, number: &u64, standing: &'a Standing, seat, node| {
            Some(Carried { claim, number: *number, standing, seat, node })
        };
        match call {
            Call::Reveal { claim, number, standing, seat, nodes } => {
                carried(*claim, number, standing, *seat, revealed(nodes))
            }
            Call::Pick { claim, number, standing, seat, child, node, siblings, .. } => {
                carried(*claim, number, standing, own(seat), climbed((*child).into(), *node, siblings))
            }
            Call::SubTrace { posted, number, standing, seat, layer, roots, .. } => {
                carried(of(posted), number, standing, *seat, stated(layer, roots))
            }
            Call::PickOperator { claim, number, standing, seat, .. } => {
                carried(*claim, number, standing, own(seat), Ok(standing.list))
            }
            Call::RevealTiles { claim, number, standing, seat, tiles } => {
                carried(*claim, number, standing, *seat, tiled(standing, tiles))
            }
            Call::Name { posted, number, standing, seat, tile, slot, siblings, .. } => {
                let leaf = tagged(Domain::Tile, &[tile]);
                carried(of(posted), number, standing, own(seat), climbed((*slot).into(), leaf, siblings))
            }
            Call::Fold { posted, number, standing, seat, .. } => {
                carried(of(posted), number, standing, *seat, Ok(Digest::default()))
            }
            Call::Segment { posted, number, standing, seat, sums, .. } => {
                carried(of(posted), number, standing, own(seat), Ok(ids::statement(sums)))
            }
            Call::Timeout { posted, number, standing, seated, node } => {
                carried(of(posted), number, standing, ids::seat(seated), Ok(*node))
            }
            Call::Reclaim { claim, number, standing, seated, node } => {
                carried(*claim, number, standing, ids::seat(seated), Ok(*node))
            }
            _ => None,
        }
    }
}

/// `reveal`: the nodes hashed up.
fn revealed(nodes: &[Digest]) -> Result<Digest, Refusal> {
    if nodes.len() > MAX_NODES {
        return Err(Refusal::WrongCount);
    }
    fold_up(nodes).ok_or(Refusal::WrongCount)
}

/// `pick`, `name`: a node climbed by its siblings.
fn climbed(index: u64, node: Digest, siblings: &[Digest]) -> Result<Digest, Refusal> {
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
fn tiled(standing: &Standing, bytes: &[u8]) -> Result<Digest, Refusal> {
    let (tiles, rest): (&[Tile], _) = bytes.as_chunks::<TILE_BYTES>();
    if !rest.is_empty() || tiles.is_empty() {
        return Err(Refusal::WrongCount);
    }
    if tiles.len() as u64 > standing.real_tiles() {
        return Err(Refusal::WrongCount);
    }
    // A tree over the tiles alone, and then padding on the right up to the node's level.
    let tree = Tree::new(tiles.iter().map(tile_leaf).collect());
    let levels = tree.depth()..u32::from(standing.remaining());
    Ok(levels.fold(tree.root(), |node, level| inner(&node, &padding(level))))
}
