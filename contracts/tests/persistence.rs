//! What a chain keeps when its process goes, politely or not.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{EXECUTOR, FEE, REQUESTER, RICH, STRANGER, World, program};
use narrows_bisection::{BlockTime, Call, Event, Parameters, Wei};
use narrows_commitment::Digest;
use narrows_contracts::{Chain, ChainError, EmbeddedChain, StorageError, Transaction};

const START: BlockTime = BlockTime(1_000);
/// Names the chain to the process that is killed.
const VARIABLE: &str = "NARROWS_TEST_CHAIN";

fn created(path: &Path) -> EmbeddedChain {
    EmbeddedChain::create(path, Parameters::default(), START).expect("a chain")
}

#[test]
fn a_chain_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    let mut twin = World::with(
        EmbeddedChain::create(&folder.path().join("twin"), Parameters::default(), START).expect("a chain"),
    );
    let mut world = World::with(created(&path));
    let job = world.job(1);
    assert_eq!(twin.job(1), job);
    world.advance(7);
    twin.advance(7);
    let seen = (world.state(), world.chain.events_from(0), world.chain.job(job), world.chain.game());
    drop(world);

    let chain = EmbeddedChain::open(&path).expect("the chain");
    let mut world = World { chain, program: program() };
    assert_eq!((world.state(), world.chain.events_from(0), world.chain.job(job), world.chain.game()), seen);
    assert_eq!(world.chain.parameters(), Parameters::default());
    // It goes on exactly as one that never stopped: identifiers, gas and events.
    let claimed = [&mut world, &mut twin].map(|world| {
        let (stake, commitment) = world.commit_claim(job);
        let committed = world.send(EXECUTOR, stake, commitment);
        world.advance(1);
        let claim = world.post_claim(job, committed.time);
        (committed, world.send(EXECUTOR, Wei(0), claim))
    });
    assert_eq!(claimed[0], claimed[1]);
    let claim = world.claim_id(job);
    assert!(world.chain.claim(claim).expect("a view").is_some(), "the claim is known by its id");
    assert_eq!(world.chain.claim(claim), twin.chain.claim(claim));
}

#[test]
fn paths_are_not_mixed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    let missing = ChainError::Storage(StorageError::Missing(path.clone()));
    assert_eq!(EmbeddedChain::open(&path).expect_err("nothing there"), missing);
    assert!(!path.exists(), "looking makes nothing");
    let bad = Parameters { window_seconds: 0, ..Parameters::default() };
    let error = EmbeddedChain::create(&path, bad, START).expect_err("bad parameters");
    assert!(matches!(error, ChainError::Parameters(_)), "{error}");
    assert_eq!(EmbeddedChain::open(&path).expect_err("still no chain"), missing);

    let chain = created(&path);
    let locked = ChainError::Storage(StorageError::Locked(path.clone()));
    assert_eq!(EmbeddedChain::open(&path).expect_err("open elsewhere"), locked);
    drop(chain);
    let exists = ChainError::Storage(StorageError::Exists(path.clone()));
    assert_eq!(EmbeddedChain::create(&path, Parameters::default(), START).expect_err("there"), exists);
    EmbeddedChain::open(&path).expect("the chain");

    let file = folder.path().join("file");
    std::fs::write(&file, b"not a chain").expect("a file");
    assert!(EmbeddedChain::open(&file).is_err());
}

#[test]
fn the_clock_keeps_its_range() {
    let mut chain = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let now = chain.now();
    assert_eq!(chain.advance(u64::MAX), Err(ChainError::Overflow("the clock")));
    assert_eq!(chain.advance(1 << 39), Err(ChainError::Overflow("the clock")));
    assert_eq!(chain.now(), now);
    chain.advance(5).expect("a little");
    assert_eq!(chain.now(), BlockTime(now.0 + 5));
}

fn job(number: u64) -> Transaction {
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&number.to_be_bytes());
    let (program, deadline) = (program().root(), BlockTime(u64::MAX));
    let call = Call::PostJob { program, input: common::INPUT.to_vec(), salt: Digest(salt), deadline };
    Transaction { from: REQUESTER, value: FEE, call }
}

#[test]
fn the_process_that_is_killed() {
    // Does nothing unless the next test starts it.
    let Ok(path) = std::env::var(VARIABLE) else { return };
    let mut chain = EmbeddedChain::open(Path::new(&path)).expect("the chain");
    loop {
        chain.send(job(chain.block())).expect("a job");
    }
}

#[test]
fn a_kill_leaves_whole_transactions() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    drop(World::with(created(&path)));
    let mut before = 1;
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "the_process_that_is_killed"])
            .env(VARIABLE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        std::thread::sleep(Duration::from_millis(150 + 37 * round));
        child.kill().expect("it runs until it is killed");
        child.wait().expect("it is gone");

        let mut chain = EmbeddedChain::open(&path).expect("the chain");
        let (block, events) = (chain.block(), chain.events_from(0).expect("events"));
        assert!(block >= before, "what was there is there");
        assert_eq!(events.len() as u64, block, "one event a block");
        let posted = u128::from(block) - 1;
        assert_eq!(chain.locked(), Ok(Wei(posted * FEE.0)));
        assert_eq!(chain.balance(chain.game()), Ok(Wei(posted * FEE.0)));
        assert_eq!(chain.balance(REQUESTER), Ok(Wei(RICH.0 - posted * FEE.0)));
        for (number, logged) in events.iter().enumerate() {
            assert_eq!((logged.block, logged.time), (number as u64 + 1, START));
            if let Event::JobPosted { job, .. } = &logged.event {
                assert!(chain.job(*job).expect("a view").is_some(), "job {number}");
            }
        }
        chain.send(job(block)).expect("and it goes on");
        before = block + 1;
    }
    assert!(before > 16, "{before} blocks: the process was killed before it did anything");
    assert_eq!(EmbeddedChain::open(&path).expect("the chain").balance(STRANGER), Ok(RICH));
}
