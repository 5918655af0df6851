//! Checking what a tree's owner, or anybody, claims to stand under a root.

use serde::{Deserialize, Serialize};

use crate::{Digest, MAX_DEPTH, inner};

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

/// The nodes that, with some opened leaves, lead to a root.
///
/// Consumed level by level from the leaves, left to right in each level: a known node whose sibling is
/// known too takes none, any other takes the next one as its sibling.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MultiProof(pub Vec<Digest>);

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
    let climb = |node: Digest, (level, sibling): (usize, &Digest)| match index >> level & 1 {
        0 => inner(&node, sibling),
        _ => inner(sibling, &node),
    };
    let top = path.iter().enumerate().fold(leaf, climb);
    if top == *root { Ok(()) } else { Err(OpeningError::Root) }
}

/// Checks that the `leaves` (index, digest; indices strictly increasing, at least one) stand under `root`.
///
/// # Errors
/// When an index is out of range or out of order, the proof too short or too long, or the hashes wrong.
pub fn verify_many(
    root: &Digest,
    depth: u32,
    leaves: &[(u64, Digest)],
    proof: &MultiProof,
) -> Result<(), OpeningError> {
    let length = |needed| OpeningError::Length { depth, needed, given: proof.0.len() };
    if depth > MAX_DEPTH || leaves.is_empty() {
        return Err(length(1));
    }
    let mut previous = None;
    for &(index, _) in leaves {
        if index >> depth != 0 || previous.is_some_and(|p| p >= index) {
            return Err(OpeningError::Index(index));
        }
        previous = Some(index);
    }
    let mut nodes = leaves.to_vec();
    let mut rest = proof.0.iter();
    for _ in 0..depth {
        let mut parents = Vec::with_capacity(nodes.len());
        let mut at = 0;
        while at < nodes.len() {
            let (index, node) = nodes[at];
            let parent = match nodes.get(at + 1) {
                Some((next, sibling)) if index % 2 == 0 && *next == index + 1 => {
                    at += 1;
                    inner(&node, sibling)
                }
                _ => {
                    let sibling = rest.next().ok_or_else(|| length(proof.0.len() + 1))?;
                    if index % 2 == 0 { inner(&node, sibling) } else { inner(sibling, &node) }
                }
            };
            parents.push((index / 2, parent));
            at += 1;
        }
        nodes = parents;
    }
    let unused = rest.count();
    if unused > 0 {
        return Err(length(proof.0.len() - unused));
    }
    if nodes[0].1 == *root { Ok(()) } else { Err(OpeningError::Root) }
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
