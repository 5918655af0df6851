//! A layer as calls describe it: the preimage of its leaf in the program's tree (SPEC 3).

use narrows_commitment::{Digest, Domain, depth_for, tagged};

/// The most operators of a layer.
const MAX_OPERATORS: u8 = 32;

/// be32(first) | count | n | positions: how many operators a layer has, and which of them it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    bytes: &'a [u8],
    /// The index in the program of its first operator.
    pub first: u32,
    /// Its number of operators, 1 to 32.
    pub count: u8,
    /// The positions of its exports, increasing, each below `count`; at least one.
    pub exports: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads a head; `None` unless it is well-formed.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk::<4>()?;
        let (&[count, n], exports) = rest.split_first_chunk::<2>()?;
        if usize::from(n) != exports.len() || n < 1 {
            return None;
        }
        if n > count || count > MAX_OPERATORS {
            return None;
        }
        let increasing = exports.windows(2).all(|pair| pair[0] < pair[1]);
        if !increasing || exports[exports.len() - 1] >= count {
            return None;
        }
        Some(Self { bytes, first: u32::from_be_bytes(*first), count, exports })
    }

    /// Reads a head and the operators root behind it: a leaf's preimage without its domain byte.
    pub fn parse_whole(bytes: &'a [u8]) -> Option<(Self, Digest)> {
        let (head, root) = bytes.split_last_chunk::<32>()?;
        Some((Self::parse(head)?, Digest(*root)))
    }

    /// The leaf of the layer with this operators root: keccak(0x06 | head | operators root).
    pub fn leaf(&self, operators_root: Digest) -> Digest {
        tagged(Domain::Layer, &[self.bytes, &operators_root.0])
    }

    /// Levels of the tree over its operators.
    pub fn depth(&self) -> u32 {
        depth_for(self.count.into())
    }

    /// Which of its exports, from 0, the operator at `position` is.
    pub fn rank(&self, position: u32) -> Option<usize> {
        self.exports.iter().position(|export| u32::from(*export) == position)
    }
}
