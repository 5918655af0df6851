//! What depends on the CPU: capability values, intrinsics, and all of the engine's unsafe code.
//!
//! A kernel is chosen by a value that can only be had on a CPU that has its features. Every kernel gives the portable
//! engine's bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | `avx512`, `avx2`, `neon` | tiles of sums of products, and their requantisation |
//! | `drive` | divides a product's output among threads: the one place where two threads write one buffer |
//! | `lines` | bytes aligned as vectors are |
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod drive;
mod lines;
#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub(super) use drive::{Drive, Finish};
pub(super) use lines::Lines;
#[cfg(target_arch = "aarch64")]
pub use neon::{Neon, NeonDot};

/// Portable code that compilers turn into vector code. It is compiled once for each kernel, and what is not inlined into
/// `run` is compiled for any CPU: so `run` and what it spends its time in are `#[inline(always)]`, and take no large
/// closures.
pub(super) trait Work {
    fn run(self);
}

/// Code for one kind of CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Any CPU: the definition.
    Portable,
    /// x86-64 with AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// x86-64 with AVX-512 and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// AArch64 with NEON.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// AArch64 with NEON and its dot products.
    #[cfg(target_arch = "aarch64")]
    NeonDot(NeonDot),
}

impl Kernel {
    /// The kernels that this CPU runs, fastest last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other CPUs have one kernel")]
        let mut kernels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            kernels.extend(Avx2::detect().map(Self::Avx2));
            kernels.extend(Avx512::detect().map(Self::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        {
            kernels.extend(Neon::detect().map(Self::Neon));
            kernels.extend(NeonDot::detect().map(Self::NeonDot));
        }
        kernels
    }

    /// The fastest kernel of this CPU.
    #[must_use]
    pub fn fastest() -> Self {
        *Self::available().last().expect("the portable kernel is always there")
    }

    /// What to call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "AVX-512 VNNI",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "NEON",
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot(_) => "NEON dotprod",
        }
    }

    /// Runs `work`, compiled for the kernel's CPU.
    #[inline]
    pub(super) fn vectorize(self, work: impl Work) {
        match self {
            Self::Portable => work.run(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(cpu) => cpu.vectorize(work),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(cpu) => cpu.vectorize(work),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(cpu) => cpu.vectorize(work),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot(cpu) => cpu.vectorize(work),
        }
    }

    /// Requantises accumulators that share one record (multiplier, addend, shift) to bytes clipped to (lo, hi), as far
    /// as the kernel has vectors for; says how many it did. Quotients must fit 32 bits, and the clip 8.
    #[inline]
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(unused_variables, reason = "AVX2 and AVX-512 alone have vectors for this")
    )]
    pub(super) fn finish_alike(
        self,
        acc: &[i32],
        record: (i32, i64, u32),
        clip: (i32, i32),
        out: &mut [u8],
    ) -> usize {
        match self {
            // SAFETY: the value proves the features.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => unsafe { avx2::finish_alike(acc, record, clip, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => unsafe { avx512::finish_alike(acc, record, clip, out) },
            _ => 0,
        }
    }

    /// The shape of the kernel's tiles, if it has any.
    pub(super) const fn tile(self) -> Option<TileShape> {
        let (rows, columns, lanes, eights, passes) = match self {
            Self::Portable => return None,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => (avx2::ROWS, avx2::COLUMNS, 8, Eights::Positive, 2),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => (avx512::ROWS, avx512::COLUMNS, 16, Eights::Unsigned, 1),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => (neon::ROWS, neon::COLUMNS, 4, Eights::Widened, 1),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot(_) => (neon::ROWS, neon::COLUMNS, 4, Eights::Signed, 1),
        };
        Some(TileShape { rows, columns, lanes, eights, passes })
    }

    /// Sums of products for a checked job.
    fn multiply(self, wide: bool, job: &Job<'_>, out: &mut [i32; TILE]) {
        job.check(wide, self);
        match self {
            Self::Portable => unreachable!("the portable kernel has no tiles"),
            // SAFETY: the value proves the features, and the job was just checked.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => unsafe { avx2::multiply(wide, job, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => unsafe { avx512::multiply(wide, job, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot(_) if !wide => unsafe { neon::multiply8(job, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) | Self::NeonDot(_) => unsafe { neon::multiply16(job, out) },
        }
    }
}

/// A kernel's tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct TileShape {
    /// Rows of a that are multiplied at once.
    pub rows: usize,
    /// Columns of b that are multiplied at once.
    pub columns: usize,
    /// 32-bit lanes of a vector.
    pub lanes: usize,
    /// How it has products of 8 bits.
    pub eights: Eights,
    /// Most passes that its vectors end: the low and the high parts of 16 bits.
    pub passes: usize,
}

