//! The executor node: takes jobs, runs them, commits to claims and posts them, answers disputes, collects what it is owed.
//!
//! A node is a function of its inbox: it acts only on journalled events and the chain's state, so after a kill it resumes where it
//! was, and an action that is already done is not done again.
//!
//! | module | what it does |
//! |---|---|
//! | `claims` | jobs to commitments to claims |
//! | `runs` | runs of the model: what a claim says of them, and whole traces for disputes |
//! | `defend` | answers matches |
//! | `settle` | finality, fees, lapsed rivals, withdrawals |
//! | `conduct` | what the node claims: the truth, or a test's lie |
//! | `shelf` | what it hands out about its claims |

mod claims;
mod conduct;
mod defend;
mod runs;
mod settle;
mod shelf;

use std::collections::BTreeMap;
use std::sync::Arc;

use narrows_bisection::signature::SigningKey;
use narrows_bisection::{Account, Call, ClaimId, JobId, Ledger, MatchId, StateHash};
use narrows_commitment::{Digest, ProgramRoot, keccak};
use narrows_contracts::{Chain, ChainError, Inbox, InboxError, LoggedEvent, Outbox, Outcome, Receipt};
use narrows_program::Program;

use runs::Runs;

pub use conduct::{Conduct, Desk, Honest};
pub use shelf::{MAX_MADE, Shelf};

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

impl From<Outcome> for Action {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Sent(call, receipt) => Self::Sent(call, receipt),
            Outcome::Refused(call, refusal) => Self::Refused(call, refusal),
        }
    }
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
    runs: Runs,
    shelf: Shelf,
    outbox: Outbox<Tried>,
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
            runs: Runs::default(),
            shelf: Shelf::default(),
            outbox: Outbox::new(account),
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
    ///
    /// Traces are made when somebody asks for them.
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
        self.defend(chain, &mut actions).await?;
        self.post_claims(chain, &mut actions).await?;
        self.serve_claims(chain);
        self.forget();
        self.settle(chain, &mut actions)?;
        self.commit_claims(chain, &mut actions).await?;
        self.outbox.end()?;
        Ok(actions)
    }

    /// What hides this node's commitment to a claim on `job`.
    fn salt(&self, job: JobId) -> Digest {
        keccak(&[self.secret.0, job.0.0].concat())
    }

    fn program_of(&self, job: JobId) -> Option<Arc<Program>> {
        self.ledger.jobs.get(&job).and_then(|entry| self.programs.get(&entry.program)).cloned()
    }
}
