//! A process's way to the simulated chain: what `RpcChain` is to a real one, with everything that can go wrong on it.
//!
//! As `RpcChain` does, it sends a call once, goes on with the same transaction when the same call is sent again, refuses at
//! no cost what would be refused, and asks the caller to decide again while a transaction of an earlier process is on its way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use narrows_bisection::{
    Account, Block, BlockTime, ClaimId, JobId, MatchId, Parameters, Registered, StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};
use narrows_contracts::{Chain, ChainError, ClaimView, JobView, LoggedEvent, Receipt, RpcError, Transaction};

use super::rng::Rng;
use super::world::{BLOCK_SECONDS, CHAIN_ID, GAME, Place, State, World};

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// As it asks the chain for the `n`th time in the tick.
    Asking(u32),
    /// As it has handed over a transaction, before it knows that it has.
    Sending,
    /// Between this tick and the next.
    Between,
}

/// What is drawn for a tick.
#[derive(Debug, Clone, Copy)]
struct Mood {
    /// Blocks that the answering node is behind.
    lag: u64,
    /// Seconds from its head to the next block, as estimated.
    ahead: u64,
    /// Whether calls are tried as of the latest block's time, not the next one's.
    latest: bool,
}

/// One process's chain.
pub struct SimChain {
    world: Rc<RefCell<World>>,
    rng: RefCell<Rng>,
    mood: Mood,
    kill: Cell<Option<Kill>>,
    dead: Cell<bool>,
    flights: Vec<(u64, Transaction)>,
    /// Events that were given away to this process, and whether the chain was still whole when it began.
    delivered: Cell<usize>,
    whole: bool,
    /// Sends that were refused at no cost.
    pub refused: u32,
    /// Transactions begun.
    pub begun: u32,
}

/// What a failed connection answers; reads like `RpcChain`'s.
fn unreachable(method: &'static str) -> ChainError {
    let (endpoint, reason) = ("sim://chain".to_owned(), "the connection was reset".to_owned());
    RpcError::Unreachable { endpoint, method, attempts: 1, reason }.into()
}

impl SimChain {
    /// The chain as a new process sees it.
    #[must_use]
    pub fn new(world: Rc<RefCell<World>>, rng: Rng) -> Self {
        let whole = world.borrow().stood.is_none();
        let mood = Mood { lag: 0, ahead: BLOCK_SECONDS, latest: false };
        Self {
            world,
            rng: RefCell::new(rng),
            mood,
            kill: Cell::new(None),
            dead: Cell::new(false),
            flights: Vec::new(),
            delivered: Cell::new(0),
            whole,
            refused: 0,
            begun: 0,
        }
    }

    /// Draws what the next tick meets, and whether it is the process's last.
    pub fn begin(&mut self, kill: Option<Kill>) {
        let late = self.world.borrow().faults.late;
        let rng = self.rng.get_mut();
        let lag = if rng.chance(late) { 1 + rng.upto(1) } else { 0 };
        self.mood = Mood { lag, ahead: 1 + rng.upto(BLOCK_SECONDS - 1), latest: rng.chance(200) };
        self.kill.set(kill);
    }

    /// Whether the process was killed in the tick.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Every question passes here: it may fail, or be the last.
    fn pass(&self, method: &'static str) -> Result<(), ChainError> {
        match self.kill.get() {
            Some(Kill::Asking(0)) => self.dead.set(true),
            Some(Kill::Asking(left)) => self.kill.set(Some(Kill::Asking(left - 1))),
            _ => {}
        }
        let transport = self.world.borrow().faults.transport;
        if self.dead.get() || self.rng.borrow_mut().chance(transport) {
            return Err(unreachable(method));
        }
        Ok(())
    }

    fn state(&self) -> Rc<State> {
        Rc::clone(&self.world.borrow().behind(self.mood.lag).state)
    }

    fn ask<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, ChainError> {
        self.pass("eth_call")?;
        Ok(read(&self.state()))
    }

    /// Goes on with a transaction that was handed over; `None` when there is none of this message.
    fn resume(&mut self, tx: &Transaction) -> Option<Result<Receipt, ChainError>> {
        let at = self.flights.iter().position(|(_, sent)| sent == tx)?;
        let id = self.flights[at].0;
        let (place, confirmations) = {
            let world = self.world.borrow();
            (world.place(id, self.mood.lag), world.confirmations)
        };
        match place {
            Place::Mined(depth, result) if depth >= confirmations => {
                self.flights.remove(at);
                let call = tx.call.name();
                return Some(result.map_err(|refusal| ChainError::Refused { call, refusal }));
            }
            Place::Nowhere => self.world.borrow_mut().offer_again(id, tx),
            Place::Mined(..) | Place::Pool => {}
        }
        let hash = Digest::default();
        Some(Err(RpcError::NotMined { hash, nonce: id, seconds: BLOCK_SECONDS }.into()))
    }

