//! Tiles of one tensor that are opened together.

use serde::{Deserialize, Serialize};

use crate::{Digest, MAX_DEPTH, OpeningError, Tile, climb, inner, quad, tile_leaf};

/// The nodes that, with some opened tiles, lead to a tensor's root.
///
/// Consumed from the leaves up, left to right in each level: at the bottom each leaf that is missing of four takes the next
/// one, above it each node whose sibling is not known takes the next one as its sibling. A tensor of one tile takes none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MultiProof(pub Vec<Digest>);

/// A node of a tensor's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Top {
    /// Its level; the leaves' is 0.
    pub level: u32,
    /// Its index there.
    pub index: u32,
    /// Itself.
    pub node: Digest,
}

impl Top {
    /// The node that this one leads to by the siblings of `path`; of a leaf there is no way up.
    #[must_use]
    pub fn climbed(self, path: &[Digest]) -> Self {
        let levels = u32::try_from(path.len()).unwrap_or(u32::MAX);
        Self {
            level: self.level.saturating_add(levels),
            index: self.index.checked_shr(levels).unwrap_or(0),
            node: climb(self.index.into(), self.node, path),
        }
    }
}

/// The next of the proof's nodes.
fn take(rest: &mut &[Digest]) -> Option<Digest> {
    let (next, after) = rest.split_first()?;
    *rest = after;
    Some(*next)
}

/// The lowest node above the `tiles` at `indices`, by siblings from the beginning of `proof`, and what is left of it. One
/// tile alone and no proof are a tensor of one tile, whose node is its leaf; otherwise the node is of level 2 or higher.
///
/// # Errors
/// When there are none or as many indices as tiles are not given, an index is out of order, or the proof is too short.
pub fn join<'a>(
    indices: &[u32],
    tiles: &[Tile],
    proof: &'a [Digest],
) -> Result<(Top, &'a [Digest]), OpeningError> {
    let short = || OpeningError::Length { depth: 0, needed: proof.len() + 1, given: proof.len() };
    if indices.is_empty() || indices.len() != tiles.len() {
        return Err(short());
    }
    if let Some(pair) = indices.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(OpeningError::Index(pair[1].into()));
    }
    if let ([index], [tile], []) = (indices, tiles, proof) {
        return Ok((Top { level: 0, index: *index, node: tile_leaf(tile) }, proof));
    }
    let mut rest = proof;
    let mut leaves = indices.iter().zip(tiles).peekable();
    let mut nodes: Vec<(u32, Digest)> = Vec::with_capacity(indices.len());
    while let Some((first, _)) = leaves.peek() {
        let parent = *first / 4;
        let mut four = [Digest::default(); 4];
        for (slot, leaf) in (0..).zip(&mut four) {
            *leaf = match leaves.next_if(|(index, _)| **index == parent * 4 + slot) {
                Some((_, tile)) => tile_leaf(tile),
                None => take(&mut rest).ok_or_else(short)?,
            };
        }
        nodes.push((parent, quad(&four)));
    }
    let mut level = 2;
    while nodes.len() > 1 {
        let mut parents: Vec<(u32, Digest)> = Vec::with_capacity(nodes.len());
        let mut below = nodes.iter().copied().peekable();
        while let Some((index, node)) = below.next() {
            let parent = match below.next_if(|(next, _)| index % 2 == 0 && *next == index + 1) {
                Some((_, sibling)) => inner(&node, &sibling),
                None => climb(index.into(), node, &[take(&mut rest).ok_or_else(short)?]),
            };
            parents.push((index / 2, parent));
        }
        (nodes, level) = (parents, level + 1);
    }
    let (index, node) = nodes[0];
    Ok((Top { level, index, node }, rest))
}

/// The root that the `tiles` at `indices` lead to, in a tensor's tree of `depth` levels.
///
/// # Errors
/// As [`join`], and when an index is out of range or the proof too long.
pub fn root_of_many(
    depth: u32,
    indices: &[u32],
    tiles: &[Tile],
    proof: &MultiProof,
) -> Result<Digest, OpeningError> {
    let (top, path) = join(indices, tiles, &proof.0)?;
    let end = top.climbed(path);
    if end.level != depth || depth > MAX_DEPTH {
        let needed = (proof.0.len() + depth as usize).saturating_sub(end.level as usize);
        return Err(OpeningError::Length { depth, needed, given: proof.0.len() });
    }
    if end.index != 0 {
        return Err(OpeningError::Index(indices[indices.len() - 1].into()));
    }
    Ok(end.node)
}
