//! Re-running claims.

use std::time::Instant;

use narrows_bisection::{ClaimId, ClaimStatus, Posted};
use narrows_contracts::Chain;

use super::{Action, NodeError, WatchtowerNode};

impl WatchtowerNode {
    /// Re-runs every pending claim once, and notes which are to be fought.
    pub(super) async fn check_claims(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let now = chain.now();
        let pending = self.ledger.claims.iter().filter(|(id, claim)| {
            claim.status == ClaimStatus::Pending && now < claim.hard_end && !self.checked.contains(id)
        });
        let pending: Vec<(ClaimId, Posted)> = pending.map(|(id, claim)| (*id, claim.posted)).collect();
        let shares = self.run_together(&pending).await?;
        for (id, posted) in pending {
            let begun = Instant::now();
            let claimed = posted.trace_root;
            match self.root(posted.job).await? {
                Ok(own) => {
                    let took = begun.elapsed() + shares.get(&posted.job).copied().unwrap_or_default();
                    actions.push(Action::Checked { claim: id, claimed, own, took });
                    if self.temper.disputes(own == claimed) {
                        self.wrong.insert(id);
                    }
                }
                Err(reason) => actions.push(Action::Skipped(id, reason)),
            }
            self.checked.insert(id);
        }
        Ok(())
    }
}
