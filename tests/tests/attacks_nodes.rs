//! What nodes must survive (30, 32, 33): what is done already, a key that is shared, and chains full of rubbish.

use std::sync::Arc;

use narrows_bisection::players::Follower;
use narrows_bisection::{
    Account, BlockTime, Call, ClaimStatus, Event, JobId, Ledger, MatchId, Parameters, Posted, Refusal, Wei,
    game::ids,
};
use narrows_challenger::node::{Honest as HonestTemper, WatchtowerNode};
use narrows_commitment::{Digest, LayersRoot, ProgramRoot, TensorRoot, TensorTree, TraceRoot, Tree, keccak};
use narrows_contracts::{Chain, EmbeddedChain, Receipt, Transaction};
use narrows_executor::adversary::{DoctoredOperator, WrongOutput};
use narrows_executor::node::{ExecutorNode, Honest};
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{CHALLENGER, EXECUTOR, FEE, REQUESTER, STRANGER, posted};
use narrows_tests::stage::{bond, chain, claim_fee, executor, gain, job, settle, step, watchtower};
use narrows_tests::{copies, digits};

/// Runs both nodes for as long again, in which they must send nothing.
async fn nothing_further(chain: &mut EmbeddedChain, one: &mut ExecutorNode, other: &mut WatchtowerNode) {
    let block = chain.block();
    for _ in 0..100 {
        assert!(step(chain, one, other).await, "all is done");
    }
    assert_eq!(chain.block(), block, "and no transaction was sent");
}

#[tokio::test]
async fn attack_32_what_is_done_is_not_done_again() {
    let program = Arc::new(digits::program());
    let lie = DoctoredOperator { operator: OperatorIndex(1), element: 3, delta: 50 };
    for honest in [true, false] {
        let mut chain = chain(&program, None);
        let folder = tempfile::tempdir().expect("a folder");
        let (left, right) = (folder.path().join("executor"), folder.path().join("watchtower"));
        let new = || {
            let one = match honest {
                true => executor(EXECUTOR, &program, Arc::new(Honest), &left),
                false => executor(EXECUTOR, &program, Arc::new(lie), &left),
            };
            (one, watchtower(&program, Arc::new(HonestTemper), &right))
        };
        let (mut one, mut other) = new();
        settle(&mut chain, &mut one, &mut other).await;
        nothing_further(&mut chain, &mut one, &mut other).await;
        // Nor after a restart, by journal or without one.
        drop((one, other));
        let (mut one, mut other) = new();
        step(&mut chain, &mut one, &mut other).await;
        nothing_further(&mut chain, &mut one, &mut other).await;
        let fresh = tempfile::tempdir().expect("a folder");
        let mut one = executor(EXECUTOR, &program, Arc::new(Honest), &fresh.path().join("executor"));
        let mut other = watchtower(&program, Arc::new(HonestTemper), &fresh.path().join("watchtower"));
        let block = chain.block();
        step(&mut chain, &mut one, &mut other).await;
        nothing_further(&mut chain, &mut one, &mut other).await;
        assert_eq!(chain.block(), block, "a node without a memory reads what was done");
    }
}

#[tokio::test]
async fn attack_30_two_nodes_with_one_key_lose_nothing() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let liar = Arc::new(DoctoredOperator { operator: OperatorIndex(2), element: 3, delta: 50 });
    let mut one = executor(EXECUTOR, &program, liar, &at("executor"));
    let mut first = watchtower(&program, Arc::new(HonestTemper), &at("first"));
    let mut second = watchtower(&program, Arc::new(HonestTemper), &at("second"));
    let mut quiet = 0;
    while quiet < 20 {
        let mine = one.tick(&mut chain).await.expect("a tick");
        let theirs = first.tick(&mut chain).await.expect("a tick");
        let others = second.tick(&mut chain).await.expect("a tick");
        let idle = mine.is_empty() && theirs.is_empty() && others.is_empty();
        quiet = if idle { quiet + 1 } else { 0 };
        chain.advance(if idle { 10 } else { 1 }).expect("the clock");
        assert!(chain.block() < 100, "nobody loops");
    }
    let ends: Vec<ClaimStatus> = one.ledger().claims.values().map(|claim| claim.status).collect();
    assert_eq!(ends, [ClaimStatus::Refuted]);
    let half = chain.parameters().executor_bond.0 as i128 / 2;
    assert_eq!(gain(&chain, CHALLENGER), half, "the reward, and every bond back");
}

