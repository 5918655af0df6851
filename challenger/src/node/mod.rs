//! The watchtower node: re-runs every claim in burn, refutes or disputes those that differ, and sees it through to the money.
//!
//! A node is a function of its inbox, as the executor's is: after a kill it resumes where it was.
//!
//! | module | what it does |
//! |---|---|
//! | `check` | re-runs claims |
//! | `dispute` | one refuting transaction where the claim's trace is served, a match where it is withheld |
//! | `play` | moves of this node's matches |
//! | `runs` | re-runs of the model: their roots, and whole traces where claims are fought |
//! | `settle` | rewards, bonds, withdrawals |
//! | `source` | where claimed traces come from |
//! | `temper` | what is disputed, and how: honest, or a test's nuisance |

mod check;
mod dispute;
mod play;
mod runs;
mod settle;
mod source;
mod temper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use narrows_bisection::{Account, Call, ClaimId, JobId, Ledger, MatchId, Refusal, Refutation, StateHash};
use narrows_commitment::{Digest, ProgramRoot, TraceRoot, keccak};
use narrows_contracts::{Chain, ChainError, Inbox, InboxError, LoggedEvent, Outbox, Outcome, Receipt};
use narrows_program::Program;

use crate::engine::{Backend, EngineError};

use runs::Runs;

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
    backend: Backend,
    temper: Arc<dyn Temper>,
    source: Arc<dyn TraceSource>,
    secret: Digest,
    inbox: Inbox,
    ledger: Ledger,
    runs: Runs,
    checked: BTreeSet<ClaimId>,
    /// Claims to be fought.
    wrong: BTreeSet<ClaimId>,
    refutations: BTreeMap<ClaimId, Refutation>,
    outbox: Outbox<Tried>,
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
            backend,
            temper,
            source: Arc::new(NoSource),
            secret,
            inbox,
            ledger,
            runs: Runs::default(),
            checked: BTreeSet::new(),
            wrong: BTreeSet::new(),
            refutations: BTreeMap::new(),
            outbox: Outbox::new(account),
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
        self.play(chain, &mut actions).await?;
        self.check_claims(chain, &mut actions).await?;
        self.dispute(chain, &mut actions).await?;
        self.settle(chain, &mut actions).await?;
        self.forget(chain);
        self.outbox.end()?;
        Ok(actions)
    }

    /// What salts this node's commitment about `claim`.
    fn salt(&self, claim: ClaimId) -> Digest {
        keccak(&[self.secret.0, claim.0.0].concat())
    }

    fn program_of(&self, job: JobId) -> Option<Arc<Program>> {
        self.ledger.jobs.get(&job).and_then(|entry| self.programs.get(&entry.program)).cloned()
    }
}
