//! Records of matches in every phase and of every kind of call: written, read, replayed; and every byte of one altered.

mod game_support;

use std::collections::BTreeSet;

use game_support::*;
use narrows_bisection::record::{Labels, Outcome};
use narrows_bisection::replay::{Finding, Story};
use narrows_bisection::{
    BlockTime, Call, ClaimStatus, Phase, Record, RecordError, Refusal, ReplayError, Side, Wei, replay,
};
use narrows_commitment::Digest;

fn record_of(world: &World) -> Record {
    let labels = Labels::of(&world.program);
    Record::of_claim(CHAIN, GAME, parameters(), labels, world.claim, &world.history).expect("a record")
}

/// A record must survive its file, and replay to what the chain says.
fn judged(world: &World) -> Story {
    let record = record_of(world);
    let bytes = record.encode().expect("small");
    let read = Record::decode(&bytes).expect("reads");
    assert_eq!(read, record);
    let story = replay(&read).expect("replays");
    assert_eq!(Some(&story.outcome), Outcome::of(&world.game, world.claim).as_ref());
    story
}

/// A short record for tests that go through every byte: a dispute that ends in silence, and a claim that is final.
fn short() -> Record {
    let program = single(6);
    let mut world = World::with(program, (0, 9), false);
    world.now = world.deadline();
    world.send(STRANGER, NOTHING, &world.timeout()).expect("ends");
    world.now = START + 100;
    world.send(STRANGER, NOTHING, &world.finalise()).expect("is final");
    let labels = Labels { layers: vec!["first \u{1b}[31m".into()], operators: Vec::new() };
    Record::of_claim(CHAIN, GAME, parameters(), labels, world.claim, &world.history).expect("a record")
}

#[test]
fn attack_37_a_match_has_a_record_in_every_phase() {
    for world in everywhere() {
        let phase = world.phase();
        let story = judged(&world);
        assert_eq!((story.outcome.verdict, story.finding()), (ClaimStatus::Pending, None), "{phase:?}");
        assert_eq!(story.steps.last().expect("calls").after, Some(phase));
        // Silence there.
        let mut silent = world.clone();
        silent.now = silent.deadline();
        silent.send(STRANGER, NOTHING, &silent.timeout()).expect("stands");
        let story = judged(&silent);
        let found = Finding::Silence(phase.turn().expect("open"));
        assert_eq!(story.steps.last().expect("calls").finding, Some(found), "{phase:?}");
        let refuted = phase.turn() == Some(Side::Executor);
        assert_eq!(story.outcome.verdict == ClaimStatus::Refuted, refuted);
    }
}

/// A job with claims of every fate: one lapses, one is refuted by its roots, its copy with it, one is refuted by a match
/// that somebody else overtakes, and one is final. The record is of the first match's claim.
fn eventful() -> World {
    let program = program(2);
    let (right, lie) = (truth(&program), doctored(&program, (0, 4)));
    let mut world = World::job(program, lie.clone(), right.clone());
    // 0 is never posted.
    let other = doctored(&world.program, (6, 1));
    world.commit_claim(account(8), &other);
    let committed_at = BlockTime(world.now);
    let posted_lie = world.claim_by(executor(), &lie);
    assert_eq!(posted_lie, world.posted);
    let copy = world.claim_by(account(9), &lie);
    let honest = world.claim_by(account(10), &right);
    world.open(CHALLENGER).expect("opens");
    world.step();
    world.step();
    let commitment = world.own_commitment(STRANGER);
    world.send(STRANGER, NOTHING, &Call::Commit { claim: world.claim, commitment }).expect("commits");
    world.open(STRANGER).expect("opens");
    world.now += 1;
    world.number = 0;
    world.finish();
    let (original, claim) = (world.posted, world.claim);
    world.send(STRANGER, NOTHING, &Call::RefuteCopy { original, copy }).expect("the same trace");
    world.send(STRANGER, NOTHING, &world.open_reward(1, (0, 4))).expect("knew it");
    world.send(CHALLENGER, NOTHING, &world.open_reward(0, (0, 4))).expect("knew it earlier");
    for number in [0, 2] {
        world.number = number;
        world.send(STRANGER, NOTHING, &world.reclaim()).expect("won, or overtaken");
    }
    let commitment =
        narrows_bisection::game::ids::claim_commitment(SALT, &posted(world.job, account(8), &other));
    let lapse = Call::Lapse { job: world.job, number: 0, executor: account(8), commitment, committed_at };
    world.now += 30;
    world.send(STRANGER, NOTHING, &Call::CollectReward { claim }).expect("is due");
    world.now = START + 120;
    world.send(STRANGER, NOTHING, &Call::Finalise { posted: honest }).expect("final, but not yet paid");
    world.send(STRANGER, NOTHING, &lapse).expect("lapses");
    world.send(STRANGER, NOTHING, &Call::Advance { job: world.job }).expect("past three");
    world.send(STRANGER, NOTHING, &Call::Award { posted: honest }).expect("is due");
    assert_eq!(world.game.owed(account(10)), Wei(1_001 + 77));
    // It is the honest claim's record that reaches to the award.
    (world.posted, world.claim) = (honest, world.game.claim_id(&honest));
    world
}

