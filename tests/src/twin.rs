//! Two machines in step: the contracts in revm and their Rust mirror, compared after every call.

use narrows_bisection::game::ids::match_id;
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimId, Event, Game, JobId, MatchId, Parameters, Refusal, Registered,
    StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};
use narrows_contracts::{
    Chain, ChainError, ClaimView, EmbeddedChain, JobView, LoggedEvent, Receipt, Transaction,
};

/// What each account is given.
const GIFT: Wei = Wei(1 << 100);

/// A chain that panics (in a test, fails it) as soon as Solidity and Rust differ: in an event, a refusal, a state, an amount.
pub struct TwinChain {
    /// The contracts.
    pub chain: EmbeddedChain,
    /// The mirror.
    pub game: Game,
    matches: Vec<MatchId>,
    claims: Vec<ClaimId>,
    /// With the number of the last commitment.
    jobs: Vec<(JobId, u64)>,
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
        Self { chain, game, matches: Vec::new(), claims: Vec::new(), jobs: Vec::new(), accounts: Vec::new() }
    }

    /// Gives an account money.
    ///
    /// # Panics
    /// When the chain refuses.
    pub fn fund(&mut self, account: Account) {
        self.chain.fund(account, GIFT).expect("fund");
        self.accounts.push(account);
    }

    /// What an account holds beyond what it was given, in wei; negative when it has paid in more than it got out.
    ///
    /// # Panics
    /// When the chain cannot be read.
    #[must_use]
    pub fn gain(&self, account: Account) -> i128 {
        self.chain.balance(account).expect("balance").0 as i128 - GIFT.0 as i128
    }

    /// Everybody withdraws what it is owed. Then nothing must be locked: what went in came out again or is burned.
    ///
    /// # Panics
    /// When anything is left, or anything is lost.
    pub fn close_books(&mut self) {
        for account in self.accounts.clone() {
            if self.game.owed(account) > Wei(0) {
                let withdraw = Transaction { from: account, value: Wei(0), call: Call::Withdraw };
                self.both(withdraw).expect("what is owed is paid");
            }
        }
        assert_eq!(self.game.locked(), Wei(0), "nothing is left behind");
        let gains: i128 = self.accounts.iter().map(|account| self.gain(*account)).sum();
        assert_eq!(-gains, self.game.burned().0 as i128, "what is gone is burned");
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
            let evm = self.chain.match_state(*id).expect("match").expect("a known match");
            assert_eq!(Some(evm), self.game.match_of(*id).map(|m| m.state.hash()), "match {id}");
        }
        self.claims.iter().for_each(|id| self.compare_claim(*id));
        // The latest: there may be hundreds.
        self.jobs.iter().rev().take(4).for_each(|(id, number)| self.compare_job(*id, *number));
    }

    fn compare_claim(&self, id: ClaimId) {
        let evm = self.chain.claim(id).expect("a view").expect("a known claim");
        let rust = self.game.claim(id).expect("a known claim");
        let mirrored = ClaimView {
            status: rust.status,
            window_end: rust.window_end,
            hard_end: rust.hard_end,
            openings: rust.openings,
            open_matches: rust.open_matches,
            number: rust.number,
            by_roots: rust.by_roots,
            point: rust.point,
            refuted_at: rust.refuted_at,
            best: rust.best,
        };
        assert_eq!(evm, mirrored, "claim {id}");
    }

    fn compare_job(&self, id: JobId, number: u64) {
        let evm = self.chain.job(id).expect("a view").expect("a known job");
        let rust = self.game.job(id).expect("a known job");
        let mirrored = JobView {
            requester: rust.requester,
            program: rust.program,
            input_root: rust.input_root,
            fee: rust.fee,
            deadline: rust.deadline,
            committed: u32::try_from(rust.committed).expect("few commitments"),
            next: u32::try_from(rust.next).expect("few commitments"),
            settled: rust.settled,
        };
        assert_eq!(evm, mirrored, "job {id}");
        let entry = self.chain.entry(id, number).expect("a view");
        assert_eq!(entry, self.game.entry(id, number), "commitment {number} to job {id}");
    }

    /// Takes note of what there is to compare.
    fn note(&mut self, event: &Event) {
        match event {
            Event::MatchOpened { match_id: id, .. } => self.matches.push(*id),
            Event::Committed { claim, number, .. } => self.matches.push(match_id(*claim, *number)),
            Event::ClaimPosted { claim, .. } => self.claims.push(*claim),
            Event::JobPosted { job, .. } => self.jobs.push((*job, 0)),
            Event::ClaimCommitted { job, number, .. } => {
                self.jobs.retain(|(id, _)| id != job);
                self.jobs.push((*job, *number));
            }
            _ => {}
        }
    }

    /// Sends to both; the common answer.
    ///
    /// # Panics
    /// When they differ.
    pub fn both(&mut self, tx: Transaction) -> Result<Receipt, Refusal> {
        let mut game = self.game.clone();
        let block = Block { time: self.chain.now(), base_fee: self.chain.base_fee() };
        let rust = game.apply(block, tx.from, tx.value, &tx.call);
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
            (evm, rust) => {
                let (evm, rust) = (evm.map(|receipt| receipt.events.len()), rust.map(|events| events.len()));
                panic!("{name}: Solidity says {evm:?}, Rust {rust:?} (events, or why not)")
            }
        };
        if let Ok(receipt) = &answer {
            receipt.events.iter().for_each(|event| self.note(event));
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

    fn match_state(&self, id: MatchId) -> Result<Option<StateHash>, ChainError> {
        self.chain.match_state(id)
    }

    fn program(&self, root: ProgramRoot) -> Result<Option<Registered>, ChainError> {
        self.chain.program(root)
    }

    fn entry(&self, job: JobId, number: u64) -> Result<Option<Digest>, ChainError> {
        self.chain.entry(job, number)
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
