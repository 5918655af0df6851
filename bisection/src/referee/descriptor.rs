//! Operators as the referee sees them: the descriptor's 192 or 224 bytes, read field by field, and their constants' roots.

use narrows_commitment::{Digest, Domain, TILE_BYTES, TensorRoot, Tile, keccak, tagged};
use narrows_program::{DESCRIPTOR_BYTES, EXTENDED_BYTES, limits};

use crate::Point;

/// The type code of requantisation records.
const PARAMS_TYPE: u8 = 16;

/// Where it is said whether there is a third operand: 0 or 1.
const THIRD: usize = 7;

/// Operator bytes (SPEC 4.2). Their legality is not checked here: legal programs only are disputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Zeros after the first 192 where there is no third operand.
    bytes: [u8; EXTENDED_BYTES],
    /// Of a, b, params and the third operand, where they are constants.
    roots: [Option<TensorRoot>; 4],
    leaf: Digest,
}

/// The leaf of operator bytes, whatever they are: keccak(0x03 | operator bytes).
#[must_use]
pub fn operator_leaf(operator: &[u8]) -> Digest {
    tagged(Domain::Operator, &[operator])
}

/// Which value a term needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// The first operand's element at this address.
    A(u128),
    /// The second operand's element at this address.
    B(u128),
}

/// Which tensor an operand names (SPEC 4.2), and how deep and of what its tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// One of the kinds below.
    pub kind: u8,
    /// A constant's, a layer's, or a position in the layer.
    pub index: u32,
    /// Which of the layer's exports, from 0.
    pub rank: u8,
    /// How many exports the layer has.
    pub exports: u8,
    /// Depth of the tensor's tree.
    pub depth: u32,
    /// Type code of its elements.
    pub dtype: u8,
    /// The root that the operator bytes give for a constant.
    pub constant: Option<TensorRoot>,
}

impl Operand {
    /// The program's input.
    pub const INPUT: u8 = 0;
    /// A constant.
    pub const CONSTANT: u8 = 1;
    /// An export of an earlier layer.
    pub const EXPORT: u8 = 2;
    /// An operator of the same layer.
    pub const LOCAL: u8 = 3;
}

impl Descriptor {
    /// Reads operator bytes: 192, or 224 if byte 7 is 1, then 32 for each of a, b, params and the third operand that is a
    /// constant. `None` for any other number, and for any other byte 7.
    #[must_use]
    pub fn decode(operator: &[u8]) -> Option<Self> {
        let length = match operator.get(THIRD)? {
            0 => DESCRIPTOR_BYTES,
            1 => EXTENDED_BYTES,
            _ => return None,
        };
        let (head, rest) = operator.split_at_checked(length)?;
        let mut bytes = [0; EXTENDED_BYTES];
        bytes[..length].copy_from_slice(head);
        let (given, extra) = rest.as_chunks::<32>();
        let mut given = given.iter().map(|root| TensorRoot(Digest(*root)));
        let mut roots = [None; 4];
        // A kind of 0 where there is no third operand: the input, which has no root here.
        for (root, kind) in roots.iter_mut().zip([bytes[5], bytes[6], Operand::CONSTANT, bytes[193]]) {
            if kind == Operand::CONSTANT {
                *root = Some(given.next()?);
            }
        }
        let exact = extra.is_empty() && given.next().is_none();
        exact.then(|| Self { bytes, roots, leaf: operator_leaf(operator) })
    }

    /// keccak(0x03 | operator bytes).
    #[must_use]
    pub const fn operator_leaf(&self) -> Digest {
        self.leaf
    }

    /// Operand a.
    #[must_use]
    pub const fn a(&self) -> Operand {
        Operand {
            kind: self.u8(5),
            index: self.u32(12),
            rank: self.u8(28),
            exports: self.u8(29),
            depth: self.u8(9) as u32,
            dtype: self.u8(3),
            constant: self.roots[0],
        }
    }

