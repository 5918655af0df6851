//! Re-running claims.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use narrows_bisection::{ClaimId, ClaimStatus, JobId, Posted};
use narrows_commitment::ProgramRoot;
use narrows_contracts::Chain;

use super::{Action, NodeError, WatchtowerNode};

/// Most jobs that are re-run in one pass: every operator's output of each is held at once.
const PASS: usize = 8;

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
            match self.trace(posted.job).await? {
                Ok(trace) => {
                    let own = trace.root();
                    let claimed = posted.trace_root;
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

    /// Re-runs the jobs of these claims in one pass for each program on which several wait; each one's share of the time.
    ///
    /// The others are left to [`WatchtowerNode::trace`], also those whose input does not fit.
    async fn run_together(
        &mut self,
        pending: &[(ClaimId, Posted)],
    ) -> Result<BTreeMap<JobId, Duration>, NodeError> {
        let mut waiting: BTreeMap<ProgramRoot, BTreeMap<JobId, Vec<u8>>> = BTreeMap::new();
        for job in pending.iter().map(|(_, posted)| posted.job) {
            if let Some(entry) = self.ledger.jobs.get(&job)
                && let Some(program) = self.programs.get(&entry.program)
                && program.header().input.bytes() == entry.input.len() as u64
                && !self.traces.contains_key(&job)
            {
                waiting.entry(entry.program).or_default().insert(job, entry.input.clone());
            }
        }
        let mut shares = BTreeMap::new();
        for (root, jobs) in waiting.into_iter().filter(|(_, jobs)| jobs.len() > 1) {
            let jobs: Vec<(JobId, Vec<u8>)> = jobs.into_iter().collect();
            for pass in jobs.chunks(PASS) {
                let begun = Instant::now();
                self.rerun(self.programs[&root].clone(), pass.to_vec()).await?;
                let share = begun.elapsed() / pass.len() as u32;
                shares.extend(pass.iter().map(|(job, _)| (*job, share)));
            }
        }
        Ok(shares)
    }
}
