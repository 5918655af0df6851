//! Claims by commitment and posting: lapse, award in the order of commitments, refund; and what copying an output gains (17).

use narrows_bisection::{
    Account, BlockTime, Call, ClaimStatus, Event, JobId, Parameters, Refusal, Trace, Wei, game::ids, refute,
};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::Conduct as _;
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{Arena, CHALLENGER, Claimed, EXECUTOR, FEE, REQUESTER, STRANGER, posted};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);

/// Two more executors.
const SECOND: Account = Account([0x55; 20]);
const THIRD: Account = Account([0x66; 20]);

fn case() -> (Arena, Trace, Trace) {
    let program = copies::program(3, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let lie = DoctoredOperator { operator: OperatorIndex(1), element: 7, delta: 1 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    let mut arena = Arena::new(program, Parameters::default());
    [SECOND, THIRD].into_iter().for_each(|account| arena.chain.fund(account));
    (arena, truth, claimed)
}

fn refute(arena: &mut Arena, program: &Program, truth: &Trace, claimed: &Trace, claim: &Claimed) {
    let refutation = Box::new(refute::refutation(program, truth, claimed, None).expect("a fault"));
    arena.send(CHALLENGER, NOTHING, Call::Refute { posted: claim.posted, refutation }).expect("refuted");
}

fn window_end(arena: &Arena, claim: &Claimed) -> BlockTime {
    arena.chain.game.claim(claim.id).expect("a claim").window_end
}

fn job(arena: &Arena, id: JobId) -> narrows_bisection::Job {
    *arena.chain.game.job(id).expect("a job")
}

#[test]
fn a_commitment_is_posted_in_a_later_second_and_in_time() {
    let (mut arena, truth, _) = case();
    let id = arena.job(truth.input());
    let patience = u64::from(arena.chain.parameters().reveal_seconds);
    let first = arena.commit(EXECUTOR, id, &truth);
    assert_eq!(arena.send(EXECUTOR, NOTHING, first.post(&truth)), Err(Refusal::NotYet), "the same second");
    arena.chain.advance(1);
    arena.send(EXECUTOR, NOTHING, first.post(&truth)).expect("a second later");

    let last = arena.commit(SECOND, id, &truth);
    arena.chain.advance(patience - 1);
    assert_eq!(arena.send(STRANGER, NOTHING, last.lapse()), Err(Refusal::NotYet));
    arena.send(SECOND, NOTHING, last.post(&truth)).expect("in the last second");

    let late = arena.commit(THIRD, id, &truth);
    arena.chain.advance(patience);
    assert_eq!(arena.send(THIRD, NOTHING, late.post(&truth)), Err(Refusal::TooLate));
    arena.send(STRANGER, NOTHING, late.lapse()).expect("lapsed");
    assert_eq!(arena.chain.entry(id, 2).expect("an entry").expect("of it").0[31], 1);
}

#[test]
fn a_lapse_costs_half_the_bond_and_frees_the_number() {
    let (mut arena, truth, _) = case();
    let id = arena.job(truth.input());
    let commitment = arena.commit(EXECUTOR, id, &truth);
    let (bond, stake) = (arena.chain.parameters().executor_bond.0, arena.stake().0);
    arena.chain.advance(arena.chain.parameters().reveal_seconds.into());
    // Whoever lapses it, about another executor, number, time or commitment: there is no such promise.
    for turn in 0..4 {
        let mut call = commitment.lapse();
        if let Call::Lapse { number, executor, commitment, committed_at, .. } = &mut call {
            match turn {
                0 => *number += 1,
                1 => *executor = STRANGER,
                2 => commitment.0[5] ^= 1,
                _ => committed_at.0 -= 100,
            }
        }
        assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::UnknownCommitment));
    }
    arena.send(STRANGER, NOTHING, commitment.lapse()).expect("lapsed");
    assert_eq!(arena.send(STRANGER, NOTHING, commitment.lapse()), Err(Refusal::UnknownCommitment), "twice");
    assert_eq!(arena.send(EXECUTOR, NOTHING, commitment.post(&truth)), Err(Refusal::UnknownCommitment));
    assert_eq!(arena.chain.game.owed(EXECUTOR).0, bond / 2);
    arena.chain.advance_to(job(&arena, id).deadline);
    arena.send(STRANGER, NOTHING, Call::Refund { job: id }).expect("nobody answered");
    arena.chain.close_books();
    assert_eq!(arena.chain.gain(EXECUTOR), -((stake - bond / 2) as i128));
    assert_eq!((arena.chain.gain(REQUESTER), arena.chain.gain(STRANGER)), (0, 0));
}

