//! Transactions that are too long or too heavy for the chain (29, 35): nobody binds money to one, and nobody waits for one.

use std::sync::Arc;

use narrows_bisection::{Call, ClaimStatus};
use narrows_challenger::node::{Action as Watched, Honest as HonestTemper, NodeError, WatchtowerNode};
use narrows_contracts::{Chain as _, ChainError, MAX_TRANSACTION_BYTES, RpcError};
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::{Action, ExecutorNode, Honest};
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{CHALLENGER, EXECUTOR};
use narrows_tests::rationed::Rationed;
use narrows_tests::stage::{FromShelf, chain, executor, gain, statuses, watchtower};
use narrows_tests::{copies, digits};

const UNLIMITED: usize = 1 << 30;

/// Ticks of both until the claims are decided; errors of the watchtower's own transactions are kept.
async fn settle(chain: &mut Rationed, one: &mut ExecutorNode, other: &mut WatchtowerNode) -> Vec<ChainError> {
    let (mut errors, mut quiet) = (Vec::new(), 0);
    for _ in 0..600 {
        let made = one.tick(chain).await.expect("a tick");
        let idle = match other.tick(chain).await {
            Ok(actions) => made.is_empty() && actions.is_empty(),
            Err(NodeError::Chain(error)) => {
                errors.push(error);
                false
            }
            Err(error) => panic!("{error}"),
        };
        quiet = if idle { quiet + 1 } else { 0 };
        chain.chain.advance(if idle { 10 } else { 1 }).expect("the clock");
        let all = statuses(one);
        if quiet >= 15 && !all.is_empty() && !all.contains(&ClaimStatus::Pending) {
            return errors;
        }
    }
    panic!("nothing was decided");
}

fn too_heavy(call: &Call) -> Option<ChainError> {
    let limit = 1 << 24;
    matches!(call, Call::Refute { .. }).then_some(ChainError::OutOfGas { call: "refute", limit })
}

fn not_taken(call: &Call) -> Option<ChainError> {
    let (endpoint, message) = ("http://node".to_owned(), "oversized data".to_owned());
    let rejected = RpcError::Rejected { endpoint, call: "refute", message };
    matches!(call, Call::Refute { .. }).then_some(ChainError::Rpc(rejected))
}

#[tokio::test]
async fn attack_29_a_refutation_that_no_transaction_carries_gives_way_to_a_match() {
    let program = Arc::new(digits::program());
    let none: fn(&Call) -> Option<ChainError> = |_| None;
    for (stops, stopped) in [(none, 0), (too_heavy, 1), (not_taken, 1)] {
        let mut chain = Rationed::new(chain(&program, None), UNLIMITED, stops);
        let folder = tempfile::tempdir().expect("a folder");
        let lie = Arc::new(DoctoredOperator { operator: OperatorIndex(2), element: 3, delta: 50 });
        let mut one = executor(EXECUTOR, &program, lie, &folder.path().join("liar"));
        let source = Arc::new(FromShelf(one.shelf().clone()));
        let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
        other = other.with_source(source);
        let errors = settle(&mut chain, &mut one, &mut other).await;
        assert_eq!(statuses(&one), [ClaimStatus::Refuted]);
        assert_eq!(chain.stopped, vec!["refute"; stopped], "tried once");
        assert_eq!(errors.len(), stopped, "and told");
        assert_eq!(other.ledger().matches.len(), stopped, "then played");
        let half = chain.parameters().executor_bond.0 as i128 / 2;
        assert_eq!(gain(&chain.chain, CHALLENGER), half, "the reward, and the bond back");
    }
}

/// What posting a claim on `program` takes, in bytes.
fn posting_bytes(program: &Program) -> usize {
    let truth = copies::truth(program, &digits::input());
    let call = Call::PostClaim {
        job: Default::default(),
        number: 0,
        committed_at: Default::default(),
        salt: Default::default(),
        trace_root: truth.root(),
        output: truth.output().to_vec(),
        path: truth.output_path(),
    };
    match narrows_contracts::check_size(&call, 0) {
        Err(ChainError::TooLong { bytes, .. }) => bytes,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn attack_35_an_output_that_cannot_be_posted_is_never_committed_to() {
    let program = Arc::new(copies::program(2, 64));
    let bytes = posting_bytes(&program);
    for (most_bytes, claims) in [(bytes, true), (bytes - 1, false)] {
        let mut chain = Rationed::new(chain(&program, None), most_bytes, |_| None);
        let folder = tempfile::tempdir().expect("a folder");
        let mut one = executor(EXECUTOR, &program, Arc::new(Honest), folder.path());
        let mut said = Vec::new();
        for _ in 0..5 {
            said.extend(one.tick(&mut chain).await.expect("a tick"));
            chain.chain.advance(1).expect("the clock");
        }
        assert_eq!(statuses(&one).len(), usize::from(claims), "{said:?}");
        assert_eq!(chain.stopped, [""; 0], "nothing that does not fit was even tried");
        if claims {
            continue;
        }
        let [Action::Skipped(_, reason)] = said.as_slice() else { panic!("{said:?}") };
        let parts =
            ["postClaim", &bytes.to_string(), &most_bytes.to_string(), "smaller", "--max-transaction-bytes"];
        assert!(parts.iter().all(|part| reason.contains(part)), "{reason}");
        assert_eq!(gain(&chain.chain, EXECUTOR), 0, "no bond was at stake");
    }
}

#[tokio::test]
async fn attack_35_copies_of_a_claim_cost_one_run() {
    // Three executors that lie alike, on one job: the watchtower re-runs the job once, and keeps one trace of it.
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    let lie = Arc::new(DoctoredOperator { operator: OperatorIndex(2), element: 3, delta: 50 });
    let accounts = [EXECUTOR, narrows_tests::arena::STRANGER, narrows_tests::arena::REQUESTER];
    let mut liars: Vec<ExecutorNode> = accounts
        .iter()
        .map(|account| executor(*account, &program, lie.clone(), &folder.path().join(account.to_string())))
        .collect();
    for _ in 0..2 {
        for liar in &mut liars {
            liar.tick(&mut chain).await.expect("a tick");
        }
        chain.advance(1).expect("the clock");
    }
    let mut tower = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
    let actions = tower.tick(&mut chain).await.expect("a tick");
    let checked = actions.iter().filter(|action| matches!(action, Watched::Checked { .. }));
    assert_eq!((checked.count(), tower.traces_held()), (3, 1));
}

#[test]
fn attack_35_what_a_public_chain_carries_bounds_what_there_is_to_fetch() {
    // The largest input that `postJob` carries through a public chain's nodes, and one byte more.
    let post = |bytes: usize| Call::PostJob {
        program: Default::default(),
        input: vec![1; bytes],
        salt: Default::default(),
        deadline: Default::default(),
    };
    let most = (0..MAX_TRANSACTION_BYTES / 32)
        .map(|words| words * 32)
        .rfind(|bytes| narrows_contracts::check_size(&post(*bytes), MAX_TRANSACTION_BYTES).is_ok());
    assert_eq!(most, Some(130_688), "as README says");
    let error = narrows_contracts::check_size(&post(130_689), MAX_TRANSACTION_BYTES).expect_err("too long");
    assert!(matches!(error, ChainError::TooLong { call: "postJob", limit: 131_072, .. }), "{error}");
}
