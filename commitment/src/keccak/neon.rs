//! Two states in 128-bit vectors.

#![allow(unsafe_code)]

use std::arch::aarch64::{uint64x2_t, vbicq_u64, vdupq_n_u64, veorq_u64, vshrq_n_u64, vsliq_n_u64};
use std::arch::is_aarch64_feature_detected;

use super::rounds::{column, parities, row, squeezed};
use super::{Job, State};

/// Can only be had on a CPU with NEON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neon(());

impl Neon {
    /// The capability, where the CPU and the operating system have it.
    pub(super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// Does the job.
    pub(super) fn hash<const BYTES: usize>(self, job: Job<'_, BYTES>) {
        // SAFETY: `self` exists, so `detect` found NEON on this CPU.
        unsafe { hash(job) }
    }
}

#[target_feature(enable = "neon")]
fn hash<const BYTES: usize>(job: Job<'_, BYTES>) {
    job.run::<2>(|state, next| {
        let rows = load(state);
        store(squeezed!(rows, round => { next.absorb(state, round) }))
    });
}

#[inline]
#[target_feature(enable = "neon")]
fn load(state: &State<2>) -> [[uint64x2_t; 5]; 5] {
    let rows: *const [[uint64x2_t; 5]; 5] = (&raw const state.0).cast();
    // SAFETY: 25 groups of two words are 25 vectors: as large, no invalid bits, and `State` is aligned to
    // 64 bytes.
    unsafe { *rows }
}

#[inline]
#[target_feature(enable = "neon")]
fn store(words: [uint64x2_t; 4]) -> [[u64; 2]; 4] {
    // SAFETY: a vector is two words: as large, no invalid bits.
    unsafe { std::mem::transmute(words) }
}

#[inline]
#[target_feature(enable = "neon")]
fn rotl<const LEFT: i32, const RIGHT: i32>(word: uint64x2_t) -> uint64x2_t {
    vsliq_n_u64::<LEFT>(vshrq_n_u64::<RIGHT>(word), word)
}

#[inline]
#[target_feature(enable = "neon")]
fn xor(a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
    veorq_u64(a, b)
}

#[inline]
#[target_feature(enable = "neon")]
fn xor3(a: uint64x2_t, b: uint64x2_t, c: uint64x2_t) -> uint64x2_t {
    veorq_u64(veorq_u64(a, b), c)
}

#[inline]
#[target_feature(enable = "neon")]
fn chi(a: uint64x2_t, b: uint64x2_t, c: uint64x2_t) -> uint64x2_t {
    // `vbicq` clears its second argument's bits in the first: c & !b.
    veorq_u64(a, vbicq_u64(c, b))
}

#[inline]
#[target_feature(enable = "neon")]
fn iota(word: uint64x2_t, constant: u64) -> uint64x2_t {
    veorq_u64(word, vdupq_n_u64(constant))
}
