//! A chain that remembers every call that stood, for the record of a dispute.

use narrows_bisection::record::Entry;
use narrows_bisection::{
    Account, Block, BlockTime, ClaimId, JobId, MatchId, Parameters, Registered, StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};
use narrows_contracts::{
    Chain, ChainError, ClaimView, EmbeddedChain, JobView, LoggedEvent, Receipt, Transaction,
};

/// The embedded chain and its history.
pub struct Recorder {
    /// The chain.
    pub chain: EmbeddedChain,
    /// Every call that stood, in order.
    pub history: Vec<Entry>,
}

impl Recorder {
    /// Remembers what happens on `chain` from now on.
    pub fn new(chain: EmbeddedChain) -> Self {
        Self { chain, history: Vec::new() }
    }
}

impl Chain for Recorder {
    fn send(&mut self, tx: Transaction) -> Result<Receipt, ChainError> {
        let (sender, value, call) = (tx.from, tx.value, tx.call.clone());
        let receipt = self.chain.send(tx)?;
        self.history.push(Entry {
            block: Block { time: receipt.time, base_fee: receipt.base_fee },
            sender,
            value,
            gas_used: Some(receipt.gas_used),
            call,
            events: receipt.events.clone(),
        });
        Ok(receipt)
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
