//! A game with one claim on it, and what its players know.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use narrows_bisection::game::ids;
use narrows_bisection::signature::{self, SigningKey};
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimId, Event, Game, JobId, Match, Parameters, Posted, Refusal, Trace,
    Wei,
};
use narrows_commitment::{Digest, TensorTree, Tree};
use narrows_program::{LayerIndex, OperatorIndex, Program};

use super::claimed::Claimed;
use super::programs::input;

pub const REQUESTER: Account = Account([0x11; 20]);
pub const STRANGER: Account = Account([0x44; 20]);
/// The accounts that challenge.
pub const CHALLENGERS: [Account; 3] = [Account([0x31; 20]), Account([0x32; 20]), Account([0x33; 20])];
pub const FEE: Wei = Wei(1_000_000);
pub const NOTHING: Wei = Wei(0);
/// What every block's gas costs: the embedded chain's.
pub const BASE_FEE: Wei = Wei(1_000_000_000);
/// The salt of everything that is committed to.
pub const SALT: Digest = Digest([5; 32]);

/// The executor's key.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_slice(&[7; 32]).expect("a key"));

/// The executor.
pub fn executor() -> Account {
    static ACCOUNT: LazyLock<Account> = LazyLock::new(|| signature::account(KEY.verifying_key()));
    *ACCOUNT
}

/// The executor's signature; each is made once, for it takes as long as a hundred calls.
pub fn sign(digest: Digest) -> Vec<u8> {
    thread_local! {
        static MADE: RefCell<BTreeMap<Digest, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    }
    let make = || signature::sign(digest, &KEY).to_vec();
    MADE.with_borrow_mut(|made| made.entry(digest).or_insert_with(make).clone())
}

/// Where calls are played.
pub trait Machine {
    fn game(&self) -> &Game;
    fn now(&self) -> u64;
    fn wait(&mut self, seconds: u64);
    /// What gas costs from now on.
    fn set_base_fee(&mut self, base_fee: Wei);
    fn send(&mut self, from: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal>;
}

/// The rules alone.
#[derive(Debug, Clone)]
pub struct Light {
    pub game: Game,
    pub now: u64,
    pub base_fee: Wei,
}

impl Light {
    pub fn new(parameters: Parameters) -> Self {
        let game = Game::new(31_337, Account([0x6a; 20]), parameters).expect("parameters in range");
        Self { game, now: 1_000, base_fee: BASE_FEE }
    }
}

impl Machine for Light {
    fn game(&self) -> &Game {
        &self.game
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds;
    }

    fn set_base_fee(&mut self, base_fee: Wei) {
        self.base_fee = base_fee;
    }

    fn send(&mut self, from: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let block = Block { time: BlockTime(self.now), base_fee: self.base_fee };
        self.game.apply(block, from, value, call)
    }
}

/// A claim that stands, and what its players know.
#[derive(Debug, Clone)]
pub struct Scene {
    pub program: Program,
    /// The right trace.
    pub truth: Trace,
    pub claimed: Claimed,
    pub parameters: Parameters,
    pub job: JobId,
    pub posted: Posted,
    pub claim: ClaimId,
    /// Its place among the job's commitments.
    pub number: u64,
    pub chain_id: u64,
    pub address: Account,
    /// Whether the executor's statements also come signed, from others: that changes nothing but who sends them.
    pub signing: bool,
    /// What a challenger stakes.
    pub bond: Wei,
    /// Every operator's bytes, and every layer's preimage and tree of operators: made once.
    pub operators: Vec<Vec<u8>>,
    pub layers: Vec<Vec<u8>>,
    pub trees: Vec<Tree>,
}

/// The call that registers a program.
pub fn register(program: &Program) -> Call {
    Call::Register { header: program.header_bytes().to_vec(), layers_root: program.layers_root() }
}

/// Registers the program and posts a job of it; `salt` makes it new.
pub fn post_job(machine: &mut impl Machine, program: &Program, salt: Digest, deadline: BlockTime) -> JobId {
    machine.send(REQUESTER, NOTHING, &register(program)).expect("registers");
    let call = Call::PostJob { program: program.root(), input: input(), salt, deadline };
    let events = machine.send(REQUESTER, FEE, &call).expect("posts a job");
    let [Event::JobPosted { job, .. }] = events[..] else { panic!("{events:?}") };
    job
}

impl Scene {
    /// Commits to `claimed` for `job`, and posts it a second later.
    pub fn new(machine: &mut impl Machine, program: &Program, claimed: Claimed, job: JobId) -> Self {
        let stake = stake(machine.game(), program);
        let posted = posted(job, executor(), &claimed);
        let commitment = ids::claim_commitment(SALT, &posted);
        let committed = machine.send(executor(), stake, &Call::CommitClaim { job, commitment });
        let committed = committed.expect("commits");
        let [Event::ClaimCommitted { number, committed_at, .. }] = committed[..] else {
            panic!("{committed:?}")
        };
        machine.wait(1);
        let post = post_claim(&claimed, job, number, committed_at);
        machine.send(executor(), NOTHING, &post).expect("posts");
        let truth = Claimed::truth(program).trace;
        Self::of(machine.game(), program, truth, claimed, &posted, number)
    }

