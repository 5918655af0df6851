//! Attacks on money and on settlement (23, 25), on both machines at once.

use narrows_bisection::refute::refutation;
use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, ClaimStatus, JobId, Parameters, Phase, Refusal, Seated, Standing,
    Trace, Wei,
};
use narrows_commitment::{Digest, keccak};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::Conduct as _;
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{
    Arena, CHALLENGER, Claimed, EXECUTOR, FEE, REQUESTER, STRANGER, answering, honest, silent,
};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);
const EVERYBODY: [Account; 4] = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER];

fn case() -> (Arena, Program, Trace, Trace) {
    let program = copies::program(3, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let lie = DoctoredOperator { operator: OperatorIndex(1), element: 7, delta: 1 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    (Arena::new(program.clone(), Parameters::default()), program, truth, claimed)
}

fn owed(arena: &Arena) -> Vec<u128> {
    EVERYBODY.iter().map(|account| arena.chain.game.owed(*account).0).collect()
}

#[test]
fn attack_23_every_way_a_bond_can_go_in_and_out() {
    // One claim of each fate, one match of each fate; in the end every wei is out again or burned.
    let (mut arena, program, truth, claimed) = case();
    arena.chain.chain.set_base_fee(Wei(30_000_000_000)).expect("a base fee");
    let mut burned = 0;
    let (bond, stake) = (arena.chain.parameters().executor_bond.0, arena.stake().0);
    let fee = stake - bond;

    // Final, with one match lost by a step and one void.
    let job = arena.job(truth.input());
    let right = arena.claim(job, &truth);
    let mut lost = arena.open(&right);
    let outcome = arena.play(&mut lost, &mut answering(&program, &truth), &mut honest(&program, &claimed));
    assert_eq!(outcome.state.phase, Phase::Lost);
    let insured = arena.chain.game.owed(EXECUTOR).0;
    burned += fee + arena.bond().0 - insured;
    let void = arena.open_by(STRANGER, &right, Digest::default());
    let ends = *arena.chain.game.claim(right.id).expect("a claim");

    // Refuted by silence, and by one transaction; lapsed; and a job that nobody answered.
    let wrong = arena.claim(job, &claimed);
    let mut won = arena.open(&wrong);
    let outcome = arena.play(&mut won, &mut silent(), &mut honest(&program, &truth));
    assert!(outcome.won());
    burned += fee + bond / 2;
    let other = arena.job(truth.input());
    let by_call = arena.claim(other, &claimed);
    let shown = Box::new(refutation(&program, &truth, &claimed, None).expect("a fault"));
    let call = Call::Refute { posted: by_call.posted, refutation: shown };
    arena.send(CHALLENGER, NOTHING, call).expect("refuted");
    burned += fee + bond;
    let lapsing = arena.commit(EXECUTOR, other, &truth);
    burned += fee + bond / 2;

    let deadline = arena.chain.game.job(other).expect("a job").deadline;
    arena.chain.advance_to(BlockTime(ends.hard_end.0.max(deadline.0)));
    for call in [
        arena.reclaim(won.id),
        lapsing.lapse(),
        Call::CollectReward { claim: by_call.id },
        Call::Finalise { posted: right.posted },
        Call::Refund { job: other },
        arena.reclaim(void.id),
    ] {
        arena.send(STRANGER, NOTHING, call).expect("settled");
    }
    arena.chain.close_books();
    assert_eq!(arena.chain.game.burned().0, burned);
    assert_eq!(arena.chain.gain(REQUESTER), -(FEE.0 as i128));
    assert_eq!(arena.chain.gain(STRANGER), 0);
    assert_eq!(arena.chain.gain(CHALLENGER), (bond / 2) as i128 - arena.bond().0 as i128);
    let spent = 4 * fee + 3 * bond - bond / 2;
    assert_eq!(arena.chain.gain(EXECUTOR), (FEE.0 + insured) as i128 - spent as i128);
}

#[test]
fn attack_25_whoever_settles_settles_for_those_it_is_due_to() {
    let (mut arena, program, truth, claimed) = case();
    let job = arena.job(truth.input());
    let right = arena.claim(job, &truth);
    let wrong = arena.claim(job, &claimed);
    let mut one = arena.open(&wrong);
    let outcome = arena.play(&mut one, &mut silent(), &mut honest(&program, &truth));
    assert!(outcome.won());
    // An attacker is always first, and gains nothing by it.
    let attacker = STRANGER;
    let settle = |arena: &mut Arena, call: Call, to: Account| {
        let (name, before) = (call.name(), owed(arena));
        arena.send(attacker, NOTHING, call.clone()).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let after = owed(arena);
        for (index, account) in EVERYBODY.iter().enumerate() {
            assert_eq!(after[index] > before[index], *account == to, "{name}");
            assert!(after[index] >= before[index], "{name} takes from nobody");
        }
        // Again, by anybody, at once and later: refused.
        for from in EVERYBODY {
            arena.send(from, NOTHING, call.clone()).expect_err("settled");
        }
        assert_eq!(owed(arena), after);
    };
    let reclaim = arena.reclaim(one.id);
    settle(&mut arena, reclaim, CHALLENGER);
    let end = arena.chain.game.claim(right.id).expect("a claim").window_end;
    arena.chain.advance_to(end);
    settle(&mut arena, Call::Finalise { posted: right.posted }, EXECUTOR);
    assert!(arena.chain.game.job(job).expect("a job").settled);
    let other = arena.job(truth.input());
    let lapsing = arena.commit(EXECUTOR, other, &truth);
    arena.chain.advance(arena.chain.parameters().reveal_seconds.into());
    settle(&mut arena, lapsing.lapse(), EXECUTOR);
    let deadline = arena.chain.game.job(other).expect("a job").deadline;
    arena.chain.advance_to(deadline);
    settle(&mut arena, Call::Refund { job: other }, REQUESTER);
    // Withdrawals go to the sender, once.
    assert_eq!(arena.send(attacker, NOTHING, Call::Withdraw), Err(Refusal::NothingOwed));
    arena.chain.close_books();
    for from in EVERYBODY {
        assert_eq!(arena.send(from, NOTHING, Call::Withdraw), Err(Refusal::NothingOwed));
    }
    assert_eq!(arena.chain.gain(attacker), 0);
}

#[test]
fn attack_25_nothing_is_settled_for_what_does_not_exist() {
    let (mut arena, _, truth, _) = case();
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let (nowhere, none) = (JobId(keccak(b"no job")), ClaimId(keccak(b"no claim")));
    let posted = narrows_bisection::Posted { job: nowhere, ..claim.posted };
    let (standing, seated, node) = (Standing::default(), Seated::default(), Digest::default());
    for (call, refusal) in [
        (Call::Finalise { posted }, Refusal::UnknownClaim),
        (Call::Award { posted }, Refusal::UnknownClaim),
        (Call::RefuteCopy { original: claim.posted, copy: posted }, Refusal::UnknownClaim),
        (Call::RefuteCopy { original: posted, copy: claim.posted }, Refusal::NotACopy),
        (Call::Refund { job: nowhere }, Refusal::UnknownJob),
        (Call::Advance { job: nowhere }, Refusal::UnknownJob),
        (Call::CollectReward { claim: none }, Refusal::NoReward),
        (Call::CollectReward { claim: claim.id }, Refusal::NoReward),
        (Call::Commit { claim: none, commitment: node }, Refusal::UnknownClaim),
        (Call::Timeout { posted, number: 0, standing, seated, node }, Refusal::UnknownMatch),
        (Call::Timeout { posted: claim.posted, number: 0, standing, seated, node }, Refusal::UnknownMatch),
        (Call::Reclaim { claim: none, number: 0, standing, seated, node }, Refusal::UnknownMatch),
        (Call::Reclaim { claim: claim.id, number: u64::MAX, standing, seated, node }, Refusal::UnknownMatch),
    ] {
        let name = call.name();
        for from in [STRANGER, EXECUTOR] {
            assert_eq!(arena.send(from, NOTHING, call.clone()), Err(refusal), "{name}");
        }
    }
    // A bare commitment is no match to be timed out or reclaimed, before or after the claim's end.
    let commit = Call::Commit { claim: claim.id, commitment: keccak(b"mine") };
    let receipt = arena.send(CHALLENGER, NOTHING, commit).expect("a commitment");
    let [narrows_bisection::Event::Committed { number, .. }] = receipt.events[..] else { panic!("one") };
    let id = narrows_bisection::game::ids::match_id(claim.id, number);
    let timeout = arena.timeout(id);
    assert_eq!(arena.send(STRANGER, NOTHING, timeout.clone()), Err(Refusal::WrongPhase));
    let end = arena.chain.game.claim(claim.id).expect("a claim").window_end;
    arena.chain.advance_to(end);
    arena.send(STRANGER, NOTHING, Call::Finalise { posted: claim.posted }).expect("final");
    let reclaim = arena.reclaim(id);
    assert_eq!(arena.send(CHALLENGER, NOTHING, reclaim), Err(Refusal::WrongPhase));
    assert_eq!(arena.send(STRANGER, NOTHING, timeout), Err(Refusal::WrongPhase));
    let (bond, open) = (arena.bond(), Call::Open { posted: claim.posted, commitment: node });
    assert_eq!(arena.send(CHALLENGER, bond, open), Err(Refusal::ClaimClosed));
}

#[test]
fn attack_25_what_the_views_promise_the_calls_keep() {
    // At every interesting second, with and without a match: what follows from the views is what the call does.
    for with_match in [false, true] {
        let (mut arena, _, truth, _) = case();
        let job = arena.job(truth.input());
        let claim: Claimed = arena.claim(job, &truth);
        if with_match {
            arena.open(&claim);
        }
        let view = arena.chain.claim(claim.id).expect("a view").expect("a claim");
        let times = [view.window_end.0 - 1, view.window_end.0, view.hard_end.0 - 1, view.hard_end.0];
        for time in times {
            arena.chain.advance_to(BlockTime(time));
            let view = arena.chain.claim(claim.id).expect("a view").expect("a claim");
            let now = arena.chain.now();
            let may = view.status == ClaimStatus::Pending
                && ((now >= view.window_end && view.open_matches == 0) || now >= view.hard_end);
            let did = arena.send(STRANGER, NOTHING, Call::Finalise { posted: claim.posted });
            assert_eq!(did.is_ok(), may, "at {time}: {did:?}");
        }
        let view = arena.chain.claim(claim.id).expect("a view").expect("a claim");
        assert_eq!(view.status, ClaimStatus::Final);
        let view = arena.chain.job(job).expect("a view").expect("a job");
        assert!(view.settled);
        for account in EVERYBODY {
            let owed = arena.chain.owed(account).expect("a view");
            let before = arena.chain.balance(account).expect("a balance");
            let did = arena.send(account, NOTHING, Call::Withdraw);
            assert_eq!(did.is_ok(), owed > NOTHING);
            let after = arena.chain.balance(account).expect("a balance");
            assert_eq!(after.0 - before.0, owed.0);
        }
    }
}

#[test]
fn attack_24_bonds_are_not_recycled() {
    // The same bond cannot stand for two matches, nor a returned one come back twice, nor a wrong amount be let in.
    let (mut arena, program, truth, claimed) = case();
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let bond = arena.bond();
    let open = Call::Open { posted: claim.posted, commitment: Digest::default() };
    for value in [0, 1, bond.0 - 1, bond.0 + 1, bond.0 * 2] {
        assert_eq!(arena.send(CHALLENGER, Wei(value), open.clone()), Err(Refusal::WrongValue));
    }
    let stake = arena.stake();
    let commit = Call::CommitClaim { job, commitment: keccak(b"any") };
    for value in [0, 1, stake.0 - 1, stake.0 + 1, arena.chain.parameters().executor_bond.0] {
        assert_eq!(arena.send(EXECUTOR, Wei(value), commit.clone()), Err(Refusal::WrongValue));
    }
    // Calls that take no money refuse it, whatever else is wrong with them.
    for call in [Call::Withdraw, Call::Finalise { posted: claim.posted }, Call::Refund { job }] {
        assert_eq!(arena.send(STRANGER, Wei(1), call), Err(Refusal::WrongValue));
    }
    let mut one = arena.open(&claim);
    let two = arena.open(&claim);
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won());
    for id in [one.id, two.id] {
        let reclaim = arena.reclaim(id);
        arena.send(STRANGER, NOTHING, reclaim.clone()).expect("the bond");
        assert_eq!(arena.send(STRANGER, NOTHING, reclaim), Err(Refusal::WrongState));
        let reclaim = arena.reclaim(id);
        assert_eq!(arena.send(CHALLENGER, NOTHING, reclaim), Err(Refusal::WrongPhase));
    }
    assert_eq!(arena.chain.game.owed(CHALLENGER).0, 2 * bond.0);
    arena.send(CHALLENGER, NOTHING, Call::Withdraw).expect("both");
    assert_eq!(arena.send(CHALLENGER, NOTHING, Call::Withdraw), Err(Refusal::NothingOwed));
}
