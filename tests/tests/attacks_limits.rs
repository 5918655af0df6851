//! Extreme parameters and programs (26), on both machines at once.

use narrows_bisection::{BlockTime, Call, Game, Parameters, Phase, Refusal, Trace, Wei};
use narrows_commitment::{Digest, LayersRoot, keccak};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::Conduct as _;
use narrows_program::{DType, OperatorIndex, Program};
use narrows_tests::arena::{Arena, EXECUTOR, REQUESTER, STRANGER, answering, honest, silent};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);
/// The greatest number of seconds that a parameter may have.
const LONGEST: u32 = (1 << 31) - 1;

/// All seconds the greatest, all gas and fees the greatest that a bond can be paid with.
fn greatest() -> Parameters {
    Parameters {
        window_seconds: LONGEST,
        executor_clock_seconds: LONGEST,
        challenger_clock_seconds: LONGEST,
        grace_seconds: LONGEST,
        slack_seconds: LONGEST,
        reveal_seconds: LONGEST,
        reward_seconds: LONGEST,
        block_seconds: LONGEST,
        block_gas: (1 << 32) - 1,
        executor_bond: Wei(1 << 90),
        fee_cap: Wei((1 << 64) - 1),
        delay_fee: Wei(1 << 80),
        work_price: Wei(1 << 90),
        attacker_budget: Wei((1 << 92) - 1),
    }
}

/// Everything the least.
fn least() -> Parameters {
    Parameters {
        window_seconds: 1,
        executor_clock_seconds: 1,
        challenger_clock_seconds: 1,
        grace_seconds: 0,
        slack_seconds: 0,
        reveal_seconds: 1,
        reward_seconds: 1,
        block_seconds: 1,
        block_gas: 1,
        executor_bond: Wei(2),
        fee_cap: Wei(1),
        delay_fee: Wei(0),
        work_price: Wei(0),
        attacker_budget: Wei(0),
    }
}

fn lie(program: &Program, truth: &Trace, operator: u32, element: usize) -> Trace {
    let lie = DoctoredOperator { operator: OperatorIndex(operator), element, delta: 1 };
    lie.trace(program, truth.input().to_vec()).expect("runs")
}

#[test]
fn attack_26_a_dispute_under_the_greatest_parameters() {
    let program = copies::grouped(&[1, 3, 1], 700);
    let truth = copies::truth(&program, &copies::input(700));
    let claimed = lie(&program, &truth, 2, 650);
    let mut arena = Arena::new(program.clone(), greatest());
    // Played to the last second of every turn: no time overflows anything.
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let ends = *arena.chain.game.claim(claim.id).expect("a claim");
    assert!(ends.hard_end.0 > 15 * u64::from(LONGEST));
    let mut one = arena.open(&claim);
    while let Some(side) = one.follower.state().phase.turn() {
        let deadline = arena.state(one.id).deadline(arena.chain.game.parameters()).expect("a turn");
        arena.chain.advance_to(BlockTime(deadline.0 - 1));
        let (from, call) = match side {
            narrows_bisection::Side::Executor => (EXECUTOR, answering(&program, &claimed)(&one.follower)),
            narrows_bisection::Side::Challenger => {
                (narrows_tests::arena::CHALLENGER, honest(&program, &truth)(&one.follower))
            }
        };
        arena.act(&mut one, from, call.expect("a move")).expect("in time");
    }
    assert_eq!(arena.state(one.id).phase, Phase::Won);
    assert!(arena.chain.now() < ends.hard_end);
    let reclaim = arena.reclaim(one.id);
    arena.send(STRANGER, NOTHING, reclaim).expect("the bond");
    arena.chain.advance(LONGEST.into());
    arena.send(STRANGER, NOTHING, Call::CollectReward { claim: claim.id }).expect("the reward");
    arena.send(STRANGER, NOTHING, Call::Refund { job }).expect("nobody answered");
    arena.chain.close_books();
}

