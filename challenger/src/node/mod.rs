//! The watchtower node: re-runs every claim in burn, refutes or disputes those that differ, and sees it through to the money.
//!
//! A node is a function of its inbox, as the executor's is: after a kill it resumes where it was.
//!
//! | module | what it does |
//! |---|---|
//! | `attempts` | what was tried, and when it may be tried again |
//! | `check` | re-runs claims |
//! | `dispute` | one refuting transaction where the claim's trace is served, a match where it is withheld |
//! | `play` | moves of this node's matches |
//! | `settle` | rewards, bonds, withdrawals |
//! | `source` | where claimed traces come from |
//! | `temper` | what is disputed, and how: honest, or a test's nuisance |

mod attempts;
mod check;
mod dispute;
mod play;
mod settle;
mod source;
mod temper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use narrows_bisection::{
    Account, Call, ClaimId, JobId, Ledger, MatchId, Refusal, Refutation, StateHash, Trace, Wei,
};
use narrows_commitment::{Digest, ProgramRoot, TraceRoot, keccak};
use narrows_contracts::{
    Chain, ChainError, Inbox, InboxError, LoggedEvent, MAX_TOGETHER, Receipt, Transaction,
};
use narrows_program::Program;

use crate::engine::{Backend, BurnEngine, EngineError};

use attempts::{Attempts, is_its_own};

pub use source::{NoSource, TraceSource};
pub use temper::{Griefer, Honest, Temper};

/// Why a node stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The journal.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A device that cannot be trusted with exact integers.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The task that runs models was stopped.
    #[error("re-running the model was interrupted; start the node again, it resumes from its journal")]
    Interrupted,
}

/// What a node found or did in a tick.
#[derive(Debug, Clone)]
pub enum Action {
    /// A claim was re-run.
    Checked {
        /// The claim.
        claim: ClaimId,
        /// What it claims.
        claimed: TraceRoot,
        /// What the model really gives.
        own: TraceRoot,
        /// How long the re-run took; for people, not for decisions.
        took: Duration,
    },
    /// A claim cannot be checked here, with the reason.
    Skipped(ClaimId, String),
    /// A transaction was accepted.
    Sent(Call, Receipt),
    /// A transaction was refused. If it is still due a block later it is tried again.
    Refused(Call, Refusal),
}

/// What can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tried {
    Fetch(ClaimId),
    Commit(ClaimId),
    Copy(ClaimId),
    Open(ClaimId),
    Move(MatchId, StateHash),
    Reward(ClaimId),
    Collect(ClaimId),
    Reclaim(MatchId),
}

/// A watchtower.
pub struct WatchtowerNode {
    account: Account,
    programs: BTreeMap<ProgramRoot, Arc<Program>>,
    engines: BTreeMap<ProgramRoot, Arc<BurnEngine>>,
    backend: Backend,
    temper: Arc<dyn Temper>,
    source: Arc<dyn TraceSource>,
    secret: Digest,
    inbox: Inbox,
    ledger: Ledger,
    traces: BTreeMap<JobId, Arc<Trace>>,
    checked: BTreeSet<ClaimId>,
    /// Claims to be fought.
    wrong: BTreeSet<ClaimId>,
    refutations: BTreeMap<ClaimId, Refutation>,
    tried: Attempts<Tried>,
    /// The first error of this tick that was one transaction's own.
    failed: Option<ChainError>,
}

impl WatchtowerNode {
    /// A node for `account` that knows `programs`, resuming from `journal` (see [`Inbox::open`]). `secret` salts its commitments:
    /// keep it, or a restarted node cannot open them.
    #[must_use]
    pub fn new(
        account: Account,
        programs: Vec<Arc<Program>>,
        backend: Backend,
        temper: Arc<dyn Temper>,
        secret: Digest,
        journal: (Inbox, Vec<LoggedEvent>),
    ) -> Self {
        let (inbox, past) = journal;
        let mut ledger = Ledger::default();
        past.iter().for_each(|logged| ledger.observe(logged.time, &logged.event));
        Self {
            account,
            programs: programs.into_iter().map(|program| (program.root(), program)).collect(),
            engines: BTreeMap::new(),
            backend,
            temper,
            source: Arc::new(NoSource),
            secret,
            inbox,
            ledger,
            traces: BTreeMap::new(),
            checked: BTreeSet::new(),
            wrong: BTreeSet::new(),
            refutations: BTreeMap::new(),
            tried: Attempts::default(),
            failed: None,
        }
    }

    /// Asks `source` for claimed traces, so that a wrong claim falls in one transaction.
    #[must_use]
    pub fn with_source(mut self, source: Arc<dyn TraceSource>) -> Self {
        self.source = source;
        self
    }

