//! Re-runs of the model in burn. A claim that agrees takes the run's root alone; the whole trace is kept where a claim is fought,
//! made again if need be, and let go of when that is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use narrows_bisection::{ClaimEntry, ClaimId, ClaimStatus, JobId, Trace};
use narrows_commitment::{ProgramRoot, TraceRoot};
use narrows_contracts::Chain;

use super::{NodeError, WatchtowerNode};
use crate::engine::{BurnEngine, EngineError};

/// What was run in this process, and is still of use.
#[derive(Default)]
pub(super) struct Runs {
    engines: BTreeMap<ProgramRoot, Arc<BurnEngine>>,
    roots: BTreeMap<JobId, TraceRoot>,
    fought: BTreeMap<JobId, Arc<Trace>>,
}

impl WatchtowerNode {
    /// This node's own trace root of a job: remembered, or computed. Only what layers export is hashed. If it is not `claimed`,
    /// the trace is kept: it will be needed.
    pub(super) async fn root(
        &mut self,
        job: JobId,
        claimed: TraceRoot,
    ) -> Result<Result<TraceRoot, String>, NodeError> {
        if let Some(root) = self.runs.roots.get(&job) {
            return Ok(Ok(*root));
        }
        Ok(self.run(job).await?.map(|trace| {
            let root = trace.root();
            self.runs.roots.insert(job, root);
            if root != claimed {
                self.runs.fought.insert(job, Arc::new(trace));
            }
            root
        }))
    }

    /// This node's own trace of a job: remembered, or computed again.
    pub(super) async fn trace(&mut self, job: JobId) -> Result<Result<Arc<Trace>, String>, NodeError> {
        if let Some(trace) = self.runs.fought.get(&job) {
            return Ok(Ok(Arc::clone(trace)));
        }
        Ok(self.run(job).await?.map(|trace| {
            let trace = Arc::new(trace);
            self.runs.roots.insert(job, trace.root());
            self.runs.fought.insert(job, Arc::clone(&trace));
            trace
        }))
    }

    async fn run(&mut self, job: JobId) -> Result<Result<Trace, String>, NodeError> {
        let Some(entry) = self.ledger.jobs.get(&job) else {
            return Ok(Err("its job is unknown".into()));
        };
        let Some(program) = self.programs.get(&entry.program).cloned() else {
            return Ok(Err(format!("program {} is not known here", entry.program)));
        };
        let (engine, backend) = (self.runs.engines.get(&entry.program).cloned(), self.backend);
        let input = entry.input.clone();
        let run = tokio::task::spawn_blocking(move || {
            let engine = match engine {
                Some(engine) => engine,
                None => Arc::new(BurnEngine::new(&program, backend)?),
            };
            let outputs = engine.run(&input)?;
            Ok::<_, EngineError>((engine, Trace::new(&program, input, outputs)))
        });
        let (engine, trace) = run.await.map_err(|_| NodeError::Interrupted)??;
        self.runs.engines.insert(entry.program, engine);
        Ok(trace.map_err(|error| error.to_string()))
    }

    /// Lets go of traces that nothing more can be done with: neither a match, nor a refutation, nor a reward.
    pub(super) fn forget(&mut self, chain: &dyn Chain) {
        let (now, patience) = (chain.now().0, u64::from(chain.parameters().reward_seconds));
        let needed = |id: &ClaimId, claim: &ClaimEntry| match claim.status {
            ClaimStatus::Pending => {
                self.wrong.contains(id)
                    || self.ledger.open_matches(*id).any(|(_, m)| m.challenger == self.account)
            }
            ClaimStatus::Refuted => {
                let open = claim.refuted.is_some_and(|r| !r.collected && now < r.at.0 + patience);
                open && self.seat(*id).is_some()
            }
            ClaimStatus::Final => false,
        };
        let claims =
            self.ledger.claims.iter().filter(|(_, claim)| self.runs.fought.contains_key(&claim.posted.job));
        let jobs: BTreeSet<JobId> =
            claims.filter(|(id, claim)| needed(id, claim)).map(|(_, claim)| claim.posted.job).collect();
        self.runs.fought.retain(|job, _| jobs.contains(job));
    }

    /// How many whole traces are in memory: those of claims that are fought.
    #[must_use]
    pub fn traces_held(&self) -> usize {
        self.runs.fought.len()
    }
}
