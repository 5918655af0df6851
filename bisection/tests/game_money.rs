//! Money: who gets what at each end, and that in = out + burned + locked under any calls in any order.

mod game_support;

use game_support::*;
use narrows_bisection::game::{ClaimStatus, ids};
use narrows_bisection::{Account, Call, Event, Game, MatchId, Parameters, Phase, Refusal, StateHash, Wei};
use narrows_commitment::Digest;
use proptest::prelude::*;

/// What must be locked, by looking at every job, claim and match: the money's own books are not asked.
fn locked_by_inventory(game: &Game) -> u128 {
    let fees: u128 = game.jobs().filter(|(_, job)| !job.settled).map(|(_, job)| job.fee.0).sum();
    let pending = game.claims().filter(|(_, claim)| claim.status == ClaimStatus::Pending).count() as u128;
    let open = game.matches().filter(|(_, one)| one.state.phase.turn().is_some()).count() as u128;
    let owed: u128 = game.creditors().values().map(|wei| wei.0).sum();
    let bonds = pending * game.parameters().executor_bond.0 + open * game.parameters().challenger_bond.0;
    fees + bonds + owed
}

#[test]
fn attack_16_losing_to_oneself_costs_half_the_bond() {
    let mut world = World::posted(program(5, 2), Run::new(&program(5, 2), Some((2, 200, 1))), (2, 200));
    world.open(EXECUTOR).expect("an executor may dispute its own claim");
    while world.phase().turn().is_some() {
        let (_, call) = world.next();
        world.send(EXECUTOR, NOTHING, &call).expect("stands");
    }
    assert_eq!(world.phase(), Phase::Won);
    assert_eq!(world.game.owed(EXECUTOR), Wei(500 + 101), "of 1,001 + 101 it staked");
    assert_eq!(world.game.burned(), Wei(501));
}

#[test]
fn attack_15_many_lost_matches_pay_the_executor_each_and_block_nobody() {
    let mut world = World::new(5, 2, (2, 200), false);
    let mut ids = vec![world.id];
    for i in 0..20 {
        ids.push(world.open(Account([100 + i; 20])).expect("any number of matches"));
    }
    assert_eq!(world.game.claim(world.claim).expect("exists").open_matches, 21);
    for id in ids {
        world.id = id;
        let challenger = world.this().challenger;
        while world.phase().turn().is_some() {
            let (sender, call) = world.next();
            let sender = if sender == CHALLENGER { challenger } else { sender };
            world.send(sender, NOTHING, &call).expect("stands");
        }
        assert_eq!(world.phase(), Phase::Lost);
    }
    assert_eq!(world.game.owed(EXECUTOR), Wei(21 * 50));
    assert_eq!(world.game.burned(), Wei(21 * 51));
    world.now = START + 100;
    world.send(EXECUTOR, NOTHING, &Call::Finalise { claim: world.claim }).expect("no match is open");
}

#[test]
fn attack_17_the_first_to_win_takes_the_reward_and_the_others_their_bonds() {
    let mut world = World::new(5, 2, (2, 200), true);
    let copier = world.open(STRANGER).expect("opens");
    let first = world.id;
    while world.phase().turn().is_some() {
        world.step();
    }
    assert_eq!(world.game.owed(CHALLENGER), Wei(500 + 101));
    world.id = copier;
    let (sender, call) = world.next();
    assert_eq!(world.send(sender, NOTHING, &call), Err(Refusal::ClaimClosed));
    assert_eq!(world.send(STRANGER, NOTHING, &Call::Timeout { match_id: copier }), Err(Refusal::ClaimClosed));
    let reclaim = |id| Call::Reclaim { match_id: id };
    assert_eq!(world.send(STRANGER, NOTHING, &reclaim(first)), Err(Refusal::WrongPhase));
    assert_eq!(
        world.send(REQUESTER, NOTHING, &reclaim(copier)),
        Ok(vec![Event::Reclaimed { match_id: copier }])
    );
    assert_eq!(world.game.owed(STRANGER), Wei(101));
    assert_eq!(world.open(STRANGER), Err(Refusal::ClaimClosed));
    assert_eq!(
        world.send(EXECUTOR, NOTHING, &Call::Finalise { claim: world.claim }),
        Err(Refusal::ClaimClosed)
    );
    assert_eq!(world.game.job(world.job).expect("exists").pending, 0);
}

#[test]
fn attack_24_money_is_withdrawn_once_and_by_its_owner() {
    let mut world = World::new(5, 2, (2, 200), true);
    assert_eq!(world.send(CHALLENGER, NOTHING, &Call::Withdraw), Err(Refusal::NothingOwed));
    while world.phase().turn().is_some() {
        world.step();
    }
    assert_eq!(world.send(EXECUTOR, NOTHING, &Call::Withdraw), Err(Refusal::NothingOwed));
    let paid = Event::Withdrawn { account: CHALLENGER, amount: Wei(601) };
    assert_eq!(world.send(CHALLENGER, NOTHING, &Call::Withdraw), Ok(vec![paid]));
    assert_eq!(world.send(CHALLENGER, NOTHING, &Call::Withdraw), Err(Refusal::NothingOwed));
    assert_eq!(world.money(), [0, 0, 0, 77, 501]);
    assert_eq!(world.game.balance(), Wei(77 + 501), "what is burned stays");
}

