//! Money: who gets what, and that in = out + burned + locked under any calls in any order.

mod game_support;

use std::sync::LazyLock;

use game_support::*;
use narrows_bisection::game::ids;
use narrows_bisection::{
    Account, BlockTime, Call, ClaimStatus, Event, Game, JobId, MatchId, Parameters, Phase, Posted, Refusal,
    Wei,
};
use narrows_commitment::Digest;
use proptest::prelude::*;

/// What must be locked, by looking at every job, commitment, claim and match: the money's own books are not asked.
fn locked_by_inventory(game: &Game) -> u128 {
    let fees: u128 = game.jobs().filter(|(_, job)| !job.settled).map(|(_, job)| job.fee.0).sum();
    let open_entry = |id: JobId, number: u64| {
        let entry = game.entry(id, number).expect("committed");
        let lapsed = entry.0[..31].iter().all(|byte| *byte == 0);
        !lapsed && game.claim(narrows_bisection::ClaimId(entry)).is_none()
    };
    let entries: u128 =
        game.jobs().map(|(id, job)| (0..job.committed).filter(|n| open_entry(id, *n)).count() as u128).sum();
    let pending = game.claims().filter(|(_, claim)| claim.status == ClaimStatus::Pending).count() as u128;
    let rewards = game.claims().filter(|(_, claim)| claim.point != Digest::default()).count() as u128;
    let stands = |phase: Phase| phase.turn().is_some() || phase == Phase::Won;
    let bonds: u128 = game
        .matches()
        .filter(|(_, one)| stands(one.state.phase))
        .map(|(_, one)| one.seated.seat.bond.0)
        .sum();
    let owed: u128 = game.creditors().values().map(|wei| wei.0).sum();
    fees + (entries + pending) * 1_001 + rewards * 500 + bonds + owed
}

#[test]
fn attack_33_money_that_no_chain_has_is_refused() {
    let program = program(2);
    let mut world = World::job(program.clone(), truth(&program), truth(&program));
    let all_but_five = Wei(u128::MAX - FEE.0 - 5);
    world.send(REQUESTER, all_but_five, &post_job(&program, 8)).expect("below 2^128");
    for (value, refused) in [(6, true), (u128::MAX, true), (5, false), (1, true)] {
        let result = world.send(REQUESTER, Wei(value), &post_job(&program, 9)).map(|_| ());
        assert_eq!(result, if refused { Err(Refusal::WrongValue) } else { Ok(()) }, "{value}");
    }
    assert_eq!(world.game.locked(), Wei(u128::MAX));
}

#[test]
fn attack_16_losing_to_oneself_costs_half_the_bond() {
    let program = program(2);
    let mut world = World::posted(program.clone(), doctored(&program, TARGET), truth(&program));
    world.open(executor()).expect("an executor may dispute its own claim");
    while world.phase().turn().is_some() {
        let (_, call) = world.next();
        world.send(executor(), NOTHING, &call).expect("stands");
    }
    assert_eq!(world.phase(), Phase::Won);
    world.send(executor(), NOTHING, &world.reclaim()).expect("won");
    let bond = bond(2).0;
    assert_eq!(world.game.owed(executor()), Wei(500 + bond), "of 1,001 and the bond it staked");
    assert_eq!(world.game.burned(), Wei(CLAIM_FEE + 501));
}

#[test]
fn attack_15_many_lost_matches_pay_the_executor_each_and_block_nobody() {
    let mut world = World::new(2, TARGET, false);
    for i in 0..20 {
        assert_eq!(world.open(Account([100 + i; 20])), Ok(u64::from(i) + 1), "any number of matches");
    }
    assert_eq!(world.claim_entry().open_matches, 21);
    let mut paid = 0;
    for number in 0..21 {
        world.number = number;
        world.finish();
        assert_eq!(world.phase(), Phase::Lost);
        paid += 6 * answer_gas(2) * 2 + 17;
        assert_eq!(world.game.owed(executor()), Wei(paid));
    }
    assert_eq!(world.game.burned(), Wei(CLAIM_FEE + 21 * bond(2).0 - paid));
    world.now = START + 100;
    world.send(executor(), NOTHING, &world.finalise()).expect("no match is open");
}

