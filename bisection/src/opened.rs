//! Openings of tiles, and how they are shown in two moves: the nodes above the tiles, then the tiles (PROTOCOL 4.5).

use narrows_commitment::{Digest, MultiProof, TILE_BYTES, join};
use serde::{Deserialize, Serialize};

/// Tiles of one tensor, opened to where the tensor is committed (PROTOCOL 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The other exports of the tensor's layer, then the path of its leaf; or the path in the sub-trace. Empty for constants and the input.
    pub root_path: Vec<Digest>,
    /// The opened tiles, strictly increasing.
    pub indices: Vec<u32>,
    /// Their bytes, 128 each.
    #[serde(with = "crate::hex")]
    pub tiles: Vec<u8>,
    /// The rest of the tensor's tree.
    pub proof: MultiProof,
}

/// What the referee reads of the operands and the records of one element (PROTOCOL 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Operand a.
    pub a: Opened,
    /// Operand b; empty when the operator has none.
    pub b: Opened,
    /// The requantisation record; empty in a segment.
    pub params: Opened,
    /// The table's entry or the divisor; empty in a segment, and when the operator reads neither.
    pub third: Opened,
}

impl Opened {
    /// The opening of the lowest node above all these tiles, and of the tiles under it; nothing for nothing.
    ///
    /// # Panics
    /// When the opening is none: it was built from a tree.
    #[must_use]
    pub fn halves(&self) -> (Self, Self) {
        let Self { root_path, indices, tiles, proof } = self;
        if indices.is_empty() {
            return Default::default();
        }
        let (whole, _) = tiles.as_chunks::<TILE_BYTES>();
        let (top, rest) = join(indices, whole, &proof.0).expect("the siblings are all there");
        let (below, above) = proof.0.split_at(proof.0.len() - rest.len());
        let above = Self {
            root_path: root_path.clone(),
            indices: vec![top.index],
            tiles: top.node.0.to_vec(),
            proof: MultiProof(above.to_vec()),
        };
        let below = Self {
            root_path: Vec::new(),
            indices: indices.clone(),
            tiles: tiles.clone(),
            proof: MultiProof(below.to_vec()),
        };
        (above, below)
    }

    /// Bytes of its indices, tiles and nodes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * self.indices.len() + self.tiles.len() + 32 * (self.proof.0.len() + self.root_path.len())
    }
}

impl Witness {
    /// What `prepare` shows of it, and what is then left for `name`.
    ///
    /// # Panics
    /// As [`Opened::halves`].
    #[must_use]
    pub fn halves(&self) -> (Self, Self) {
        let [a, b, params, third] = [&self.a, &self.b, &self.params, &self.third].map(Opened::halves);
        let above = Self { a: a.0, b: b.0, params: params.0, third: third.0 };
        (above, Self { a: a.1, b: b.1, params: params.1, third: third.1 })
    }

    /// Bytes of its indices, tiles and nodes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        [&self.a, &self.b, &self.params, &self.third].into_iter().map(Opened::bytes).sum()
    }
}
