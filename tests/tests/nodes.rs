//! Nodes on a chain: honest and lying executors, watchtowers, kills at every tick.

use std::sync::Arc;

use narrows_bisection::{Account, ClaimStatus, Event, Parameters, Wei};
use narrows_challenger::engine::Backend;
use narrows_challenger::node::{Griefer, Honest as HonestTemper, Temper, WatchtowerNode};
use narrows_commitment::keccak;
use narrows_contracts::{Chain, EmbeddedChain, Inbox};
use narrows_executor::adversary::{CopiedClaim, DoctoredOperator, FlippedWeight, Withholding, WrongOutput};
use narrows_executor::node::{Conduct, Honest};
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{CHALLENGER, EXECUTOR, FEE, REQUESTER, signer};
use narrows_tests::digits;
use narrows_tests::stage::{
    FUNDS, FromShelf, bond, chain, claim_fee, executor, gain, job, settle, statuses, step, watchtower,
};

/// The claims' statuses once all is over, with nodes of their own that nobody kills.
async fn play(
    chain: &mut EmbeddedChain,
    program: &Arc<Program>,
    conduct: Arc<dyn Conduct>,
    temper: Arc<dyn Temper>,
) -> Vec<ClaimStatus> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = executor(EXECUTOR, program, conduct, &folder.path().join("executor"));
    let mut other = watchtower(program, temper, &folder.path().join("watchtower"));
    settle(chain, &mut one, &mut other).await
}

#[tokio::test]
async fn an_honest_claim_is_checked_left_alone_and_paid() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let ends = play(&mut chain, &program, Arc::new(Honest), Arc::new(HonestTemper)).await;
    assert_eq!(ends, [ClaimStatus::Final]);
    let fee = claim_fee(&chain, &program);
    assert_eq!(gain(&chain, EXECUTOR), FEE.0 as i128 - fee);
    assert_eq!(gain(&chain, REQUESTER), -(FEE.0 as i128));
    assert_eq!(gain(&chain, CHALLENGER), 0);
    assert_eq!(chain.locked().expect("locked"), Wei(0));
    assert_eq!(chain.burned().expect("burned").0 as i128, fee);
}

/// One of every kind of liar.
fn liars(program: &Program) -> Vec<Arc<dyn Conduct>> {
    let middle = OperatorIndex(program.operators().len() as u32 / 2);
    let doctored = DoctoredOperator { operator: middle, element: 3, delta: 50 };
    vec![
        Arc::new(doctored),
        Arc::new(WrongOutput),
        Arc::new(FlippedWeight { operator: OperatorIndex(1), byte: 40, bit: 6 }),
        Arc::new(Withholding(doctored)),
    ]
}

#[tokio::test]
async fn every_liar_is_refuted_and_pays_half_to_the_watchtower() {
    let program = Arc::new(digits::program());
    for liar in liars(&program) {
        let mut chain = chain(&program, None);
        let ends = play(&mut chain, &program, liar, Arc::new(HonestTemper)).await;
        assert_eq!(ends, [ClaimStatus::Refuted]);
        let bond = chain.parameters().executor_bond.0 as i128;
        let fee = claim_fee(&chain, &program);
        assert_eq!(gain(&chain, EXECUTOR), -bond - fee);
        assert_eq!(gain(&chain, CHALLENGER), bond / 2);
        let burned = chain.burned().expect("burned").0 as i128;
        assert_eq!(burned, bond - bond / 2 + fee, "at least half is burned");
        assert_eq!(chain.locked().expect("locked"), FEE, "the job still pays whoever answers it");
    }
}

