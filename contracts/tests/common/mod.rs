//! A small program, its honest run, and a chain whose books are checked after every step.

#![allow(dead_code, reason = "each test file uses a part")]

use narrows_bisection::{Account, BlockTime, Call, ClaimId, Event, JobId, Parameters, Posted, Wei};
use narrows_commitment::{Digest, TensorRoot, TensorTree, TraceRoot, Tree, keccak};
use narrows_contracts::{Chain, ChainError, EmbeddedChain, Receipt, Transaction};
use narrows_program::Program;
use narrows_program::example::parts;
pub use narrows_program::example::{INPUT, OUTPUT};

pub const REQUESTER: Account = Account([0x11; 20]);
pub const EXECUTOR: Account = Account([0x22; 20]);
pub const CHALLENGER: Account = Account([0x33; 20]);
pub const STRANGER: Account = Account([0x44; 20]);

pub const FEE: Wei = Wei(1_000);
pub const RICH: Wei = Wei(10_000_000_000_000_000_000);

/// What hides the executor's commitment.
pub const SALT: Digest = Digest([5; 32]);

/// [`narrows_program::example`].
pub fn program() -> Program {
    Program::new(parts()).expect("legal")
}

/// The trace tree of the honest run: both layers have the same output.
pub fn trace() -> Tree {
    Tree::new(vec![TensorTree::of_bytes(&OUTPUT).root(); 2])
}

/// A number as an ABI word.
pub fn number(value: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&value.to_be_bytes());
    word
}

/// An account as an ABI word.
pub fn address(account: Account) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&account.0);
    word
}

pub fn hash(words: &[[u8; 32]]) -> Digest {
    keccak(&words.concat())
}

/// A chain with the program registered and everybody rich.
pub struct World {
    pub chain: EmbeddedChain,
    pub program: Program,
}

impl World {
    pub fn new() -> Self {
        Self::with(EmbeddedChain::temporary(Parameters::default()).expect("a chain"))
    }

    pub fn with(mut chain: EmbeddedChain) -> Self {
        for account in [REQUESTER, EXECUTOR, CHALLENGER, STRANGER] {
            chain.fund(account, RICH).expect("funded");
        }
        let mut world = Self { chain, program: program() };
        world.send(STRANGER, Wei(0), world.register());
        world
    }

    /// Sends, and checks the books whatever comes of it.
    pub fn try_send(&mut self, from: Account, value: Wei, call: Call) -> Result<Receipt, ChainError> {
        let before = self.state();
        let result = self.chain.send(Transaction { from, value, call });
        self.check_books();
        if result.is_err() {
            assert_eq!(self.state(), before, "a refused call changes nothing");
        }
        result
    }

    /// Sends what must be accepted.
    pub fn send(&mut self, from: Account, value: Wei, call: Call) -> Receipt {
        let name = call.name();
        self.try_send(from, value, call).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// All that a caller can see.
    pub fn state(&self) -> (u64, BlockTime, usize, Vec<Wei>) {
        let chain = &self.chain;
        let events = chain.events_from(0).expect("events").len();
        let accounts = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER, chain.game()];
        let balance = |account| chain.balance(account).expect("a balance");
        let mut money: Vec<Wei> = accounts.into_iter().map(balance).collect();
        money.extend(accounts.into_iter().map(|account| chain.owed(account).expect("owed")));
        money.extend([chain.locked().expect("locked"), chain.burned().expect("burned")]);
        (chain.block(), chain.now(), events, money)
    }

    /// The game holds what it says, and money neither comes nor goes.
    pub fn check_books(&self) {
        let money = self.state().3;
        let (balances, locked, burned) = (&money[..5], money[10].0, money[11].0);
        assert_eq!(balances[4].0, locked + burned, "the game's balance is what is locked and what is burned");
        assert_eq!(balances.iter().map(|wei| wei.0).sum::<u128>(), 4 * RICH.0, "all money");
    }

    pub fn register(&self) -> Call {
        Call::Register {
            header: self.program.header_bytes().to_vec(),
            layers_root: self.program.layers_root(),
        }
    }

    pub fn deadline(&self) -> BlockTime {
        BlockTime(self.chain.now().0 + 1_000)
    }

    pub fn post_job(&self, salt: u8) -> Call {
        let (program, deadline) = (self.program.root(), self.deadline());
        Call::PostJob { program, input: INPUT.to_vec(), salt: Digest([salt; 32]), deadline }
    }

    pub fn job_id(&self, salt: u8) -> JobId {
        JobId(hash(&[
            number(u128::from(self.chain.chain_id())),
            address(self.chain.game()),
            address(REQUESTER),
            self.program.root().0.0,
            TensorTree::of_bytes(&INPUT).root().0,
            [salt; 32],
        ]))
    }

    /// A job that stands.
    pub fn job(&mut self, salt: u8) -> JobId {
        self.send(REQUESTER, FEE, self.post_job(salt));
        self.job_id(salt)
    }

    /// What the executor claims about `job`.
    pub fn posted(&self, job: JobId) -> Posted {
        let output_root = TensorRoot(TensorTree::of_bytes(&OUTPUT).root());
        Posted { job, executor: EXECUTOR, trace_root: TraceRoot(trace().root()), output_root }
    }

    /// The commitment to that, and what goes with it.
    pub fn commit_claim(&self, job: JobId) -> (Wei, Call) {
        let Posted { trace_root, output_root, .. } = self.posted(job);
        let words = [SALT.0, address(EXECUTOR), job.0.0, trace_root.0.0, output_root.0.0];
        // Less than 2^30 terms at this price still cost a wei.
        let parameters = self.chain.parameters();
        let work = u128::from(self.program.header().work);
        let fee = (work * parameters.work_price.0).div_ceil(1 << 30);
        let stake = Wei(parameters.executor_bond.0 + fee);
        (stake, Call::CommitClaim { job, commitment: hash(&words) })
    }

    /// The claim that was committed to at `committed_at`.
    pub fn post_claim(&self, job: JobId, committed_at: BlockTime) -> Call {
        let Posted { trace_root, .. } = self.posted(job);
        let (output, path) = (OUTPUT.to_vec(), trace().path(1));
        Call::PostClaim { job, number: 0, committed_at, salt: SALT, trace_root, output, path }
    }

    pub fn claim_id(&self, job: JobId) -> ClaimId {
        let p = self.chain.parameters();
        let seconds = [
            p.window_seconds,
            p.executor_clock_seconds,
            p.challenger_clock_seconds,
            p.grace_seconds,
            p.slack_seconds,
            p.reveal_seconds,
            p.reward_seconds,
            p.block_seconds,
        ];
        let money = [p.executor_bond, p.fee_cap, p.delay_fee, p.work_price, p.attacker_budget];
        let words =
            seconds.map(u128::from).into_iter().chain([p.block_gas.into()]).chain(money.map(|wei| wei.0));
        let parameters_hash = hash(&words.map(number).collect::<Vec<_>>());
        let Posted { trace_root, output_root, .. } = self.posted(job);
        ClaimId(hash(&[
            number(u128::from(self.chain.chain_id())),
            address(self.chain.game()),
            job.0.0,
            address(EXECUTOR),
            trace_root.0.0,
            output_root.0.0,
            parameters_hash.0,
        ]))
    }

    pub fn advance(&mut self, seconds: u64) {
        self.chain.advance(seconds).expect("the clock moves");
    }
}

/// The only event of a receipt.
pub fn only(receipt: &Receipt) -> &Event {
    assert_eq!(receipt.events.len(), 1, "{:?}", receipt.events);
    &receipt.events[0]
}