#[test]
fn attack_25_a_refund_waits_for_the_deadline_and_for_every_claim() {
    let mut world = World::new(5, 2, (2, 200), true);
    let refund = Call::Refund { job: world.job };
    assert_eq!(world.send(REQUESTER, NOTHING, &refund), Err(Refusal::NotYet));
    let mut unsettled = world.clone();
    unsettled.now = JOB_DEADLINE.0;
    assert_eq!(unsettled.send(REQUESTER, NOTHING, &refund), Err(Refusal::NotYet), "a claim is pending");
    while world.phase().turn().is_some() {
        world.step();
    }
    world.now = JOB_DEADLINE.0 - 1;
    assert_eq!(world.send(REQUESTER, NOTHING, &refund), Err(Refusal::NotYet));
    world.now = JOB_DEADLINE.0;
    let refunded = Event::JobRefunded { job: world.job };
    assert_eq!(world.send(STRANGER, NOTHING, &refund), Ok(vec![refunded]));
    assert_eq!(world.send(REQUESTER, NOTHING, &refund), Err(Refusal::JobClosed));
    assert_eq!(world.money(), [77, 0, 601, 601 + 77, 501]);
}

#[test]
fn the_fee_goes_to_the_first_final_claim_alone() {
    let mut world = World::posted(program(5, 2), Run::new(&program(5, 2), None), (0, 0));
    let call = post_claim(world.job, &world.claimed);
    let posted = world.send(STRANGER, Wei(1_001), &call).expect("a claim of another executor");
    let Event::ClaimPosted { claim: second, .. } = posted[0] else { panic!("no claim") };
    assert_eq!(world.send(STRANGER, Wei(1_001), &call), Err(Refusal::Exists));
    world.now = START + 100;
    world.send(STRANGER, NOTHING, &Call::Finalise { claim: second }).expect("final");
    assert_eq!(world.send(EXECUTOR, Wei(1_001), &call), Err(Refusal::JobClosed), "before that it exists");
    world.send(STRANGER, NOTHING, &Call::Finalise { claim: world.claim }).expect("final");
    assert_eq!([world.game.owed(STRANGER), world.game.owed(EXECUTOR)], [Wei(1_001 + 77), Wei(1_001)]);
    assert_eq!(world.game.locked(), Wei(2 * 1_001 + 77));
}

#[test]
fn attack_26_parameters_out_of_range_are_refused() {
    type Bend = fn(&mut Parameters);
    let make = |bend: Bend| {
        let mut parameters = parameters();
        bend(&mut parameters);
        Game::new(CHAIN, GAME, parameters).is_ok()
    };
    let bad: [Bend; 10] = [
        |p| p.window_seconds = 0,
        |p| p.executor_clock_seconds = 0,
        |p| p.challenger_clock_seconds = 0,
        |p| p.window_seconds = 1 << 31,
        |p| p.executor_clock_seconds = 1 << 31,
        |p| p.challenger_clock_seconds = 1 << 31,
        |p| p.grace_seconds = 1 << 31,
        |p| p.slack_seconds = 1 << 31,
        |p| p.executor_bond = Wei(1),
        |p| p.challenger_bond = Wei(1),
    ];
    assert!(bad.iter().all(|bend| !make(*bend)));
    assert!(make(|p| (p.grace_seconds, p.slack_seconds) = (0, 0)));
    assert!(make(|p| {
        let most = (1 << 31) - 1;
        (p.window_seconds, p.executor_clock_seconds, p.challenger_clock_seconds) = (most, most, most);
        (p.grace_seconds, p.slack_seconds) = (most, most);
    }));
}

