//! Commitments: keccak trees over 128-byte tiles, openings, and typed digests.
//!
//! Every hash in a tree is one keccak permutation: a leaf hashes a domain byte and a 128-byte tile, an
//! inner node a domain byte and two digests. The formulas are those of `program/SPEC.md`, section 3.
//! Single hashes are the `sha3` crate's; trees hash in batches, as [`Lanes`] does.

#![deny(unsafe_code)]

mod digest;
mod hash;
mod keccak;
mod levels;
mod opening;
mod tree;

pub use digest::{Digest, LayersRoot, ParseDigestError, ProgramRoot, TensorRoot, TraceRoot};
pub use hash::{Domain, TILE_BYTES, Tile, inner, keccak, padding, tagged, tile_leaf};
pub use keccak::Lanes;
pub use opening::{MultiProof, OpeningError, fold_up, verify_many, verify_path};
pub use tree::{MAX_DEPTH, Tree, depth_for, tile_at, tile_count};

#[cfg(test)]
mod tests;
