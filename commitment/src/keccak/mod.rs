//! Keccak-f\[1600\] on several states at once, and the hashes of a tree in batches.
//!
//! One module a CPU feature, each with a value that only such a CPU can hand out; `portable` gives the same
//! answers everywhere. Unsafe code and intrinsics are in this directory and nowhere else in the crate.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod batch;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod rounds;

use std::fmt;
use std::sync::OnceLock;

use portable::Portable;

use crate::{Digest, Domain, Tile};

/// `N` states side by side: word `i` of state `lane` at `[i][lane]`.
#[repr(C, align(64))]
struct State<const N: usize>([[u64; N]; 25]);

/// digests\[i\] = keccak(domain | bodies\[i\]): as many digests as bodies.
struct Job<'a, const BYTES: usize> {
    domain: Domain,
    bodies: &'a [[u8; BYTES]],
    digests: &'a mut [Digest],
}

/// A way of hashing many tiles or nodes, one to a lane of a vector; every way gives the same digests.
///
/// A value can only be had on a CPU that has the feature. [`Tree`](crate::Tree) takes the best one; the others
/// are for tests and benches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lanes(Width);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    Portable(Portable),
}

impl Lanes {
    /// The widest that this CPU has, found once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Lanes> = OnceLock::new();
        *BEST.get_or_init(|| Self::all_available()[0])
    }

    /// Every way that this CPU has, the widest first and the portable one last.
    #[must_use]
    pub fn all_available() -> Vec<Self> {
        let all = [
            #[cfg(target_arch = "x86_64")]
            avx512::Avx512::detect().map(Width::Avx512),
            #[cfg(target_arch = "x86_64")]
            avx2::Avx2::detect().map(Width::Avx2),
            #[cfg(target_arch = "aarch64")]
            neon::Neon::detect().map(Width::Neon),
            Some(Width::Portable(Portable)),
        ];
        all.into_iter().flatten().map(Self).collect()
    }

    /// The CPU feature's name: `avx512`, `avx2`, `neon` or `portable`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Width::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Width::Neon(_) => "neon",
            Width::Portable(_) => "portable",
        }
    }

    /// States that are permuted at once.
    #[must_use]
    pub fn width(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512(_) => 8,
            #[cfg(target_arch = "x86_64")]
            Width::Avx2(_) => 4,
            #[cfg(target_arch = "aarch64")]
            Width::Neon(_) => 2,
            Width::Portable(_) => 1,
        }
    }

    /// leaves\[i\] = keccak(0x00 | tiles\[i\]), as [`crate::tile_leaf`] (`program/SPEC.md`, section 3).
    ///
    /// # Panics
    /// When there are not as many leaves as tiles.
    pub fn tile_leaves(self, tiles: &[Tile], leaves: &mut [Digest]) {
        self.hash(Job { domain: Domain::Tile, bodies: tiles, digests: leaves });
    }

    /// nodes\[i\] = keccak(0x01 | left | right) of pairs\[i\], as [`crate::inner`] (`program/SPEC.md`,
    /// section 3).
    ///
    /// # Panics
    /// When there are not as many nodes as pairs.
    pub fn inner_nodes(self, pairs: &[[Digest; 2]], nodes: &mut [Digest]) {
        self.hash(Job { domain: Domain::Inner, bodies: bytes_of::<2, 64>(pairs), digests: nodes });
    }

    /// nodes\[i\] = keccak(0x01 | leaf | leaf | leaf | leaf) of quads\[i\], as [`crate::quad`] (`program/SPEC.md`,
    /// section 3).
    ///
    /// # Panics
    /// When there are not as many nodes as quads.
    pub fn quad_nodes(self, quads: &[[Digest; 4]], nodes: &mut [Digest]) {
        self.hash(Job { domain: Domain::Inner, bodies: bytes_of::<4, 128>(quads), digests: nodes });
    }

    fn hash<const BYTES: usize>(self, job: Job<'_, BYTES>) {
        assert_eq!(job.bodies.len(), job.digests.len(), "one digest for each body");
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Width::Avx512(cpu) if job.bodies.len() > 1 => cpu.hash(job),
            #[cfg(target_arch = "x86_64")]
            Width::Avx2(cpu) if job.bodies.len() > 1 => cpu.hash(job),
            #[cfg(target_arch = "aarch64")]
            Width::Neon(cpu) if job.bodies.len() > 1 => cpu.hash(job),
            // One body alone gains nothing from empty lanes beside it.
            _ => Portable.hash(job),
        }
    }
}

#[allow(unsafe_code)]
fn bytes_of<const NODES: usize, const BYTES: usize>(bodies: &[[Digest; NODES]]) -> &[[u8; BYTES]] {
    const { assert!(BYTES == NODES * 32) };
    // SAFETY: `Digest` is a transparent 32 bytes: so many of them are `BYTES` bytes, without padding or alignment.
    unsafe { std::slice::from_raw_parts(bodies.as_ptr().cast(), bodies.len()) }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.name(), self.width())
    }
}

#[cfg(test)]
mod tests;