fn send(chain: &mut EmbeddedChain, from: Account, value: Wei, call: Call) -> Receipt {
    let name = call.name();
    chain.send(Transaction { from, value, call }).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A claim by a stranger on a job, of whatever roots it likes.
fn rubbish_claim(
    chain: &mut EmbeddedChain,
    program: &Program,
    said: Posted,
    path: Vec<Digest>,
    output: Vec<u8>,
) {
    let salt = keccak(b"rubbish");
    let stake = Wei(chain.parameters().executor_bond.0 + claim_fee(chain, program) as u128);
    let commitment = ids::claim_commitment(salt, &said);
    let commit = Call::CommitClaim { job: said.job, commitment };
    let receipt = send(chain, said.executor, stake, commit);
    let [Event::ClaimCommitted { number, committed_at, .. }] = receipt.events[..] else { panic!("one") };
    chain.advance(1).expect("the clock");
    let (job, trace_root) = (said.job, said.trace_root);
    let call = Call::PostClaim { job, number, committed_at, salt, trace_root, output, path };
    send(chain, said.executor, Wei(0), call);
}

#[tokio::test]
async fn attack_33_a_chain_full_of_rubbish_stops_no_honest_node() {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    // Programs that nobody holds, of extreme headers; jobs on them; claims on those, by their own executor.
    let small = copies::program(1, 64);
    let (header, layers_root) = (small.header_bytes().to_vec(), small.layers_root());
    send(&mut chain, STRANGER, Wei(0), Call::Register { header: header.clone(), layers_root });
    let bogus = LayersRoot(keccak(b"no layers"));
    send(&mut chain, STRANGER, Wei(0), Call::Register { header, layers_root: bogus });
    job(&mut chain, &small, vec![1; 64], 7);
    // A job of every extreme of the known program's input.
    for (salt, byte) in [(11, 0x80), (12, 0x7f), (13, 0), (14, 0xff)] {
        job(&mut chain, &program, vec![byte; 64], salt);
    }
    let jobs: Vec<(JobId, ProgramRoot)> = chain
        .events_from(0)
        .expect("events")
        .iter()
        .filter_map(|logged| match &logged.event {
            Event::JobPosted { job, program, .. } => Some((*job, *program)),
            _ => None,
        })
        .collect();
    let unknown = jobs.iter().find(|(_, root)| *root == small.root()).expect("a job on it").0;
    let known = jobs.iter().find(|(_, root)| *root == program.root()).expect("a job on it").0;
    let other = copies::truth(&small, &[1; 64]);
    let said = posted(unknown, STRANGER, &other);
    rubbish_claim(&mut chain, &small, said, vec![], other.output().to_vec());
    // A claim on the known program whose root is over nothing but its output, with junk beside it.
    let output = vec![0x55; program.header().output.bytes() as usize];
    let mut leaves: Vec<Digest> = (0..4u8).map(|i| keccak(&[i])).collect();
    leaves[3] = TensorTree::of_bytes(&output).root();
    let tree = Tree::new(leaves);
    let said = Posted {
        job: known,
        executor: STRANGER,
        trace_root: TraceRoot(tree.root()),
        output_root: TensorRoot(TensorTree::of_bytes(&output).root()),
    };
    rubbish_claim(&mut chain, &program, said, tree.path(3), output);
    let claim = ids::claim_id(chain.chain_id(), chain.game(), &said, &chain.parameters());
    // Junk commitments, and a match against it whose challenger picks nonsense.
    for i in 0..20u8 {
        send(&mut chain, STRANGER, Wei(0), Call::Commit { claim, commitment: keccak(&[i]) });
    }
    let stake = Wei(bond(&chain, &program) as u128);
    let open = Call::Open { posted: said, commitment: Digest::default() };
    let receipt = send(&mut chain, STRANGER, stake, open);
    let mut follower = Follower::new(&program, &chain.parameters(), receipt.time, said, &receipt.events[0])
        .expect("a match");
    let nodes: Vec<Digest> = (0..4).map(|i| tree.node(0, i)).collect();
    let (number, footing) = (follower.number(), follower.state().shown());
    let receipt = send(&mut chain, CHALLENGER, Wei(0), Call::Reveal { claim, number, footing, nodes });
    receipt.events.iter().for_each(|event| follower.observe(&program, event));
    let layer = program.layer(narrows_program::LayerIndex(2));
    let call = Call::Enter {
        claim,
        number,
        footing: follower.state().seated(),
        child: 2,
        node: tree.node(0, 2),
        siblings: tree.path(2),
        layer: layer.head(),
        operator: program.operators_tree(narrows_program::LayerIndex(2)).root().0.to_vec(),
        path: program.layers_tree().path(2),
    };
    send(&mut chain, STRANGER, Wei(0), call);

    // Honest nodes among all this: the executor answers every job of its program, the watchtower refutes the rubbish.
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = executor(EXECUTOR, &program, Arc::new(Honest), &folder.path().join("executor"));
    let mut tower = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
    let mut quiet = 0;
    while quiet < 30 {
        quiet = if step(&mut chain, &mut one, &mut tower).await { quiet + 1 } else { 0 };
    }
    let mut ends: Vec<(Account, ClaimStatus)> =
        one.ledger().claims.values().map(|claim| (claim.posted.executor, claim.status)).collect();
    ends.sort_by_key(|(account, _)| *account);
    let mine = ends.iter().filter(|(account, _)| *account == EXECUTOR);
    assert!(mine.clone().all(|(_, status)| *status == ClaimStatus::Final) && mine.count() == 5, "{ends:?}");
    let junk = one.ledger().claims[&claim].status;
    assert_eq!(junk, ClaimStatus::Refuted, "by its silence");
    assert!(gain(&chain, CHALLENGER) > 0);
    let fees = 5 * (FEE.0 as i128 - claim_fee(&chain, &program));
    assert_eq!(gain(&chain, EXECUTOR), fees, "every job was paid");
}

/// A real log, with every kind of event that a dispute and a settlement have.
async fn real_log() -> (Arc<Program>, Vec<(BlockTime, Event)>) {
    let program = Arc::new(digits::program());
    let mut chain = chain(&program, None);
    let folder = tempfile::tempdir().expect("a folder");
    let lie = Arc::new(DoctoredOperator { operator: OperatorIndex(1), element: 3, delta: 1 });
    let mut one = executor(EXECUTOR, &program, lie, &folder.path().join("executor"));
    let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
    settle(&mut chain, &mut one, &mut other).await;
    drop((one, other));
    job(&mut chain, &program, digits::input(), 2);
    let mut one = executor(STRANGER, &program, Arc::new(Honest), &folder.path().join("honest"));
    let mut other = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
    settle(&mut chain, &mut one, &mut other).await;
    let events = chain.events_from(0).expect("events");
    (program, events.into_iter().map(|logged| (logged.time, logged.event)).collect())
}

#[tokio::test]
async fn attack_33_events_that_no_contract_announces_panic_nobody() {
    let (program, log) = real_log().await;
    let kinds: std::collections::HashSet<_> =
        log.iter().map(|(_, event)| std::mem::discriminant(event)).collect();
    assert!(kinds.len() >= 18, "{} kinds of events", kinds.len());
    let parameters = Parameters::default();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let text: Vec<String> =
        log.iter().map(|(_, event)| serde_json::to_string(event).expect("json")).collect();
    let mut bent_events = 0;
    for _ in 0..300 {
        let mut ledger = Ledger::default();
        for (index, (time, event)) in log.iter().enumerate() {
            let mut said = vec![event.clone()];
            match draw(12) {
                // Missing, twice, another in its place, or with digits exchanged.
                0 => said.clear(),
                1 => said.push(event.clone()),
                2 => said.push(log[draw(log.len())].1.clone()),
                3 => said = bend(&text[index], &mut draw).into_iter().collect(),
                _ => {}
            }
            bent_events += usize::from(said.len() != 1 || said[0] != *event);
            said.iter().for_each(|event| ledger.observe(*time, event));
        }
        let matches: Vec<MatchId> = ledger.matches.keys().copied().collect();
        for id in matches {
            if let Some(mut follower) = ledger.follow_learned(&program, &parameters, id) {
                // Whatever it makes of it, it can be asked everything.
                let _ = (follower.operator(), follower.layer(&program), follower.element(&program));
                let _ = (follower.timeout(), follower.reclaim(), follower.state().hash());
                follower.conclude(BlockTime(u64::MAX), narrows_bisection::StateHash(Digest::default()));
            }
        }
    }
    assert!(bent_events > 1000);
}

/// An event whose digits were changed, if that is still one.
fn bend(text: &str, draw: &mut impl FnMut(usize) -> usize) -> Option<Event> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=draw(3) {
        let at = draw(bytes.len());
        if bytes[at].is_ascii_hexdigit() {
            bytes[at] = b"0123456789"[draw(10)];
        }
    }
    serde_json::from_slice(&bytes).ok()
}

