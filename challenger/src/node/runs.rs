//! Re-runs of the model in burn. A claim that agrees takes the run's root alone; the whole trace is kept where a claim is fought,
//! made again if need be, and let go of when that is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use narrows_bisection::{ClaimEntry, ClaimId, ClaimStatus, JobId, Posted, Trace};
use narrows_commitment::{ProgramRoot, TraceRoot};
use narrows_contracts::Chain;
use narrows_program::Program;

use super::{NodeError, WatchtowerNode};
use crate::engine::{BurnEngine, EngineError};

/// Most jobs that are re-run in one pass: every operator's output of each is held at once.
const PASS: usize = 8;

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

    /// Re-runs the jobs of these claims in one pass for each program on which several wait; each one's share of the time.
    ///
    /// The others are left to [`WatchtowerNode::root`], also those whose input does not fit.
    pub(super) async fn run_together(
        &mut self,
        pending: &[(ClaimId, Posted)],
    ) -> Result<BTreeMap<JobId, Duration>, NodeError> {
        let mut waiting: BTreeMap<ProgramRoot, BTreeMap<JobId, Vec<u8>>> = BTreeMap::new();
        for job in pending.iter().map(|(_, posted)| posted.job) {
            if let Some(entry) = self.ledger.jobs.get(&job)
                && let Some(program) = self.programs.get(&entry.program)
                && program.header().input.bytes() == entry.input.len() as u64
                && !self.runs.roots.contains_key(&job)
            {
                waiting.entry(entry.program).or_default().insert(job, entry.input.clone());
            }
        }
        let mut shares = BTreeMap::new();
        for (root, jobs) in waiting.into_iter().filter(|(_, jobs)| jobs.len() > 1) {
            let jobs: Vec<(JobId, Vec<u8>)> = jobs.into_iter().collect();
            for pass in jobs.chunks(PASS) {
                let begun = Instant::now();
                let runs = self.run_all(self.programs[&root].clone(), pass.to_vec()).await?;
                let share = begun.elapsed() / pass.len() as u32;
                for (job, trace) in runs {
                    shares.insert(job, share);
                    let Ok(trace) = trace else { continue };
                    let own = trace.root();
                    self.runs.roots.insert(job, own);
                    if pending.iter().any(|(_, posted)| posted.job == job && posted.trace_root != own) {
                        self.runs.fought.insert(job, Arc::new(trace));
                    }
                }
            }
        }
        Ok(shares)
    }

    async fn run(&mut self, job: JobId) -> Result<Result<Trace, String>, NodeError> {
        let Some(entry) = self.ledger.jobs.get(&job) else {
            return Ok(Err("its job is unknown".into()));
        };
        let Some(program) = self.programs.get(&entry.program).cloned() else {
            return Ok(Err(format!("program {} is not known here", entry.program)));
        };
        let mut runs = self.run_all(program, vec![(job, entry.input.clone())]).await?;
        Ok(runs.pop().map_or_else(|| Err("it was not run".into()), |(_, trace)| trace))
    }

    /// Runs jobs of one program in one pass: each one's trace, or why it has none.
    async fn run_all(
        &mut self,
        program: Arc<Program>,
        jobs: Vec<(JobId, Vec<u8>)>,
    ) -> Result<Vec<(JobId, Result<Trace, String>)>, NodeError> {
        let root = program.root();
        let (engine, backend) = (self.runs.engines.get(&root).cloned(), self.backend);
        let run = tokio::task::spawn_blocking(move || {
            let engine = match engine {
                Some(engine) => engine,
                None => Arc::new(BurnEngine::new(&program, backend)?),
            };
            let inputs: Vec<&[u8]> = jobs.iter().map(|(_, input)| input.as_slice()).collect();
            let outputs = engine.run_all(&inputs)?;
            let traces = jobs.into_iter().zip(outputs).map(|((job, input), outputs)| {
                (job, Trace::new(&program, input, outputs).map_err(|error| error.to_string()))
            });
            Ok::<_, EngineError>((engine, traces.collect()))
        });
        let (engine, traces) = run.await.map_err(|_| NodeError::Interrupted)??;
        self.runs.engines.insert(root, engine);
        Ok(traces)
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
