//! Operand a as a product's kernel reads it: in place, or copied with other widths, shifted or padded.

use rayon::prelude::*;

use super::Gemm;
use super::geometry::{Axis, Image};
use crate::engine::arch::{Kernel, Work};

/// Bytes beyond the last term that a kernel may read: the rest of a group.
const SLACK: usize = 4;

/// Elements of a copy that are worth more than one thread.
const MANY: usize = 1 << 17;

/// What a copy does to elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Change {
    /// 8 bits as they are: never negative, or the kernel takes signs.
    Narrow,
    /// 8 bits, plus 128.
    Shifted,
    /// 8 bits with their sign extended to 16.
    Extended,
    /// 16 bits as they are.
    Wide,
}

impl Change {
    /// Bytes of an element before and after.
    const fn widths(self) -> (usize, usize) {
        match self {
            Self::Narrow | Self::Shifted => (1, 1),
            Self::Extended => (1, 2),
            Self::Wide => (2, 2),
        }
    }

    /// Whether elements stay as they are.
    const fn is_none(self) -> bool {
        matches!(self, Self::Narrow | Self::Wide)
    }

    #[inline(always)]
    fn apply(self, from: &[u8], to: &mut [u8]) {
        match self {
            Self::Narrow | Self::Wide => to.copy_from_slice(from),
            Self::Shifted => to.iter_mut().zip(from).for_each(|(to, from)| *to = from ^ 0x80),
            Self::Extended => {
                let to = to.as_chunks_mut().0;
                let extend = |v: u8| i16::from(v.cast_signed()).to_le_bytes();
                to.iter_mut().zip(from).for_each(|(to, from)| *to = extend(*from));
            }
        }
    }

    /// The byte of which a padding of zeros consists.
    const fn padding(self) -> u8 {
        if matches!(self, Self::Shifted) { 0x80 } else { 0 }
    }
}

impl Gemm {
    /// Whether operand a is read in place when nothing but its bytes' order matters: `change` is none.
    pub fn reads_in_place(&self, change: Change) -> bool {
        let group = if self.wide { 2 } else { 4 };
        change.is_none() && self.geometry.image.is_none() && self.geometry.run.is_multiple_of(group)
    }

    /// Bytes of the copy.
    pub fn copy_bytes(&self) -> usize {
        self.geometry.elements * if self.wide { 2 } else { 1 } + SLACK
    }

    /// Copies operand a into `room`, which has [`Self::copy_bytes`] bytes.
    pub fn copy(&self, kernel: Kernel, change: Change, a: &[u8], room: &mut [u8]) {
        let (narrow, wide) = change.widths();
        let room = &mut room[..self.geometry.elements * wide];
        match &self.geometry.image {
            None => kernel.vectorize(Whole { change, from: &a[..self.geometry.elements * narrow], to: room }),
            Some(image) => {
                let row = image.axes[1].count * image.pixel * wide;
                let one = |position: usize, to: &mut [u8]| {
                    kernel.vectorize(Row { image, change, position, a, to });
                };
                if self.geometry.elements < MANY {
                    room.chunks_mut(row).enumerate().for_each(|(position, to)| one(position, to));
                } else {
                    room.par_chunks_mut(row).enumerate().for_each(|(position, to)| one(position, to));
                }
            }
        }
    }
}

/// Copies a tensor whose terms stand as the product wants them.
struct Whole<'a> {
    change: Change,
    from: &'a [u8],
    to: &'a mut [u8],
}

impl Work for Whole<'_> {
    #[inline(always)]
    fn run(self) {
        self.change.apply(self.from, self.to);
    }
}

/// Copies a row of an image.
struct Row<'a> {
    image: &'a Image,
    change: Change,
    position: usize,
    a: &'a [u8],
    to: &'a mut [u8],
}

impl Work for Row<'_> {
    #[inline(always)]
    fn run(self) {
        self.image.copy_row(self.change, self.position, self.a, self.to);
    }
}

impl Axis {
    /// The tensor's position at `position` of the copy, if it is inside.
    fn inside(&self, position: usize) -> Option<usize> {
        position.checked_sub(self.offset).filter(|v| *v < self.limit)
    }
}

impl Image {
    /// Copies all pixels of row `position` of the copy.
    #[inline(always)]
    fn copy_row(&self, change: Change, position: usize, a: &[u8], to: &mut [u8]) {
        let Some(v0) = self.axes[0].inside(position) else { return to.fill(change.padding()) };
        let (narrow, wide) = change.widths();
        let columns = &self.axes[1];
        let from = self.base + v0 * self.axes[0].stride;
        // Positions before, inside and after the tensor.
        let before = columns.offset.min(columns.count);
        let inside = columns.limit.min(columns.count - before);
        let pixel = self.pixel * wide;
        let (left, rest) = to.split_at_mut(before * pixel);
        let (middle, right) = rest.split_at_mut(inside * pixel);
        left.fill(change.padding());
        right.fill(change.padding());
        if columns.stride == self.pixel {
            return change.apply(&a[from * narrow..][..inside * self.pixel * narrow], middle);
        }
        for (v1, to) in middle.chunks_mut(pixel).enumerate() {
            change.apply(&a[(from + v1 * columns.stride) * narrow..][..self.pixel * narrow], to);
        }
    }
}
