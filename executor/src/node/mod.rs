//! The executor node: takes jobs, runs them, posts claims, answers disputes, collects what it is owed.
//!
//! A node is a function of its inbox: it acts only on journalled events and the chain's state, so after a kill it resumes where it
//! was, and an action that is already done is not done again.

mod conduct;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use narrows_bisection::players::Executor;
use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, ClaimStatus, JobId, Ledger, MatchId, Side, StateHash, Trace, Wei,
};
use narrows_commitment::ProgramRoot;
use narrows_contracts::{Chain, ChainError, Inbox, InboxError, Receipt, Transaction};
use narrows_program::Program;

pub use conduct::{Conduct, Honest};

/// Why a node stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The journal.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The task that runs models was stopped.
    #[error("running the model was interrupted; start the node again, it resumes from its journal")]
    Interrupted,
}

/// What a node did in a tick.
#[derive(Debug, Clone)]
pub enum Action {
    /// A transaction was accepted.
    Sent(Call, Receipt),
    /// A transaction was refused, and is not tried again in the same state.
    Refused(Call, narrows_bisection::Refusal),
    /// A job was passed over, with the reason.
    Skipped(JobId, String),
}

/// What was already tried: a claim on a job, or a move in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tried {
    Job(JobId),
    Move(MatchId, StateHash),
    /// At most one attempt a second: what forbids it now may end without an event.
    Finalise(ClaimId, BlockTime),
}

/// An executor.
pub struct ExecutorNode {
    account: Account,
    programs: BTreeMap<ProgramRoot, Arc<Program>>,
    conduct: Arc<dyn Conduct>,
    inbox: Inbox,
    ledger: Ledger,
    traces: BTreeMap<JobId, Arc<Trace>>,
    tried: BTreeSet<Tried>,
}

impl ExecutorNode {
    /// A node for `account` that serves `programs`, resuming from `journal` (see [`Inbox::open`]).
    #[must_use]
    pub fn new(
        account: Account,
        programs: Vec<Arc<Program>>,
        conduct: Arc<dyn Conduct>,
        journal: (Inbox, Vec<narrows_contracts::LoggedEvent>),
    ) -> Self {
        let (inbox, past) = journal;
        let mut ledger = Ledger::default();
        past.iter().for_each(|logged| ledger.observe(&logged.event));
        let programs = programs.into_iter().map(|program| (program.root(), program)).collect();
        Self { account, programs, conduct, inbox, ledger, traces: BTreeMap::new(), tried: BTreeSet::new() }
    }

    /// What the node knows of the chain.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes new events and does everything that is due: at most one move in each match.
    ///
    /// # Errors
    /// When the chain or the journal fails. Nothing is lost: the next tick, or the next process, goes on.
    pub async fn tick(&mut self, chain: &mut dyn Chain) -> Result<Vec<Action>, NodeError> {
        for logged in self.inbox.fetch(chain)? {
            self.ledger.observe(&logged.event);
        }
        let mut actions = Vec::new();
        self.claim_jobs(chain, &mut actions).await?;
        self.defend(chain, &mut actions).await?;
        self.settle(chain, &mut actions)?;
        Ok(actions)
    }

    async fn claim_jobs(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let answered: BTreeSet<JobId> =
            self.ledger.claims.values().filter(|c| c.executor == self.account).map(|c| c.job).collect();
        let now = chain.now();
        let due = self.ledger.jobs.iter().filter(|(id, job)| {
            !job.closed
                && job.deadline > now
                && !answered.contains(id)
                && !self.tried.contains(&Tried::Job(**id))
        });
        let due: Vec<JobId> = due.map(|(id, _)| *id).collect();
        for job in due {
            match self.trace(job).await? {
                Ok(trace) => {
                    let call = Call::PostClaim {
                        job,
                        trace_root: trace.root(),
                        output: trace.output().to_vec(),
                        path: trace.output_path(),
                    };
                    let bond = chain.parameters().executor_bond;
                    self.send(chain, bond, call, actions)?;
                }
                Err(reason) => actions.push(Action::Skipped(job, reason)),
            }
            // Only now: an attempt that the chain or an empty purse cut short is made again.
            self.tried.insert(Tried::Job(job));
        }
        Ok(())
    }

