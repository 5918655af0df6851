//! What an honest node hashes and keeps: of a claim that nobody disputes, what layers export; of a disputed one, the whole trace,
//! made again from the journalled input.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use narrows_bisection::trace::Exports;
use narrows_bisection::{ClaimStatus, Trace};
use narrows_challenger::node::{Action, Griefer, Honest as HonestTemper, Temper};
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::engine::Engine;
use narrows_executor::node::{Conduct, Desk, Honest, MAX_MADE};
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{CHALLENGER, EXECUTOR, FEE};
use narrows_tests::stage::{
    FromShelf, bond, chain, claim_fee, executor, gain, job, settle, statuses, step, watchtower,
};
use narrows_tests::{copies, digits, oracle, random_program};
use proptest::prelude::*;

/// What an executor was asked for, in all its lives.
#[derive(Default)]
struct Counted {
    /// Bytes hashed for claims.
    hashed: AtomicU64,
    /// Claims computed.
    claims: AtomicU64,
    /// Whole traces computed.
    traces: AtomicU64,
}

/// Honest, and counted.
struct Counting(Arc<Counted>);

impl Conduct for Counting {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        self.0.traces.fetch_add(1, Relaxed);
        Honest.trace(program, input)
    }

    fn exports(&self, program: &Program, desk: &mut Desk, input: &[u8]) -> Result<Exports, String> {
        let exports = Honest.exports(program, desk, input)?;
        self.0.claims.fetch_add(1, Relaxed);
        self.0.hashed.fetch_add(exports.hashed_bytes(), Relaxed);
        Ok(exports)
    }
}

fn all_bytes(program: &Program) -> u64 {
    program.operators().iter().map(|operator| operator.output_bytes()).sum()
}

#[tokio::test]
async fn an_honest_claim_hashes_what_layers_export_and_nothing_else() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    let counted = Arc::new(Counted::default());
    let conduct = Arc::new(Counting(Arc::clone(&counted)));
    let mut one = executor(EXECUTOR, &program, conduct, &folder.path().join("executor"));
    let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
    assert_eq!(settle(&mut chain, &mut one, &mut other).await, [ClaimStatus::Final]);
    assert_eq!(counted.hashed.load(Relaxed), program.exported_bytes());
    assert!(program.exported_bytes() < all_bytes(&program), "which is not all");
    assert_eq!((counted.claims.load(Relaxed), counted.traces.load(Relaxed)), (1, 0), "one run, and no trace");
    assert_eq!((one.traces_held(), other.traces_held(), one.shelf().made()), (0, 0, 0));
}

#[tokio::test]
async fn a_dispute_after_it_is_answered_rightly_also_by_a_restarted_node() {
    let program = Arc::new(digits::program());
    for restarts in [false, true] {
        let mut chain = chain(&program, None);
        let folder = tempfile::tempdir().expect("a folder");
        let (left, right) = (folder.path().join("executor"), folder.path().join("griefer"));
        let counted = Arc::new(Counted::default());
        let new = || executor(EXECUTOR, &program, Arc::new(Counting(Arc::clone(&counted))), &left);
        let griefer = Arc::new(Griefer { turns: vec![7, 1, 3] });
        let mut one = new();
        let mut other = watchtower(&program, Arc::clone(&griefer) as Arc<dyn Temper>, &right);
        let mut quiet = 0;
        while quiet < 15 {
            quiet = if step(&mut chain, &mut one, &mut other).await { quiet + 1 } else { 0 };
            if restarts {
                drop(one);
                one = new();
            }
        }
        assert_eq!(statuses(&one), [ClaimStatus::Final], "restarts: {restarts}");
        let (lost, fee) = (bond(&chain, &program), claim_fee(&chain, &program));
        assert_eq!(gain(&chain, CHALLENGER), -lost);
        assert!(gain(&chain, EXECUTOR) > FEE.0 as i128 - fee, "paid, and for its trouble too");
        let traces = counted.traces.load(Relaxed);
        if restarts {
            assert!(traces > 1, "a new process has nothing but its journal");
        } else {
            assert_eq!((counted.claims.load(Relaxed), traces), (1, 1), "the trace is made once");
        }
        assert_eq!((one.traces_held(), other.traces_held()), (0, 0), "and let go of when it is over");
    }
}