#[test]
fn attack_37_a_record_holds_every_kind_of_call() {
    let mut world = eventful();
    let story = judged(&world);
    assert_eq!(story.outcome.verdict, ClaimStatus::Final);
    let mut kinds: BTreeSet<&str> = story.steps.iter().map(|step| step.call).collect();
    assert_eq!(story.steps.len(), world.history.len(), "nothing is left out");
    // What this job did not see: a match with a sub-trace and sums, a refutation in one call, and silence.
    let mut disputed = World::new(2, TARGET, true);
    disputed.finish();
    let mut refuted = World::new(2, TARGET, true);
    refuted.send(STRANGER, NOTHING, &refuted.refute()).expect("a fault");
    let mut silent = World::new(2, TARGET, true);
    silent.now = silent.deadline();
    silent.send(STRANGER, NOTHING, &silent.timeout()).expect("silence");
    silent.now = JOB_DEADLINE.0;
    silent.send(STRANGER, NOTHING, &silent.reclaim()).expect("won");
    for world in [&disputed, &refuted, &silent] {
        kinds.extend(judged(world).steps.iter().map(|step| step.call));
    }
    // A refund comes after all that is about any claim, and a withdrawal is about no job.
    assert_eq!(kinds.len(), 25, "{kinds:?}");
    silent.send(STRANGER, NOTHING, &Call::Refund { job: silent.job }).expect("nobody else");
    assert!(!record_of(&silent).entries.iter().any(|entry| entry.call.name() == "refund"));
    world.send(account(10), NOTHING, &Call::Withdraw).expect("is owed");
    assert!(!record_of(&world).entries.iter().any(|entry| entry.call == Call::Withdraw));
}

#[test]
fn attack_37_no_call_of_an_eventful_job_can_be_left_out_or_moved_or_made_by_others() {
    let record = record_of(&eventful());
    let count = record.entries.len();
    let (mut free, mut idle) = (Vec::new(), Vec::new());
    for at in 0..count {
        let mut dropped = record.clone();
        dropped.entries.remove(at);
        if replay(&dropped).is_ok() {
            idle.push(record.entries[at].call.name());
        }
        let mut doubled = record.clone();
        doubled.entries.insert(at, record.entries[at].clone());
        assert!(replay(&doubled).is_err(), "entry {at} twice");
        let mut stolen = record.clone();
        stolen.entries[at].sender = GAME;
        if replay(&stolen).is_ok() {
            free.push(record.entries[at].call.name());
        }
        let mut paid = record.clone();
        paid.entries[at].value.0 += 1;
        assert!(replay(&paid).is_err(), "a wei more in entry {at}");
    }
    // An opening that a lower number overtook, and an advance that the award would have made: they decided nothing.
    assert_eq!(idle, ["openReward", "advance"]);
    // Whose call it is makes no difference where anybody may make it, and nobody is paid for it.
    let anybodys: BTreeSet<&str> = free.into_iter().collect();
    let expected = [
        "advance",
        "award",
        "collectReward",
        "finalise",
        "lapse",
        "reclaim",
        "register",
        "reveal",
        "revealTiles",
    ];
    assert_eq!(anybodys, BTreeSet::from(expected));
}