    /// What the node knows of the chain.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes new events and does everything that is due: at most one move in each match. Matches come first, for their
    /// clocks run; a transaction that fails by itself stops no other.
    ///
    /// # Errors
    /// When the chain, the journal or the device fails, or a transaction did; the rest was then still done if it could be.
    /// Nothing is lost: the next tick, or the next process, goes on.
    pub async fn tick(&mut self, chain: &mut dyn Chain) -> Result<Vec<Action>, NodeError> {
        for logged in self.inbox.fetch(chain)? {
            self.ledger.observe(logged.time, &logged.event);
        }
        let mut actions = Vec::new();
        self.failed = None;
        self.play(chain, &mut actions).await?;
        self.check_claims(chain, &mut actions).await?;
        self.dispute(chain, &mut actions).await?;
        self.settle(chain, &mut actions).await?;
        match self.failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(actions),
        }
    }

    /// What salts this node's commitment about `claim`.
    fn salt(&self, claim: ClaimId) -> Digest {
        keccak(&[self.secret.0, claim.0.0].concat())
    }

    fn program_of(&self, job: JobId) -> Option<Arc<Program>> {
        self.ledger.jobs.get(&job).and_then(|entry| self.programs.get(&entry.program)).cloned()
    }

    /// This node's own trace of a job: remembered, or computed in burn.
    async fn trace(&mut self, job: JobId) -> Result<Result<Arc<Trace>, String>, NodeError> {
        if let Some(trace) = self.traces.get(&job) {
            return Ok(Ok(Arc::clone(trace)));
        }
        let Some(entry) = self.ledger.jobs.get(&job) else {
            return Ok(Err("its job is unknown".into()));
        };
        let Some(program) = self.programs.get(&entry.program).cloned() else {
            return Ok(Err(format!("program {} is not known here", entry.program)));
        };
        let failed = self.rerun(program, vec![(job, entry.input.clone())]).await?;
        Ok(self.traces.get(&job).cloned().ok_or_else(|| failed.into_iter().map(|(_, why)| why).collect()))
    }

    /// Re-runs jobs of one program in one pass and keeps their traces; those that have none, with the reason.
    async fn rerun(
        &mut self,
        program: Arc<Program>,
        jobs: Vec<(JobId, Vec<u8>)>,
    ) -> Result<Vec<(JobId, String)>, NodeError> {
        let root = program.root();
        let (engine, backend) = (self.engines.get(&root).cloned(), self.backend);
        let run = tokio::task::spawn_blocking(move || {
            let engine = match engine {
                Some(engine) => engine,
                None => Arc::new(BurnEngine::new(&program, backend)?),
            };
            let inputs: Vec<&[u8]> = jobs.iter().map(|(_, input)| input.as_slice()).collect();
            let outputs = engine.run_all(&inputs)?;
            let traced = jobs.into_iter().zip(outputs);
            let traced = traced.map(|((job, input), outputs)| (job, Trace::new(&program, input, outputs)));
            Ok::<_, EngineError>((engine, traced.collect::<Vec<_>>()))
        });
        let (engine, traced) = run.await.map_err(|_| NodeError::Interrupted)??;
        self.engines.insert(root, engine);
        let mut failed = Vec::new();
        for (job, trace) in traced {
            match trace {
                Ok(trace) => drop(self.traces.insert(job, Arc::new(trace))),
                Err(error) => failed.push((job, error.to_string())),
            }
        }
        Ok(failed)
    }

    /// Sends; whether it was accepted, or `None` when it failed by itself, which the tick's end tells.
    fn send(
        &mut self,
        chain: &mut dyn Chain,
        value: Wei,
        call: Call,
        actions: &mut Vec<Action>,
    ) -> Result<Option<bool>, NodeError> {
        let sent = chain.send(Transaction { from: self.account, value, call: call.clone() });
        self.outcome(sent, call, actions)
    }

    /// What came of a call that was sent.
    fn outcome(
        &mut self,
        sent: Result<Receipt, ChainError>,
        call: Call,
        actions: &mut Vec<Action>,
    ) -> Result<Option<bool>, NodeError> {
        match sent {
            Ok(receipt) => {
                actions.push(Action::Sent(call, receipt));
                Ok(Some(true))
            }
            Err(ChainError::Refused { refusal, .. }) => {
                actions.push(Action::Refused(call, refusal));
                Ok(Some(false))
            }
            Err(error) if is_its_own(&error) => {
                self.failed.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends moves in different matches together. As with [`Self::send_again`], what a reorganisation undoes is due again.
    fn send_moves(
        &mut self,
        chain: &mut dyn Chain,
        moves: Vec<(Tried, Call)>,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        for together in moves.chunks(MAX_TOGETHER) {
            let account = self.account;
            let tx =
                |(_, call): &(Tried, Call)| Transaction { from: account, value: Wei(0), call: call.clone() };
            let sent = chain.send_all(together.iter().map(tx).collect());
            let mut failed = None;
            for ((what, call), sent) in together.iter().zip(sent) {
                let what = *what;
                match self.outcome(sent, call.clone(), actions) {
                    Ok(Some(_)) => self.rest(chain, what),
                    Ok(None) => {}
                    // What was sent beside it is still recorded.
                    Err(error) => _ = failed.get_or_insert(error),
                }
            }
            failed.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Sends what must stand once; refused, it is tried again in a later block.
    fn send_once(
        &mut self,
        chain: &mut dyn Chain,
        what: Tried,
        value: Wei,
        call: Call,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        match self.send(chain, value, call, actions)? {
            Some(true) => self.tried.done(what),
            Some(false) => self.rest(chain, what),
            None => {}
        }
        Ok(())
    }

    /// Sends what harms nobody twice: a reorganisation may undo what stood, and then it is due again.
    fn send_again(
        &mut self,
        chain: &mut dyn Chain,
        what: Tried,
        call: Call,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        if self.send(chain, Wei(0), call, actions)?.is_some() {
            self.rest(chain, what);
        }
        Ok(())
    }

    fn rest(&mut self, chain: &dyn Chain, what: Tried) {
        self.tried.rest(what, chain.now(), chain.parameters().block_seconds);
    }
}
