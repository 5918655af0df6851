//! Two machines in step: the contracts in revm and their Rust mirror, compared after every call.

use narrows_bisection::Game;
use narrows_bisection::{Account, BlockTime, ClaimId, Event, JobId, MatchId, Parameters, Refusal, Wei};
use narrows_contracts::{
    Chain, ChainError, ClaimView, EmbeddedChain, JobView, LoggedEvent, MatchView, Receipt, Transaction,
};

/// A chain that panics (in a test, fails it) as soon as Solidity and Rust differ: in an event, a refusal, a state, an amount.
pub struct TwinChain {
    /// The contracts.
    pub chain: EmbeddedChain,
    /// The mirror.
    pub game: Game,
    matches: Vec<MatchId>,
    accounts: Vec<Account>,
}

impl TwinChain {
    /// Both machines, empty, on a temporary chain.
    ///
    /// # Panics
    /// When the parameters are out of range.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        let chain = EmbeddedChain::temporary(parameters).expect("a temporary chain");
        let game = Game::new(chain.chain_id(), chain.game(), parameters).expect("parameters");
        Self { chain, game, matches: Vec::new(), accounts: Vec::new() }
    }

    /// Gives an account money.
    ///
    /// # Panics
    /// When the chain refuses.
    pub fn fund(&mut self, account: Account) {
        self.chain.fund(account, Wei(1 << 100)).expect("fund");
        self.accounts.push(account);
    }

    /// Moves the clock.
    ///
    /// # Panics
    /// When the clock would leave its range.
    pub fn advance(&mut self, seconds: u64) {
        self.chain.advance(seconds).expect("the clock");
    }

    /// Moves the clock to `time`, which must not be past.
    pub fn advance_to(&mut self, time: BlockTime) {
        self.advance(time.0 - self.chain.now().0);
    }

    fn compare(&self) {
        assert_eq!(self.chain.locked().expect("locked"), self.game.locked(), "locked");
        assert_eq!(self.chain.burned().expect("burned"), self.game.burned(), "burned");
        let held = self.chain.balance(self.chain.game()).expect("balance");
        assert_eq!(
            held.0,
            self.game.locked().0 + self.game.burned().0,
            "attack 23: balance = locked + burned"
        );
        for account in &self.accounts {
            assert_eq!(
                self.chain.owed(*account).expect("owed"),
                self.game.owed(*account),
                "owed to {account}"
            );
        }
        for id in &self.matches {
            let evm = self.chain.match_state(*id).expect("match").expect("a known match").state;
            assert_eq!(Some(&evm), self.game.match_of(*id).map(|m| &m.state), "match {id}");
        }
    }

    /// Sends to both; the common answer.
    ///
    /// # Panics
    /// When they differ.
    pub fn both(&mut self, tx: Transaction) -> Result<Receipt, Refusal> {
        let mut game = self.game.clone();
        let rust = game.apply(self.chain.now(), tx.from, tx.value, &tx.call);
        let name = tx.call.name();
        let answer = match (self.chain.send(tx), rust) {
            (Ok(receipt), Ok(events)) => {
                assert_eq!(receipt.events, events, "{name}: events");
                self.game = game;
                Ok(receipt)
            }
            (Err(ChainError::Refused { refusal, .. }), Err(mirror)) => {
                assert_eq!(refusal, mirror, "{name}: refusals");
                Err(refusal)
            }
            (Err(ChainError::NotPayable { .. }), Err(Refusal::WrongValue)) => Err(Refusal::WrongValue),
            (evm, rust) => panic!("{name}: Solidity says {evm:?}, Rust {rust:?}"),
        };
        if let Ok(receipt) = &answer {
            let opened = receipt.events.iter().filter_map(|event| match event {
                Event::MatchOpened { match_id, .. } => Some(*match_id),
                _ => None,
            });
            self.matches.extend(opened);
        }
        self.compare();
        answer
    }
}

impl Chain for TwinChain {
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

    fn send(&mut self, tx: Transaction) -> Result<Receipt, ChainError> {
        let call = tx.call.name();
        self.both(tx).map_err(|refusal| ChainError::Refused { call, refusal })
    }

    fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
        self.chain.events_from(cursor)
    }

    fn job(&self, job: JobId) -> Result<Option<JobView>, ChainError> {
        self.chain.job(job)
    }

    fn claim(&self, claim: ClaimId) -> Result<Option<ClaimView>, ChainError> {
        self.chain.claim(claim)
    }

    fn match_state(&self, id: MatchId) -> Result<Option<MatchView>, ChainError> {
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