#[test]
fn attack_26_under_the_least_parameters_silence_decides_at_once_and_nothing_breaks() {
    let program = copies::program(3, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program.clone(), least());
    let job = arena.job(truth.input());
    // A commitment lives one second, which is the one in which it cannot be posted: with such parameters nobody can claim.
    let commitment = arena.commit(EXECUTOR, job, &truth);
    assert_eq!(arena.send(EXECUTOR, NOTHING, commitment.post(&truth)), Err(Refusal::NotYet));
    arena.chain.advance(1);
    assert_eq!(arena.send(EXECUTOR, NOTHING, commitment.post(&truth)), Err(Refusal::TooLate));
    arena.send(STRANGER, NOTHING, commitment.lapse()).expect("lapsed");
    assert_eq!(arena.chain.game.owed(EXECUTOR), Wei(1));

    // One second more, and there are claims, whose matches last no time at all.
    let mut arena = Arena::new(program.clone(), Parameters { reveal_seconds: 2, ..least() });
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &lie(&program, &truth, 1, 7));
    let mut one = arena.open(&claim);
    let outcome = arena.play(&mut one, &mut silent(), &mut honest(&program, &truth));
    assert!(outcome.won() && outcome.last() == "timeout");
    let claim = arena.claim(job, &truth);
    arena.chain.advance(1);
    arena.send(STRANGER, NOTHING, Call::Finalise { posted: claim.posted }).expect("final after a second");
}

#[test]
fn attack_26_parameters_beyond_their_range_make_no_game() {
    let game = |parameters| Game::new(1, EXECUTOR, parameters).map(|_| ());
    assert!(game(greatest()).is_ok() && game(least()).is_ok());
    let good = Parameters::default();
    let seconds: [fn(&mut Parameters) -> &mut u32; 8] = [
        |p| &mut p.window_seconds,
        |p| &mut p.executor_clock_seconds,
        |p| &mut p.challenger_clock_seconds,
        |p| &mut p.reveal_seconds,
        |p| &mut p.reward_seconds,
        |p| &mut p.block_seconds,
        |p| &mut p.grace_seconds,
        |p| &mut p.slack_seconds,
    ];
    for (index, field) in seconds.into_iter().enumerate() {
        for (value, legal) in [(0, index >= 6), (1 << 31, false), (u32::MAX, false)] {
            let mut parameters = Parameters { attacker_budget: Wei(0), ..good };
            *field(&mut parameters) = value;
            assert_eq!(game(parameters).is_ok(), legal, "field {index}: {value}");
        }
    }
    let amounts: [fn(&mut Parameters); 7] = [
        |p| p.block_gas = 0,
        |p| p.block_gas = 1 << 32,
        |p| p.executor_bond = Wei(1),
        |p| p.fee_cap = Wei(0),
        |p| p.fee_cap = Wei(1 << 64),
        |p| p.attacker_budget = Wei(1 << 92),
        // Ten times the budget buys more than the executor's clock has room for.
        |p| p.attacker_budget = Wei(p.fee_cap.0 * 60 * 60_000_000 / 60 + 1),
    ];
    for (index, bend) in amounts.into_iter().enumerate() {
        let mut parameters = good;
        bend(&mut parameters);
        assert!(game(parameters).is_err(), "amount {index}");
    }
    let full = Parameters { attacker_budget: Wei(good.fee_cap.0 * 60 * 60_000_000 / 60), ..good };
    assert!(game(full).is_ok(), "exactly a tenth");
    // The contracts take what the mirror takes: a chain with them deploys.
    drop(Arena::new(copies::program(1, 1), full));
}

/// A header with these counts; everything else small and well-formed.
fn header(layers: u32, operators: u32, bits: u32, depth: u32, work: u64) -> Vec<u8> {
    let words = [4, layers, operators];
    let mut out: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    out.extend([DType::I8 as u8, DType::I8 as u8, bits as u8, depth as u8]);
    out.extend([1u32, 1].iter().flat_map(|word| word.to_be_bytes()));
    out.extend(work.to_be_bytes());
    out.extend(keccak(b"meta").0);
    assert_eq!(out.len(), 64);
    out
}

