//! Binary trees kept whole, to answer any opening.

use rayon::prelude::*;

use crate::levels::{Hashing, root_of_bytes};
use crate::opening::MultiProof;
use crate::{Digest, Lanes, TILE_BYTES, Tile, padding};

/// Tensors of more bytes together are hashed on several threads: about 0.1 ms of work for one.
const PARALLEL_BYTES: usize = 1 << 17;

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

/// Where each level begins when those of a tree of `leaves` leaves stand one behind the other, and their end.
fn level_starts(leaves: usize) -> (Vec<usize>, usize) {
    let (mut end, mut width) = (0, leaves);
    let starts = (0..=depth_for(leaves as u64)).map(|_| {
        let start = end;
        end += width;
        width = width.div_ceil(2);
        start
    });
    (starts.collect(), end)
}

/// A binary keccak tree with all its nodes, padding implied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The leaves, then each further level's nodes up to the root; padding nodes are not stored.
    nodes: Vec<Digest>,
    /// Where each level begins in `nodes`.
    starts: Vec<usize>,
}

impl Tree {
    /// The tree over `leaves`, which must not be empty.
    ///
    /// # Panics
    /// On no leaves.
    #[must_use]
    pub fn new(leaves: Vec<Digest>) -> Self {
        Self::with_lanes(Lanes::best(), leaves)
    }

    /// The tree over a tensor's canonical bytes, tile by tile.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_bytes_with_lanes(Lanes::best(), bytes)
    }

    /// The root of [`Tree::of_bytes`], without keeping the tree, on all threads from 16 KiB on: memory for one node of 16.
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

    pub(crate) fn with_lanes(lanes: Lanes, leaves: Vec<Digest>) -> Self {
        let (starts, count) = level_starts(leaves.len());
        let hashing = Hashing::of(lanes, leaves.len());
        let mut nodes = leaves;
        nodes.resize(count, Digest::default());
        Self { nodes, starts }.raised(hashing)
    }

    pub(crate) fn of_bytes_with_lanes(lanes: Lanes, bytes: &[u8]) -> Self {
        let tiles = tile_count(bytes.len() as u64) as usize;
        let (starts, count) = level_starts(tiles);
        let hashing = Hashing::of(lanes, tiles);
        let mut nodes = vec![Digest::default(); count];
        hashing.leaves(bytes, &mut nodes[..tiles]);
        Self { nodes, starts }.raised(hashing)
    }

    /// Hashes every level above the leaves.
    fn raised(mut self, hashing: Hashing) -> Self {
        for (level, ends) in self.starts.windows(2).enumerate() {
            let (below, above) = self.nodes.split_at_mut(ends[1]);
            let below = &below[ends[0]..];
            hashing.parents(level as u32, below, &mut above[..below.len().div_ceil(2)]);
        }
        self
    }

    fn level(&self, level: u32) -> &[Digest] {
        let level = level as usize;
        let end = self.starts.get(level + 1).copied().unwrap_or(self.nodes.len());
        &self.nodes[self.starts[level]..end]
    }

    /// Levels below the root.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// Leaves, padding aside.
    #[must_use]
    pub fn leaf_count(&self) -> u64 {
        self.level(0).len() as u64
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.nodes[self.nodes.len() - 1]
    }

    /// The node `index` at `level` (0 the leaves); the padding constant beyond the last.
    ///
    /// # Panics
    /// When `level` is above the root.
    #[must_use]
    pub fn node(&self, level: u32, index: u64) -> Digest {
        let nodes = self.level(level);
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
