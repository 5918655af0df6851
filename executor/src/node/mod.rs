//! The executor node: takes jobs, runs them, commits to claims and posts them, answers disputes, collects what it is owed.
//!
//! A node is a function of its inbox: it acts only on journalled events and the chain's state, so after a kill it resumes where it
//! was, and an action that is already done is not done again.
//!
//! | module | what it does |
//! |---|---|
//! | `attempts` | what was tried, and when it may be tried again |
//! | `claims` | jobs to commitments to claims |
//! | `defend` | answers matches |
//! | `settle` | finality, fees, lapsed rivals, withdrawals |
//! | `conduct` | what the node claims: the truth, or a test's lie |
//! | `shelf` | what it hands out about its claims |

mod attempts;
mod claims;
mod conduct;
mod defend;
mod settle;
mod shelf;

use std::collections::BTreeMap;
use std::sync::Arc;

use narrows_bisection::signature::SigningKey;
use narrows_bisection::{Account, Call, ClaimId, JobId, Ledger, MatchId, StateHash, Trace, Wei};
use narrows_commitment::{Digest, ProgramRoot, keccak};
use narrows_contracts::{
    Chain, ChainError, Inbox, InboxError, LoggedEvent, MAX_TOGETHER, Receipt, Transaction,
};
use narrows_program::Program;

use attempts::{Attempts, is_its_own};

pub use conduct::{Conduct, Honest};
pub use shelf::Shelf;

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
    /// A transaction was refused. If it is still due a block later it is tried again.
    Refused(Call, narrows_bisection::Refusal),
    /// A job was passed over, with the reason.
    Skipped(JobId, String),
}

/// What can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tried {
    Commit(JobId),
    Post(JobId, u64),
    Move(MatchId, StateHash),
    Finalise(ClaimId),
    Award(ClaimId),
    Lapse(JobId, u64),
}

/// An executor.
pub struct ExecutorNode {
    account: Account,
    programs: BTreeMap<ProgramRoot, Arc<Program>>,
    conduct: Arc<dyn Conduct>,
    secret: Digest,
    key: Option<SigningKey>,
    inbox: Inbox,
    ledger: Ledger,
    traces: BTreeMap<JobId, Arc<Trace>>,
    shelf: Shelf,
    tried: Attempts<Tried>,
    /// The first error of this tick that was one transaction's own.
    failed: Option<ChainError>,
}

impl ExecutorNode {
    /// A node for `account` that serves `programs`, resuming from `journal` (see [`Inbox::open`]). `secret` hides its
    /// commitments until they are posted: keep it, or a restarted node cannot post what it committed to.
    #[must_use]
    pub fn new(
        account: Account,
        programs: Vec<Arc<Program>>,
        conduct: Arc<dyn Conduct>,
        secret: Digest,
        journal: (Inbox, Vec<LoggedEvent>),
    ) -> Self {
        let (inbox, past) = journal;
        let mut ledger = Ledger::default();
        past.iter().for_each(|logged| ledger.observe(logged.time, &logged.event));
        let programs = programs.into_iter().map(|program| (program.root(), program)).collect();
        Self {
            account,
            programs,
            conduct,
            secret,
            key: None,
            inbox,
            ledger,
            traces: BTreeMap::new(),
            shelf: Shelf::default(),
            tried: Attempts::default(),
            failed: None,
        }
    }

    /// Signs the sub-traces that it serves with the account's key.
    #[must_use]
    pub fn signing(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    /// What the node knows of the chain.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What the node hands out; filled when a claim is posted, emptied when it is decided.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Takes new events and does everything that is due: at most one move in each match. Disputes come first, for their
    /// clocks run; a transaction that fails by itself stops no other.
    ///
    /// # Errors
    /// When the chain or the journal fails, or a transaction did; the rest was then still done if it could be. Nothing is
    /// lost: the next tick, or the next process, goes on.
    pub async fn tick(&mut self, chain: &mut dyn Chain) -> Result<Vec<Action>, NodeError> {
        for logged in self.inbox.fetch(chain)? {
            self.ledger.observe(logged.time, &logged.event);
        }
        let mut actions = Vec::new();
        self.failed = None;
        self.defend(chain, &mut actions).await?;
        self.post_claims(chain, &mut actions).await?;
        self.serve_claims(chain).await?;
        self.settle(chain, &mut actions)?;
        self.commit_claims(chain, &mut actions).await?;
        match self.failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(actions),
        }
    }

    /// What hides this node's commitment to a claim on `job`.
    fn salt(&self, job: JobId) -> Digest {
        keccak(&[self.secret.0, job.0.0].concat())
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

    fn program_of(&self, job: JobId) -> Option<Arc<Program>> {
        self.ledger.jobs.get(&job).and_then(|entry| self.programs.get(&entry.program)).cloned()
    }

    /// Sends; `None` when it failed by itself, which the tick's end tells.
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
                    Ok(Some(_)) => self.tried.rest(what, chain.now(), chain.parameters().block_seconds),
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
            Some(false) => self.tried.rest(what, chain.now(), chain.parameters().block_seconds),
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
            self.tried.rest(what, chain.now(), chain.parameters().block_seconds);
        }
        Ok(())
    }
}
