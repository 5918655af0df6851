//! One state, in plain words: the twin of every faster width, and the only one where no CPU feature is known.

use super::Job;
use super::rounds::{column, parities, row, squeezed};

/// No CPU feature at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Portable;

impl Portable {
    /// Does the job.
    pub(super) fn hash<const BYTES: usize>(self, job: Job<'_, BYTES>) {
        job.run::<1>(|state, next| {
            let words = state.0.as_flattened();
            let rows: [[u64; 5]; 5] = std::array::from_fn(|y| std::array::from_fn(|x| words[5 * y + x]));
            let digest = squeezed!(rows, _round => {});
            (0..2).for_each(|half| next.absorb(state, half));
            digest.map(|word| [word])
        });
    }
}

#[inline(always)]
fn rotl<const LEFT: u32, const RIGHT: u32>(word: u64) -> u64 {
    word.rotate_left(LEFT)
}

#[inline(always)]
fn xor(a: u64, b: u64) -> u64 {
    a ^ b
}

#[inline(always)]
fn xor3(a: u64, b: u64, c: u64) -> u64 {
    a ^ b ^ c
}

#[inline(always)]
fn chi(a: u64, b: u64, c: u64) -> u64 {
    a ^ (!b & c)
}

#[inline(always)]
fn iota(word: u64, constant: u64) -> u64 {
    word ^ constant
}
