//! A job, a claim, its window, the money: everything as it should be.

mod common;

use common::{
    CHALLENGER, EXECUTOR, FEE, INPUT, OUTPUT, REQUESTER, RICH, STRANGER, World, input_root, only, trace,
};
use narrows_bisection::ClaimStatus;
use narrows_bisection::{BlockTime, Call, Event, Phase, Wei};
use narrows_commitment::{Digest, TraceRoot};
use narrows_contracts::{Chain, ClaimView, JobView};

#[test]
fn an_honest_claim_earns_the_fee() {
    let mut world = World::new();
    let parameters = world.chain.parameters();
    let deadline = world.deadline();
    let receipt = world.send(REQUESTER, FEE, world.post_job(1));
    let job = world.job_id(1);
    let posted = Event::JobPosted {
        job,
        requester: REQUESTER,
        program: world.program.root(),
        input_root: input_root(),
        fee: FEE,
        deadline,
        input: INPUT.to_vec(),
    };
    assert_eq!(only(&receipt), &posted);
    let stored = JobView {
        requester: REQUESTER,
        program: world.program.root(),
        input_root: input_root(),
        fee: FEE,
        deadline,
        pending: 0,
        settled: false,
    };
    assert_eq!(world.chain.job(job), Ok(Some(stored)));

    let now = world.chain.now();
    let receipt = world.send(EXECUTOR, parameters.executor_bond, world.post_claim(job));
    let claim = world.claim_id(job, EXECUTOR);
    // L = 1, T = 0, b = 4: moves = 2 (1 + 1) + 6.
    let window_end = BlockTime(now.0 + u64::from(parameters.window_seconds));
    let clocks = parameters.executor_clock_seconds + parameters.challenger_clock_seconds;
    let hard_end =
        window_end.0 + u64::from(clocks + 10 * parameters.grace_seconds + parameters.slack_seconds);
    let (trace_root, hard_end) = (TraceRoot(trace().root()), BlockTime(hard_end));
    let output = OUTPUT.to_vec();
    let posted =
        Event::ClaimPosted { claim, job, executor: EXECUTOR, trace_root, window_end, hard_end, output };
    assert_eq!(only(&receipt), &posted);
    let mut view = ClaimView {
        status: ClaimStatus::Pending,
        executor: EXECUTOR,
        job,
        trace_root,
        window_end,
        hard_end,
        matches: 0,
        open_matches: 0,
    };
    assert_eq!(world.chain.claim(claim), Ok(Some(view)));
    assert_eq!(world.chain.job(job), Ok(Some(JobView { pending: 1, ..stored })));

    world.advance(u64::from(parameters.window_seconds));
    let receipt = world.send(STRANGER, Wei(0), Call::Finalise { claim });
    assert_eq!(only(&receipt), &Event::ClaimFinal { claim, job });
    view.status = ClaimStatus::Final;
    assert_eq!(world.chain.claim(claim), Ok(Some(view)));
    assert_eq!(world.chain.job(job), Ok(Some(JobView { settled: true, ..stored })));
    let earned = Wei(parameters.executor_bond.0 + FEE.0);
    assert_eq!(world.chain.owed(EXECUTOR), Ok(earned));

    let receipt = world.send(EXECUTOR, Wei(0), Call::Withdraw);
    assert_eq!(only(&receipt), &Event::Withdrawn { account: EXECUTOR, amount: earned });
    assert_eq!(world.chain.balance(EXECUTOR), Ok(Wei(RICH.0 + FEE.0)));
    assert_eq!(world.chain.balance(REQUESTER), Ok(Wei(RICH.0 - FEE.0)));
    assert_eq!((world.chain.locked(), world.chain.burned()), (Ok(Wei(0)), Ok(Wei(0))));
}

#[test]
fn an_unanswered_job_is_refunded() {
    let mut world = World::new();
    let job = world.job(1);
    world.advance(1_000);
    let receipt = world.send(STRANGER, Wei(0), Call::Refund { job });
    assert_eq!(only(&receipt), &Event::JobRefunded { job });
    world.send(REQUESTER, Wei(0), Call::Withdraw);
    assert_eq!(world.chain.balance(REQUESTER), Ok(RICH));
}