    /// The trace that this node claims for `job`: remembered, or computed again.
    async fn trace(&mut self, job: JobId) -> Result<Result<Arc<Trace>, String>, NodeError> {
        if let Some(trace) = self.traces.get(&job) {
            return Ok(Ok(Arc::clone(trace)));
        }
        let Some(entry) = self.ledger.jobs.get(&job) else {
            return Ok(Err("the job is unknown".into()));
        };
        let Some(program) = self.programs.get(&entry.program).cloned() else {
            return Ok(Err(format!("program {} is not served here", entry.program)));
        };
        let (conduct, input) = (Arc::clone(&self.conduct), entry.input.clone());
        let run = tokio::task::spawn_blocking(move || conduct.trace(&program, input));
        let trace = run.await.map_err(|_| NodeError::Interrupted)?;
        Ok(trace.map(|trace| {
            let trace = Arc::new(trace);
            self.traces.insert(job, Arc::clone(&trace));
            trace
        }))
    }

    async fn defend(&mut self, chain: &mut dyn Chain, actions: &mut Vec<Action>) -> Result<(), NodeError> {
        let own = |claim: &ClaimId| {
            let entry = self.ledger.claims.get(claim);
            entry.filter(|c| c.executor == self.account && c.status == ClaimStatus::Pending).map(|c| c.job)
        };
        let open = self.ledger.matches.iter().filter(|(_, m)| m.open);
        let mine: Vec<(MatchId, JobId)> = open.filter_map(|(id, m)| Some((*id, own(&m.claim)?))).collect();
        for (id, job) in mine {
            let Some(view) = chain.match_state(id)? else { continue };
            let (state, tried) = (view.state, Tried::Move(id, view.state.hash(id)));
            if self.tried.contains(&tried) {
                continue;
            }
            let overdue = state.deadline(&chain.parameters()).is_some_and(|deadline| chain.now() >= deadline);
            let call = match state.phase.turn() {
                Some(Side::Challenger) if overdue => Some(Call::Timeout { match_id: id }),
                Some(Side::Executor) if !overdue && self.conduct.answers() => {
                    let Ok(trace) = self.trace(job).await? else { continue };
                    let program = self.ledger.jobs.get(&job).and_then(|j| self.programs.get(&j.program));
                    let Some(program) = program else { continue };
                    Executor { program, trace: &trace }.respond(id, &state)
                }
                _ => None,
            };
            if let Some(call) = call {
                self.send(chain, Wei(0), call, actions)?;
                self.tried.insert(tried);
            }
        }
        Ok(())
    }

    fn settle(&mut self, chain: &mut dyn Chain, actions: &mut Vec<Action>) -> Result<(), NodeError> {
        let now = chain.now();
        let claims = self.ledger.claims.iter();
        let due = claims.filter(|(id, claim)| {
            let quiet = now >= claim.window_end && self.ledger.open_matches(**id).next().is_none();
            claim.executor == self.account
                && claim.status == ClaimStatus::Pending
                && (quiet || now >= claim.hard_end)
                && !self.tried.contains(&Tried::Finalise(**id, now))
        });
        let due: Vec<ClaimId> = due.map(|(id, _)| *id).collect();
        for claim in due {
            self.send(chain, Wei(0), Call::Finalise { claim }, actions)?;
            self.tried.insert(Tried::Finalise(claim, now));
        }
        if chain.owed(self.account)? > Wei(0) {
            self.send(chain, Wei(0), Call::Withdraw, actions)?;
        }
        Ok(())
    }

    fn send(
        &self,
        chain: &mut dyn Chain,
        value: Wei,
        call: Call,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        match chain.send(Transaction { from: self.account, value, call: call.clone() }) {
            Ok(receipt) => actions.push(Action::Sent(call, receipt)),
            Err(ChainError::Refused { refusal, .. }) => actions.push(Action::Refused(call, refusal)),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
