//! Re-runs of the model in burn. To check a claim takes the run's root alone; the whole trace is made where a claim is fought, kept
//! while that lasts, and let go of when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use narrows_bisection::trace::exports_root;
use narrows_bisection::{ClaimEntry, ClaimId, ClaimStatus, JobId, Posted, Trace};
use narrows_commitment::{ProgramRoot, TraceRoot};
use narrows_contracts::Chain;
use narrows_program::Program;

use super::{NodeError, WatchtowerNode};
use crate::engine::{BurnEngine, EngineError};

/// Most jobs that are re-run in one pass: what layers export of each is held at once, and more while it is read.
const PASS: usize = 8;

/// What was run in this process, and is still of use.
#[derive(Default)]
pub(super) struct Runs {
    engines: BTreeMap<ProgramRoot, Arc<BurnEngine>>,
    roots: BTreeMap<JobId, TraceRoot>,
    fought: BTreeMap<JobId, Arc<Trace>>,
}

impl WatchtowerNode {
    /// This node's own trace root of a job: remembered, or computed. Only what layers export is kept and hashed.
    pub(super) async fn root(&mut self, job: JobId) -> Result<Result<TraceRoot, String>, NodeError> {
        if let Some(root) = self.runs.roots.get(&job) {
            return Ok(Ok(*root));
        }
        let (program, input) = match self.work(job) {
            Ok(work) => work,
            Err(reason) => return Ok(Err(reason)),
        };
        let roots = self.roots(program, vec![input]).await?;
        let root = *roots.first().expect("an input has a root");
        self.runs.roots.insert(job, root);
        Ok(Ok(root))
    }

    /// This node's own trace of a job: remembered, or computed.
    pub(super) async fn trace(&mut self, job: JobId) -> Result<Result<Arc<Trace>, String>, NodeError> {
        if let Some(trace) = self.runs.fought.get(&job) {
            return Ok(Ok(Arc::clone(trace)));
        }
        let (program, input) = match self.work(job) {
            Ok(work) => work,
            Err(reason) => return Ok(Err(reason)),
        };
        let engine = self.engine(&program).await?;
        let run = tokio::task::spawn_blocking(move || {
            let outputs = engine.run(&input)?;
            Ok::<_, EngineError>(Trace::new(&program, input, outputs).map_err(|error| error.to_string()))
        });
        let trace = run.await.map_err(|_| NodeError::Interrupted)??;
        Ok(trace.map(|trace| {
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
            if !self.runs.roots.contains_key(&job)
                && let Ok((program, input)) = self.work(job)
            {
                waiting.entry(program.root()).or_default().insert(job, input);
            }
        }
        let mut shares = BTreeMap::new();
        for (root, jobs) in waiting.into_iter().filter(|(_, jobs)| jobs.len() > 1) {
            let jobs: Vec<(JobId, Vec<u8>)> = jobs.into_iter().collect();
            for pass in jobs.chunks(PASS) {
                let begun = Instant::now();
                let inputs = pass.iter().map(|(_, input)| input.clone()).collect();
                let roots = self.roots(self.programs[&root].clone(), inputs).await?;
                let share = begun.elapsed() / pass.len() as u32;
                for ((job, _), own) in pass.iter().zip(roots) {
                    shares.insert(*job, share);
                    self.runs.roots.insert(*job, own);
                }
            }
        }
        Ok(shares)
    }

    /// The program and the input of a job, or why it cannot be run.
    fn work(&self, job: JobId) -> Result<(Arc<Program>, Vec<u8>), String> {
        let entry = self.ledger.jobs.get(&job).ok_or("its job is unknown")?;
        let program = self.programs.get(&entry.program);
        let program = program.ok_or_else(|| format!("program {} is not known here", entry.program))?;
        let (wanted, given) = (program.header().input.bytes(), entry.input.len());
        if wanted != given as u64 {
            return Err(format!("its input has {given} bytes, and the program takes {wanted}"));
        }
        Ok((Arc::clone(program), entry.input.clone()))
    }

    /// The trace roots of inputs of one program, re-run in one pass.
    async fn roots(
        &mut self,
        program: Arc<Program>,
        inputs: Vec<Vec<u8>>,
    ) -> Result<Vec<TraceRoot>, NodeError> {
        let engine = self.engine(&program).await?;
        let run = tokio::task::spawn_blocking(move || {
            let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let runs = engine.run_exports(&inputs)?;
            let root = |run: &Vec<Vec<u8>>| exports_root(&program, &|index| &run[index.0 as usize]);
            Ok::<_, EngineError>(runs.iter().map(root).collect())
        });
        Ok(run.await.map_err(|_| NodeError::Interrupted)??)
    }

    /// The engine of a program, planned once.
    async fn engine(&mut self, program: &Arc<Program>) -> Result<Arc<BurnEngine>, NodeError> {
        let root = program.root();
        if let Some(engine) = self.runs.engines.get(&root) {
            return Ok(Arc::clone(engine));
        }
        let (program, backend) = (Arc::clone(program), self.backend);
        let planned = tokio::task::spawn_blocking(move || BurnEngine::new(&program, backend));
        let engine = Arc::new(planned.await.map_err(|_| NodeError::Interrupted)??);
        self.runs.engines.insert(root, Arc::clone(&engine));
        Ok(engine)
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
