//! Binary trees kept whole, to answer any opening.

use crate::levels::Hashing;
use crate::{Digest, Lanes, padding};

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
    /// The level of its leaves where it is the upper part of another tree: that of the padding beside them.
    floor: u32,
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

    pub(crate) fn with_lanes(lanes: Lanes, leaves: Vec<Digest>) -> Self {
        Self::above(Hashing::of(lanes, leaves.len()), leaves, 0)
    }

    /// The part of a tree from the nodes at level `floor` on, at least one.
    pub(crate) fn above(hashing: Hashing, mut nodes: Vec<Digest>, floor: u32) -> Self {
        let (starts, count) = level_starts(nodes.len());
        nodes.resize(count, Digest::default());
        for (level, ends) in (floor..).zip(starts.windows(2)) {
            let (below, above) = nodes.split_at_mut(ends[1]);
            let below = &below[ends[0]..];
            hashing.parents(level, below, &mut above[..below.len().div_ceil(2)]);
        }
        Self { nodes, starts, floor }
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
        stored.copied().unwrap_or_else(|| padding(self.floor + level))
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
}
