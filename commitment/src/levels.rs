//! Hashing a tree level by level: in lanes, and on several threads once it is large.

use rayon::prelude::*;

use crate::{Digest, Lanes, TILE_BYTES, inner, padding, quad, tensor_depth, tile_count, tile_leaf};

/// Levels of more nodes than this are hashed on rayon's threads: about 0.3 ms of work for one.
pub(crate) const PARALLEL_TILES: usize = 4096;

/// Hashes that one thread takes at a time.
const PORTION: usize = 512;

/// Tiles of a block, which one thread hashes in one go: 16 KiB, some 5 to 20 microseconds, since at the end of a root the
/// other threads may wait for one.
const BLOCK: usize = 128;

/// Levels above a block's tiles that are hashed with them, the nodes above four tiles being two levels up: as many as leave
/// all lanes of a vector busy.
const BLOCK_LEVELS: u32 = 4;

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

    /// The nodes above four leaves each; padding leaves fill the last one.
    pub(crate) fn quads(self, leaves: &[Digest], nodes: &mut [Digest]) {
        let (quads, rest) = leaves.as_chunks::<4>();
        let (whole, partial) = nodes.split_at_mut(quads.len());
        self.portions(quads, whole, |quads, nodes| self.lanes.quad_nodes(quads, nodes));
        if let [node] = partial {
            let mut leaves = [padding(0); 4];
            leaves[..rest.len()].copy_from_slice(rest);
            *node = quad(&leaves);
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

/// The root of the tree over `bytes`, with `lanes`; see [`crate::TensorTree::root_of_bytes`].
pub(crate) fn root_of_bytes(lanes: Lanes, bytes: &[u8]) -> Digest {
    let tiles = tile_count(bytes.len() as u64) as usize;
    let depth = tensor_depth(tiles as u64);
    if tiles <= BLOCK {
        let mut root = [Digest::default()];
        block(lanes, bytes, depth, &mut root);
        return root[0];
    }
    let mut nodes = vec![Digest::default(); tiles.div_ceil(1 << BLOCK_LEVELS)];
    let blocks = bytes.par_chunks(BLOCK * TILE_BYTES).zip(nodes.par_chunks_mut(BLOCK >> BLOCK_LEVELS));
    blocks.with_max_len(1).for_each(|(bytes, nodes)| block(lanes, bytes, BLOCK_LEVELS, nodes));
    let hashing = Hashing::of(lanes, tiles);
    let mut parents = vec![Digest::default(); nodes.len().div_ceil(2)];
    for level in BLOCK_LEVELS..depth {
        parents.truncate(nodes.len().div_ceil(2));
        hashing.parents(level, &nodes, &mut parents);
        std::mem::swap(&mut nodes, &mut parents);
    }
    nodes[0]
}

/// Hashes the tiles of `bytes`, at most [`BLOCK`], and `levels` levels above them, none or at least two, all in near caches;
/// `top` takes the highest level's nodes.
fn block(lanes: Lanes, bytes: &[u8], levels: u32, top: &mut [Digest]) {
    let (mut nodes, mut parents) = ([Digest::default(); BLOCK], [Digest::default(); BLOCK / 4]);
    let (mut nodes, mut parents) = (&mut nodes[..], &mut parents[..]);
    let mut count = tile_count(bytes.len() as u64) as usize;
    Hashing { lanes, parallel: false }.leaves(bytes, &mut nodes[..count]);
    // Both buffers' lengths are multiples of four: there is room for the padding beside the last nodes.
    if levels > 0 {
        let whole = count.next_multiple_of(4);
        nodes[count..whole].fill(padding(0));
        count = whole / 4;
        lanes.quad_nodes(nodes[..whole].as_chunks().0, &mut parents[..count]);
        std::mem::swap(&mut nodes, &mut parents);
    }
    for level in 2..levels {
        let whole = count.next_multiple_of(2);
        nodes[count..whole].fill(padding(level));
        count = whole / 2;
        lanes.inner_nodes(nodes[..whole].as_chunks().0, &mut parents[..count]);
        std::mem::swap(&mut nodes, &mut parents);
    }
    top.copy_from_slice(&nodes[..count]);
}

#[cfg(test)]
mod tests;
