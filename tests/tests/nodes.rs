//! Nodes on a chain: honest and lying executors, watchtowers, kills at every tick.

use std::path::Path;
use std::sync::Arc;

use narrows_bisection::{Account, BlockTime, Call, ClaimStatus, Event, Parameters, Wei};
use narrows_challenger::engine::Backend;
use narrows_challenger::node::{Griefer, Honest as HonestTemper, Temper, WatchtowerNode};
use narrows_commitment::keccak;
use narrows_contracts::{Chain, EmbeddedChain, Inbox, Transaction};
use narrows_executor::adversary::{CopiedClaim, DoctoredLayer, FlippedWeight, Withholding, WrongOutput};
use narrows_executor::node::{Conduct, ExecutorNode, Honest};
use narrows_program::{LayerIndex, Program};
use narrows_tests::arena::{CHALLENGER, EXECUTOR, FEE, REQUESTER};
use narrows_tests::digits;

const FUNDS: Wei = Wei(10_000_000_000_000_000_000);

/// A chain with the digits program and one job.
fn chain(program: &Program, path: Option<&Path>) -> EmbeddedChain {
    let mut chain = match path {
        Some(path) => EmbeddedChain::create(path, Parameters::default(), BlockTime(1_700_000_000)),
        None => EmbeddedChain::temporary(Parameters::default()),
    }
    .expect("a chain");
    for account in [REQUESTER, EXECUTOR, CHALLENGER] {
        chain.fund(account, FUNDS).expect("funds");
    }
    let register = Call::Register {
        header: program.header_bytes().to_vec(),
        layers_root: program.layers_root(),
        constants_root: program.constants_tree().root(),
    };
    chain.send(Transaction { from: REQUESTER, value: Wei(0), call: register }).expect("registered");
    job(&mut chain, program, digits::input(), 1);
    chain
}

fn job(chain: &mut EmbeddedChain, program: &Program, input: Vec<u8>, salt: u8) {
    let deadline = BlockTime(chain.now().0 + 100_000);
    let call = Call::PostJob { program: program.root(), input, salt: keccak(&[salt]), deadline };
    chain.send(Transaction { from: REQUESTER, value: FEE, call }).expect("a job");
}

fn executor(program: &Arc<Program>, conduct: Arc<dyn Conduct>, journal: &Path) -> ExecutorNode {
    let journal = Inbox::open(journal).expect("a journal");
    ExecutorNode::new(EXECUTOR, vec![Arc::clone(program)], conduct, journal)
}

fn watchtower(program: &Arc<Program>, temper: Arc<dyn Temper>, journal: &Path) -> WatchtowerNode {
    let journal = Inbox::open(journal).expect("a journal");
    let secret = keccak(b"secret");
    WatchtowerNode::new(CHALLENGER, vec![Arc::clone(program)], Backend::Flex, temper, secret, journal)
}

/// The claims' statuses in order, once all are decided and everybody idle.
async fn settle(
    chain: &mut EmbeddedChain,
    program: &Arc<Program>,
    conduct: Arc<dyn Conduct>,
    temper: Arc<dyn Temper>,
    kill: bool,
) -> Vec<ClaimStatus> {
    let folder = tempfile::tempdir().expect("a folder");
    let (left, right) = (folder.path().join("executor"), folder.path().join("watchtower"));
    let mut pair =
        Some((executor(program, conduct.clone(), &left), watchtower(program, temper.clone(), &right)));
    for _ in 0..300 {
        let (mut one, mut other) = pair.take().unwrap_or_else(|| {
            (executor(program, conduct.clone(), &left), watchtower(program, temper.clone(), &right))
        });
        let first = one.tick(chain).await.expect("a tick");
        let second = other.tick(chain).await.expect("a tick");
        let idle = first.is_empty() && second.is_empty();
        let claims: Vec<ClaimStatus> = one.ledger().claims.values().map(|claim| claim.status).collect();
        let decided = !claims.is_empty() && !claims.contains(&ClaimStatus::Pending);
        if idle && decided {
            return claims;
        }
        if !kill {
            pair = Some((one, other));
        }
        chain.advance(if idle { 10 } else { 1 }).expect("the clock");
    }
    panic!("nothing was decided");
}

fn balance(chain: &EmbeddedChain, account: Account) -> i128 {
    chain.balance(account).expect("a balance").0 as i128 - FUNDS.0 as i128
}

#[tokio::test]
async fn an_honest_claim_is_checked_left_alone_and_paid() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let ends = settle(&mut chain, &program, Arc::new(Honest), Arc::new(HonestTemper), false).await;
    assert_eq!(ends, [ClaimStatus::Final]);
    assert_eq!(balance(&chain, EXECUTOR), FEE.0 as i128);
    assert_eq!(balance(&chain, REQUESTER), -(FEE.0 as i128));
    assert_eq!(balance(&chain, CHALLENGER), 0);
    assert_eq!((chain.locked().expect("locked"), chain.burned().expect("burned")), (Wei(0), Wei(0)));
}