    /// Operand b; `None` when there is none.
    #[must_use]
    pub const fn b(&self) -> Option<Operand> {
        if self.u8(4) == 0 {
            return None;
        }
        Some(Operand {
            kind: self.u8(6),
            index: self.u32(16),
            rank: self.u8(30),
            exports: self.u8(31),
            depth: self.u8(10) as u32,
            dtype: self.u8(4),
            constant: self.roots[1],
        })
    }

    /// The constant of requantisation records.
    #[must_use]
    pub const fn params(&self) -> Operand {
        Operand {
            kind: Operand::CONSTANT,
            index: self.u32(20),
            rank: 0,
            exports: 0,
            depth: self.u8(11) as u32,
            dtype: PARAMS_TYPE,
            constant: self.roots[2],
        }
    }

    /// The table or the divisor; `None` when there is no third operand.
    #[must_use]
    pub const fn third(&self) -> Option<Operand> {
        if self.u8(THIRD) == 0 {
            return None;
        }
        Some(Operand {
            kind: self.u8(193),
            index: self.u32(200),
            rank: self.u8(195),
            exports: self.u8(196),
            depth: self.u8(194) as u32,
            dtype: self.u8(192),
            constant: self.roots[3],
        })
    }

    pub(super) const fn u8(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    pub(super) const fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    pub(super) const fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]])
    }

    pub(super) const fn i32(&self, at: usize) -> i32 {
        self.u32(at) as i32
    }

    /// Whether the numbers keep to the limits of SPEC 5 on which the arithmetic rests, as those of legal programs do: output
    /// elements 1 … 2^31-1, K 1 … 2^24, split 1 … 2^14, output and a types 1 … 3, b type 0 … 3, third type 1 … 3 if there
    /// is one.
    #[must_use]
    pub fn is_sized(&self) -> bool {
        let integer = 1..=3;
        (1..=limits::MAX_ELEMENTS).contains(&self.elements())
            && (1..=limits::MAX_TERMS).contains(&self.terms())
            && (1..=u64::from(limits::MAX_SPLIT)).contains(&self.split())
            && integer.contains(&self.u8(2))
            && integer.contains(&self.u8(3))
            && (self.u8(4) == 0 || integer.contains(&self.u8(4)))
            && self.third().is_none_or(|third| integer.contains(&third.dtype))
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
    pub const fn output_depth(&self) -> u8 {
        self.u8(8)
    }

    /// Where `element` of the operator at `operator` in the program stands, and what it should be.
    ///
    /// # Panics
    /// When the element is beyond a legal tensor, or the value beyond i32: what [`super::step()`] finds is not.
    #[must_use]
    pub fn point(&self, operator: u32, element: u64, value: i64, tile: &Tile) -> Point {
        let size = self.element_bytes();
        let place = (element % (TILE_BYTES / size) as u64) as usize;
        Point {
            operator,
            depth: self.output_depth(),
            element_bytes: size as u8,
            element: u32::try_from(element).expect("tensors have fewer than 2^31 elements"),
            value: i32::try_from(value).expect("the clamp's bounds have 32 bits"),
            before: keccak(&tile[..place * size]),
        }
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

    /// Where a gather's element stands in operand b when term `t` of a is `a`: in the row that a names, cut to the first or
    /// the last; `None` where no tensor has an element.
    #[must_use]
    pub fn row_address(&self, element: u64, t: u64, a: i128) -> Option<u128> {
        // Not `clamp`, which panics where there are no rows: no legal program has that, but bytes may say so.
        let row = a.min(i128::from(self.i32(180)) - 1).max(0);
        let first = i128::try_from(self.b_address(element, t)).ok()?;
        u128::try_from(first + row * i128::from(self.i32(176))).ok()
    }

    /// Where the divisor of `element` stands, if the third operand is one.
    #[must_use]
    pub fn divisor_address(&self, element: u64) -> u128 {
        u128::from(self.u32(204)) + self.walk(208, &self.coordinates(element))
    }

    /// Bits by which a division lifts its accumulator, cut to what a legal program has.
    #[must_use]
    pub fn lift(&self) -> u8 {
        self.u8(197).min(limits::MAX_LIFT)
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
