//! Checking what a tree's owner, or anybody, claims to stand under a root.

use crate::{Digest, MAX_DEPTH, inner, quad};

/// Why an opening does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// The siblings are not as many as the tree's depth asks for.
    #[error("an opening of depth {depth} needs {needed} nodes, {given} were given")]
    Length {
        /// The tree's depth.
        depth: u32,
        /// Nodes that this opening needs.
        needed: usize,
        /// Nodes that were given.
        given: usize,
    },
    /// A leaf index beyond the tree, or indices that do not strictly increase.
    #[error("leaf index {0} is out of range or out of order")]
    Index(u64),
    /// The hashes do not lead to the root.
    #[error("the opening does not lead to the root")]
    Root,
}

/// The node that `leaf` at `index` leads to by the siblings of `path`, from the leaf upwards.
#[must_use]
pub fn climb(index: u64, leaf: Digest, path: &[Digest]) -> Digest {
    path.iter().enumerate().fold(leaf, |node, (level, sibling)| {
        // Beyond 64 levels an index is on the left.
        match index.checked_shr(level as u32).unwrap_or(0) & 1 {
            0 => inner(&node, sibling),
            _ => inner(sibling, &node),
        }
    })
}

/// The node that a tile's `leaf` at `index` leads to in its tensor's tree: by the first three of `path` to the node above
/// four leaves, by the others from there; as [`climb`] does, where there are not three.
#[must_use]
pub fn climb_tile(index: u64, leaf: Digest, path: &[Digest]) -> Digest {
    match path.split_first_chunk::<3>() {
        Some((beside, path)) => climb(index >> 2, quad(&among(index, leaf, beside)), path),
        None => climb(index, leaf, path),
    }
}

/// The four leaves of which `leaf`, at `index`, is one and the others are `beside` it, left to right.
fn among(index: u64, leaf: Digest, beside: &[Digest; 3]) -> [Digest; 4] {
    let slot = (index % 4) as usize;
    let mut beside = beside.iter();
    std::array::from_fn(|at| if at == slot { leaf } else { *beside.next().expect("three beside one") })
}

/// Siblings on a tile's way to the root of a tensor's tree of `depth` levels: three at the bottom, then one a level.
#[must_use]
pub const fn tile_siblings(depth: u32) -> usize {
    (if depth > 1 { depth + 1 } else { depth }) as usize
}

/// Whether a tree of `depth` levels has a leaf `index` to which `path` may lead.
#[must_use]
pub fn leads(depth: u32, index: u64, path: &[Digest]) -> bool {
    depth <= MAX_DEPTH && path.len() == depth as usize && index >> depth == 0
}

/// Whether a tensor's tree of `depth` levels has a tile `index` to which `path` may lead.
#[must_use]
pub fn leads_to_tile(depth: u32, index: u64, path: &[Digest]) -> bool {
    depth <= MAX_DEPTH && path.len() == tile_siblings(depth) && index >> depth == 0
}

/// Checks that `leaf` stands at `index` under `root` in a tree of `depth` levels.
///
/// # Errors
/// When the path's length, the index or the hashes are wrong.
pub fn verify_path(
    root: &Digest,
    depth: u32,
    index: u64,
    leaf: Digest,
    path: &[Digest],
) -> Result<(), OpeningError> {
    if depth > MAX_DEPTH || path.len() != depth as usize {
        return Err(OpeningError::Length { depth, needed: depth as usize, given: path.len() });
    }
    if index >> depth != 0 {
        return Err(OpeningError::Index(index));
    }
    if climb(index, leaf, path) == *root { Ok(()) } else { Err(OpeningError::Root) }
}

/// Hashes 2^k sibling nodes up to their common ancestor; `None` unless their number is a power of two.
#[must_use]
pub fn fold_up(nodes: &[Digest]) -> Option<Digest> {
    if !nodes.len().is_power_of_two() {
        return None;
    }
    let mut level = nodes.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| inner(&pair[0], &pair[1])).collect();
    }
    Some(level[0])
}