#[tokio::test]
async fn a_liar_that_serves_its_trace_falls_in_one_transaction() {
    let program = Arc::new(digits::program());
    let (key, account) = signer("a serving executor");
    // With its signature whatever operator is wrong, without only what hangs on the roots alone.
    for signs in [true, false] {
        for operator in [2, 3].map(OperatorIndex) {
            let mut chain = chain(&program, None);
            chain.fund(account, FUNDS).expect("funds");
            let folder = tempfile::tempdir().expect("a folder");
            let liar = Arc::new(DoctoredOperator { operator, element: 3, delta: 50 });
            let mut one = executor(account, &program, liar, &folder.path().join("liar"));
            if signs {
                one = one.signing(key.clone());
            }
            let source = Arc::new(FromShelf(one.shelf().clone()));
            let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
            other = other.with_source(source);
            let ends = settle(&mut chain, &mut one, &mut other).await;
            assert_eq!(ends, [ClaimStatus::Refuted]);
            let at_once = signs || operator == OperatorIndex(2);
            assert_eq!(other.ledger().matches.is_empty(), at_once, "signs: {signs}, operator {operator}");
            let half = chain.parameters().executor_bond.0 as i128 / 2;
            assert_eq!(gain(&chain, CHALLENGER), half, "no bond was lost on the way");
            assert!(one.shelf().get(*one.ledger().claims.keys().next().expect("a claim")).is_none());
        }
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
    let ends = play(&mut chain, &program, Arc::new(copier), Arc::new(HonestTemper)).await;
    let refuted = ends.iter().filter(|end| **end == ClaimStatus::Refuted).count();
    assert_eq!((ends.len(), refuted), (2, 1), "the first is true, its copy is not: {ends:?}");
}

#[tokio::test]
async fn attack_12_a_griefer_loses_its_bond() {
    let program = Arc::new(digits::program());
    for turns in [vec![], vec![0], vec![7, 1, 3], vec![255]] {
        let mut chain = chain(&program, None);
        let griefer = Griefer { turns };
        let ends = play(&mut chain, &program, Arc::new(Honest), Arc::new(griefer)).await;
        assert_eq!(ends, [ClaimStatus::Final]);
        let (lost, fee) = (bond(&chain, &program), claim_fee(&chain, &program));
        assert_eq!(gain(&chain, CHALLENGER), -lost);
        let insured = gain(&chain, EXECUTOR) - (FEE.0 as i128 - fee);
        assert!(insured >= chain.parameters().delay_fee.0 as i128, "{insured} wei for the trouble");
        assert_eq!(chain.burned().expect("burned").0 as i128, fee + lost - insured);
    }
}

#[tokio::test]
async fn attack_30_nodes_killed_after_every_tick_resume_and_end_alike() {
    let program = Arc::new(digits::program());
    let doctored = Arc::new(DoctoredOperator { operator: OperatorIndex(2), element: 3, delta: 50 });
    let mut ends = Vec::new();
    for kill in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut chain = chain(&program, Some(&folder.path().join("chain")));
        let (left, right) = (folder.path().join("executor"), folder.path().join("watchtower"));
        let both = || {
            let one = executor(EXECUTOR, &program, Arc::clone(&doctored) as Arc<dyn Conduct>, &left);
            (one, watchtower(&program, Arc::new(HonestTemper), &right))
        };
        let (mut one, mut other) = both();
        let mut quiet = 0;
        for _ in 0..200 {
            quiet = if step(&mut chain, &mut one, &mut other).await { quiet + 1 } else { 0 };
            if quiet >= 15 {
                break;
            }
            if kill {
                drop((one, other));
                (one, other) = both();
            }
        }
        let events: Vec<Event> =
            chain.events_from(0).expect("events").into_iter().map(|logged| logged.event).collect();
        ends.push((statuses(&one), events, gain(&chain, EXECUTOR), gain(&chain, CHALLENGER)));
    }
    assert_eq!(ends[0].0, [ClaimStatus::Refuted]);
    assert!(ends[0].1.len() > 10);
    let names = |events: &[Event]| events.iter().map(std::mem::discriminant).collect::<Vec<_>>();
    assert_eq!(names(&ends[0].1), names(&ends[1].1), "no move twice, none missing");
    assert_eq!((ends[0].2, ends[0].3), (ends[1].2, ends[1].3));
    assert!(ends[0].3 > 0, "the reward was collected");
}

#[tokio::test]
async fn attack_31_a_journal_of_another_chain_is_refused() {
    let program = Arc::new(digits::program());
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = chain(&program, None);
    let mut node = executor(EXECUTOR, &program, Arc::new(Honest), folder.path());
    node.tick(&mut one).await.expect("a tick");
    drop(node);
    let mut empty = EmbeddedChain::temporary(Parameters::default()).expect("a chain");
    let mut node = executor(EXECUTOR, &program, Arc::new(Honest), folder.path());
    let error = node.tick(&mut empty).await.expect_err("a chain that knows nothing of this");
    assert!(error.to_string().contains("does not show"), "{error}");
    drop(node);
    // One that is as long, and tells another story.
    let small = narrows_tests::copies::program(1, 64);
    let mut other = chain(&small, None);
    let mut node = executor(EXECUTOR, &program, Arc::new(Honest), folder.path());
    let error = node.tick(&mut other).await.expect_err("another story");
    assert!(error.to_string().contains("no longer confirms"), "{error}");
}

#[tokio::test]
async fn a_watchtower_without_money_says_so_and_disputes_once_it_has_some() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    let poor = Account([0x77; 20]);
    let mut liar = executor(EXECUTOR, &program, Arc::new(WrongOutput), &folder.path().join("liar"));
    let journal = Inbox::open(&folder.path().join("poor")).expect("a journal");
    let temper = Arc::new(HonestTemper);
    let programs = vec![Arc::clone(&program)];
    let mut node = WatchtowerNode::new(poor, programs, Backend::Flex, temper, keccak(b"poor"), journal);
    // A commitment, and a second later the claim.
    liar.tick(&mut chain).await.expect("a tick");
    chain.advance(1).expect("the clock");
    liar.tick(&mut chain).await.expect("a tick");
    let error = node.tick(&mut chain).await.expect_err("no bond to stake");
    assert!(error.to_string().contains("fund it"), "{error}");
    chain.fund(poor, FUNDS).expect("funds");
    node.tick(&mut chain).await.expect("a tick");
    assert_eq!(node.ledger().matches.len(), 0, "its own opening is seen at the next tick");
    node.tick(&mut chain).await.expect("a tick");
    assert_eq!(node.ledger().matches.len(), 1);
}
