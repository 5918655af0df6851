//! Eight states in 512-bit vectors: a turn and a function of three words are one instruction each.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512i, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};

use super::rounds::{column, parities, row, squeezed};
use super::{Job, State};

/// Can only be had on a CPU with AVX-512F.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The capability, where the CPU and the operating system have it.
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    /// Does the job.
    pub(super) fn hash<const BYTES: usize>(self, job: Job<'_, BYTES>) {
        // SAFETY: `self` exists, so `detect` found AVX-512F on this CPU.
        unsafe { hash(job) }
    }
}

#[target_feature(enable = "avx512f")]
fn hash<const BYTES: usize>(job: Job<'_, BYTES>) {
    job.run::<8>(|state, next| {
        let rows = load(state);
        store(squeezed!(rows, round => { next.absorb(state, round) }))
    });
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(state: &State<8>) -> [[__m512i; 5]; 5] {
    let rows: *const [[__m512i; 5]; 5] = (&raw const state.0).cast();
    // SAFETY: 25 groups of eight words are 25 vectors: as large, no invalid bits, and `State` is aligned to
    // 64 bytes.
    unsafe { *rows }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: [__m512i; 4]) -> [[u64; 8]; 4] {
    // SAFETY: a vector is eight words: as large, no invalid bits.
    unsafe { std::mem::transmute(words) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotl<const LEFT: i32, const RIGHT: i32>(word: __m512i) -> __m512i {
    _mm512_rol_epi64::<LEFT>(word)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i) -> __m512i {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    // The truth table, entry 4a + 2b + c: one where an odd number of the three is one.
    _mm512_ternarylogic_epi64::<0b1001_0110>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn chi(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    // a ^ (!b & c), by the same table.
    _mm512_ternarylogic_epi64::<0b1101_0010>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn iota(word: __m512i, constant: u64) -> __m512i {
    _mm512_xor_si512(word, _mm512_set1_epi64(constant.cast_signed()))
}
