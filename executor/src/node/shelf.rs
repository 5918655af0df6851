//! What a node hands out about its claims, shared with whatever serves it to the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use narrows_bisection::ClaimId;
use narrows_bisection::served::Served;

/// Served claims by id; clones share one shelf.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<Mutex<BTreeMap<ClaimId, Arc<Served>>>>);

impl Shelf {
    /// What is served about `claim`.
    #[must_use]
    pub fn get(&self, claim: ClaimId) -> Option<Arc<Served>> {
        self.lock().get(&claim).cloned()
    }

    /// Serves a claim from now on.
    pub fn put(&self, claim: ClaimId, served: Served) {
        self.lock().insert(claim, Arc::new(served));
    }

    /// Stops serving a claim: it is final or refuted.
    pub fn remove(&self, claim: ClaimId) {
        self.lock().remove(&claim);
    }

    /// Whether `claim` is served.
    #[must_use]
    pub fn has(&self, claim: ClaimId) -> bool {
        self.lock().contains_key(&claim)
    }

    /// A thread that panicked while it held the shelf left it whole: every change is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClaimId, Arc<Served>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