#[test]
fn attack_15_no_match_costs_its_challenger_more_than_its_bond() {
    // Every answer at the cap is less than the bond, as the bond insures twice the rounds.
    for bits in 1..=6 {
        let mut world = World::new(bits, TARGET, false).to(Phase::Seg);
        world.base_fee = 3;
        world.finish();
        let paid = u128::from(world.state().answers) * answer_gas(bits) * 3 + 17;
        assert_eq!(world.game.owed(executor()), Wei(paid.min(bond(bits).0)));
    }
}

#[test]
fn attack_17_a_verdict_without_a_value_pays_its_match_and_the_others_get_their_bonds() {
    let mut world = World::new(2, TARGET, true);
    let copier = world.open(STRANGER).expect("opens");
    world.number = 0;
    world.finish();
    assert_eq!(world.game.owed(CHALLENGER), Wei(500));
    let first = world.reclaim();
    world.number = copier;
    // What ends nothing may still be said, and changes nothing of this.
    world.step();
    assert_eq!(world.send(STRANGER, NOTHING, &world.timeout()), Err(Refusal::ClaimClosed));
    assert_eq!(
        world.send(REQUESTER, NOTHING, &world.reclaim()),
        Ok(vec![Event::Reclaimed { match_id: world.id() }])
    );
    world.send(REQUESTER, NOTHING, &first).expect("the winner's too");
    assert_eq!([world.game.owed(STRANGER), world.game.owed(CHALLENGER)], [bond(2), Wei(bond(2).0 + 500)]);
    assert_eq!(world.open(STRANGER), Err(Refusal::ClaimClosed));
    assert_eq!(world.send(executor(), NOTHING, &world.finalise()), Err(Refusal::ClaimClosed));
    assert_eq!(world.game.locked().0, 2 * bond(2).0 + 500 + 77);
}

#[test]
fn attack_17_a_copied_verdict_earns_nothing() {
    // The challenger's match is the first opening. Somebody sees its name on the way, and refutes before it.
    let target = (4, 200);
    let mut world = World::new(2, target, true).to(Phase::Name);
    let (_, name) = world.next();
    world.now += 1;
    world.send(STRANGER, NOTHING, &world.refute()).expect("a fault");
    assert_eq!(world.send(CHALLENGER, NOTHING, &name), Err(Refusal::ClaimClosed));
    assert_eq!(world.game.owed(STRANGER), NOTHING);
    // What the stranger knows now it did not commit to: neither in time nor under its own name.
    let mut late = world.clone();
    let call = late.open_reward(0, target);
    assert_eq!(late.send(STRANGER, NOTHING, &call), Err(Refusal::WrongState));
    let commit = Call::Commit { claim: world.claim, commitment: world.own_commitment(STRANGER) };
    assert_eq!(late.send(STRANGER, NOTHING, &commit), Err(Refusal::ClaimClosed));
    world.send(CHALLENGER, NOTHING, &world.open_reward(0, target)).expect("knew it");
    world.now += 20;
    let claim = world.claim;
    let (winner, amount) = (CHALLENGER, Wei(500));
    assert_eq!(
        world.send(STRANGER, NOTHING, &Call::CollectReward { claim }),
        Ok(vec![Event::RewardCollected { claim, winner, amount }])
    );
}