#[tokio::test]
async fn a_watchtower_keeps_the_traces_of_what_it_fights_alone() {
    let program = Arc::new(digits::program());
    for honest in [true, false] {
        let mut chain = chain(&program, None);
        let folder = tempfile::tempdir().expect("a folder");
        let lie = DoctoredOperator { operator: OperatorIndex(2), element: 3, delta: 50 };
        let conduct: Arc<dyn Conduct> = if honest { Arc::new(Honest) } else { Arc::new(lie) };
        let mut one = executor(EXECUTOR, &program, conduct, &folder.path().join("executor"));
        let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
        let mut most = 0;
        let mut quiet = 0;
        while quiet < 15 {
            quiet = if step(&mut chain, &mut one, &mut other).await { quiet + 1 } else { 0 };
            most = most.max(other.traces_held());
        }
        assert_eq!(most, usize::from(!honest));
        assert_eq!(other.traces_held(), 0, "the reward is collected");
        assert_eq!(gain(&chain, CHALLENGER) > 0, !honest);
    }
}

/// Honest, but of one input.
struct LiesOf(Vec<u8>, DoctoredOperator);

impl Conduct for LiesOf {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        if input == self.0 { self.1.trace(program, input) } else { Honest.trace(program, input) }
    }
}

#[tokio::test]
async fn claims_that_wait_together_are_each_judged_by_their_own_input() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    // One more than are re-run in one pass.
    let inputs: Vec<Vec<u8>> = (0..9u8)
        .map(|salt| {
            let mut input = digits::input();
            input.rotate_left(usize::from(salt));
            input
        })
        .collect();
    for (salt, input) in inputs.iter().enumerate().skip(1) {
        job(&mut chain, &program, input.clone(), 10 + salt as u8);
    }
    let lie = DoctoredOperator { operator: OperatorIndex(2), element: 3, delta: 50 };
    let conduct = Arc::new(LiesOf(inputs[4].clone(), lie));
    let mut one = executor(EXECUTOR, &program, conduct, &folder.path().join("executor"));
    let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
    for _ in 0..60 {
        one.tick(&mut chain).await.expect("a tick");
        chain.advance(1).expect("the clock");
    }
    assert_eq!(one.ledger().claims.len(), inputs.len(), "all claims wait");
    let actions = other.tick(&mut chain).await.expect("a tick");
    let engine = Engine::new(&program);
    for (id, claim) in &one.ledger().claims {
        let input = one.ledger().jobs[&claim.posted.job].input.clone();
        let outputs = engine.run(&input).expect("it runs");
        let truth = Trace::new(&program, input.clone(), outputs).expect("a trace").root();
        let found = actions.iter().find_map(|action| match action {
            Action::Checked { claim, claimed, own, .. } if claim == id => Some((*claimed, *own)),
            _ => None,
        });
        assert_eq!(found, Some((claim.posted.trace_root, truth)), "the check of {id}");
        assert_eq!(claim.posted.trace_root != truth, input == inputs[4]);
    }
    let mut ended = settle(&mut chain, &mut one, &mut other).await;
    ended.sort_by_key(|status| *status == ClaimStatus::Refuted);
    assert_eq!(ended, [vec![ClaimStatus::Final; 8], vec![ClaimStatus::Refuted]].concat());
}

