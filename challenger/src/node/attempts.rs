//! What was tried in this process, and when it may be tried again.

use std::collections::BTreeMap;

use narrows_bisection::BlockTime;
use narrows_contracts::{ChainError, RpcError};

/// Attempts by what they were about.
///
/// An action that is done is not done again. One that was refused may have been refused for a reason that passes: by a node
/// that is behind, on a branch that is gone, a second too early; so it is tried again, once a block.
#[derive(Debug)]
pub(super) struct Attempts<T>(BTreeMap<T, BlockTime>);

impl<T> Default for Attempts<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Attempts<T> {
    /// Whether `what` may be tried at `now`.
    pub fn may(&self, what: &T, now: BlockTime) -> bool {
        self.0.get(what).is_none_or(|again| now >= *again)
    }

    /// Not again in this process.
    pub fn done(&mut self, what: T) {
        self.0.insert(what, BlockTime(u64::MAX));
    }

    /// Not before a block of `block_seconds` has passed.
    pub fn rest(&mut self, what: T, now: BlockTime, block_seconds: u32) {
        self.0.insert(what, BlockTime(now.0.saturating_add(block_seconds.into())));
    }
}

/// Whether an error is one transaction's own, so that others may fare better in the same tick.
pub(super) fn is_its_own(error: &ChainError) -> bool {
    match error {
        ChainError::InsufficientFunds { .. }
        | ChainError::OutOfGas { .. }
        | ChainError::NotPayable { .. } => true,
        ChainError::Rpc(error) => {
            matches!(error, RpcError::NotMined { .. } | RpcError::Rejected { .. } | RpcError::Reverted { .. })
        }
        _ => false,
    }
}