/// How a kernel has products of 8 bits by 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each CPU's kernels have some of these ways")]
pub(super) enum Eights {
    /// As products of 16 bits.
    Widened,
    /// Directly where no value of a is negative, otherwise as products of 16 bits.
    Positive,
    /// Directly, with a unsigned.
    Unsigned,
    /// Directly, with signs.
    Signed,
}

impl Eights {
    /// Whether they are had directly, for an a of which no value is negative if `positive`.
    pub const fn direct(self, positive: bool) -> bool {
        match self {
            Self::Widened => false,
            Self::Positive => positive,
            Self::Unsigned | Self::Signed => true,
        }
    }
}

/// Most rows of a tile.
const TILE_ROWS: usize = 25;

/// Room for the largest tile.
const TILE: usize = 14 * 32;

/// Neighbouring terms of a row of a.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// Bytes from the row's beginning.
    pub offset: usize,
    /// Groups of 4 bytes.
    pub groups: usize,
}

/// The terms of a pass, in the order in which a panel has them.
#[derive(Debug, Clone)]
pub(super) struct Segments {
    list: Vec<Segment>,
    reach: usize,
    groups: usize,
}

impl Segments {
    pub fn new(list: Vec<Segment>) -> Self {
        let reach = list.iter().map(|s| s.offset + 4 * s.groups).max().unwrap_or(0);
        let groups = list.iter().map(|s| s.groups).sum();
        Self { list, reach, groups }
    }

    fn list(&self) -> &[Segment] {
        &self.list
    }

    /// Where each group begins.
    pub fn offsets(&self) -> impl Iterator<Item = usize> {
        self.list.iter().flat_map(|segment| (0..segment.groups).map(|group| segment.offset + 4 * group))
    }

    /// Groups in all segments.
    pub fn groups(&self) -> usize {
        self.groups
    }
}

/// The groups of a pass in the order in which one panel has them, where panels have orders of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GroupOrder {
    /// Where each group begins, in bytes from the row's beginning.
    offsets: Vec<u32>,
    /// How many of the first groups are summed two by two in 16 bits, counted by twos.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "AVX2 alone takes them so"))]
    pairs: usize,
    reach: usize,
}

impl GroupOrder {
    /// The first `pairs` twos of these groups go together.
    pub fn new(offsets: Vec<u32>, pairs: usize) -> Self {
        assert!(2 * pairs <= offsets.len(), "pairs are of these groups");
        let reach = offsets.iter().map(|offset| *offset as usize + 4).max().unwrap_or(0);
        Self { offsets, pairs, reach }
    }
}

/// One tile's sums of products.
struct Job<'a> {
    /// Operand a as the kernel reads it.
    a: &'a [u8],
    /// Byte offsets of the tile's rows.
    rows: &'a [usize],
    segments: &'a Segments,
    /// The panel's own order of the same groups, for products of 8 bits of a kernel that takes them so.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "AVX2 alone takes them so"))]
    order: &'a GroupOrder,
    /// The tile's columns of b: for each group, 4 bytes of each column.
    panel: &'a [u8],
    /// What the sums begin with.
    start: &'a [i32],
    /// How far ahead columns are asked for, in bytes.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "AVX-512 alone asks"))]
    ahead: usize,
}

impl Job<'_> {
    /// That nothing outside the slices is read; kept in release, for the tiles rest on it.
    fn check(&self, wide: bool, kernel: Kernel) {
        let shape = kernel.tile().expect("a kernel with tiles");
        assert!(wide || shape.eights.direct(true), "products of 8 bits on a kernel without");
        let furthest = self.rows.iter().copied().max().unwrap_or(0);
        assert!((1..=shape.rows).contains(&self.rows.len()), "a tile has at most {} rows", shape.rows);
        assert!(furthest + self.segments.reach <= self.a.len(), "a row leaves operand a");
        assert!(self.segments.groups * shape.columns * 4 <= self.panel.len(), "a pass leaves its panel");
        if !wide && shape.eights == Eights::Positive {
            assert!(self.order.reach <= self.segments.reach, "a group leaves its row");
            assert!(self.order.offsets.len() == self.segments.groups, "an order has every group");
        }
        assert!(self.start.len() >= shape.columns, "a sum for every column to begin with");
    }
}

/// How a tile's columns are requantised.
struct Columns<'a> {
    /// Columns of the output in this tile.
    count: usize,
    /// For as many columns as a vector has lanes: multipliers, addends and shifts, each of even and odd columns.
    table: &'a [i64],
    lo: i32,
    hi: i32,
    /// Bytes of an output element.
    width: usize,
    /// Bytes of a row before these columns.
    first: usize,
}

#[cfg(test)]
mod tests;