#[test]
fn every_parameter_and_every_party_is_bound_into_the_ids() {
    let world = World::new(5, 2, (0, 0), true);
    let claim = |parameters: &Parameters, chain, executor| {
        let claim = world.game.claim(world.claim).expect("exists");
        ids::claim_id(chain, GAME, world.job, executor, claim.trace_root, claim.output_root, parameters)
    };
    assert_eq!(claim(&parameters(), CHAIN, EXECUTOR), world.claim);
    let bends: [fn(&mut Parameters); 7] = [
        |p| p.window_seconds += 1,
        |p| p.executor_clock_seconds += 1,
        |p| p.challenger_clock_seconds += 1,
        |p| p.grace_seconds += 1,
        |p| p.slack_seconds += 1,
        |p| p.executor_bond.0 += 1,
        |p| p.challenger_bond.0 += 1,
    ];
    let mut all =
        vec![world.claim, claim(&parameters(), CHAIN + 1, EXECUTOR), claim(&parameters(), CHAIN, STRANGER)];
    for bend in bends {
        let mut other = parameters();
        bend(&mut other);
        all.push(claim(&other, CHAIN, EXECUTOR));
    }
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

/// One random call: mostly such as may stand.
#[derive(Debug, Clone)]
struct Action {
    kind: u8,
    who: u8,
    which: u8,
    wait: u8,
    junk: u8,
    value: u8,
}

fn action() -> impl Strategy<Value = Action> {
    let fields = (0..24u8, any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
    fields.prop_map(|(kind, who, which, wait, junk, value)| Action { kind, who, which, wait, junk, value })
}

fn perform(world: &mut World, action: &Action) {
    let people = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER];
    let who = people[usize::from(action.who) % 4];
    // Mostly short waits, some of them over a clock or a window.
    world.now += [0, 0, 0, 1, 4, 6, 20, 101][usize::from(action.wait) % 8];
    if action.wait == 255 {
        world.now += JOB_DEADLINE.0;
    }
    let matches: Vec<MatchId> = world.game.matches().map(|(id, _)| id).collect();
    world.id = matches[usize::from(action.which) % matches.len()];
    world.claim = world.this().claim;
    let claims: Vec<_> = world.game.claims().map(|(id, _)| id).collect();
    let claim = claims[usize::from(action.which) % claims.len()];
    let jobs: Vec<_> = world.game.jobs().map(|(id, _)| id).collect();
    let job = jobs[usize::from(action.which) % jobs.len()];
    let state = if action.junk < 240 { world.hash() } else { StateHash(Digest([action.junk; 32])) };
    let bond = |right: u128| Wei(if action.value < 230 { right } else { u128::from(action.value) });
    let junk = |call: Call| (who, bond(0), call);
    let match_id = world.id;
    let (sender, value, call) = match action.kind {
        0 => (who, Wei(action.value.into()), post_job(&world.program, action.junk % 4)),
        1 => {
            let lie = action.junk.is_multiple_of(2).then_some((2, 200, 1));
            (who, bond(1_001), post_claim(job, &Run::new(&world.program, lie)))
        }
        2 | 3 => (who, bond(101), Call::Open { claim, commitment: Digest::default() }),
        4 => junk(Call::Timeout { match_id }),
        5 => junk(Call::Finalise { claim }),
        6 => junk(Call::Refund { job }),
        7 => junk(Call::Reclaim { match_id }),
        8 => junk(Call::Withdraw),
        9 => junk(Call::Reveal { match_id, state, nodes: vec![Digest([action.junk; 32]); 4] }),
        10 => junk(register(&world.program)),
        11 => junk(Call::RevealTile { match_id, state, tile: vec![0; 128] }),
        // The right move by the right account, or by a random one.
        _ if world.phase().turn().is_none() => return,
        kind => {
            let this = world.this();
            let (side, call) = world.next();
            let executor = world.game.claim(this.claim).expect("exists").executor;
            let right = if side == EXECUTOR { executor } else { this.challenger };
            (if kind < 23 { right } else { who }, bond(0), call)
        }
    };
    let before = world.game.clone();
    let (paid_before, now) = (before.owed(sender), world.now);
    match world.send(sender, value, &call) {
        Err(_) => assert!(world.game == before, "{} at {now} changed something", call.name()),
        Ok(_) => {
            let paid = if call == Call::Withdraw { paid_before.0 } else { 0 };
            assert_eq!(world.game.balance().0 + paid, before.balance().0 + value.0, "in and out");
        }
    }
    assert_eq!(world.game.locked().0, locked_by_inventory(&world.game), "{}", call.name());
    assert!(world.game.burned() >= before.burned(), "burned money came back");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn attack_23_every_wei_is_accounted_for_under_any_calls(
        lies in any::<bool>(),
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let mut world = World::new(5, 2, (2, 200), lies);
        for action in &actions {
            perform(&mut world, action);
        }
        // Whatever happened, once all time has passed everybody gets out all that is not burned.
        world.now += 1_000_000;
        let ids = |world: &World| -> (Vec<_>, Vec<_>, Vec<_>) {
            let game = &world.game;
            (game.claims().map(|c| c.0).collect(), game.matches().map(|m| m.0).collect(), game.jobs().map(|j| j.0).collect())
        };
        let (claims, matches, jobs) = ids(&world);
        for claim in claims {
            let _ = world.send(STRANGER, NOTHING, &Call::Finalise { claim });
        }
        for match_id in matches {
            let _ = world.send(STRANGER, NOTHING, &Call::Reclaim { match_id });
        }
        for job in jobs {
            let _ = world.send(STRANGER, NOTHING, &Call::Refund { job });
        }
        for (account, _) in world.game.creditors() {
            prop_assert!(world.send(account, NOTHING, &Call::Withdraw).is_ok());
        }
        prop_assert_eq!(world.game.locked(), NOTHING);
        prop_assert_eq!(world.game.balance(), world.game.burned());
    }
}
