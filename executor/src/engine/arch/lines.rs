//! Bytes aligned as vectors are, so that no load of a vector touches two cache lines.

/// Bytes of a cache line and of the widest vector.
const LINE: usize = 64;

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// A buffer of whole cache lines.
#[derive(Debug, Clone, Default)]
pub struct Lines(Vec<Line>);

impl Lines {
    /// At least `bytes` zeros, or nothing if there is no room.
    pub fn zeroed(bytes: usize) -> Option<Self> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(bytes.div_ceil(LINE)).ok()?;
        lines.resize(bytes.div_ceil(LINE), Line([0; LINE]));
        Some(Self(lines))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a line is 64 bytes without padding, and lines stand next to each other.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LINE) }
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LINE) }
    }
}