#[test]
fn attack_36_every_altered_byte_is_refused() {
    let bytes = short().encode().expect("small");
    for at in 0..bytes.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut bent = bytes.clone();
            bent[at] ^= mask;
            assert!(Record::decode(&bent).is_err(), "byte {at} ^ {mask:#x}");
        }
        let mut shorter = bytes.clone();
        shorter.remove(at);
        assert!(Record::decode(&shorter).is_err(), "without byte {at}");
    }
    for end in 0..bytes.len() {
        assert!(Record::decode(&bytes[..end]).is_err(), "truncated to {end}");
    }
    for extra in [" ", "\n", "{}", "0"] {
        let longer = [&bytes[..], extra.as_bytes()].concat();
        assert!(Record::decode(&longer).is_err(), "with {extra:?} after it");
    }
}

#[test]
fn attack_36_altered_bytes_of_every_kind_of_call_are_refused() {
    for record in [record_of(&eventful()), {
        let mut world = World::new(2, TARGET, true);
        world.finish();
        record_of(&world)
    }] {
        let bytes = record.encode().expect("small");
        let step = bytes.len() / 600;
        for at in (0..bytes.len()).step_by(step) {
            let mut bent = bytes.clone();
            bent[at] ^= 0x01;
            assert!(Record::decode(&bent).is_err(), "byte {at}");
        }
    }
}

#[test]
fn attack_36_a_form_that_is_none_is_refused() {
    let text = String::from_utf8(short().encode().expect("small")).expect("text");
    let decode = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Record::decode(text.replacen(from, to, 1).as_bytes()).expect_err("altered")
    };
    assert!(matches!(decode("\"version\": 5", "\"extra\": 0,\n  \"version\": 5"), RecordError::Form(_)));
    assert!(matches!(decode("\"verdict\": \"final\"", "\"verdict\": \"lost\""), RecordError::Form(_)));
    assert!(matches!(decode("\"call\": {", "\"call\": {\"withdraw\": null,"), RecordError::Form(_)));
    assert!(matches!(decode("\"timeout\"", "\"timeOut\""), RecordError::Form(_)));
}

#[test]
fn attack_37_a_call_about_another_claim_alone_is_no_part_of_the_record() {
    let world = eventful();
    let record = record_of(&world);
    let mut longer = record.clone();
    let mut stray = record.entries[record.entries.len() - 1].clone();
    (stray.call, stray.events) = (Call::Withdraw, Vec::new());
    longer.entries.push(stray);
    let entry = record.entries.len();
    assert_eq!(replay(&longer).map(|_| ()), Err(ReplayError::Stray { entry, call: "withdraw" }));
    // Moves of the refuted claim's match belong to it, since it stood before the honest one.
    let story = replay(&record).expect("replays");
    let others = story.steps.iter().filter(|step| !step.of_the_claim).map(|step| step.call);
    let others: BTreeSet<&str> = others.collect();
    assert!(["open", "pick", "name", "openReward", "refuteCopy"].iter().all(|call| others.contains(call)));
    // And the point that was opened was judged again too.
    let at = record.entries.iter().position(|entry| entry.call.name() == "openReward").expect("opened");
    let mut bent = record.clone();
    let Call::OpenReward { salt, .. } = &mut bent.entries[at].call else { panic!("a reward") };
    *salt = Digest::default();
    let refused = ReplayError::Refused { entry: at, call: "openReward", refusal: Refusal::BadOpening };
    assert_eq!(replay(&bent).map(|_| ()), Err(refused));
    assert_eq!(story.steps.last().expect("calls").after, None::<Phase>);
}
