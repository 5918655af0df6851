//! A witness in two: the nodes above its tiles, and the tiles under them (PROTOCOL 4.5).

use narrows_commitment::{MultiProof, TILE_BYTES};

use crate::referee::join;
use crate::{Opened, Witness};

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