#[test]
fn a_silent_executor_loses_and_the_other_match_is_reclaimed() {
    let mut world = World::new();
    let job = world.job(1);
    let claim = world.claim(job);
    let opened = world.chain.now();
    let (first, second) = (world.open(claim, 0), world.open(claim, 1));
    let view = world.chain.match_state(first).expect("a view").expect("a match");
    assert_eq!((view.claim, view.challenger), (claim, CHALLENGER));
    assert_eq!((view.state.phase, view.state.remaining, view.state.turn_start), (Phase::LayerE, 1, opened));
    assert_eq!((view.state.node, view.state.operator), (trace().root(), Digest::default()));
    let clock = world.chain.parameters().executor_clock_seconds;
    assert_eq!(view.state.executor_clock, clock);

    world.advance(u64::from(clock + world.chain.parameters().grace_seconds));
    let receipt = world.send(STRANGER, Wei(0), Call::Timeout { match_id: first });
    assert_eq!(only(&receipt), &Event::MatchWon { match_id: first, claim });
    let receipt = world.send(STRANGER, Wei(0), Call::Reclaim { match_id: second });
    assert_eq!(only(&receipt), &Event::Reclaimed { match_id: second });
    let parameters = world.chain.parameters();
    let (bond, stake) = (parameters.executor_bond.0, parameters.challenger_bond.0);
    assert_eq!(world.chain.burned(), Ok(Wei(bond - bond / 2)));
    assert_eq!(world.chain.owed(CHALLENGER), Ok(Wei(bond / 2 + 2 * stake)));
    let status = world.chain.claim(claim).expect("a view").expect("a claim").status;
    assert_eq!(status, ClaimStatus::Refuted);
    let phase = |id| world.chain.match_state(id).expect("a view").expect("a match").state.phase;
    assert_eq!((phase(first), phase(second)), (Phase::Won, Phase::Reclaimed));
    world.send(CHALLENGER, Wei(0), Call::Withdraw);
    assert_eq!(world.chain.balance(CHALLENGER), Ok(Wei(RICH.0 + bond / 2)));
}

#[test]
fn a_silent_challenger_loses_its_bond() {
    let mut world = World::new();
    let job = world.job(1);
    let claim = world.claim(job);
    let id = world.open(claim, 0);
    let nodes = trace().descendants(1, 0, 1);
    let reveal = Call::Reveal { match_id: id, state: world.state_of(id), nodes: nodes.clone() };
    let receipt = world.send(STRANGER, Wei(0), reveal);
    assert_eq!(only(&receipt), &Event::Revealed { match_id: id, nodes });
    world.advance(u64::from(
        world.chain.parameters().challenger_clock_seconds + world.chain.parameters().grace_seconds,
    ));
    let receipt = world.send(STRANGER, Wei(0), Call::Timeout { match_id: id });
    assert_eq!(only(&receipt), &Event::MatchLost { match_id: id, claim });
    let stake = world.chain.parameters().challenger_bond.0;
    assert_eq!(world.chain.owed(EXECUTOR), Ok(Wei(stake / 2)));
    assert_eq!(world.chain.burned(), Ok(Wei(stake - stake / 2)));
    // The claim is still good.
    world.advance(u64::from(world.chain.parameters().window_seconds));
    world.send(EXECUTOR, Wei(0), Call::Finalise { claim });
}

#[test]
fn what_is_not_known_is_none() {
    let world = World::new();
    let id = Digest([9; 32]);
    assert_eq!(world.chain.job(narrows_bisection::JobId(id)), Ok(None));
    assert_eq!(world.chain.claim(narrows_bisection::ClaimId(id)), Ok(None));
    assert_eq!(world.chain.match_state(narrows_bisection::MatchId(id)), Ok(None));
    assert_eq!(world.chain.owed(STRANGER), Ok(Wei(0)));
}

#[test]
fn events_are_read_from_any_cursor() {
    let mut world = World::new();
    let (job, _) = (world.job(1), world.job(2));
    world.claim(job);
    let all = world.chain.events_from(0).expect("events");
    assert_eq!(all.len(), 4);
    assert_eq!(all[0].event, Event::Registered { program: world.program.root() });
    assert_eq!(
        all.iter().map(|event| event.sender).collect::<Vec<_>>(),
        [STRANGER, REQUESTER, REQUESTER, EXECUTOR]
    );
    assert_eq!(all.iter().map(|event| event.block).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for cursor in 0..=5 {
        let rest = all.get(cursor..).unwrap_or_default();
        assert_eq!(world.chain.events_from(cursor as u64).as_deref(), Ok(rest));
    }
    assert_eq!(world.chain.events_from(u64::MAX), Ok(vec![]));
}
