//! Hashing a tree level by level: in lanes, and on several threads once it is large.

use rayon::prelude::*;

use crate::{Digest, Lanes, TILE_BYTES, depth_for, inner, padding, tile_count, tile_leaf};

/// Trees of more tiles than this are hashed on rayon's threads: about 0.3 ms of work for one.
pub(crate) const PARALLEL_TILES: usize = 4096;

/// Hashes that one thread takes at a time.
const PORTION: usize = 512;

/// Depth of the subtrees whose root is taken in one go: 128 KiB of tiles.
pub(crate) const BLOCK_DEPTH: u32 = 10;

/// How a tree is hashed; no choice changes a digest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashing {
    lanes: Lanes,
    parallel: bool,
}

impl Hashing {
    /// The way for a tree of `tiles` tiles, with `lanes`.
    pub(crate) fn of(lanes: Lanes, tiles: usize) -> Self {
        Self { lanes, parallel: tiles > PARALLEL_TILES }
    }

    /// The leaves of `bytes`: as many as its tiles.
    pub(crate) fn leaves(self, bytes: &[u8], leaves: &mut [Digest]) {
        let (tiles, rest) = bytes.as_chunks::<TILE_BYTES>();
        let (whole, partial) = leaves.split_at_mut(tiles.len());
        self.portions(tiles, whole, |tiles, leaves| self.lanes.tile_leaves(tiles, leaves));
        if let [leaf] = partial {
            let mut tile = [0; TILE_BYTES];
            tile[..rest.len()].copy_from_slice(rest);
            *leaf = tile_leaf(&tile);
        }
    }

    /// The parents of `nodes`, which stand at `level`; an odd last one has a padding sibling.
    pub(crate) fn parents(self, level: u32, nodes: &[Digest], parents: &mut [Digest]) {
        let (pairs, rest) = nodes.as_chunks::<2>();
        let (whole, partial) = parents.split_at_mut(pairs.len());
        self.portions(pairs, whole, |pairs, parents| self.lanes.inner_nodes(pairs, parents));
        if let ([node], [parent]) = (rest, partial) {
            *parent = inner(node, &padding(level));
        }
    }

    fn portions<T: Sync>(
        self,
        bodies: &[T],
        digests: &mut [Digest],
        hash: impl Fn(&[T], &mut [Digest]) + Send + Sync,
    ) {
        if self.parallel && bodies.len() >= 2 * PORTION {
            let portions = bodies.par_chunks(PORTION).zip(digests.par_chunks_mut(PORTION));
            portions.for_each(|(bodies, digests)| hash(bodies, digests));
        } else {
            hash(bodies, digests);
        }
    }
}

/// The root of the tree over `bytes`, with `lanes`; see [`crate::Tree::root_of_bytes`].
pub(crate) fn root_of_bytes(lanes: Lanes, bytes: &[u8]) -> Digest {
    subtree_root(lanes, bytes, depth_for(tile_count(bytes.len() as u64)))
}

/// The root of the subtree of `depth` levels that begins with `bytes` and continues with padding.
fn subtree_root(lanes: Lanes, bytes: &[u8], depth: u32) -> Digest {
    if depth <= BLOCK_DEPTH {
        return block_root(lanes, bytes, depth);
    }
    let below = depth - 1;
    let root = |bytes| subtree_root(lanes, bytes, below);
    match bytes.split_at_checked(TILE_BYTES << below) {
        Some((left, right)) if !right.is_empty() => {
            let (left, right) = if bytes.len() > PARALLEL_TILES * TILE_BYTES {
                rayon::join(|| root(left), || root(right))
            } else {
                (root(left), root(right))
            };
            inner(&left, &right)
        }
        _ => inner(&root(bytes), &padding(below)),
    }
}

fn block_root(lanes: Lanes, bytes: &[u8], depth: u32) -> Digest {
    let tiles = tile_count(bytes.len() as u64) as usize;
    let hashing = Hashing { lanes, parallel: false };
    let mut nodes = vec![Digest::default(); tiles];
    let mut parents = vec![Digest::default(); tiles.div_ceil(2)];
    hashing.leaves(bytes, &mut nodes);
    for level in 0..depth {
        let count = nodes.len().div_ceil(2);
        parents.truncate(count);
        hashing.parents(level, &nodes, &mut parents);
        std::mem::swap(&mut nodes, &mut parents);
    }
    nodes[0]
}

#[cfg(test)]
mod tests;
