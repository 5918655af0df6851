//! Commitments: keccak trees over 128-byte tiles, openings, and typed digests.
//!
//! Every hash in a tree is one keccak permutation: a leaf hashes a domain byte and a 128-byte tile, an
//! inner node a domain byte and two digests, or the four leaves at the bottom of a tensor's tree. The formulas are those of `program/SPEC.md`, section 3.
//! Single hashes are the `sha3` crate's; trees hash in batches, as [`Lanes`] does.

#![deny(unsafe_code)]

mod digest;
mod hash;
mod keccak;
mod levels;
mod many;
mod opening;
mod tensor;
mod tree;

pub use digest::{Digest, LayersRoot, ParseDigestError, ProgramRoot, TensorRoot, TraceRoot};
pub use hash::{Domain, TILE_BYTES, Tile, inner, keccak, padding, quad, tagged, tile_leaf};
pub use keccak::Lanes;
pub use many::{MultiProof, Top, join, root_of_many};
pub use opening::{
    OpeningError, climb, climb_tile, fold_up, leads, leads_to_tile, tile_siblings, verify_path,
};
pub use tensor::{TensorTree, node_over, tensor_depth, tile_at, tile_count};
pub use tree::{MAX_DEPTH, Tree, depth_for};

#[cfg(test)]
mod tests;
