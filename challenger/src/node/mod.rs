//! The watchtower node: re-runs every claim in burn, disputes those that differ, and plays the disputes to their end.
//!
//! A node is a function of its inbox, as the executor's is: after a kill it resumes where it was.

mod temper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use narrows_bisection::players::Follower;
use narrows_bisection::{
    Account, Call, ClaimEntry, ClaimId, ClaimStatus, JobId, Ledger, MatchId, Phase, Refusal, Side, StateHash,
    Trace, Wei,
};
use narrows_commitment::{Digest, ProgramRoot, TraceRoot, keccak};
use narrows_contracts::{Chain, ChainError, Inbox, InboxError, LoggedEvent, Receipt, Transaction};
use narrows_program::Program;

use crate::engine::{Backend, BurnEngine, EngineError};

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
    /// A transaction was refused, and is not tried again in the same state.
    Refused(Call, Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tried {
    Move(MatchId, StateHash),
    Reclaim(MatchId),
}

/// A watchtower.
pub struct WatchtowerNode {
    account: Account,
    programs: BTreeMap<ProgramRoot, Arc<Program>>,
    engines: BTreeMap<ProgramRoot, Arc<BurnEngine>>,
    backend: Backend,
    temper: Arc<dyn Temper>,
    secret: Digest,
    inbox: Inbox,
    ledger: Ledger,
    traces: BTreeMap<JobId, Arc<Trace>>,
    checked: BTreeSet<ClaimId>,
    tried: BTreeSet<Tried>,
}

impl WatchtowerNode {
    /// A node for `account` that knows `programs`, resuming from `journal` (see [`Inbox::open`]). `secret` salts its commitments.
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
        past.iter().for_each(|logged| ledger.observe(&logged.event));
        Self {
            account,
            programs: programs.into_iter().map(|program| (program.root(), program)).collect(),
            engines: BTreeMap::new(),
            backend,
            temper,
            secret,
            inbox,
            ledger,
            traces: BTreeMap::new(),
            checked: BTreeSet::new(),
            tried: BTreeSet::new(),
        }
    }

    /// What the node knows of the chain.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes new events and does everything that is due: at most one move in each match.
    ///
    /// # Errors
    /// When the chain, the journal or the device fails. Nothing is lost: the next tick, or the next process, goes on.
    pub async fn tick(&mut self, chain: &mut dyn Chain) -> Result<Vec<Action>, NodeError> {
        for logged in self.inbox.fetch(chain)? {
            self.ledger.observe(&logged.event);
        }
        let mut actions = Vec::new();
        self.check_claims(chain, &mut actions).await?;
        self.play(chain, &mut actions).await?;
        self.settle(chain, &mut actions)?;
        Ok(actions)
    }

    async fn check_claims(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let now = chain.now();
        let pending = self.ledger.claims.iter().filter(|(id, claim)| {
            claim.status == ClaimStatus::Pending && now < claim.window_end && !self.checked.contains(id)
        });
        let pending: Vec<(ClaimId, ClaimEntry)> = pending.map(|(id, claim)| (*id, claim.clone())).collect();
        for (id, claim) in pending {
            let begun = Instant::now();
            let trace = match self.trace(claim.job).await? {
                Ok(trace) => trace,
                Err(reason) => {
                    actions.push(Action::Skipped(id, reason));
                    self.checked.insert(id);
                    continue;
                }
            };
            let own = trace.root();
            actions.push(Action::Checked {
                claim: id,
                claimed: claim.trace_root,
                own,
                took: begun.elapsed(),
            });
            let playing = self.ledger.open_matches(id).any(|(_, m)| m.challenger == self.account);
            if self.temper.disputes(own == claim.trace_root) && !playing {
                let commitment = self.commitment(id, own);
                let bond = chain.parameters().challenger_bond;
                self.send(chain, bond, Call::Open { claim: id, commitment }, actions)?;
            }
            // Only now: a dispute that the chain or an empty purse cut short is opened again.
            self.checked.insert(id);
        }
        Ok(())
    }

    /// H(salt, self, claim, own trace root), with a salt of its own for each claim.
    fn commitment(&self, claim: ClaimId, own: TraceRoot) -> Digest {
        let salt = keccak(&[self.secret.0, claim.0.0].concat());
        keccak(&[&salt.0[..], &self.account.0, &claim.0.0, &own.0.0].concat())
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
        let (engine, backend) = (self.engines.get(&entry.program).cloned(), self.backend);
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
        self.engines.insert(entry.program, engine);
        Ok(trace.map_err(|error| error.to_string()).map(|trace| {
            let trace = Arc::new(trace);
            self.traces.insert(job, Arc::clone(&trace));
            trace
        }))
    }

    async fn play(&mut self, chain: &mut dyn Chain, actions: &mut Vec<Action>) -> Result<(), NodeError> {
        let pending = |claim: &ClaimId| {
            let entry = self.ledger.claims.get(claim).filter(|c| c.status == ClaimStatus::Pending);
            entry.map(|c| c.job)
        };
        let mine = self.ledger.matches.iter().filter(|(_, m)| m.open && m.challenger == self.account);
        let mine: Vec<(MatchId, JobId)> =
            mine.filter_map(|(id, m)| Some((*id, pending(&m.claim)?))).collect();
        for (id, job) in mine {
            let Some(view) = chain.match_state(id)? else { continue };
            let (state, tried) = (view.state, Tried::Move(id, view.state.hash(id)));
            let overdue = state.deadline(&chain.parameters()).is_some_and(|deadline| chain.now() >= deadline);
            if self.tried.contains(&tried) {
                continue;
            }
            let call = match state.phase.turn() {
                Some(Side::Executor) if overdue => Some(Call::Timeout { match_id: id }),
                Some(Side::Challenger) if !overdue => {
                    let Ok(trace) = self.trace(job).await? else { continue };
                    let program = self.ledger.jobs.get(&job).and_then(|j| self.programs.get(&j.program));
                    let (Some(program), Some(entry)) = (program, self.ledger.matches.get(&id)) else {
                        continue;
                    };
                    let mut follower = Follower::new(program, id);
                    entry.moves.iter().for_each(|event| follower.observe(program, event));
                    self.temper.respond(program, &trace, &follower, &state)
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
        let decided =
            |claim: &ClaimId| self.ledger.claims.get(claim).is_some_and(|c| c.status != ClaimStatus::Pending);
        let mine = self.ledger.matches.iter().filter(|(_, m)| m.open && m.challenger == self.account);
        let overtaken =
            mine.filter(|(id, m)| decided(&m.claim) && !self.tried.contains(&Tried::Reclaim(**id)));
        let overtaken: Vec<MatchId> = overtaken.map(|(id, _)| *id).collect();
        for match_id in overtaken {
            let open = chain.match_state(match_id)?.is_some_and(|view| view.state.phase < Phase::Won);
            if open {
                self.send(chain, Wei(0), Call::Reclaim { match_id }, actions)?;
            }
            self.tried.insert(Tried::Reclaim(match_id));
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
