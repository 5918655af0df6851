//! Random numbers from a seed: splitmix64.

/// A stream of choices.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Seeds that follow each other give streams that have nothing in common.
    pub fn new(seed: u64) -> Self {
        let mut mixed = Self(seed.wrapping_mul(0xd134_2543_de82_ef95));
        Self(mixed.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `from`, which is not empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of them, later ones more often; `None` of none.
    pub fn recent(&mut self, count: usize) -> Option<usize> {
        match count {
            0 => None,
            _ if self.chance(60) => Some(count - 1),
            _ => Some(self.below(count)),
        }
    }
}