#[test]
fn attack_26_extreme_programs_in_the_registry() {
    let root = LayersRoot(keccak(b"layers"));
    let most_work = (1u64 << 63) - 1;
    let legal = [
        header(1, 1, 1, 0, 1),
        header(1 << 20, 1 << 20, 1, 26, most_work),
        header(1 << 20, 1 << 20, 6, 26, most_work),
        header(1, 32, 6, 26, 1),
        header(1 << 15, 1 << 20, 4, 3, 1 << 40),
    ];
    for header in &legal {
        let mut arena = Arena::new(
            copies::program(1, 1),
            Parameters { work_price: Wei(1 << 60), ..Parameters::default() },
        );
        let call = Call::Register { header: header.clone(), layers_root: root };
        arena.send(STRANGER, NOTHING, call.clone()).expect("registered");
        arena.send(EXECUTOR, NOTHING, call).expect("and again, which changes nothing");
        let program = narrows_bisection::game::ids::program_root(header, root);
        let registered = *arena.chain.game.program(program).expect("registered");
        let viewed = arena.chain.program(program).expect("a view").expect("registered");
        let parameters = *arena.chain.game.parameters();
        assert_eq!(viewed.bond(&parameters), registered.bond(&parameters));
        assert_eq!(viewed.claim_fee(&parameters), registered.claim_fee(&parameters));
        assert_eq!(viewed.moves(), registered.moves());
        // The contracts charge what the mirror does: a wei less is refused, the exact fee is taken.
        let deadline = BlockTime(arena.chain.now().0 + 100);
        let post = Call::PostJob { program, input: vec![5], salt: Digest::default(), deadline };
        let receipt = arena.send(REQUESTER, NOTHING, post).expect("a job, for no fee");
        let [narrows_bisection::Event::JobPosted { job, .. }] = receipt.events[..] else { panic!("a job") };
        let fee = registered.claim_fee(&parameters).expect("an amount").0;
        let commit = Call::CommitClaim { job, commitment: keccak(b"commitment") };
        let exact = Wei(parameters.executor_bond.0 + fee);
        assert_eq!(arena.send(EXECUTOR, Wei(exact.0 - 1), commit.clone()), Err(Refusal::WrongValue));
        arena.send(EXECUTOR, exact, commit).expect("the fee and the bond");
        assert_eq!(arena.chain.game.burned().0, fee);
    }
    let mut arena = Arena::new(copies::program(1, 1), Parameters::default());
    let illegal = [
        header(0, 1, 1, 0, 1),
        header(2, 1, 1, 0, 1),
        header(1, 33, 1, 0, 1),
        header(1, (1 << 20) + 1, 1, 0, 1),
        header(1, 1, 0, 0, 1),
        header(1, 1, 7, 0, 1),
        header(1, 1, 1, 27, 1),
        header(1, 1, 1, 0, most_work + 1),
        header(1, 1, 1, 0, 1)[..63].to_vec(),
        [header(1, 1, 1, 0, 1), vec![0]].concat(),
        vec![],
    ];
    for (index, header) in illegal.into_iter().enumerate() {
        let call = Call::Register { header, layers_root: root };
        assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::BadHeader), "header {index}");
    }
    for (at, value) in
        [(12, 0), (12, 4), (12, 16), (13, 0), (13, 4), (13, 255), (16, 2), (20, 2), (23, 0), (19, 0)]
    {
        let mut header = header(1, 1, 1, 0, 1);
        header[at] = value;
        let call = Call::Register { header, layers_root: root };
        assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::BadHeader), "byte {at} = {value}");
    }
}

#[test]
fn attack_26_amounts_that_nobody_can_pay_stop_claims_and_matches_only() {
    // The claim fee is beyond 128 bits: nobody can commit; the job is refunded.
    let parameters = Parameters { work_price: Wei(u128::MAX), ..Parameters::default() };
    let mut arena = Arena::new(copies::program(1, 1), parameters);
    let root = LayersRoot(keccak(b"layers"));
    let header = header(1, 1, 1, 0, (1 << 63) - 1);
    arena.send(STRANGER, NOTHING, Call::Register { header: header.clone(), layers_root: root }).expect("one");
    let program = narrows_bisection::game::ids::program_root(&header, root);
    let deadline = BlockTime(arena.chain.now().0 + 100);
    let post = Call::PostJob { program, input: vec![5], salt: Digest::default(), deadline };
    let receipt = arena.send(REQUESTER, Wei(50), post).expect("a job");
    let [narrows_bisection::Event::JobPosted { job, .. }] = receipt.events[..] else { panic!("a job") };
    let commit = Call::CommitClaim { job, commitment: keccak(b"commitment") };
    assert_eq!(arena.send(EXECUTOR, Wei(1 << 99), commit), Err(Refusal::WrongValue));
    arena.chain.advance_to(deadline);
    arena.send(STRANGER, NOTHING, Call::Refund { job }).expect("refunded");
    arena.chain.close_books();

    // The challenger's bond is beyond 128 bits: no matches, but a lie is refuted all the same.
    let parameters = Parameters { delay_fee: Wei(u128::MAX), ..Parameters::default() };
    let program = copies::program(3, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let claimed = lie(&program, &truth, 1, 7);
    let mut arena = Arena::new(program.clone(), parameters);
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let open = Call::Open { posted: claim.posted, commitment: Digest::default() };
    assert_eq!(arena.send(STRANGER, Wei(1 << 99), open), Err(Refusal::WrongValue));
    let shown = narrows_bisection::refute::refutation(&program, &truth, &claimed, None).expect("a fault");
    let call = Call::Refute { posted: claim.posted, refutation: Box::new(shown) };
    arena.send(STRANGER, NOTHING, call).expect("refuted");
}
