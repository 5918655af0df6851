//! Every refusal of PROTOCOL 3, and those that come before a move's guard.

mod common;

use common::{CHALLENGER, EXECUTOR, FEE, REQUESTER, RICH, STRANGER, World, trace};
use narrows_bisection::{Account, BlockTime, Call, ClaimId, JobId, MatchId, Refusal, StateHash, Wei};
use narrows_commitment::{Digest, ProgramRoot};
use narrows_contracts::{Chain, ChainError};

const NOTHING: Wei = Wei(0);
const UNKNOWN: Digest = Digest([9; 32]);

#[test]
fn a_bad_header_is_not_registered() {
    let mut world = World::new();
    let good = world.program.header_bytes();
    let bent = |at: usize, value: u8| {
        let mut header = good.to_vec();
        header[at] = value;
        header
    };
    let bad = [
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        vec![],
        bent(0, 1),   // version
        bent(3, 2),   // version
        bent(7, 0),   // no layers
        bent(4, 1),   // too many layers
        bent(11, 0),  // no constants
        bent(8, 1),   // too many constants
        bent(12, 0),  // input type
        bent(12, 16), // input type: records
        bent(13, 4),  // output type
        bent(14, 0),  // no reveal bits
        bent(14, 7),  // too many
        bent(15, 27), // too deep
        bent(19, 0),  // no input
        bent(16, 2),  // too much input
        bent(23, 0),  // no output
        bent(20, 2),  // too much output
        bent(24, 1),  // reserved
        bent(31, 1),  // reserved
    ];
    for (index, header) in bad.into_iter().enumerate() {
        let layers_root = world.program.layers_root();
        let call =
            Call::Register { header, layers_root, constants_root: world.program.constants_tree().root() };
        assert_eq!(world.refused(STRANGER, NOTHING, call), Refusal::BadHeader, "case {index}");
    }
    // Again is no error.
    world.send(STRANGER, NOTHING, world.register());
}

#[test]
fn a_job_is_refused_in_the_order_of_its_checks() {
    let mut world = World::new();
    let (known, now) = (world.program.root(), world.chain.now());
    let job = |program, length, deadline| Call::PostJob {
        program,
        input: vec![1; length],
        salt: Digest([1; 32]),
        deadline,
    };
    let later = BlockTime(now.0 + 1);
    let unknown = job(ProgramRoot(UNKNOWN), 3, now);
    assert_eq!(world.refused(REQUESTER, FEE, unknown), Refusal::UnknownProgram);
    for length in [0, 3, 5, 128] {
        assert_eq!(world.refused(REQUESTER, FEE, job(known, length, now)), Refusal::WrongLength, "{length}");
    }
    assert_eq!(world.refused(REQUESTER, FEE, job(known, 4, now)), Refusal::TooLate);
    world.send(REQUESTER, FEE, job(known, 4, later));
    assert_eq!(world.refused(REQUESTER, FEE, job(known, 4, later)), Refusal::Exists);
    // Another requester's is another job; a job without a fee is one too.
    world.send(STRANGER, NOTHING, job(known, 4, later));
}

#[test]
fn a_claim_is_refused_in_the_order_of_its_checks() {
    let mut world = World::new();
    let bond = world.chain.parameters().executor_bond;
    let job = world.job(1);
    let good = world.post_claim(job);
    let Call::PostClaim { trace_root, output, path, .. } = good.clone() else { unreachable!() };
    let bent = |job, output: Vec<u8>, path| Call::PostClaim { job, trace_root, output, path };
    let unknown = bent(JobId(UNKNOWN), output.clone(), path.clone());
    assert_eq!(world.refused(EXECUTOR, bond, unknown), Refusal::UnknownJob);
    for value in [0, bond.0 - 1, bond.0 + 1] {
        assert_eq!(world.refused(EXECUTOR, Wei(value), good.clone()), Refusal::WrongValue, "{value}");
    }
    for length in [0, 2, 4, 128] {
        let call = bent(job, vec![20; length], path.clone());
        assert_eq!(world.refused(EXECUTOR, bond, call), Refusal::WrongLength, "{length}");
    }
    let mut other = output.clone();
    other[0] ^= 1;
    assert_eq!(world.refused(EXECUTOR, bond, bent(job, other, path.clone())), Refusal::BadOpening);
    for path in [vec![], vec![UNKNOWN], [path.clone(), path.clone()].concat()] {
        assert_eq!(world.refused(EXECUTOR, bond, bent(job, output.clone(), path)), Refusal::BadOpening);
    }
    world.send(EXECUTOR, bond, good.clone());
    assert_eq!(world.refused(EXECUTOR, bond, good.clone()), Refusal::Exists);
    // Another executor's is another claim.
    world.send(STRANGER, bond, good);

    // The deadline itself is too late.
    let late = world.job(2);
    world.advance(1_000);
    let call = world.post_claim(late);
    assert_eq!(world.refused(EXECUTOR, bond, call), Refusal::JobClosed);
}