#[test]
fn the_fee_goes_to_the_earliest_commitment_that_becomes_final() {
    let (mut arena, truth, lie) = case();
    let program = arena.program.clone();
    let id = arena.job(truth.input());
    // In this order: one that is never posted, a liar, two honest ones.
    let lapsing = arena.commit(STRANGER, id, &truth);
    let liar = arena.claim_by(EXECUTOR, id, &lie);
    let second = arena.claim_by(SECOND, id, &truth);
    let third = arena.claim_by(THIRD, id, &truth);
    assert_eq!((liar.number, second.number, third.number), (1, 2, 3));
    let (award, award_third) = (Call::Award { posted: second.posted }, Call::Award { posted: third.posted });
    assert_eq!(arena.send(SECOND, NOTHING, award.clone()), Err(Refusal::NotYet), "it is not final");
    // The last is final first: that earns nothing yet.
    arena.chain.advance(arena.chain.parameters().reveal_seconds.into());
    refute(&mut arena, &program, &truth, &lie, &liar);
    let end = window_end(&arena, &third);
    arena.chain.advance_to(end);
    let finalise = |claim: &Claimed| Call::Finalise { posted: claim.posted };
    arena.send(THIRD, NOTHING, finalise(&third)).expect("final");
    assert!(!job(&arena, id).settled);
    assert_eq!(arena.send(THIRD, NOTHING, award_third.clone()), Err(Refusal::NotYet));
    // The second is final too, and still waits for the promise before it.
    let receipt = arena.send(SECOND, NOTHING, finalise(&second)).expect("final");
    assert_eq!(receipt.events.len(), 1, "no award");
    assert_eq!(arena.send(SECOND, NOTHING, award.clone()), Err(Refusal::NotYet));
    assert_eq!(arena.send(SECOND, NOTHING, Call::Advance { job: id }), Err(Refusal::NotYet));
    arena.send(SECOND, NOTHING, lapsing.lapse()).expect("lapsed");
    // Whoever asks, and for whichever claim: the fee is the second's.
    let receipt = arena.send(THIRD, NOTHING, award_third.clone()).expect("it moves the job along");
    assert!(receipt.events.is_empty() && job(&arena, id).next == 2);
    assert_eq!(arena.send(THIRD, NOTHING, award_third.clone()), Err(Refusal::NotYet));
    let receipt = arena.send(STRANGER, NOTHING, award.clone()).expect("awarded");
    assert_eq!(receipt.events, [Event::JobAwarded { job: id, claim: second.id }]);
    for call in [award, award_third, Call::Refund { job: id }, Call::Advance { job: id }] {
        assert_eq!(arena.send(THIRD, NOTHING, call), Err(Refusal::JobClosed));
    }
    let stake = arena.stake();
    let commit = Call::CommitClaim { job: id, commitment: lapsing.commitment };
    assert_eq!(arena.send(SECOND, stake, commit), Err(Refusal::JobClosed));
    arena.chain.advance(arena.chain.parameters().reward_seconds.into());
    arena.send(STRANGER, NOTHING, Call::CollectReward { claim: liar.id }).expect("nobody had committed");
    arena.chain.close_books();
    let work = (stake.0 - arena.chain.parameters().executor_bond.0) as i128;
    assert_eq!(arena.chain.gain(SECOND), FEE.0 as i128 - work);
    assert_eq!(arena.chain.gain(THIRD), -work, "the bond is back, the work was for nothing");
    assert_eq!(arena.chain.gain(EXECUTOR), -(stake.0 as i128));
}

#[test]
fn an_earlier_claim_that_is_still_open_keeps_the_fee_from_later_ones_but_not_for_ever() {
    let (mut arena, truth, lie) = case();
    let program = arena.program.clone();
    let id = arena.job(truth.input());
    let first = arena.claim_by(EXECUTOR, id, &lie);
    let second = arena.claim_by(SECOND, id, &truth);
    // A match against the first keeps it open beyond the second's end.
    arena.open(&first);
    let end = window_end(&arena, &second);
    arena.chain.advance_to(end);
    arena.send(SECOND, NOTHING, Call::Finalise { posted: second.posted }).expect("final");
    let award = Call::Award { posted: second.posted };
    assert_eq!(arena.send(SECOND, NOTHING, award.clone()), Err(Refusal::NotYet));
    arena.chain.advance_to(job(&arena, id).deadline);
    assert_eq!(arena.send(REQUESTER, NOTHING, Call::Refund { job: id }), Err(Refusal::NotYet));
    // That second has gone far beyond the first's end: it cannot be refuted any more.
    let refutation = Box::new(refute::refutation(&program, &truth, &lie, None).expect("a fault"));
    let late = Call::Refute { posted: first.posted, refutation };
    assert_eq!(arena.send(CHALLENGER, NOTHING, late), Err(Refusal::ClaimClosed));
    let receipt = arena.send(STRANGER, NOTHING, Call::Finalise { posted: first.posted }).expect("final");
    assert_eq!(receipt.events.last(), Some(&Event::JobAwarded { job: id, claim: first.id }));
    assert_eq!(arena.send(SECOND, NOTHING, award), Err(Refusal::JobClosed));
}

