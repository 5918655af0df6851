//! Finality, fees, and what is owed.

use narrows_bisection::{BlockTime, Call, ClaimId, ClaimStatus, JobId, Wei};
use narrows_bisection::{JobEntry, Promise};
use narrows_contracts::Chain;

use super::{Action, ExecutorNode, NodeError, Tried};

impl ExecutorNode {
    pub(super) fn settle(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let now = chain.now();
        self.finalise(chain, now, actions)?;
        self.end_lapsed_rivals(chain, now, actions)?;
        self.take_fees(chain, now, actions)?;
        if chain.owed(self.account)? > Wei(0) {
            self.outbox.send(chain, Wei(0), Call::Withdraw, actions)?;
        }
        Ok(())
    }

    fn finalise(
        &mut self,
        chain: &mut dyn Chain,
        now: BlockTime,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let due = self.ledger.claims.iter().filter(|(id, claim)| {
            let quiet = now >= claim.window_end && self.ledger.open_matches(**id).next().is_none();
            claim.posted.executor == self.account
                && claim.status == ClaimStatus::Pending
                && (quiet || now >= claim.hard_end)
                && self.outbox.may(&Tried::Finalise(**id), now)
        });
        let due: Vec<_> = due.map(|(id, claim)| (*id, claim.posted)).collect();
        for (claim, posted) in due {
            self.outbox.send_again(chain, Tried::Finalise(claim), Call::Finalise { posted }, actions)?;
        }
        Ok(())
    }

    /// Commitments before a final claim of this node's that were never posted stand in the way of its fee.
    fn end_lapsed_rivals(
        &mut self,
        chain: &mut dyn Chain,
        now: BlockTime,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let patience = u64::from(chain.parameters().reveal_seconds);
        let mut due = Vec::new();
        for (_, claim) in self.final_claims() {
            let Some(entry) = self.ledger.jobs.get(&claim.0) else { continue };
            let earlier = entry.commitments.range(..claim.1).filter(|(number, made)| {
                made.promise == Promise::Open
                    && now.0 >= made.committed_at.0 + patience
                    && self.outbox.may(&Tried::Lapse(claim.0, **number), now)
            });
            due.extend(earlier.map(|(number, made)| (claim.0, *number, *made)));
        }
        for (job, number, made) in due {
            let call = Call::Lapse {
                job,
                number,
                executor: made.executor,
                commitment: made.commitment,
                committed_at: made.committed_at,
            };
            self.outbox.send_again(chain, Tried::Lapse(job, number), call, actions)?;
        }
        Ok(())
    }

    /// Asks for the fee of jobs whose earlier claims are all resolved.
    fn take_fees(
        &mut self,
        chain: &mut dyn Chain,
        now: BlockTime,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let due = self.final_claims().into_iter().filter(|(id, (job, number))| {
            let clear = self.ledger.jobs.get(job).is_some_and(|entry| self.is_clear(entry, *number));
            clear && self.outbox.may(&Tried::Award(*id), now)
        });
        let due: Vec<ClaimId> = due.map(|(id, _)| id).collect();
        for claim in due {
            let posted = self.ledger.claims[&claim].posted;
            self.outbox.send_again(chain, Tried::Award(claim), Call::Award { posted }, actions)?;
        }
        Ok(())
    }

    /// Final claims of this node's whose jobs have paid nobody yet.
    fn final_claims(&self) -> Vec<(ClaimId, (JobId, u64))> {
        let claims = self.ledger.claims.iter().filter(|(_, claim)| {
            let open = self.ledger.jobs.get(&claim.posted.job).is_some_and(|job| !job.closed);
            claim.posted.executor == self.account && claim.status == ClaimStatus::Final && open
        });
        claims.map(|(id, claim)| (*id, (claim.posted.job, claim.number))).collect()
    }

    /// Whether every commitment before `number` came to nothing.
    fn is_clear(&self, job: &JobEntry, number: u64) -> bool {
        job.commitments.range(..number).all(|(_, made)| match made.promise {
            Promise::Open => false,
            Promise::Lapsed => true,
            Promise::Kept(claim) => {
                self.ledger.claims.get(&claim).is_some_and(|claim| claim.status == ClaimStatus::Refuted)
            }
        })
    }
}