#[tokio::test]
async fn attack_33_a_player_asked_about_a_bent_match_gives_no_panic() {
    // Followers whose shown data were bent on the way: players may be wrong, and silent, but never broken.
    let (program, log) = real_log().await;
    let truth = {
        let outputs = narrows_executor::engine::Engine::new(&program).run(&digits::input()).expect("runs");
        narrows_bisection::Trace::new(&program, digits::input(), outputs).expect("lengths")
    };
    let parameters = Parameters::default();
    let text: Vec<String> =
        log.iter().map(|(_, event)| serde_json::to_string(event).expect("json")).collect();
    let mut state = 1u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut answers = 0;
    for _ in 0..200 {
        let mut ledger = Ledger::default();
        for (index, (time, event)) in log.iter().enumerate() {
            let bent = (draw(20) == 0).then(|| bend(&text[index], &mut draw)).flatten();
            ledger.observe(*time, bent.as_ref().unwrap_or(event));
            for id in ledger.matches.keys() {
                let Some(follower) = ledger.follow(&program, &parameters, *id) else { continue };
                let mut challenger = narrows_tests::arena::honest(&program, &truth);
                let mut executor = narrows_tests::arena::answering(&program, &truth);
                answers +=
                    usize::from(challenger(&follower).is_some()) + usize::from(executor(&follower).is_some());
            }
        }
    }
    assert!(answers > 100);
}

