//! Refutations in one call (PROTOCOL 4.6), of any element of a claim, right or wrong.

use narrows_bisection::game::ids;
use narrows_bisection::{Refutation, Witness};
use narrows_commitment::TILE_BYTES;
use narrows_program::OperatorIndex;

use super::evaluate::Stated;
use super::scene::{Scene, sign};

impl Scene {
    /// Whether the trace root commits to the operator's output and to all that it reads.
    pub fn hangs_on_roots(&self, at: OperatorIndex) -> bool {
        let (layer, position) = self.program.layer_of(at);
        let local =
            |source| matches!(self.program.reference(at, source), narrows_program::Reference::Local { .. });
        self.program.layer(layer).is_exported(position) && !self.program.operator(at).sources().any(local)
    }

    /// A refutation by `element` of tile `tile` of operator `at`; with the sub-trace of `signed` under the executor's
    /// signature, if it is given.
    pub fn refutation(
        &self,
        at: OperatorIndex,
        tile: u32,
        element: u8,
        signed: Option<Stated>,
    ) -> Refutation {
        let (layer, position) = self.program.layer_of(at);
        let (op, stated) = (self.program.operator(at), signed.unwrap_or_default());
        let tensor = self.claimed.output(stated, at);
        let e = u64::from(tile) * (TILE_BYTES / op.dtype.bytes()) as u64 + u64::from(element);
        let described = self.program.layer(layer);
        let exported = described.is_exported(position);
        let several = exported && described.exports.len() > 1;
        let list = self.claimed.list(stated, layer);
        let digest = ids::sub_trace_digest(self.chain_id, self.address, self.claim, layer.0, list.root());
        let signature = signed.map_or_else(Vec::new, |_| sign(digest));
        let real = e < op.elements();
        Refutation {
            layer_index: layer.0,
            layer: described.head(),
            layer_path: self.program.layers_tree().path(layer.0.into()),
            operator: self.operators[at.0 as usize].clone(),
            position: position.into(),
            operator_path: self.trees[layer.0 as usize].path(position.into()),
            trace_path: if exported { self.claimed.tree.path(layer.0.into()) } else { Vec::new() },
            exports: if several { self.claimed.exports(layer).collect() } else { Vec::new() },
            list: signed.map_or_else(Default::default, |_| list.root()),
            list_path: match signed {
                Some(_) if !exported => list.path(position.into()),
                _ => Vec::new(),
            },
            signature,
            tile_index: tile,
            tile: tensor.tile(tile.into()).to_vec(),
            tile_path: tensor.tree.path(tile.into()),
            element,
            witness: if real { self.witness(stated, at, e, None) } else { Witness::default() },
        }
    }

    /// Every element that is worth naming: of each operator and tile, those of [`Scene::places`].
    pub fn elements(&self) -> Vec<(OperatorIndex, u32, u8)> {
        let mut out = Vec::new();
        for (at, op) in self.program.operators().iter().enumerate() {
            let at = OperatorIndex(at as u32);
            for tile in 0..self.claimed.output(0, at).tiles() {
                out.extend(self.places(op, tile).into_iter().map(|place| (at, tile as u32, place)));
            }
        }
        out
    }
}
