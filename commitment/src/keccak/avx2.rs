//! Four states in 256-bit vectors.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm256_andnot_si256, _mm256_or_si256, _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srli_epi64,
    _mm256_xor_si256,
};

use super::rounds::{column, parities, row, squeezed};
use super::{Job, State};

/// Can only be had on a CPU with AVX2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The capability, where the CPU and the operating system have it.
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Does the job.
    pub(super) fn hash<const BYTES: usize>(self, job: Job<'_, BYTES>) {
        // SAFETY: `self` exists, so `detect` found AVX2 on this CPU.
        unsafe { hash(job) }
    }
}

#[target_feature(enable = "avx2")]
fn hash<const BYTES: usize>(job: Job<'_, BYTES>) {
    job.run::<4>(|state, next| {
        let rows = load(state);
        store(squeezed!(rows, round => { next.absorb(state, round) }))
    });
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(state: &State<4>) -> [[__m256i; 5]; 5] {
    let rows: *const [[__m256i; 5]; 5] = (&raw const state.0).cast();
    // SAFETY: 25 groups of four words are 25 vectors: as large, no invalid bits, and `State` is aligned to
    // 64 bytes.
    unsafe { *rows }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(words: [__m256i; 4]) -> [[u64; 4]; 4] {
    // SAFETY: a vector is four words: as large, no invalid bits.
    unsafe { std::mem::transmute(words) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotl<const LEFT: i32, const RIGHT: i32>(word: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_slli_epi64::<LEFT>(word), _mm256_srli_epi64::<RIGHT>(word))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn chi(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn iota(word: __m256i, constant: u64) -> __m256i {
    _mm256_xor_si256(word, _mm256_set1_epi64x(constant.cast_signed()))
}