#[test]
fn finalising_awards_at_once_when_nothing_is_before() {
    let (mut arena, truth, _) = case();
    let id = arena.job(truth.input());
    let lapsing = arena.commit(SECOND, id, &truth);
    let claim = arena.claim(id, &truth);
    let end = window_end(&arena, &claim);
    arena.chain.advance_to(end);
    arena.send(STRANGER, NOTHING, lapsing.lapse()).expect("lapsed");
    let receipt = arena.send(STRANGER, NOTHING, Call::Finalise { posted: claim.posted }).expect("final");
    assert_eq!(
        receipt.events,
        [Event::ClaimFinal { claim: claim.id, job: id }, Event::JobAwarded { job: id, claim: claim.id }]
    );
    let again = Call::Finalise { posted: claim.posted };
    assert_eq!(arena.send(STRANGER, NOTHING, again), Err(Refusal::ClaimClosed));
}

#[test]
fn a_job_is_refunded_once_everything_about_it_has_come_to_nothing() {
    let (mut arena, truth, lie) = case();
    let program = arena.program.clone();
    let id = arena.job(truth.input());
    let refund = Call::Refund { job: id };
    assert_eq!(arena.send(REQUESTER, NOTHING, refund.clone()), Err(Refusal::NotYet));
    let deadline = job(&arena, id).deadline;
    arena.chain.advance_to(BlockTime(deadline.0 - 1));
    // Committed to in the last second, and posted after the deadline: legal, and a liar's.
    let commitment = arena.commit(EXECUTOR, id, &lie);
    arena.chain.advance(1);
    let (stake, bytes) = (arena.stake(), commitment.commitment);
    let call = Call::CommitClaim { job: id, commitment: bytes };
    assert_eq!(arena.send(SECOND, stake, call), Err(Refusal::JobClosed));
    assert_eq!(arena.send(REQUESTER, NOTHING, refund.clone()), Err(Refusal::NotYet), "a promise stands");
    let receipt = arena.send(EXECUTOR, NOTHING, commitment.post(&lie)).expect("a claim");
    let [Event::ClaimPosted { claim, posted, number, .. }] = receipt.events[..] else { panic!("a claim") };
    assert_eq!(arena.send(REQUESTER, NOTHING, refund.clone()), Err(Refusal::NotYet), "a claim stands");
    refute(&mut arena, &program, &truth, &lie, &Claimed { id: claim, posted, number });
    arena.send(STRANGER, NOTHING, refund.clone()).expect("whoever asks");
    assert_eq!(arena.send(REQUESTER, NOTHING, refund), Err(Refusal::JobClosed));
    assert_eq!(arena.chain.game.owed(REQUESTER), FEE);
}

#[test]
fn a_job_moves_along_by_at_most_256_at_once() {
    let (mut arena, truth, _) = case();
    let id = arena.job(truth.input());
    let made: Vec<_> = (0..300).map(|_| arena.commit(STRANGER, id, &truth)).collect();
    let claim = arena.claim(id, &truth);
    assert_eq!(claim.number, 300);
    let end = window_end(&arena, &claim);
    arena.chain.advance_to(end);
    for one in &made {
        arena.send(EXECUTOR, NOTHING, one.lapse()).expect("lapsed");
    }
    let receipt = arena.send(EXECUTOR, NOTHING, Call::Finalise { posted: claim.posted }).expect("final");
    assert_eq!(receipt.events.len(), 1, "no award yet");
    assert_eq!(job(&arena, id).next, 256);
    assert!(receipt.gas_used < 3_000_000, "{} gas", receipt.gas_used);
    arena.send(STRANGER, NOTHING, Call::Award { posted: claim.posted }).expect("awarded");
    assert_eq!((job(&arena, id).next, job(&arena, id).settled), (300, true));
}

