//! A refutation in one transaction (PROTOCOL 4.6).

use narrows_commitment::{
    Digest, TILE_BYTES, TensorRoot, Tile, climb, climb_tile, leads, leads_to_tile, tile_leaf, verify_path,
};

use crate::referee::{self, Descriptor, View, export_leaf};
use crate::{ClaimId, Event, Posted, Refusal, Refutation, signature};

use super::layer::Head;
use super::rewards::Reward;
use super::{Claim, Game, Message, ids};

impl Game {
    pub(super) fn refute(
        &mut self,
        message: &Message,
        posted: &Posted,
        shown: &Refutation,
    ) -> Result<Vec<Event>, Refusal> {
        let id = self.claim_id(posted);
        let claim = *self.claims.get(&id).ok_or(Refusal::UnknownClaim)?;
        if !claim.is_open(message.block.time) {
            return Err(Refusal::ClaimClosed);
        }
        let (head, operator) = self.disputed(&claim, shown)?;
        let (tile, root) = tensor(&operator, shown)?;
        self.listed(id, posted, shown)?;
        self.committed(&claim, &head, root, shown)?;
        let in_tile = TILE_BYTES / operator.element_bytes();
        if usize::from(shown.element) >= in_tile {
            return Err(Refusal::WrongIndex);
        }
        let value = referee::read_element(&operator, tile, shown.element);
        let e = u64::from(shown.tile_index) * in_tile as u64 + u64::from(shown.element);
        let reward = if e >= operator.elements() {
            if value == 0 {
                return Err(Refusal::NoFault);
            }
            Reward::To(message.sender)
        } else {
            let view = View {
                input_root: self.jobs[&posted.job].input_root,
                trace_root: posted.trace_root,
                layers_depth: self.program_of_claim(&claim).layers_depth(),
                list: shown.list,
                operators: head.count,
            };
            let right = referee::step(&view, &operator, e, None, &shown.witness)?;
            if right == value {
                return Err(Refusal::NoFault);
            }
            Reward::At(operator.point(head.first.wrapping_add(shown.position), e, right, tile))
        };
        let by_roots = shown.signature.is_empty();
        Ok(vec![self.end_claim(id, message.block.time, by_roots, reward)])
    }

    /// 2: the operator and its layer, under the program's root.
    fn disputed<'a>(&self, claim: &Claim, shown: &'a Refutation) -> Result<(Head<'a>, Descriptor), Refusal> {
        let head = Head::parse(&shown.layer).ok_or(Refusal::WrongLength)?;
        let operator = Descriptor::decode(&shown.operator).ok_or(Refusal::WrongLength)?;
        if !operator.is_sized() {
            return Err(Refusal::WrongDescriptor);
        }
        if shown.position >= u32::from(head.count) {
            return Err(Refusal::WrongIndex);
        }
        if !leads(head.depth(), shown.position.into(), &shown.operator_path) {
            return Err(Refusal::BadOpening);
        }
        let operators_root = climb(shown.position.into(), operator.operator_leaf(), &shown.operator_path);
        let program = self.program_of_claim(claim);
        let leaf = head.leaf(operators_root);
        let (root, depth) = (&program.layers_root.0, program.layers_depth());
        verify_path(root, depth, shown.layer_index.into(), leaf, &shown.layer_path)
            .map_err(|_| Refusal::BadOpening)?;
        Ok((head, operator))
    }

    /// 4: the sub-trace that the executor signed, if there is one.
    fn listed(&self, id: ClaimId, posted: &Posted, shown: &Refutation) -> Result<(), Refusal> {
        if !shown.signature.is_empty() {
            let (chain_id, game) = (self.chain_id, self.address);
            let digest = ids::sub_trace_digest(chain_id, game, id, shown.layer_index, shown.list);
            if signature::recover(digest, &shown.signature) != Some(posted.executor) {
                return Err(Refusal::BadSignature);
            }
            return Ok(());
        }
        if shown.list != Digest::default() {
            return Err(Refusal::WitnessExtra);
        }
        if !shown.list_path.is_empty() {
            return Err(Refusal::WitnessExtra);
        }
        Ok(())
    }

    /// 5: the tensor stands under the claimed trace, or in the sub-trace.
    fn committed(
        &self,
        claim: &Claim,
        head: &Head<'_>,
        root: TensorRoot,
        shown: &Refutation,
    ) -> Result<(), Refusal> {
        let Some(rank) = head.rank(shown.position) else {
            if !shown.trace_path.is_empty() {
                return Err(Refusal::WitnessExtra);
            }
            if !shown.exports.is_empty() {
                return Err(Refusal::WitnessExtra);
            }
            let at = shown.position.into();
            return verify_path(&shown.list, head.depth(), at, root.0, &shown.list_path)
                .map_err(|_| Refusal::BadOpening);
        };
        let leaf = if head.exports.len() == 1 {
            if !shown.exports.is_empty() {
                return Err(Refusal::WitnessExtra);
            }
            root.0
        } else {
            if shown.exports.len() != head.exports.len() {
                return Err(Refusal::BadOpening);
            }
            if shown.exports[rank] != root {
                return Err(Refusal::BadOpening);
            }
            export_leaf(&shown.exports)
        };
        let depth = self.program_of_claim(claim).layers_depth();
        let trace_root = &claim.posted.trace_root.0;
        verify_path(trace_root, depth, shown.layer_index.into(), leaf, &shown.trace_path)
            .map_err(|_| Refusal::BadOpening)
    }
}

/// 3: the tile, and the root that it leads to.
fn tensor<'a>(operator: &Descriptor, shown: &'a Refutation) -> Result<(&'a Tile, TensorRoot), Refusal> {
    let tile: &Tile = shown.tile[..].try_into().map_err(|_| Refusal::WrongLength)?;
    if u64::from(shown.tile_index) >= operator.output_tiles() {
        return Err(Refusal::WrongIndex);
    }
    if !leads_to_tile(operator.output_depth().into(), shown.tile_index.into(), &shown.tile_path) {
        return Err(Refusal::BadOpening);
    }
    Ok((tile, TensorRoot(climb_tile(shown.tile_index.into(), tile_leaf(tile), &shown.tile_path))))
}