#[test]
fn attack_24_money_is_withdrawn_once_and_by_its_owner() {
    let mut world = World::new(2, TARGET, true);
    assert_eq!(world.send(CHALLENGER, NOTHING, &Call::Withdraw), Err(Refusal::NothingOwed));
    world.finish();
    assert_eq!(world.send(executor(), NOTHING, &Call::Withdraw), Err(Refusal::NothingOwed));
    let paid = Event::Withdrawn { account: CHALLENGER, amount: Wei(500) };
    assert_eq!(world.send(CHALLENGER, NOTHING, &Call::Withdraw), Ok(vec![paid]));
    assert_eq!(world.send(CHALLENGER, NOTHING, &Call::Withdraw), Err(Refusal::NothingOwed));
    let burned = CLAIM_FEE + 501;
    assert_eq!(world.money(), [0, 0, 0, 77 + bond(2).0, burned]);
    assert_eq!(world.game.balance(), Wei(77 + bond(2).0 + burned), "what is burned stays");
}

#[test]
fn attack_25_a_refund_waits_for_the_deadline_and_for_every_commitment() {
    let mut world = World::new(2, TARGET, true);
    let refund = Call::Refund { job: world.job };
    let mut unsettled = world.clone();
    unsettled.now = JOB_DEADLINE.0;
    assert_eq!(unsettled.send(REQUESTER, NOTHING, &refund), Err(Refusal::NotYet), "a claim is pending");
    world.finish();
    // A commitment in the last second keeps the fee until it lapses.
    let mut kept = world.clone();
    kept.now = JOB_DEADLINE.0 - 1;
    let trace = kept.own.clone();
    let number = kept.commit_claim(account(9), &trace);
    kept.now += 29;
    assert_eq!(
        kept.clone().send(REQUESTER, NOTHING, &refund),
        Err(Refusal::NotYet),
        "somebody has committed"
    );
    let late = kept.post_claim(number, JOB_DEADLINE.0 - 1, &trace);
    kept.send(account(9), NOTHING, &late).expect("revealed in time, after the deadline");
    kept.now += 100;
    let posted = posted(kept.job, account(9), &trace);
    kept.send(STRANGER, NOTHING, &Call::Finalise { posted }).expect("final");
    assert_eq!(kept.game.owed(account(9)), Wei(1_001 + 77));
    world.now = JOB_DEADLINE.0;
    let refunded = Event::JobRefunded { job: world.job };
    assert_eq!(world.send(STRANGER, NOTHING, &refund), Ok(vec![refunded]));
    assert_eq!(world.money(), [77, 0, 500, 577 + bond(2).0, CLAIM_FEE + 501]);
}

#[test]
fn attack_26_parameters_at_their_limits() {
    type Bend = fn(&mut Parameters);
    let make = |bend: Bend| {
        let mut parameters = parameters();
        bend(&mut parameters);
        Game::new(CHAIN, GAME, parameters).is_ok()
    };
    let bad: [Bend; 21] = [
        |p| p.window_seconds = 0,
        |p| p.executor_clock_seconds = 0,
        |p| p.challenger_clock_seconds = 0,
        |p| p.reveal_seconds = 0,
        |p| p.reward_seconds = 0,
        |p| p.block_seconds = 0,
        |p| p.block_gas = 0,
        |p| p.window_seconds = 1 << 31,
        |p| p.executor_clock_seconds = 1 << 31,
        |p| p.challenger_clock_seconds = 1 << 31,
        |p| p.grace_seconds = 1 << 31,
        |p| p.slack_seconds = 1 << 31,
        |p| p.reveal_seconds = 1 << 31,
        |p| p.reward_seconds = 1 << 31,
        |p| p.block_seconds = 1 << 31,
        |p| p.block_gas = 1 << 32,
        |p| p.executor_bond = Wei(1),
        |p| p.fee_cap = Wei(0),
        |p| p.fee_cap = Wei(1 << 64),
        |p| p.attacker_budget = Wei(1 << 92),
        // More than a tenth of the blocks: 2 * 3 * 50 * 30,000,000 / (10 * 12) and a wei.
        |p| p.attacker_budget = Wei(75_000_001),
    ];
    bad.iter().enumerate().for_each(|(index, bend)| assert!(!make(*bend), "{index}"));
    let good: [Bend; 4] = [
        |p| (p.grace_seconds, p.slack_seconds) = (0, 0),
        |p| (p.executor_bond, p.delay_fee, p.work_price) = (Wei(2), Wei(0), Wei(0)),
        |p| p.attacker_budget = Wei(75_000_000),
        |p| {
            let most = (1 << 31) - 1;
            (p.window_seconds, p.executor_clock_seconds, p.challenger_clock_seconds) = (most, most, most);
            (p.grace_seconds, p.slack_seconds, p.reveal_seconds) = (most, most, most);
            (p.reward_seconds, p.block_seconds, p.block_gas) = (most, most, (1 << 32) - 1);
            (p.executor_bond, p.fee_cap) = (Wei(u128::MAX), Wei((1 << 64) - 1));
            (p.delay_fee, p.work_price) = (Wei(u128::MAX), Wei(u128::MAX));
            p.attacker_budget = Wei((1 << 92) - 1);
        },
    ];
    good.iter().enumerate().for_each(|(index, bend)| assert!(make(*bend), "{index}"));
}

