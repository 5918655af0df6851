//! Bytes that are shared instead of copied.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// What holds bytes: as many at every call, and the same unless somebody else changes a file.
pub trait Owner: AsRef<[u8]> + Send + Sync {
    /// A hint that the bytes of `range` will not be read for a while: memory that only mirrors a file may be given back.
    fn release(&self, range: Range<usize>) {
        let _ = range;
    }
}

impl Owner for Vec<u8> {}

/// Bytes that many share and nobody here changes: a vector's, or a part of something larger, such as a mapped file.
///
/// A clone is one more reference to the same bytes. Two values are equal when their bytes are.
#[derive(Clone)]
pub struct Bytes {
    owner: Arc<dyn Owner>,
    range: Range<usize>,
}

impl Bytes {
    /// All bytes of `owner`.
    #[must_use]
    pub fn new(owner: impl Owner + 'static) -> Self {
        let range = 0..owner.as_ref().len();
        Self { owner: Arc::new(owner), range }
    }

    /// The part `range` of these bytes: the same memory.
    ///
    /// # Panics
    /// When the range leaves the bytes.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.range.len(), "a part lies inside the whole");
        let range = self.range.start + range.start..self.range.start + range.end;
        Self { owner: self.owner.clone(), range }
    }

    /// Says that these bytes will not be read for a while; see [`Owner::release`].
    pub fn release(&self) {
        self.owner.release(self.range.clone());
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &(*self.owner).as_ref()[self.range.clone()]
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