#[test]
fn a_claim_is_final_once_and_not_before_its_window_ends() {
    let mut world = World::new();
    let (parameters, job) = (world.chain.parameters(), world.job(1));
    let claim = world.claim(job);
    let finalise = Call::Finalise { claim };
    let unknown = Call::Finalise { claim: ClaimId(UNKNOWN) };
    assert_eq!(world.refused(STRANGER, NOTHING, unknown), Refusal::UnknownClaim);
    world.advance(u64::from(parameters.window_seconds) - 1);
    assert_eq!(world.refused(STRANGER, NOTHING, finalise.clone()), Refusal::NotYet);
    // A match that is opened at the last second keeps the claim open until its hard end.
    let id = world.open(claim, 0);
    world.advance(1);
    assert_eq!(world.refused(STRANGER, NOTHING, finalise.clone()), Refusal::NotYet);
    let hard_end = world.chain.claim(claim).expect("a view").expect("a claim").hard_end;
    world.advance(hard_end.0 - world.chain.now().0 - 1);
    assert_eq!(world.refused(STRANGER, NOTHING, finalise.clone()), Refusal::NotYet);
    world.advance(1);
    assert_eq!(world.refused(STRANGER, NOTHING, Call::Timeout { match_id: id }), Refusal::ClaimClosed);
    world.send(STRANGER, NOTHING, finalise.clone());
    assert_eq!(world.refused(STRANGER, NOTHING, finalise), Refusal::ClaimClosed);
    // The job is settled: no further claim, no refund.
    let bond = parameters.executor_bond;
    let call = world.post_claim(job);
    assert_eq!(world.refused(STRANGER, bond, call), Refusal::JobClosed);
    assert_eq!(world.refused(STRANGER, NOTHING, Call::Refund { job }), Refusal::JobClosed);
    world.send(STRANGER, NOTHING, Call::Reclaim { match_id: id });
    assert_eq!(world.refused(STRANGER, NOTHING, Call::Reclaim { match_id: id }), Refusal::WrongPhase);
}

#[test]
fn refunds_reclaims_and_withdrawals_wait() {
    let mut world = World::new();
    let job = world.job(1);
    let unknown = Call::Refund { job: JobId(UNKNOWN) };
    assert_eq!(world.refused(REQUESTER, NOTHING, unknown), Refusal::UnknownJob);
    assert_eq!(world.refused(REQUESTER, NOTHING, Call::Refund { job }), Refusal::NotYet);
    let claim = world.claim(job);
    let id = world.open(claim, 0);
    let unknown = Call::Reclaim { match_id: MatchId(UNKNOWN) };
    assert_eq!(world.refused(CHALLENGER, NOTHING, unknown), Refusal::UnknownMatch);
    assert_eq!(world.refused(CHALLENGER, NOTHING, Call::Reclaim { match_id: id }), Refusal::NotYet);
    assert_eq!(world.refused(STRANGER, NOTHING, Call::Withdraw), Refusal::NothingOwed);
    world.advance(1_000);
    // After the deadline, a pending claim still holds the fee.
    assert_eq!(world.refused(REQUESTER, NOTHING, Call::Refund { job }), Refusal::NotYet);
}

#[test]
fn a_match_is_opened_in_the_window_for_its_bond() {
    let mut world = World::new();
    let parameters = world.chain.parameters();
    let job = world.job(1);
    let claim = world.claim(job);
    let open = |claim| Call::Open { claim, commitment: Digest::default() };
    let bond = parameters.challenger_bond;
    assert_eq!(world.refused(CHALLENGER, bond, open(ClaimId(UNKNOWN))), Refusal::UnknownClaim);
    for value in [0, bond.0 - 1, bond.0 + 1] {
        assert_eq!(world.refused(CHALLENGER, Wei(value), open(claim)), Refusal::WrongValue, "{value}");
    }
    world.advance(u64::from(parameters.window_seconds));
    assert_eq!(world.refused(CHALLENGER, bond, open(claim)), Refusal::TooLate);
    world.send(STRANGER, NOTHING, Call::Finalise { claim });
    assert_eq!(world.refused(CHALLENGER, bond, open(claim)), Refusal::ClaimClosed);
}

