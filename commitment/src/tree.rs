//! Binary trees kept whole, to answer any opening.

use crate::opening::MultiProof;
use crate::{Digest, TILE_BYTES, Tile, inner, padding, tile_leaf};

/// The deepest tree that any part of the system accepts.
pub const MAX_DEPTH: u32 = 32;

/// Depth of the tree over `leaves` leaves: ceil(log2(leaves)), 0 for a single leaf.
///
/// # Panics
/// On zero leaves: every tree of a legal program has at least one.
#[must_use]
pub fn depth_for(leaves: u64) -> u32 {
    assert!(leaves > 0, "a tree has at least one leaf");
    (leaves - 1).checked_ilog2().map_or(0, |log| log + 1)
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

/// A binary keccak tree with all its nodes, padding implied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// `levels[0]` are the leaves, each further level the parents; padding nodes are not stored.
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// The tree over `leaves`, which must not be empty.
    #[must_use]
    pub fn new(leaves: Vec<Digest>) -> Self {
        let depth = depth_for(leaves.len() as u64);
        let mut levels = vec![leaves];
        for level in 0..depth {
            let pad = padding(level);
            let below = &levels[level as usize];
            let parents = below.chunks(2).map(|pair| inner(&pair[0], pair.get(1).unwrap_or(&pad)));
            let parents = parents.collect();
            levels.push(parents);
        }
        Self { levels }
    }

    /// The tree over a tensor's canonical bytes, tile by tile.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let tiles = 0..tile_count(bytes.len() as u64);
        Self::new(tiles.map(|index| tile_leaf(&tile_at(bytes, index))).collect())
    }

    /// Levels below the root.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.levels.len() as u32 - 1
    }

    /// Leaves, padding aside.
    #[must_use]
    pub fn leaf_count(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.levels[self.levels.len() - 1][0]
    }

    /// The node `index` at `level` (0 the leaves); the padding constant beyond the last.
    ///
    /// # Panics
    /// When `level` is above the root.
    #[must_use]
    pub fn node(&self, level: u32, index: u64) -> Digest {
        let nodes = &self.levels[level as usize];
        let stored = usize::try_from(index).ok().and_then(|i| nodes.get(i));
        stored.copied().unwrap_or_else(|| padding(level))
    }

    /// The 2^`bits` descendants of node `index` at `level`, `bits` levels below it, left to right.
    #[must_use]
    pub fn descendants(&self, level: u32, index: u64, bits: u32) -> Vec<Digest> {
        let first = index << bits;
        (first..first + (1 << bits)).map(|i| self.node(level - bits, i)).collect()
    }

    /// The siblings from leaf `index` up to the root.
    #[must_use]
    pub fn path(&self, index: u64) -> Vec<Digest> {
        (0..self.depth()).map(|level| self.node(level, (index >> level) ^ 1)).collect()
    }

    /// The proof that opens the leaves `indices` (strictly increasing) together; see [`MultiProof`].
    #[must_use]
    pub fn multi_proof(&self, indices: &[u64]) -> MultiProof {
        let mut nodes = Vec::new();
        let mut open: Vec<u64> = indices.to_vec();
        for level in 0..self.depth() {
            let mut parents = Vec::with_capacity(open.len());
            let mut at = 0;
            while at < open.len() {
                let index = open[at];
                if index.is_multiple_of(2) && open.get(at + 1) == Some(&(index + 1)) {
                    at += 1;
                } else {
                    nodes.push(self.node(level, index ^ 1));
                }
                parents.push(index / 2);
                at += 1;
            }
            open = parents;
        }
        MultiProof(nodes)
    }
}