    /// What is known of a claim that stands.
    pub fn of(
        game: &Game,
        program: &Program,
        truth: Trace,
        claimed: Claimed,
        posted: &Posted,
        number: u64,
    ) -> Self {
        let parameters = *game.parameters();
        let registered = game.program(program.root()).expect("registered");
        let layer = |i: u32| {
            let root = program.operators_tree(LayerIndex(i)).root();
            [&program.layer(LayerIndex(i)).head()[..], &root.0].concat()
        };
        let (layers, operators) = (program.header().layers, program.header().operators);
        Self {
            truth,
            parameters,
            job: posted.job,
            posted: *posted,
            claim: game.claim_id(posted),
            number,
            chain_id: game.chain_id(),
            address: game.address(),
            signing: false,
            bond: registered.bond(&parameters).expect("small"),
            operators: (0..operators).map(|i| program.operator_bytes(OperatorIndex(i))).collect(),
            layers: (0..layers).map(layer).collect(),
            trees: (0..layers).map(|i| program.operators_tree(LayerIndex(i))).collect(),
            claimed,
            program: program.clone(),
        }
    }

    /// The match with this number.
    pub fn at<'a>(&self, game: &'a Game, number: u64) -> &'a Match {
        game.match_of(ids::match_id(self.claim, number)).expect("opened")
    }

    /// What `challenger` commits to when it holds `own`.
    pub fn own_commitment(&self, challenger: Account, own: &Trace) -> Digest {
        let tree = own.own_tree();
        ids::own_commitment(SALT, challenger, self.claim, tree.depth() as u8, tree.root())
    }
}

/// What goes with a commitment to a claim: the executor's bond and the claim fee.
pub fn stake(game: &Game, program: &Program) -> Wei {
    let parameters = game.parameters();
    let registered = game.program(program.root()).expect("registered");
    Wei(parameters.executor_bond.0 + registered.claim_fee(parameters).expect("small").0)
}

/// What the claim says.
pub fn posted(job: JobId, executor: Account, claimed: &Claimed) -> Posted {
    let output_root = output_root(claimed);
    Posted { job, executor, trace_root: claimed.root(), output_root }
}

fn output_root(claimed: &Claimed) -> narrows_commitment::TensorRoot {
    narrows_commitment::TensorRoot(TensorTree::of_bytes(claimed.trace.output()).root())
}

/// The call that posts it.
pub fn post_claim(claimed: &Claimed, job: JobId, number: u64, committed_at: BlockTime) -> Call {
    let last = claimed.trace.outputs().len() as u32 - 1;
    Call::PostClaim {
        job,
        number,
        committed_at,
        salt: SALT,
        trace_root: claimed.root(),
        output: claimed.trace.operator(OperatorIndex(last)).to_vec(),
        path: claimed.output_path(),
    }
}