#[tokio::test]
async fn attack_33_a_claim_on_a_job_whose_input_is_extreme_is_checked_like_any_other() {
    let program = Arc::new(digits::program());
    for byte in [0x80u8, 0x7f] {
        let mut chain = chain(&program, None);
        job(&mut chain, &program, vec![byte; 64], 3);
        let folder = tempfile::tempdir().expect("a folder");
        let mut one = executor(EXECUTOR, &program, Arc::new(WrongOutput), &folder.path().join("executor"));
        let mut tower = watchtower(&program, Arc::new(HonestTemper), &folder.path().join("watchtower"));
        let ends = settle(&mut chain, &mut one, &mut tower).await;
        assert_eq!(ends, [ClaimStatus::Refuted; 2]);
    }
}

#[test]
fn attack_33_refused_calls_leave_nothing_behind_that_a_node_would_read() {
    let program = digits::program();
    let mut chain = chain(&program, None);
    let before = chain.events_from(0).expect("events").len();
    let none = Posted {
        job: JobId(keccak(b"none")),
        executor: STRANGER,
        trace_root: TraceRoot(keccak(b"none")),
        output_root: TensorRoot(keccak(b"none")),
    };
    for call in [
        Call::Refute { posted: none, refutation: Box::default() },
        Call::Finalise { posted: none },
        Call::Register { header: vec![0; 64], layers_root: LayersRoot(keccak(b"none")) },
    ] {
        let refused = chain.send(Transaction { from: STRANGER, value: Wei(0), call });
        let refusals = [Refusal::UnknownClaim, Refusal::BadHeader];
        match refused {
            Err(narrows_contracts::ChainError::Refused { refusal, .. }) => {
                assert!(refusals.contains(&refusal))
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(chain.events_from(0).expect("events").len(), before);
    assert_eq!(gain(&chain, STRANGER), 0);
    assert_eq!(gain(&chain, REQUESTER), -(FEE.0 as i128));
}