#[test]
fn every_parameter_and_every_party_is_bound_into_the_ids() {
    let world = World::new(2, TARGET, true);
    let claim = |parameters: &Parameters, chain, game, posted: Posted| {
        ids::claim_id(chain, game, &posted, parameters)
    };
    let posted = world.posted;
    assert_eq!(claim(&parameters(), CHAIN, GAME, posted), world.claim);
    let bends: [fn(&mut Parameters); 14] = [
        |p| p.window_seconds += 1,
        |p| p.executor_clock_seconds += 1,
        |p| p.challenger_clock_seconds += 1,
        |p| p.grace_seconds += 1,
        |p| p.slack_seconds += 1,
        |p| p.reveal_seconds += 1,
        |p| p.reward_seconds += 1,
        |p| p.block_seconds += 1,
        |p| p.block_gas += 1,
        |p| p.executor_bond.0 += 1,
        |p| p.fee_cap.0 += 1,
        |p| p.delay_fee.0 += 1,
        |p| p.work_price.0 += 1,
        |p| p.attacker_budget.0 += 1,
    ];
    let mut all = vec![
        world.claim,
        claim(&parameters(), CHAIN + 1, GAME, posted),
        claim(&parameters(), CHAIN, STRANGER, posted),
        claim(&parameters(), CHAIN, GAME, Posted { executor: STRANGER, ..posted }),
        claim(&parameters(), CHAIN, GAME, Posted { job: JobId(SALT), ..posted }),
    ];
    for bend in bends {
        let mut other = parameters();
        bend(&mut other);
        all.push(claim(&other, CHAIN, GAME, posted));
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
    let fields = (0..72u8, any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
    fields.prop_map(|(kind, who, which, wait, junk, value)| Action { kind, who, which, wait, junk, value })
}

/// A commitment to a claim that was made, and what it will reveal.
type Commitments = Vec<(JobId, u64, u64, Account, bool)>;

fn perform(world: &mut World, made: &mut Commitments, action: &Action) {
    let people = [REQUESTER, executor(), CHALLENGER, STRANGER];
    let who = people[usize::from(action.who) % 4];
    // Mostly short waits, some of them over a clock or a window.
    if let Some(index) = action.wait.checked_sub(200) {
        world.now += [1, 1, 1, 4, 6, 10, 31, 101][usize::from(index) / 7];
    }
    if action.wait == 255 {
        world.now += JOB_DEADLINE.0;
    }
    let which = usize::from(action.which);
    let matches: Vec<MatchId> = world.game.matches().map(|(id, _)| id).collect();
    let this = *world.game.match_of(matches[which % matches.len()]).expect("listed");
    (world.claim, world.number) = (this.claim, this.number);
    let claims: Vec<_> = world.game.claims().map(|(_, claim)| claim.posted).collect();
    let (this_posted, posted) = (world.claim_entry().posted, claims[which % claims.len()]);
    let jobs: Vec<_> = world.game.jobs().map(|(id, _)| id).collect();
    let job = jobs[which % jobs.len()];
    let stake = |right: Wei| if action.value < 230 { right } else { Wei(action.value.into()) };
    let lies = action.junk.is_multiple_of(2);
    let said = |world: &World, lies: bool| {
        // The claim of the world is the first; the other trace is the other way round.
        if lies == (world.claimed != truth_of(world)) { world.claimed.clone() } else { world.own.clone() }
    };
    let promised = made.get(which % made.len().max(1)).copied();
    let claim = world.claim;
    let (sender, value, call) = match action.kind {
        0 => (who, Wei(action.value.into()), post_job(&world.program, action.junk % 4)),
        1 | 2 => {
            let said = game_support::posted(job, who, &said(world, lies));
            let commitment = ids::claim_commitment(SALT, &said);
            (who, stake(STAKE), Call::CommitClaim { job, commitment })
        }
        3 | 4 => {
            let Some((job, number, at, who, lies)) = promised else { return };
            let trace = said(world, lies);
            let mut call = world.post_claim(number, at, &trace);
            let Call::PostClaim { job: of, .. } = &mut call else { unreachable!() };
            *of = job;
            (who, NOTHING, call)
        }
        5 => {
            let Some((job, number, at, executor, lies)) = promised else { return };
            let said = game_support::posted(job, executor, &said(world, lies));
            let commitment = ids::claim_commitment(SALT, &said);
            (who, NOTHING, Call::Lapse { job, number, executor, commitment, committed_at: BlockTime(at) })
        }
        6 | 7 => {
            world.claim = world.game.claim_id(&posted);
            let commitment = world.own_commitment(who);
            world.claim = claim;
            (who, stake(bond(2)), Call::Open { posted, commitment })
        }
        8 => (who, NOTHING, Call::Commit { claim, commitment: world.own_commitment(who) }),
        9 => (who, NOTHING, world.timeout()),
        10 | 11 => (who, NOTHING, Call::Finalise { posted }),
        12 => (who, NOTHING, Call::Award { posted }),
        13 => (who, NOTHING, Call::Advance { job }),
        14 => (who, NOTHING, Call::Refund { job }),
        15 => (who, NOTHING, world.reclaim()),
        16 => (who, NOTHING, Call::Withdraw),
        17 => {
            let mut right = world.clone();
            let trace = truth_of(world);
            if world.claimed == trace {
                std::mem::swap(&mut right.claimed, &mut right.own);
            }
            (right.posted, right.claim) = (posted, world.game.claim_id(&posted));
            (who, NOTHING, right.refute())
        }
        18 => {
            let refuted = world.game.claims().find(|(_, claim)| claim.by_roots);
            let original = refuted.map_or(this_posted, |(_, claim)| claim.posted);
            (who, NOTHING, Call::RefuteCopy { original, copy: posted })
        }
        19 | 22 => (this.seated.challenger, NOTHING, world.open_reward(this.number, lie_of(world))),
        20 => (who, NOTHING, Call::CollectReward { claim }),
        21 => (who, NOTHING, register(&world.program)),
        // The right move by the right account, or by a random one.
        _ if world.phase().turn().is_none() => return,
        kind => {
            let lying = this_posted.trace_root != truth_of(world).root();
            let mut sides = world.clone();
            if lying == (sides.claimed == truth_of(world)) {
                std::mem::swap(&mut sides.claimed, &mut sides.own);
            }
            let (right, call) = sides.next();
            (if kind < 68 { right } else { who }, if action.value < 250 { NOTHING } else { Wei(1) }, call)
        }
    };
    let before = world.game.clone();
    let paid_before = before.owed(sender);
    if let Ok(events) = world.send(sender, value, &call) {
        let paid = if call == Call::Withdraw { paid_before.0 } else { 0 };
        assert_eq!(world.game.balance().0 + paid, before.balance().0 + value.0, "in and out");
        if let Some(Event::ClaimCommitted { job, number, executor, .. }) = events.first() {
            made.push((*job, *number, world.now, *executor, lies));
        }
    }
    assert_eq!(world.game.locked().0, locked_by_inventory(&world.game), "{}", call.name());
    assert!(world.game.burned() >= before.burned(), "burned money came back");
}

/// The lies of those claims that lie: an element of one segment that the claim's roots alone decide, and one of several.
const LIES: [(u32, u32); 2] = [(4, 200), TARGET];

/// Where the world's lie is.
fn lie_of(world: &World) -> (u32, u32) {
    let layer = world.own.first_layer_difference(&world.claimed).expect("they differ");
    if layer.0 == 1 { LIES[1] } else { LIES[0] }
}

fn truth_of(world: &World) -> narrows_bisection::Trace {
    static TRUTH: LazyLock<narrows_bisection::Trace> = LazyLock::new(|| truth(&program(2)));
    assert_eq!(world.program.header().reveal_bits, 2);
    TRUTH.clone()
}

/// A claim, honest or a lie, a copy of it, and a match about the first.
fn start(lies: bool, lie: usize) -> World {
    fn made(lie: (u32, u32)) -> [World; 2] {
        [false, true].map(|lies| {
            let mut world = World::new(2, lie, lies);
            let trace = world.claimed.clone();
            world.claim_by(STRANGER, &trace);
            world
        })
    }
    static STARTS: LazyLock<[[World; 2]; 2]> = LazyLock::new(|| LIES.map(made));
    STARTS[lie][usize::from(lies)].clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn attack_23_every_wei_is_accounted_for_under_any_calls(
        lies in any::<bool>(),
        lie in 0..2usize,
        actions in prop::collection::vec(action(), 1..160),
    ) {
        let mut world = start(lies, lie);
        let mut made = Commitments::new();
        for action in &actions {
            perform(&mut world, &mut made, action);
        }
        // Whatever happened, once all time has passed everybody gets out all that is not burned.
        world.now += 1_000_000;
        let matches: Vec<_> = world.game.matches().map(|(_, one)| *one).collect();
        for posted in world.game.claims().map(|(_, claim)| claim.posted).collect::<Vec<_>>() {
            let _ = world.send(STRANGER, NOTHING, &Call::Finalise { posted });
        }
        for one in matches {
            (world.claim, world.number) = (one.claim, one.number);
            let _ = world.send(STRANGER, NOTHING, &world.reclaim());
            let _ = world.send(STRANGER, NOTHING, &Call::CollectReward { claim: one.claim });
        }
        for claim in world.game.claims().map(|(id, _)| id).collect::<Vec<_>>() {
            let _ = world.send(STRANGER, NOTHING, &Call::CollectReward { claim });
        }
        for (job, number, at, executor, lies) in made {
            let trace = if lies == (world.claimed != truth_of(&world)) { &world.claimed } else { &world.own };
            let commitment = ids::claim_commitment(SALT, &posted(job, executor, trace));
            let committed_at = BlockTime(at);
            let _ = world.send(STRANGER, NOTHING, &Call::Lapse { job, number, executor, commitment, committed_at });
        }
        for posted in world.game.claims().map(|(_, claim)| claim.posted).collect::<Vec<_>>() {
            let _ = world.send(STRANGER, NOTHING, &Call::Award { posted });
        }
        for job in world.game.jobs().map(|(id, _)| id).collect::<Vec<_>>() {
            let _ = world.send(STRANGER, NOTHING, &Call::Refund { job });
        }
        for (account, _) in world.game.creditors() {
            prop_assert!(world.send(account, NOTHING, &Call::Withdraw).is_ok());
        }
        prop_assert_eq!(world.game.locked(), NOTHING);
        prop_assert_eq!(world.game.balance(), world.game.burned());
    }
}
