//! What a node hands out about its claims, shared with whatever serves it to the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use narrows_bisection::ClaimId;
use narrows_bisection::served::{Served, Venue};
use narrows_bisection::signature::SigningKey;
use narrows_program::Program;

use super::Conduct;

/// The most traces that are kept once they are made; beyond, the oldest are made again when somebody asks.
pub const MAX_MADE: usize = 4;

/// All that it takes to make a claim's trace again.
pub(super) struct Recipe {
    pub conduct: Arc<dyn Conduct>,
    pub program: Arc<Program>,
    pub input: Vec<u8>,
    pub venue: Venue,
    pub key: Option<SigningKey>,
}

impl Recipe {
    fn make(&self) -> Option<Served> {
        let trace = self.conduct.trace(&self.program, self.input.clone());
        let trace = trace.inspect_err(|error| tracing::error!(error, "a claimed trace cannot be made again"));
        Some(Served::new(&self.program, &trace.ok()?, self.venue, self.key.as_ref()))
    }
}

/// What was made, by claim, in the order of making.
type Made = Vec<(ClaimId, Arc<Served>)>;

/// Served claims by id; clones share one shelf. A trace is made when the first asks for it.
#[derive(Clone, Default)]
pub struct Shelf {
    recipes: Arc<Mutex<BTreeMap<ClaimId, Arc<Recipe>>>>,
    /// The latest ones, the oldest first. Held while one is made: however many ask, one model runs at a time.
    made: Arc<Mutex<Made>>,
}

impl Shelf {
    /// What is served about `claim`. It may run the model: call it where that may take its time.
    #[must_use]
    pub fn get(&self, claim: ClaimId) -> Option<Arc<Served>> {
        let mut made = lock(&self.made);
        let recipe = lock(&self.recipes).get(&claim).cloned()?;
        if let Some((_, served)) = made.iter().find(|(id, _)| *id == claim) {
            return Some(Arc::clone(served));
        }
        let served = Arc::new(recipe.make()?);
        // It may have been decided meanwhile.
        if self.has(claim) {
            if made.len() == MAX_MADE {
                made.remove(0);
            }
            made.push((claim, Arc::clone(&served)));
        }
        Some(served)
    }

    /// Serves a claim from now on.
    pub(super) fn put(&self, claim: ClaimId, recipe: Recipe) {
        lock(&self.recipes).insert(claim, Arc::new(recipe));
    }

    /// Stops serving a claim: it is final or refuted.
    pub(super) fn remove(&self, claim: ClaimId) {
        lock(&self.recipes).remove(&claim);
        // While another is being made this is let go of later: there are only a few.
        if let Ok(mut made) = self.made.try_lock() {
            made.retain(|(id, _)| self.has(*id));
        }
    }

    /// Whether `claim` is served.
    #[must_use]
    pub fn has(&self, claim: ClaimId) -> bool {
        lock(&self.recipes).contains_key(&claim)
    }

    /// How many traces are in memory.
    #[must_use]
    pub fn made(&self) -> usize {
        lock(&self.made).len()
    }
}

/// A thread that panicked while it held a shelf left it whole: every change is one call.
fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
