//! Runs of the model. A claim takes what layers export, so only that is kept and hashed; a dispute takes the whole trace, which
//! is made again from the journalled input, and let go of when the claim is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use narrows_bisection::trace::Exports;
use narrows_bisection::{ClaimEntry, ClaimStatus, JobId, Trace};
use narrows_commitment::ProgramRoot;
use narrows_program::Program;

use super::conduct::Desk;
use super::{ExecutorNode, NodeError};

/// What was run in this process, and is still of use.
#[derive(Default)]
pub(super) struct Runs {
    desks: BTreeMap<ProgramRoot, Desk>,
    claimed: BTreeMap<JobId, Arc<Exports>>,
    disputed: BTreeMap<JobId, Arc<Trace>>,
}

impl ExecutorNode {
    /// What this node claims for `job`: remembered, or computed.
    pub(super) async fn exports(&mut self, job: JobId) -> Result<Result<Arc<Exports>, String>, NodeError> {
        if let Some(exports) = self.runs.claimed.get(&job) {
            return Ok(Ok(Arc::clone(exports)));
        }
        let (program, input) = match self.work(job) {
            Ok(work) => work,
            Err(reason) => return Ok(Err(reason)),
        };
        let (conduct, root) = (Arc::clone(&self.conduct), program.root());
        let mut desk = self.runs.desks.remove(&root).unwrap_or_default();
        let run = tokio::task::spawn_blocking(move || {
            let exports = conduct.exports(&program, &mut desk, &input);
            (desk, exports)
        });
        let (desk, exports) = run.await.map_err(|_| NodeError::Interrupted)?;
        self.runs.desks.insert(root, desk);
        Ok(exports.map(|exports| {
            let bytes = exports.hashed_bytes();
            tracing::debug!(%job, hashed_bytes = bytes, "the model was run, and what layers export was hashed");
            let exports = Arc::new(exports);
            self.runs.claimed.insert(job, Arc::clone(&exports));
            exports
        }))
    }

    /// The whole trace behind this node's claim on `job`, for a dispute: remembered, or computed again.
    pub(super) async fn trace(&mut self, job: JobId) -> Result<Result<Arc<Trace>, String>, NodeError> {
        if let Some(trace) = self.runs.disputed.get(&job) {
            return Ok(Ok(Arc::clone(trace)));
        }
        let (program, input) = match self.work(job) {
            Ok(work) => work,
            Err(reason) => return Ok(Err(reason)),
        };
        let conduct = Arc::clone(&self.conduct);
        let run = tokio::task::spawn_blocking(move || conduct.trace(&program, input));
        let trace = run.await.map_err(|_| NodeError::Interrupted)?;
        Ok(trace.map(|trace| {
            let trace = Arc::new(trace);
            self.runs.disputed.insert(job, Arc::clone(&trace));
            trace
        }))
    }

    /// What is run for `job`, or why it cannot be.
    fn work(&self, job: JobId) -> Result<(Arc<Program>, Vec<u8>), String> {
        let entry = self.ledger.jobs.get(&job).ok_or("the job is unknown")?;
        let program = self.programs.get(&entry.program).cloned();
        let program = program.ok_or_else(|| format!("program {} is not served here", entry.program))?;
        Ok((program, entry.input.clone()))
    }

    /// Lets go of runs whose claims are decided, and of traces that no open match is about. Should a reorganisation bring them
    /// back, they are computed again.
    pub(super) fn forget(&mut self) {
        let Self { ledger, runs, account, .. } = self;
        let own = |claim: &&ClaimEntry| claim.posted.executor == *account;
        let (pending, decided) = (
            |claim: &&ClaimEntry| claim.status == ClaimStatus::Pending,
            |claim: &&ClaimEntry| claim.status != ClaimStatus::Pending,
        );
        for claim in ledger.claims.values().filter(own).filter(decided) {
            runs.claimed.remove(&claim.posted.job);
        }
        let open = ledger.matches.values().filter(|one| one.open);
        let claims = open.filter_map(|one| ledger.claims.get(&one.claim)).filter(own).filter(pending);
        let disputed: BTreeSet<JobId> = claims.map(|claim| claim.posted.job).collect();
        runs.disputed.retain(|job, _| disputed.contains(job));
    }

    /// How many whole traces are in memory: those that a dispute took. What is served is not counted.
    #[must_use]
    pub fn traces_held(&self) -> usize {
        self.runs.disputed.len()
    }
}