#[tokio::test]
async fn every_liar_is_refuted_and_pays_half_to_the_watchtower() {
    let program = Arc::new(digits::program());
    let middle = LayerIndex(program.layers().len() as u32 / 2);
    let doctored = DoctoredLayer { layer: middle, element: 3, delta: 5 };
    let liars: Vec<Arc<dyn Conduct>> = vec![
        Arc::new(doctored),
        Arc::new(WrongOutput),
        Arc::new(FlippedWeight { layer: LayerIndex(0), byte: 40, bit: 6 }),
        Arc::new(Withholding(doctored)),
    ];
    for liar in liars {
        let mut chain = chain(&program, None);
        let ends = settle(&mut chain, &program, liar, Arc::new(HonestTemper), false).await;
        assert_eq!(ends, [ClaimStatus::Refuted]);
        let bond = chain.parameters().executor_bond.0 as i128;
        assert_eq!(balance(&chain, EXECUTOR), -bond);
        assert_eq!(balance(&chain, CHALLENGER), bond / 2);
        assert_eq!(chain.burned().expect("burned").0 as i128, bond - bond / 2, "at least half is burned");
        assert_eq!(chain.locked().expect("locked"), FEE, "the job still pays whoever answers it");
    }
}

#[tokio::test]
async fn attack_07_an_old_claim_copied_for_a_new_input_is_refuted() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let mut other = digits::input();
    other.reverse();
    job(&mut chain, &program, other, 2);
    let copier = CopiedClaim::default();
    let ends = settle(&mut chain, &program, Arc::new(copier), Arc::new(HonestTemper), false).await;
    let refuted = ends.iter().filter(|end| **end == ClaimStatus::Refuted).count();
    assert_eq!((ends.len(), refuted), (2, 1), "the first is true, its copy is not: {ends:?}");
}

#[tokio::test]
async fn attack_12_a_griefer_loses_its_bond() {
    let program = Arc::new(digits::program());
    for turns in [vec![], vec![0], vec![7, 1, 3], vec![255]] {
        let mut chain = chain(&program, None);
        let griefer = Griefer { turns };
        let ends = settle(&mut chain, &program, Arc::new(Honest), Arc::new(griefer), false).await;
        assert_eq!(ends, [ClaimStatus::Final]);
        let bond = chain.parameters().challenger_bond.0 as i128;
        assert_eq!(balance(&chain, CHALLENGER), -bond);
        assert_eq!(balance(&chain, EXECUTOR), FEE.0 as i128 + bond / 2);
    }
}

#[tokio::test]
async fn attack_30_nodes_killed_after_every_tick_resume_and_end_alike() {
    let program = Arc::new(digits::program());
    let doctored = DoctoredLayer { layer: LayerIndex(2), element: 3, delta: 5 };
    let mut ends = Vec::new();
    for kill in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut chain = chain(&program, Some(&folder.path().join("chain")));
        let end = settle(&mut chain, &program, Arc::new(doctored), Arc::new(HonestTemper), kill).await;
        let events: Vec<Event> =
            chain.events_from(0).expect("events").into_iter().map(|logged| logged.event).collect();
        ends.push((end, events, balance(&chain, EXECUTOR), balance(&chain, CHALLENGER)));
    }
    assert_eq!(ends[0].0, [ClaimStatus::Refuted]);
    assert!(ends[0].1.len() > 10);
    let names = |events: &[Event]| events.iter().map(std::mem::discriminant).collect::<Vec<_>>();
    assert_eq!(names(&ends[0].1), names(&ends[1].1), "no move twice, none missing");
    assert_eq!((ends[0].2, ends[0].3), (ends[1].2, ends[1].3));
}

#[tokio::test]
async fn attack_31_a_journal_of_another_chain_is_refused() {
    let program = Arc::new(digits::program());
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = chain(&program, None);
    let mut node = executor(&program, Arc::new(Honest), folder.path());
    node.tick(&mut one).await.expect("a tick");
    drop(node);
    let mut other = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let mut node = executor(&program, Arc::new(Honest), folder.path());
    let error = node.tick(&mut other).await.expect_err("another chain");
    assert!(error.to_string().contains("no longer confirms"), "{error}");
}

#[tokio::test]
async fn a_watchtower_without_money_says_so_and_disputes_once_it_has_some() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    let poor = Account([0x77; 20]);
    let mut liar = executor(&program, Arc::new(WrongOutput), &folder.path().join("liar"));
    let journal = Inbox::open(&folder.path().join("poor")).expect("a journal");
    let temper = Arc::new(HonestTemper);
    let programs = vec![Arc::clone(&program)];
    let mut node = WatchtowerNode::new(poor, programs, Backend::Flex, temper, keccak(b"poor"), journal);
    liar.tick(&mut chain).await.expect("a tick");
    let error = node.tick(&mut chain).await.expect_err("no bond to stake");
    assert!(error.to_string().contains("fund it"), "{error}");
    chain.fund(poor, FUNDS).expect("funds");
    node.tick(&mut chain).await.expect("a tick");
    assert_eq!(node.ledger().matches.len(), 0, "its own opening is seen at the next tick");
    node.tick(&mut chain).await.expect("a tick");
    assert_eq!(node.ledger().matches.len(), 1);
}
