//! A tensor's tree kept whole: leaves of tiles, nodes above four leaves each, and a binary tree over those.

use rayon::prelude::*;

use crate::levels::{Hashing, root_of_bytes};
use crate::{Digest, Lanes, MultiProof, TILE_BYTES, Tile, Tree, depth_for, inner, padding, quad};

/// Tensors of more bytes together are hashed on several threads: about 0.1 ms of work for one.
const PARALLEL_BYTES: usize = 1 << 17;

/// Depth of the tree of a tensor of `tiles` tiles: 0 for one, otherwise ceil(log2(tiles)), but at least 2.
///
/// # Panics
/// On zero tiles: every tensor has at least one.
#[must_use]
pub fn tensor_depth(tiles: u64) -> u32 {
    if tiles == 1 { 0 } else { depth_for(tiles).max(2) }
}

/// Tiles that `bytes` bytes fill: at least one.
#[must_use]
pub fn tile_count(bytes: u64) -> u64 {
    bytes.div_ceil(TILE_BYTES as u64).max(1)
}

/// Tile `index` of `bytes`, zero beyond their end.
#[must_use]
pub fn tile_at(bytes: &[u8], index: u64) -> Tile {
    let mut tile = [0; TILE_BYTES];
    let start = usize::try_from(index).map_or(usize::MAX, |i| i.saturating_mul(TILE_BYTES));
    if let Some(rest) = bytes.get(start..) {
        let count = rest.len().min(TILE_BYTES);
        tile[..count].copy_from_slice(&rest[..count]);
    }
    tile
}

/// The node at `level` of a tensor's tree over these `leaves`, at least one and at most 2^`level`: padding stands beside them.
/// Of no legal tensor, a node at level 1 is of two leaves.
///
/// # Panics
/// On no leaves.
#[must_use]
pub fn node_over(mut leaves: Vec<Digest>, level: u32) -> Digest {
    assert!(!leaves.is_empty(), "a node stands over something");
    let mut at = 0;
    if level > 1 {
        leaves.resize(leaves.len().next_multiple_of(4), padding(0));
        leaves = leaves.as_chunks().0.iter().map(quad).collect();
        at = 2;
    }
    for level in at..level {
        let pair = |pair: &[Digest]| inner(&pair[0], pair.get(1).unwrap_or(&padding(level)));
        leaves = leaves.chunks(2).map(pair).collect();
    }
    leaves[0]
}

/// The tree over a tensor's tiles with all its nodes, padding implied.
///
/// A node above four leaves is of level 2, so that levels count as in a binary tree; there is none at level 1. The tree of
/// one tile is its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorTree {
    leaves: Vec<Digest>,
    /// From the nodes above four leaves on; of one tile, its leaf.
    above: Tree,
}

impl TensorTree {
    /// The tree over a tensor's canonical bytes, tile by tile.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_bytes_with_lanes(Lanes::best(), bytes)
    }

    /// The tree over the tiles of which these are the leaves.
    ///
    /// # Panics
    /// On no leaves.
    #[must_use]
    pub fn of_leaves(leaves: Vec<Digest>) -> Self {
        let hashing = Hashing::of(Lanes::best(), leaves.len());
        Self::over(hashing, leaves)
    }

    /// The root of [`TensorTree::of_bytes`], without keeping the tree, on all threads from 16 KiB on: memory for one node of 16.
    #[must_use]
    pub fn root_of_bytes(bytes: &[u8]) -> Digest {
        root_of_bytes(Lanes::best(), bytes)
    }

    /// The roots of many tensors, in order: on all threads where they are large together.
    #[must_use]
    pub fn roots_of_bytes(tensors: &[&[u8]]) -> Vec<Digest> {
        let bytes: usize = tensors.iter().map(|tensor| tensor.len()).sum();
        if bytes <= PARALLEL_BYTES {
            return tensors.iter().map(|tensor| Self::root_of_bytes(tensor)).collect();
        }
        tensors.par_iter().map(|tensor| Self::root_of_bytes(tensor)).collect()
    }

    pub(crate) fn of_bytes_with_lanes(lanes: Lanes, bytes: &[u8]) -> Self {
        let tiles = tile_count(bytes.len() as u64) as usize;
        let hashing = Hashing::of(lanes, tiles);
        let mut leaves = vec![Digest::default(); tiles];
        hashing.leaves(bytes, &mut leaves);
        Self::over(hashing, leaves)
    }

    fn over(hashing: Hashing, leaves: Vec<Digest>) -> Self {
        if leaves.len() < 2 {
            return Self { above: Tree::above(hashing, leaves.clone(), 0), leaves };
        }
        let mut quads = vec![Digest::default(); leaves.len().div_ceil(4)];
        hashing.quads(&leaves, &mut quads);
        Self { leaves, above: Tree::above(hashing, quads, 2) }
    }

    /// Levels below the root: 0, or at least 2.
    #[must_use]
    pub fn depth(&self) -> u32 {
        tensor_depth(self.tile_count())
    }

    /// Tiles, padding aside.
    #[must_use]
    pub fn tile_count(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.above.root()
    }

    /// The node `index` at `level` (0 the leaves); the padding constant beyond the last.
    ///
    /// # Panics
    /// When `level` is above the root, or 1.
    #[must_use]
    pub fn node(&self, level: u32, index: u64) -> Digest {
        if level > 0 {
            let above = level.checked_sub(2).expect("a tensor's tree has no level 1");
            return self.above.node(above, index);
        }
        let stored = usize::try_from(index).ok().and_then(|index| self.leaves.get(index));
        stored.copied().unwrap_or_else(|| padding(0))
    }

    /// The 2^`bits` descendants of node `index` at `level`, `bits` levels below it, left to right.
    ///
    /// # Panics
    /// When `level` is above the root, or the descendants below level 2: leaves are shown with their tiles.
    #[must_use]
    pub fn descendants(&self, level: u32, index: u64, bits: u32) -> Vec<Digest> {
        self.above.descendants(level - 2, index, bits)
    }

    /// The siblings from tile `index` up to the root: three, and then one a level; none of a single tile.
    #[must_use]
    pub fn path(&self, index: u64) -> Vec<Digest> {
        self.multi_proof(&[index]).0
    }

    /// The proof that opens the tiles `indices` (strictly increasing) together; see [`MultiProof`].
    #[must_use]
    pub fn multi_proof(&self, indices: &[u64]) -> MultiProof {
        let mut nodes = Vec::new();
        if self.leaves.len() < 2 {
            return MultiProof(nodes);
        }
        let mut open: Vec<u64> = indices.iter().map(|index| index / 4).collect();
        open.dedup();
        let leaves = open.iter().flat_map(|quad| quad * 4..quad * 4 + 4);
        nodes.extend(leaves.filter(|at| indices.binary_search(at).is_err()).map(|at| self.node(0, at)));
        for level in 2..self.depth() {
            let known = |index: &u64| open.binary_search(&(index ^ 1)).is_ok();
            nodes.extend(open.iter().filter(|index| !known(index)).map(|index| self.node(level, index ^ 1)));
            open.iter_mut().for_each(|index| *index /= 2);
            open.dedup();
        }
        MultiProof(nodes)
    }
}
