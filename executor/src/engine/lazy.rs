//! What is made at its first use.

use std::sync::OnceLock;

/// A value that is made at its first use and then kept.
#[derive(Debug, Clone)]
pub(super) struct Lazy<T>(OnceLock<T>);

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Lazy<T> {
    /// The value, if it was made.
    pub fn known(&self) -> Option<&T> {
        self.0.get()
    }

    /// The value, made if this is its first use.
    ///
    /// Threads that come first together each make it, and one of these is kept. They do not wait for one another: what is
    /// made on several threads of a pool cannot wait for a thread of the pool that waits for it.
    pub fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.0.get() {
            return Ok(value);
        }
        let made = make()?;
        Ok(self.0.get_or_init(|| made))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn it_is_made_once_and_a_failure_is_not_kept() {
        let lazy = Lazy::default();
        assert_eq!(lazy.get(|| Err(7)), Err(7));
        assert_eq!(lazy.get(|| Ok::<_, i32>(1)), Ok(&1));
        assert_eq!(lazy.get(|| -> Result<i32, Infallible> { unreachable!("it is there") }), Ok(&1));
    }
}
