//! The hash functions of every tree, separated by domain bytes.

use std::iter::successors;
use std::sync::LazyLock;

use sha3::{Digest as _, Keccak256};

use crate::{Digest, MAX_DEPTH};

/// Bytes in a tile: the unit of data that is hashed, revealed and opened.
pub const TILE_BYTES: usize = 128;

/// One tile of a tensor's canonical bytes; bytes past the tensor's end are zero.
pub type Tile = [u8; TILE_BYTES];

/// The first byte of every hash preimage: what kind of thing is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Domain {
    /// A 128-byte tile.
    Tile = 0,
    /// Two child digests, or four leaves of tiles.
    Inner = 1,
    /// The export roots of a layer with more than one export.
    Exports = 2,
    /// An operator descriptor.
    Operator = 3,
    /// The constant leaf beyond a tree's last one (the byte alone is hashed).
    Padding = 4,
    /// A program.
    Program = 5,
    /// A layer descriptor.
    Layer = 6,
}

/// Keccak-256 of `bytes`.
#[must_use]
pub fn keccak(bytes: &[u8]) -> Digest {
    Digest(Keccak256::digest(bytes).into())
}

/// keccak(domain | parts…).
#[must_use]
pub fn tagged(domain: Domain, parts: &[&[u8]]) -> Digest {
    let mut hasher = Keccak256::new();
    hasher.update([domain as u8]);
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// The leaf of a tile: keccak(0x00 | tile).
#[must_use]
pub fn tile_leaf(tile: &Tile) -> Digest {
    tagged(Domain::Tile, &[tile])
}

/// An inner node: keccak(0x01 | left | right).
#[must_use]
pub fn inner(left: &Digest, right: &Digest) -> Digest {
    tagged(Domain::Inner, &[&left.0, &right.0])
}

/// The node above four tiles' leaves: keccak(0x01 | leaf | leaf | leaf | leaf).
#[must_use]
pub fn quad(leaves: &[Digest; 4]) -> Digest {
    tagged(Domain::Inner, &leaves.each_ref().map(|leaf| &leaf.0[..]))
}

/// The root of a subtree of `level` levels that holds padding only: level 0 is keccak(0x04).
#[must_use]
pub fn padding(level: u32) -> Digest {
    static KNOWN: LazyLock<Vec<Digest>> = LazyLock::new(|| {
        let above = |node: &Digest| Some(inner(node, node));
        successors(Some(tagged(Domain::Padding, &[])), above).take(MAX_DEPTH as usize + 1).collect()
    });
    let known = level.min(MAX_DEPTH);
    (known..level).fold(KNOWN[known as usize], |node, _| inner(&node, &node))
}