    /// What would be refused is refused here, at no cost.
    fn estimate(&mut self, tx: &Transaction) -> Result<(), ChainError> {
        let (block, mut state) = {
            let world = self.world.borrow();
            let behind = world.behind(self.mood.lag);
            let time = if self.mood.latest {
                behind.block.time
            } else {
                BlockTime(behind.block.time.0 + self.mood.ahead)
            };
            (Block { time, base_fee: behind.block.base_fee }, (*behind.state).clone())
        };
        match state.apply(block, tx) {
            Some(Ok(_)) => Ok(()),
            Some(Err(refusal)) => {
                self.refused += 1;
                Err(ChainError::Refused { call: tx.call.name(), refusal })
            }
            None => {
                let balance = Wei(state.purses.get(&tx.from).copied().unwrap_or_default());
                Err(ChainError::InsufficientFunds { account: tx.from, needed: tx.value, balance })
            }
        }
    }
}

impl Chain for SimChain {
    fn parameters(&self) -> Parameters {
        *self.world.borrow().head().state.game.parameters()
    }

    fn now(&self) -> BlockTime {
        BlockTime(self.world.borrow().behind(self.mood.lag).block.time.0 + self.mood.ahead)
    }

    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    fn game(&self) -> Account {
        GAME
    }

    fn send(&mut self, tx: Transaction) -> Result<Receipt, ChainError> {
        self.pass("eth_getTransactionCount")?;
        if let Some(resumed) = self.resume(&tx) {
            return resumed;
        }
        let known: Vec<u64> = self.flights.iter().map(|(id, _)| *id).collect();
        if self.world.borrow().has_unknown(tx.from, &known, self.mood.lag) {
            return Err(RpcError::Interrupted { account: tx.from }.into());
        }
        self.estimate(&tx)?;
        let id = self.world.borrow_mut().hand_over(tx.clone());
        self.begun += 1;
        if self.kill.get() == Some(Kill::Sending) {
            self.dead.set(true);
        }
        self.flights.push((id, tx));
        // The answer may be lost as well as the question.
        self.pass("eth_sendRawTransaction")?;
        Err(RpcError::NotMined { hash: Digest::default(), nonce: id, seconds: 0 }.into())
    }

    fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
        self.pass("eth_getLogs")?;
        let world = self.world.borrow();
        // What `RpcChain` sees by the blocks' hashes, for as long as the process lives.
        if let Some(stood) = world.stood.filter(|stood| self.whole && self.delivered.get() > *stood) {
            return Err(RpcError::Reorganised { block: 0, event: stood as u64 }.into());
        }
        let confirmed = world.behind(self.mood.lag + world.confirmations).events;
        let mut events = world.log[(cursor as usize).min(confirmed)..confirmed].to_vec();
        let mut rng = self.rng.borrow_mut();
        if rng.chance(world.faults.short) {
            events.truncate(rng.upto(events.len() as u64) as usize);
        }
        self.delivered.set(self.delivered.get().max(cursor as usize + events.len()));
        Ok(events)
    }

    fn program(&self, program: ProgramRoot) -> Result<Option<Registered>, ChainError> {
        self.ask(|state| state.game.program(program).copied())
    }

    fn job(&self, job: JobId) -> Result<Option<JobView>, ChainError> {
        self.ask(|state| {
            state.game.job(job).map(|job| JobView {
                requester: job.requester,
                program: job.program,
                input_root: job.input_root,
                fee: job.fee,
                deadline: job.deadline,
                committed: job.committed as u32,
                next: job.next as u32,
                settled: job.settled,
            })
        })
    }

    fn entry(&self, job: JobId, number: u64) -> Result<Option<Digest>, ChainError> {
        self.ask(|state| state.game.entry(job, number))
    }

    fn claim(&self, claim: ClaimId) -> Result<Option<ClaimView>, ChainError> {
        self.ask(|state| {
            state.game.claim(claim).map(|claim| ClaimView {
                status: claim.status,
                window_end: claim.window_end,
                hard_end: claim.hard_end,
                openings: claim.openings,
                open_matches: claim.open_matches,
                number: claim.number,
                by_roots: claim.by_roots,
                point: claim.point,
                refuted_at: claim.refuted_at,
                best: claim.best,
            })
        })
    }

    fn match_state(&self, id: MatchId) -> Result<Option<StateHash>, ChainError> {
        self.ask(|state| state.game.match_of(id).map(|one| one.state.hash()))
    }

    fn owed(&self, account: Account) -> Result<Wei, ChainError> {
        self.ask(|state| state.game.owed(account))
    }

    fn locked(&self) -> Result<Wei, ChainError> {
        self.ask(|state| state.game.locked())
    }

    fn burned(&self) -> Result<Wei, ChainError> {
        self.ask(|state| state.game.burned())
    }

    fn balance(&self, account: Account) -> Result<Wei, ChainError> {
        self.ask(|state| Wei(state.purses.get(&account).copied().unwrap_or_default()))
    }
}
