//! The generator that SPEC 7.1 spells out, and the values drawn from it.

use narrows_program::{DType, TensorType};

/// SplitMix64.
pub(super) struct Draw(pub u64);

impl Draw {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// d(n): a number from 0 to n - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// d(n) where numbers are small.
    pub fn small(&mut self, n: u32) -> u32 {
        self.below(n.into()) as u32
    }

    /// One of a list.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// True once in n times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Any value of a type: the upper bits of the next 64.
    pub fn value(&mut self, dtype: DType) -> i64 {
        self.next() as i64 >> (64 - bits(dtype))
    }

    /// The canonical bytes of a tensor, by one of four ways to choose values.
    pub fn tensor(&mut self, tensor: TensorType) -> Vec<u8> {
        let (dtype, way) = (tensor.dtype, self.below(4));
        let (least, greatest) = (dtype.min(), dtype.max());
        let extremes = [least, greatest, -1, 0, 1, least, greatest, least + 1];
        let mut out = Vec::new();
        for _ in 0..tensor.elements {
            let r = self.next();
            let any = r as i64 >> (64 - bits(dtype));
            let value = match way {
                0 => any,
                1 => (r % 16) as i64 - 4,
                2 => extremes[(r % 8) as usize],
                _ => any >> (r % u64::from(bits(dtype))),
            };
            dtype.write(value, &mut out);
        }
        out
    }
}

/// Bits of a type's value.
pub(super) fn bits(dtype: DType) -> u32 {
    8 * dtype.bytes() as u32
}