#[test]
fn a_move_is_refused_in_the_order_of_its_checks() {
    let mut world = World::new();
    let job = world.job(1);
    let claim = world.claim(job);
    let id = world.open(claim, 0);
    let state = world.state_of(id);
    let nodes = trace().descendants(1, 0, 1);
    let reveal = |match_id, state, nodes: &[Digest]| Call::Reveal { match_id, state, nodes: nodes.to_vec() };
    let pick = |state, child| {
        let (nodes, path) = (nodes.clone(), vec![]);
        Call::Pick { match_id: id, state, nodes, child, descriptor: vec![], path }
    };
    let stale = StateHash(UNKNOWN);
    assert_eq!(world.refused(STRANGER, NOTHING, reveal(MatchId(UNKNOWN), stale, &[])), Refusal::UnknownMatch);
    let tile = Call::RevealTile { match_id: id, state: stale, tile: vec![] };
    assert_eq!(world.refused(STRANGER, NOTHING, tile), Refusal::WrongPhase);
    assert_eq!(world.refused(STRANGER, NOTHING, reveal(id, stale, &[])), Refusal::WrongState);
    assert_eq!(world.refused(STRANGER, NOTHING, pick(state, 0)), Refusal::NotYourMove);
    assert_eq!(world.refused(EXECUTOR, NOTHING, pick(state, 0)), Refusal::NotYourMove);
    for wrong in [&nodes[..1], &[], &[nodes[0]; 4]] {
        assert_eq!(world.refused(STRANGER, NOTHING, reveal(id, state, wrong)), Refusal::WrongCount);
    }
    assert_eq!(world.refused(STRANGER, NOTHING, reveal(id, state, &[UNKNOWN; 2])), Refusal::BadOpening);
    assert_eq!(world.refused(CHALLENGER, NOTHING, pick(state, 2)), Refusal::WrongCount);
    // A descriptor of another length than a descriptor's.
    assert_eq!(world.refused(CHALLENGER, NOTHING, pick(state, 0)), Refusal::WrongLength);

    // Either the move or the timeout is legal, never both.
    let parameters = world.chain.parameters();
    let turn = u64::from(parameters.executor_clock_seconds + parameters.grace_seconds);
    world.advance(turn - 1);
    assert_eq!(world.refused(STRANGER, NOTHING, Call::Timeout { match_id: id }), Refusal::NotYet);
    world.advance(1);
    assert_eq!(world.refused(STRANGER, NOTHING, reveal(id, state, &nodes)), Refusal::TooLate);
    world.send(STRANGER, NOTHING, Call::Timeout { match_id: id });
    assert_eq!(world.refused(STRANGER, NOTHING, Call::Timeout { match_id: id }), Refusal::WrongPhase);
}

#[test]
fn money_that_is_not_there_or_not_wanted_is_an_error() {
    let mut world = World::new();
    let poor = Account([0x55; 20]);
    let error = world.try_send(poor, FEE, world.post_job(1)).expect_err("no money");
    assert_eq!(error, ChainError::InsufficientFunds { account: poor, needed: FEE, balance: Wei(0) });
    let error = world.try_send(STRANGER, Wei(1), Call::Withdraw).expect_err("not payable");
    assert_eq!(error, ChainError::NotPayable { call: "withdraw" });
    let game = world.chain.game();
    assert_eq!(world.chain.fund(game, Wei(1)), Err(ChainError::HoldsCode(game)));
    assert_eq!(world.chain.fund(STRANGER, Wei(u128::MAX)), Err(ChainError::Overflow("the balance")));
    assert_eq!(world.chain.balance(STRANGER), Ok(RICH));
}

#[test]
fn a_call_beyond_a_transaction_s_gas_is_an_error() {
    let mut world = World::new();
    // Two million bytes that are not zero cost more than a transaction may have, before anything runs.
    let call =
        Call::Reveal { match_id: MatchId(UNKNOWN), state: StateHash(UNKNOWN), nodes: vec![UNKNOWN; 1 << 16] };
    let error = world.try_send(STRANGER, NOTHING, call).expect_err("too big");
    assert_eq!(error, ChainError::OutOfGas { call: "reveal", limit: 16_777_216 });
}
