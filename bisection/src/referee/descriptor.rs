//! Descriptors as the referee sees them: 192 bytes, read field by field.

use narrows_commitment::{Digest, Domain, tagged};
use narrows_program::{DESCRIPTOR_BYTES, LayerIndex};

/// An encoded operator descriptor (SPEC 4.2). Its legality is not checked here: legal programs only are disputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor([u8; DESCRIPTOR_BYTES]);

/// Which value a term needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// The first operand's element at this address.
    A(u128),
    /// The second operand's element at this address.
    B(u128),
}

impl Descriptor {
    /// Wraps 192 bytes; `None` for any other number.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The encoded bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; DESCRIPTOR_BYTES] {
        &self.0
    }

    /// keccak(0x03 | descriptor).
    #[must_use]
    pub fn operator_leaf(&self) -> Digest {
        tagged(Domain::Operator, &[&self.0])
    }

    /// The leaf of the layer that consists of this operator alone (SPEC 3).
    #[must_use]
    pub fn layer_leaf(&self, layer: LayerIndex) -> Digest {
        tagged(Domain::Layer, &[&layer.0.to_be_bytes(), &[1, 1, 0], &self.operator_leaf().0])
    }

    pub(super) const fn u8(&self, at: usize) -> u8 {
        self.0[at]
    }

    pub(super) const fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    pub(super) const fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    pub(super) const fn i32(&self, at: usize) -> i32 {
        self.u32(at) as i32
    }

    /// Elements of the output.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.product(32, 4)
    }

    /// Terms of an element, K.
    #[must_use]
    pub fn terms(&self) -> u64 {
        self.product(48, 3)
    }

    fn product(&self, at: usize, count: usize) -> u64 {
        (0..count).map(|i| u64::from(self.u32(at + 4 * i))).fold(1, u64::saturating_mul)
    }

    /// Terms of a segment.
    #[must_use]
    pub const fn split(&self) -> u64 {
        self.u32(24) as u64
    }

    /// Segments of an element.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.terms().div_ceil(self.split().max(1))
    }

    /// The terms of segment `index`.
    #[must_use]
    pub fn segment(&self, index: u32) -> std::ops::Range<u64> {
        let start = u64::from(index) * self.split();
        start.min(self.terms())..(start + self.split()).min(self.terms())
    }

    /// Bytes of an output element.
    #[must_use]
    pub const fn element_bytes(&self) -> usize {
        size_of_code(self.u8(2))
    }

    /// Tiles of the output.
    #[must_use]
    pub fn output_tiles(&self) -> u64 {
        narrows_commitment::tile_count(self.elements().saturating_mul(self.element_bytes() as u64))
    }

    /// Depth of the output's tree.
    #[must_use]
    pub const fn output_depth(&self) -> u32 {
        self.u8(8) as u32
    }

    /// The coordinates of output element `element`.
    fn coordinates(&self, element: u64) -> [u64; 4] {
        let mut rest = element;
        let mut out = [0; 4];
        for axis in (0..4).rev() {
            let dim = u64::from(self.u32(32 + 4 * axis)).max(1);
            out[axis] = rest % dim;
            rest /= dim;
        }
        out
    }

    /// The address of `element`'s requantisation record.
    #[must_use]
    pub fn record_address(&self, element: u64) -> u128 {
        self.walk(160, &self.coordinates(element))
    }

    /// Sum of steps times coordinates, steps at `at`.
    fn walk(&self, at: usize, coordinates: &[u64]) -> u128 {
        let step = |(i, c): (usize, &u64)| u128::from(self.u32(at + 4 * i)) * u128::from(*c);
        coordinates.iter().enumerate().map(step).sum()
    }

    /// Where operand a stands for term `t` of `element`; `None` where a window is missed.
    #[must_use]
    pub fn a_address(&self, element: u64, t: u64) -> Option<u128> {
        let (out, red) = (self.coordinates(element), self.reduction(t));
        let mut address = u128::from(self.u32(64)) + self.walk(68, &out) + self.walk(84, &red);
        for axis in 0..2 {
            let at = 128 + 16 * axis;
            let limit = i128::from(self.u32(at));
            if limit == 0 {
                continue;
            }
            let position = i128::from(out[axis]) * i128::from(self.u16(at + 8))
                + i128::from(red[axis]) * i128::from(self.u16(at + 10))
                - i128::from(self.u16(at + 12));
            if !(0..limit).contains(&position) {
                return None;
            }
            address += position.unsigned_abs() * u128::from(self.u32(at + 4));
        }
        Some(address)
    }

    /// Where operand b stands for term `t` of `element`.
    #[must_use]
    pub fn b_address(&self, element: u64, t: u64) -> u128 {
        let (out, red) = (self.coordinates(element), self.reduction(t));
        u128::from(self.u32(96)) + self.walk(100, &out) + self.walk(116, &red)
    }

    fn reduction(&self, t: u64) -> [u64; 3] {
        let (r1, r2) = (u64::from(self.u32(52)).max(1), u64::from(self.u32(56)).max(1));
        [t / r2 / r1, t / r2 % r1, t % r2]
    }
}

/// Bytes of an element with this type code; 1 for an unknown code, which no legal program has.
pub(super) const fn size_of_code(code: u8) -> usize {
    match code {
        2 => 2,
        3 => 4,
        16 => 16,
        _ => 1,
    }
}
