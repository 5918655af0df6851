//! A chain that carries less than the one below it: as one whose nodes take shorter transactions, or less gas.

use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, JobId, MatchId, Parameters, Registered, StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};
use narrows_contracts::{
    Chain, ChainError, ClaimView, EmbeddedChain, JobView, LoggedEvent, Receipt, Transaction, check_size,
};

/// An embedded chain with rations.
pub struct Rationed {
    /// The chain below.
    pub chain: EmbeddedChain,
    /// The most bytes of a transaction.
    pub most_bytes: usize,
    /// What stops a call besides its length.
    pub stops: fn(&Call) -> Option<ChainError>,
    /// What was stopped, in order.
    pub stopped: Vec<&'static str>,
}

impl Rationed {
    /// Rations `chain`.
    #[must_use]
    pub fn new(chain: EmbeddedChain, most_bytes: usize, stops: fn(&Call) -> Option<ChainError>) -> Self {
        Self { chain, most_bytes, stops, stopped: Vec::new() }
    }
}

impl Chain for Rationed {
    fn max_transaction_bytes(&self) -> usize {
        self.most_bytes
    }

    fn send(&mut self, tx: Transaction) -> Result<Receipt, ChainError> {
        let stop = check_size(&tx.call, self.most_bytes).err().or_else(|| (self.stops)(&tx.call));
        if let Some(stop) = stop {
            self.stopped.push(tx.call.name());
            return Err(stop);
        }
        self.chain.send(tx)
    }

    fn parameters(&self) -> Parameters {
        self.chain.parameters()
    }
    fn now(&self) -> BlockTime {
        self.chain.now()
    }
    fn chain_id(&self) -> u64 {
        self.chain.chain_id()
    }
    fn game(&self) -> Account {
        self.chain.game()
    }
    fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
        self.chain.events_from(cursor)
    }
    fn program(&self, program: ProgramRoot) -> Result<Option<Registered>, ChainError> {
        self.chain.program(program)
    }
    fn job(&self, job: JobId) -> Result<Option<JobView>, ChainError> {
        self.chain.job(job)
    }
    fn entry(&self, job: JobId, number: u64) -> Result<Option<Digest>, ChainError> {
        self.chain.entry(job, number)
    }
    fn claim(&self, claim: ClaimId) -> Result<Option<ClaimView>, ChainError> {
        self.chain.claim(claim)
    }
    fn match_state(&self, id: MatchId) -> Result<Option<StateHash>, ChainError> {
        self.chain.match_state(id)
    }
    fn owed(&self, account: Account) -> Result<Wei, ChainError> {
        self.chain.owed(account)
    }
    fn locked(&self) -> Result<Wei, ChainError> {
        self.chain.locked()
    }
    fn burned(&self) -> Result<Wei, ChainError> {
        self.chain.burned()
    }
    fn balance(&self, account: Account) -> Result<Wei, ChainError> {
        self.chain.balance(account)
    }
}
