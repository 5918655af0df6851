//! The chain behind a real node: anvil, from the npm package that the contracts' tools come with.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use narrows_bisection::game::ids;
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimId, ClaimStatus, Event, Game, JobId, Parameters, Posted, Refusal,
    Wei,
};
use narrows_commitment::{Digest, TensorRoot, TensorTree, TraceRoot, Tree};
use narrows_program::Program;
use narrows_program::example::{INPUT, OUTPUT, parts};
use serde_json::{Value, json};

use crate::rpc::{Deployment, Key, RpcChain, RpcConfig, RpcError, deploy};
use crate::{Chain, ChainError, Inbox, InboxError, Receipt, Transaction};

/// Anvil's first three accounts: everybody knows their keys.
const KEYS: [&str; 3] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];
const ANVIL_CHAIN: u64 = 31_337;

/// A node that ends with its test.
struct Anvil {
    process: Child,
    url: String,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn binary() -> Option<PathBuf> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules");
    let places = ["@foundry-rs/anvil-linux-amd64/bin/anvil", ".bin/anvil"];
    places.into_iter().map(|place| modules.join(place)).find(|path| path.exists())
}

impl Anvil {
    /// `None`, and why, where it is not installed.
    fn start() -> Option<Self> {
        let Some(binary) = binary() else {
            eprintln!("skipped: there is no anvil; run `npm ci` in contracts/");
            return None;
        };
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let process = Command::new(binary)
            .args(["--port", &port.to_string(), "--hardfork", "osaka", "--quiet"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("anvil starts");
        let node = Self { process, url: format!("http://127.0.0.1:{port}") };
        let begun = Instant::now();
        while crate::rpc::node::Node::connect(RpcConfig { attempts: 1, ..node.config() }).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "anvil does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(node)
    }

    fn config(&self) -> RpcConfig {
        let keys = KEYS.map(|digits| Key::from_hex(digits, "the test").expect("a key")).to_vec();
        RpcConfig { keys, chain_id: Some(ANVIL_CHAIN), ..RpcConfig::local(&self.url) }
    }
}

fn account(number: usize) -> Account {
    Key::from_hex(KEYS[number], "the test").expect("a key").account()
}

impl RpcChain {
    /// What only a development node does.
    fn raw(&self, method: &'static str, params: Value) -> Value {
        self.node.client.ask(method, params).expect("anvil does it")
    }

    fn pass(&self, seconds: u64) {
        self.raw("evm_increaseTime", json!([seconds]));
        self.raw("evm_mine", json!([]));
        // What the node said of the time is taken for so long.
        std::thread::sleep(self.node.config.poll);
    }
}

fn program() -> Program {
    Program::new(parts()).expect("legal")
}

/// A game on anvil, and its mirror beside it.
struct World {
    chain: RpcChain,
    twin: Game,
    program: Program,
    deployment: Deployment,
    node: Anvil,
}

impl World {
    fn start() -> Option<Self> {
        let node = Anvil::start()?;
        let deployment = deploy(node.config(), account(0), Parameters::default()).expect("deployed");
        let chain =
            RpcChain::connect(node.config(), deployment.game, deployment.from_block).expect("connected");
        assert_eq!((chain.registry(), chain.referee()), (deployment.registry, deployment.referee));
        let twin = Game::new(deployment.chain_id, deployment.game, chain.parameters()).expect("parameters");
        Some(Self { chain, twin, program: program(), deployment, node })
    }

    /// Sends what must be accepted, and holds its events and the books to the mirror's.
    fn send(&mut self, from: usize, value: Wei, call: Call) -> Receipt {
        let (from, name) = (account(from), call.name());
        let receipt = self.chain.send(Transaction { from, value, call: call.clone() });
        let receipt = receipt.unwrap_or_else(|error| panic!("{name}: {error}"));
        let block = Block { time: receipt.time, base_fee: receipt.base_fee };
        assert_eq!(self.twin.apply(block, from, value, &call).as_ref(), Ok(&receipt.events), "{name}");
        assert_eq!(self.chain.locked(), Ok(self.twin.locked()), "{name}");
        assert_eq!(self.chain.burned(), Ok(self.twin.burned()), "{name}");
        assert_eq!(self.chain.balance(self.deployment.game), Ok(self.twin.balance()), "{name}");
        receipt
    }

    fn refused(&mut self, from: usize, value: Wei, call: Call) -> Refusal {
        let height = self.chain.block();
        match self.chain.send(Transaction { from: account(from), value, call }) {
            Err(ChainError::Refused { refusal, .. }) => {
                assert_eq!(self.chain.block(), height, "a refusal costs nothing");
                refusal
            }
            other => panic!("not a refusal: {other:?}"),
        }
    }

    fn register(&mut self) {
        let header = self.program.header_bytes().to_vec();
        let layers_root = self.program.layers_root();
        let receipt = self.send(0, Wei(0), Call::Register { header, layers_root });
        assert_eq!(receipt.events, [Event::Registered { program: self.program.root() }]);
    }

    fn post_job(&mut self, salt: u8) -> JobId {
        let (program, input) = (self.program.root(), INPUT.to_vec());
        let deadline = BlockTime(self.chain.now().0 + 1_000);
        let call = Call::PostJob { program, input, salt: Digest([salt; 32]), deadline };
        match self.send(0, Wei(1_000), call).events[..] {
            [Event::JobPosted { job, .. }] => job,
            ref other => panic!("{other:?}"),
        }
    }

    /// Commits to a claim, and posts it a second later.
    fn claim(&mut self, job: JobId) -> (ClaimId, Posted) {
        let trace = Tree::new(vec![TensorTree::of_bytes(&OUTPUT).root(); 2]);
        let posted = Posted {
            job,
            executor: account(1),
            trace_root: TraceRoot(trace.root()),
            output_root: TensorRoot(TensorTree::of_bytes(&OUTPUT).root()),
        };
        let salt = Digest([5; 32]);
        let commitment = ids::claim_commitment(salt, &posted);
        let parameters = self.chain.parameters();
        let registered = self.chain.program(self.program.root()).expect("a view").expect("registered");
        let fee = registered.claim_fee(&parameters).expect("a fee");
        let value = Wei(parameters.executor_bond.0 + fee.0);
        let call = Call::CommitClaim { job, commitment };
        assert_eq!(self.refused(1, Wei(value.0 - 1), call.clone()), Refusal::WrongValue);
        let (number, committed_at) = match self.send(1, value, call).events[..] {
            [Event::ClaimCommitted { number, committed_at, .. }] => (number, committed_at),
            ref other => panic!("{other:?}"),
        };
        let entry = ids::entry(account(1), commitment, committed_at);
        assert_eq!(self.chain.entry(job, number), Ok(Some(entry)));
        assert_eq!(self.chain.entry(job, number + 1), Ok(None));
        self.chain.pass(1);
        let call = Call::PostClaim {
            job,
            number,
            committed_at,
            salt,
            trace_root: posted.trace_root,
            output: OUTPUT.to_vec(),
            path: trace.path(1),
        };
        match self.send(1, Wei(0), call).events[..] {
            [Event::ClaimPosted { claim, .. }] => (claim, posted),
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_honest_claim_on_a_real_node_earns_the_fee() {
    let Some(mut world) = World::start() else { return };
    let parameters = world.chain.parameters();
    assert_eq!(world.chain.program(world.program.root()), Ok(None));
    world.register();
    let header = world.chain.program(world.program.root()).expect("a view").expect("registered").header;
    assert_eq!((header.layers, header.work), (2, 18));
    let job = world.post_job(1);
    let (claim, posted) = world.claim(job);
    let view = world.chain.claim(claim).expect("a view").expect("a claim");
    assert_eq!((view.status, view.openings, view.number, view.best), (ClaimStatus::Pending, 0, 0, None));
    let finalise = Call::Finalise { posted };
    assert_eq!(world.refused(2, Wei(0), finalise.clone()), Refusal::NotYet);
    assert_eq!(world.refused(1, Wei(0), Call::Withdraw), Refusal::NothingOwed);

    world.chain.pass(u64::from(parameters.window_seconds));
    assert!(world.chain.now() >= view.window_end);
    let receipt = world.send(2, Wei(0), finalise);
    assert_eq!(receipt.events, [Event::ClaimFinal { claim, job }, Event::JobAwarded { job, claim }]);
    assert_eq!(world.chain.claim(claim).expect("a view").expect("a claim").status, ClaimStatus::Final);
    assert!(world.chain.job(job).expect("a view").expect("a job").settled);
    let earned = Wei(parameters.executor_bond.0 + 1_000);
    assert_eq!(world.chain.owed(account(1)), Ok(earned));
    let before = world.chain.balance(account(1)).expect("a balance");
    let receipt = world.send(1, Wei(0), Call::Withdraw);
    assert_eq!(receipt.events, [Event::Withdrawn { account: account(1), amount: earned }]);
    // All of it, less what the gas cost.
    let after = world.chain.balance(account(1)).expect("a balance").0;
    assert!(after > before.0 && after < before.0 + earned.0);
    assert!(receipt.gas_used > 21_000 && receipt.gas_used < 100_000, "{}", receipt.gas_used);

    // A journal of another process reads the same story.
    let mut inbox = Inbox::temporary().expect("a journal");
    let other = RpcChain::connect(world.node.config(), world.deployment.game, world.deployment.from_block)
        .expect("connected");
    let events = inbox.fetch(&other).expect("events");
    assert_eq!(events.len(), 7);
    let senders = [0, 0, 1, 1, 2, 2, 1].map(account);
    assert_eq!(events.iter().map(|event| event.sender).collect::<Vec<_>>(), senders);
    assert_eq!(Ok(events), world.chain.events_from(0));
}

#[test]
fn a_match_is_opened_and_told_on_a_real_node() {
    let Some(mut world) = World::start() else { return };
    world.register();
    let job = world.post_job(1);
    let (claim, posted) = world.claim(job);
    let bond = world.chain.program(world.program.root()).expect("a view").expect("registered");
    let bond = bond.bond(&world.chain.parameters()).expect("a bond");
    let open = Call::Open { posted, commitment: Digest([7; 32]) };
    assert_eq!(world.refused(2, Wei(bond.0 + 1), open.clone()), Refusal::WrongValue);
    let receipt = world.send(2, bond, open);
    let [Event::MatchOpened { match_id, .. }] = receipt.events[..] else { panic!("{:?}", receipt.events) };
    let state = world.twin.match_of(match_id).expect("a match").state;
    assert_eq!(world.chain.match_state(match_id), Ok(Some(state.hash())));
    assert_eq!(world.chain.claim(claim).expect("a view").expect("a claim").openings, 1);
}

#[test]
fn a_real_pool_that_holds_a_transaction_back_is_waited_for() {
    let Some(world) = World::start() else { return };
    let config = RpcConfig {
        receipt_timeout: Duration::from_millis(200),
        replace_after: Duration::from_millis(80),
        ..world.node.config()
    };
    let Deployment { game, from_block, .. } = world.deployment;
    let mut slow = RpcChain::connect(config, game, from_block).expect("connected");
    world.chain.raw("evm_setAutomine", json!([false]));
    let header = world.program.header_bytes().to_vec();
    let call = Call::Register { header, layers_root: world.program.layers_root() };
    let register = Transaction { from: account(0), value: Wei(0), call };
    for _ in 0..2 {
        let error = slow.send(register.clone()).expect_err("nothing is mined");
        assert!(matches!(error, ChainError::Rpc(RpcError::NotMined { .. })), "{error}");
    }
    // Another process with the same key does not act on a state that is about to change.
    let mut other = RpcChain::connect(
        RpcConfig { receipt_timeout: Duration::from_millis(50), ..world.node.config() },
        game,
        from_block,
    )
    .expect("connected");
    let error = other.send(register.clone()).expect_err("in flight");
    assert_eq!(error, ChainError::Rpc(RpcError::Interrupted { account: account(0) }));
    world.chain.raw("evm_mine", json!([]));
    slow.send(register.clone()).expect("it stands");
    assert_eq!(slow.events_from(0).expect("events").len(), 1, "and once");
    world.chain.raw("evm_setAutomine", json!([true]));
    other.send(register).expect("now it may");
    assert_eq!(slow.events_from(0).expect("events").len(), 2);
}

#[test]
fn attack_31_a_real_reorganisation_is_noticed() {
    let Some(mut world) = World::start() else { return };
    world.register();
    let snapshot = world.chain.raw("evm_snapshot", json!([]));
    let mut inbox = Inbox::temporary().expect("a journal");
    world.post_job(1);
    assert_eq!(inbox.fetch(&world.chain).expect("events").len(), 2);
    assert_eq!(world.chain.raw("evm_revert", json!([snapshot])), json!(true));
    // Another branch, as long.
    world.chain.pass(77);
    let error = inbox.fetch(&world.chain).expect_err("another branch");
    let stopped = matches!(error, InboxError::Chain(ChainError::Rpc(RpcError::Reorganised { event: 1, .. })));
    assert!(stopped && !error.is_transient(), "{error}");
    // A new connection sees the branch that there is; the journal notices that it is another.
    let Deployment { game, from_block, .. } = world.deployment;
    let fresh = RpcChain::connect(world.node.config(), game, from_block).expect("connected");
    assert_eq!(fresh.events_from(0).expect("events").len(), 1);
    let error = inbox.fetch(&fresh).expect_err("fewer events");
    assert!(matches!(error, InboxError::Behind(1)), "{error}");
}

#[test]
fn a_killed_node_gives_a_typed_error_and_a_fresh_one_is_not_taken_for_it() {
    let Some(mut world) = World::start() else { return };
    world.register();
    let parameters = Parameters { window_seconds: 0, ..Parameters::default() };
    let error = deploy(world.node.config(), account(0), parameters).expect_err("bad parameters");
    assert!(matches!(error, ChainError::Parameters(_)), "{error}");
    let stranger = RpcChain::connect(world.node.config(), account(0), 0).expect_err("no contract");
    assert!(matches!(stranger, ChainError::Rpc(RpcError::NoContract { contract: "Game", .. })), "{stranger}");
    let other =
        RpcChain::connect(world.node.config(), world.deployment.registry, 0).expect_err("another contract");
    assert!(matches!(other, ChainError::Rpc(RpcError::OtherContract { contract: "Game", .. })), "{other}");
    world.node.process.kill().expect("it runs until it is killed");
    world.node.process.wait().expect("it is gone");
    let error = world.chain.owed(account(0)).expect_err("it is gone");
    let ChainError::Rpc(RpcError::Unreachable { endpoint, .. }) = &error else { panic!("{error}") };
    assert!(error.is_transient() && *endpoint == world.node.url, "{error}");
    let withdraw = Transaction { from: account(0), value: Wei(0), call: Call::Withdraw };
    assert!(world.chain.send(withdraw).expect_err("it is gone").is_transient());
}