#[tokio::test]
async fn a_served_trace_is_made_when_somebody_asks() {
    let program = Arc::new(copies::grouped(&[1, 3, 1], 64));
    let mut chain = chain(&program, None);
    // More claims than there are traces kept.
    for salt in 2..=MAX_MADE as u8 + 1 {
        job(&mut chain, &program, vec![salt; 64], salt);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let counted = Arc::new(Counted::default());
    let conduct = Arc::new(Counting(Arc::clone(&counted)));
    let mut one = executor(EXECUTOR, &program, conduct, &folder.path().join("executor"));
    for _ in 0..3 {
        one.tick(&mut chain).await.expect("a tick");
        chain.advance(1).expect("the clock");
    }
    let claims: Vec<_> = one.ledger().claims.iter().map(|(id, claim)| (*id, claim.posted)).collect();
    assert_eq!((claims.len(), counted.traces.load(Relaxed)), (MAX_MADE + 1, 0), "nobody has asked");
    let shelf = one.shelf().clone();
    for round in 1..=2u64 {
        for (id, posted) in &claims {
            let served = shelf.get(*id).expect("served");
            assert_eq!(served.trace(&program, posted).expect("the claimed one").root(), posted.trace_root);
            let again = shelf.get(*id).expect("served");
            assert_eq!(again, served);
        }
        // Each was made once a round: the oldest had to go.
        assert_eq!(counted.traces.load(Relaxed), round * (MAX_MADE as u64 + 1));
        assert_eq!(shelf.made(), MAX_MADE);
    }
    // Decided claims are no longer served, nor kept.
    chain.advance(1_000_000).expect("the clock");
    for _ in 0..3 {
        one.tick(&mut chain).await.expect("a tick");
    }
    assert!(statuses(&one).iter().all(|status| *status == ClaimStatus::Final));
    assert!(claims.iter().all(|(id, _)| shelf.get(*id).is_none()));
    assert_eq!(shelf.made(), 0);
}

#[tokio::test]
async fn a_trace_that_is_asked_for_after_a_restart_is_the_claimed_one() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    let lie = || Arc::new(DoctoredOperator { operator: OperatorIndex(2), element: 3, delta: 50 });
    let path = folder.path().join("executor");
    let mut one = executor(EXECUTOR, &program, lie(), &path);
    for _ in 0..2 {
        one.tick(&mut chain).await.expect("a tick");
        chain.advance(1).expect("the clock");
    }
    drop(one);
    let mut one = executor(EXECUTOR, &program, lie(), &path);
    one.tick(&mut chain).await.expect("a tick");
    let asked = Arc::new(FromShelf(one.shelf().clone()));
    let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
    other = other.with_source(asked);
    assert_eq!(settle(&mut chain, &mut one, &mut other).await, [ClaimStatus::Refuted]);
    assert!(other.ledger().matches.is_empty(), "in one transaction");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The two ways of the engine, with and without the memory of inner outputs, give one root.
    #[test]
    fn what_is_claimed_is_what_a_dispute_is_answered_from((program, input) in random_program::program()) {
        let mut desk = Desk::default();
        for _ in 0..2 {
            let exports = Honest.exports(&program, &mut desk, &input).expect("runs");
            let trace = Honest.trace(&program, input.clone()).expect("runs");
            prop_assert_eq!(exports.root(), trace.root());
            prop_assert_eq!(exports.output(), trace.output());
            prop_assert_eq!(exports.output_path(), trace.output_path());
            prop_assert_eq!(exports.hashed_bytes(), program.exported_bytes());
            let outputs = oracle::run(&program, &input);
            prop_assert_eq!(Engine::portable(&program).run(&input).expect("runs"), outputs.clone());
            prop_assert_eq!(trace.outputs(), outputs);
        }
    }
}

/// A desk is one program's: with another input it gives that input's claim, and a wrong input leaves it usable.
#[test]
fn a_desk_serves_one_input_after_another() {
    let program = digits::program();
    let desk = Mutex::new(Desk::default());
    let run = |input: &[u8]| desk.lock().expect("a desk").run(&program, input);
    let truth = |input: &[u8]| Honest.trace(&program, input.to_vec()).expect("runs").root();
    let (one, mut other) = (digits::input(), digits::input());
    other.reverse();
    assert_eq!(run(&one).expect("runs").root(), truth(&one));
    assert!(run(&one[1..]).expect_err("too short").contains("63 bytes"));
    assert_eq!(run(&other).expect("runs").root(), truth(&other));
    assert_ne!(truth(&one), truth(&other));
}