#[test]
fn attack_17_an_output_copied_from_the_pending_pool_earns_nothing() {
    let (mut arena, truth, _) = case();
    let id = arena.job(truth.input());
    let commitment = arena.commit(EXECUTOR, id, &truth);
    arena.chain.advance(1);
    // The executor's posting is seen before it stands. What it says is bound to its sender …
    assert_eq!(arena.send(SECOND, NOTHING, commitment.post(&truth)), Err(Refusal::UnknownCommitment));
    // … and a commitment to the same output, made now, is a later number.
    let copy = arena.commit(SECOND, id, &truth);
    assert_eq!(arena.send(SECOND, NOTHING, copy.post(&truth)), Err(Refusal::NotYet), "not in this block");
    let receipt = arena.send(EXECUTOR, NOTHING, commitment.post(&truth)).expect("the executor's claim");
    let [Event::ClaimPosted { claim, posted, .. }] = receipt.events[..] else { panic!("a claim") };
    arena.chain.advance(1);
    arena.send(SECOND, NOTHING, copy.post(&truth)).expect("the copier's claim");
    // The copier is final and asks first: the fee waits for the executor's.
    let end = arena.chain.game.claim(claim).expect("a claim").window_end;
    arena.chain.advance_to(BlockTime(end.0 + 1));
    arena.send(SECOND, NOTHING, Call::Finalise { posted: copy.posted }).expect("final");
    assert_eq!(arena.send(SECOND, NOTHING, Call::Award { posted: copy.posted }), Err(Refusal::NotYet));
    arena.send(EXECUTOR, NOTHING, Call::Finalise { posted }).expect("final");
    arena.chain.close_books();
    let work = (arena.stake().0 - arena.chain.parameters().executor_bond.0) as i128;
    assert_eq!(arena.chain.gain(EXECUTOR), FEE.0 as i128 - work);
    assert_eq!(arena.chain.gain(SECOND), -work);
}

#[test]
fn attack_17_a_copied_commitment_can_only_lapse() {
    let (mut arena, truth, _) = case();
    let id = arena.job(truth.input());
    // The executor's commitment is seen before it stands, and sent first by the copier.
    let salt = narrows_commitment::keccak(b"the executor's");
    let said = posted(id, EXECUTOR, &truth);
    let commitment = ids::claim_commitment(salt, &said);
    let stake = arena.stake();
    let call = Call::CommitClaim { job: id, commitment };
    let copied_at = arena.chain.now();
    arena.send(SECOND, stake, call.clone()).expect("the copy");
    arena.send(EXECUTOR, stake, call).expect("the original");
    arena.chain.advance(1);
    let post = |number| Call::PostClaim {
        job: id,
        number,
        committed_at: copied_at,
        salt,
        trace_root: truth.root(),
        output: truth.output().to_vec(),
        path: truth.output_path(),
    };
    arena.send(EXECUTOR, NOTHING, post(1)).expect("the original is its own");
    // The salt is known now, and of no use to the copier.
    assert_eq!(arena.send(SECOND, NOTHING, post(0)), Err(Refusal::UnknownCommitment));
    arena.chain.advance(arena.chain.parameters().reveal_seconds.into());
    let lapse = Call::Lapse { job: id, number: 0, executor: SECOND, commitment, committed_at: copied_at };
    arena.send(STRANGER, NOTHING, lapse).expect("lapsed");
    let claim = arena.chain.game.claim_id(&said);
    let end = arena.chain.game.claim(claim).expect("a claim").window_end;
    arena.chain.advance_to(end);
    arena.send(STRANGER, NOTHING, Call::Finalise { posted: said }).expect("final, and paid");
    assert_eq!(arena.chain.game.claim(claim).expect("a claim").status, ClaimStatus::Final);
    arena.chain.close_books();
    assert!(arena.chain.gain(SECOND) < -(arena.chain.parameters().executor_bond.0 as i128 / 2));
}

#[test]
fn the_same_claim_does_not_stand_twice() {
    let (mut arena, truth, _) = case();
    let id = arena.job(truth.input());
    let claim = arena.claim(id, &truth);
    let again = arena.commit(EXECUTOR, id, &truth);
    arena.chain.advance(1);
    assert_eq!(arena.send(EXECUTOR, NOTHING, again.post(&truth)), Err(Refusal::Exists));
    // The second promise can only lapse: half of its bond is gone, the claim is untouched.
    arena.chain.advance(arena.chain.parameters().reveal_seconds.into());
    arena.send(STRANGER, NOTHING, again.lapse()).expect("lapsed");
    assert_eq!(arena.chain.game.claim(claim.id).expect("a claim").status, ClaimStatus::Pending);
}
