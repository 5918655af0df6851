//! Where a watchtower gets claimed traces from.

use narrows_bisection::served::Served;
use narrows_bisection::{ClaimId, Posted};

/// Hands out what an executor serves about its claim. What comes back is not trusted.
pub trait TraceSource: Send + Sync {
    /// What is served about `claim`; `None` when nothing is, or nobody answers in reasonable time.
    fn fetch(&self, claim: ClaimId, posted: &Posted) -> Option<Served>;
}

/// Nobody serves anything: every dispute is played out.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSource;

impl TraceSource for NoSource {
    fn fetch(&self, _claim: ClaimId, _posted: &Posted) -> Option<Served> {
        None
    }
}
