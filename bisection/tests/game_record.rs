//! Records: written, read, replayed; and every way of altering one.

mod game_support;

use std::collections::BTreeMap;

use game_support::*;
use narrows_bisection::game::ClaimStatus;
use narrows_bisection::record::{Entry, MAX_RECORD_BYTES, Outcome, Part};
use narrows_bisection::replay::{Doubt, Finding, Mover, Span};
use narrows_bisection::{
    Account, BlockTime, Call, Event, Phase, Record, RecordError, ReplayError, Side, Wei, replay,
};
use narrows_program::{ElementIndex, LayerIndex, SegmentIndex, TileIndex};

fn labels() -> Vec<String> {
    ["first", "second\u{1b}[31m", "", "fourth", "fifth"].map(String::from).to_vec()
}

fn record_of(world: &World) -> Record {
    Record::of_claim(CHAIN, GAME, parameters(), labels(), world.claim, &world.history).expect("a record")
}

fn played(target: (u32, u32), lies: bool) -> World {
    let mut world = World::new(5, 2, target, lies);
    while world.phase().turn().is_some() {
        world.now += 6;
        world.step();
    }
    world
}

/// A short record for tests that go through every byte: a dispute that ends in silence.
fn short() -> Record {
    let mut world = World::posted(program(1, 1), Run::new(&program(1, 1), None), (0, 0));
    world.open(CHALLENGER).expect("opens");
    world.now = world.deadline();
    world.send(STRANGER, NOTHING, &Call::Timeout { match_id: world.id }).expect("ends");
    world.now = START + 100;
    world.send(STRANGER, NOTHING, &Call::Finalise { claim: world.claim }).expect("is final");
    record_of(&world)
}

#[test]
fn attack_37_a_record_survives_its_encoding_and_replays() {
    for (target, lies) in
        [((2, 200), true), ((1, 150), true), ((4, 9), true), ((2, 200), false), ((1, 299), false)]
    {
        let mut world = played(target, lies);
        if !lies {
            world.now = world.game.claim(world.claim).expect("exists").window_end.0;
            world.send(STRANGER, NOTHING, &Call::Finalise { claim: world.claim }).expect("is final");
        }
        let record = record_of(&world);
        assert_eq!(record.entries, world.history);
        let verdict = if lies { ClaimStatus::Refuted } else { ClaimStatus::Final };
        assert_eq!(record.outcome.verdict, verdict);
        assert_eq!(Some(&record.outcome), Outcome::of(&world.game, world.claim).as_ref());
        let bytes = record.encode().expect("small");
        let read = Record::decode(&bytes).expect("reads");
        assert_eq!(read, record);
        let story = replay(&read).expect("replays");
        assert_eq!(story.outcome, record.outcome);
        assert_eq!(story.steps.len(), record.entries.len());
    }
}

#[test]
fn a_story_tells_what_is_left_in_doubt() {
    let world = played((1, 150), true);
    let story = replay(&record_of(&world)).expect("replays");
    let doubts: Vec<(&str, Doubt)> = story.steps.iter().map(|step| (step.call, step.doubt)).collect();
    let layer = LayerIndex(1);
    let element = ElementIndex(150);
    let value = i32::from(world.claimed.outputs[1][150] as i8);
    let named = Doubt::Element { layer, element, value, terms: 300, segments: 3 };
    let expected = [
        ("register", Doubt::Nothing),
        ("postJob", Doubt::Nothing),
        ("postClaim", Doubt::Nothing),
        ("open", Doubt::Layers(Span { first: 0, count: 5 })),
        ("reveal", Doubt::Layers(Span { first: 0, count: 5 })),
        ("pick", Doubt::Layers(Span { first: 0, count: 2 })),
        ("reveal", Doubt::Layers(Span { first: 0, count: 2 })),
        ("pick", Doubt::Tiles(layer, Span { first: 0, count: 3 })),
        ("reveal", Doubt::Tiles(layer, Span { first: 0, count: 3 })),
        ("pick", Doubt::Tile(layer, TileIndex(1))),
        ("revealTile", Doubt::Tile(layer, TileIndex(1))),
        ("name", named),
        ("fold", named),
        ("segment", Doubt::Nothing),
    ];
    assert_eq!(doubts, expected);
    assert_eq!(story.finding(), Some(Finding::Segment(layer, element, SegmentIndex(1), false)));
    let movers: Vec<Mover> = story.steps.iter().map(|step| step.mover).collect();
    assert_eq!(movers[..4], [Mover::Anyone, Mover::Requester, Mover::Executor, Mover::Challenger]);
    assert_eq!(movers[4..6], [Mover::Executor, Mover::Challenger]);
    let total: u64 = story.gas_by_mover().values().sum();
    assert_eq!(total, world.history.iter().filter_map(|entry| entry.gas_used).sum::<u64>());
    for step in &story.steps {
        assert!(!step.to_string().chars().any(char::is_control), "a label cannot command a terminal");
    }
    assert!(story.steps[11].to_string().contains("element 150"), "{}", story.steps[11]);
    let gas = story.steps[11].gas.expect("recorded");
    assert!(story.steps[11].to_string().ends_with(&format!("{gas} gas")));
}

#[test]
fn a_story_tells_what_decided() {
    let element = Finding::Element(LayerIndex(2), ElementIndex(200), false);
    assert_eq!(replay(&record_of(&played((2, 200), true))).expect("replays").finding(), Some(element));
    let story = replay(&short()).expect("replays");
    assert_eq!(story.finding(), None, "a claim that stood was decided by no match");
    assert_eq!(story.steps[4].finding, Some(Finding::Silence(Side::Challenger)));
    assert_eq!((story.steps[4].before, story.steps[4].after), (Some(Phase::LayerC), Some(Phase::Lost)));
}

#[test]
fn a_record_leaves_out_what_is_not_about_its_claim() {
    let mut world = World::new(5, 2, (2, 200), true);
    let others = vec![
        (STRANGER, Wei(3), post_job(&world.program, 8)),
        (REQUESTER, NOTHING, register(&world.program)),
        (STRANGER, NOTHING, register(&program(3, 1))),
        (STRANGER, Wei(1_001), post_claim(world.job, &Run::new(&world.program, None))),
    ];
    for (sender, value, call) in others {
        world.send(sender, value, &call).expect("stands");
    }
    while world.phase().turn().is_some() {
        world.step();
    }
    world.send(CHALLENGER, NOTHING, &Call::Withdraw).expect("is paid");
    let record = record_of(&world);
    assert_eq!(record.entries.len(), world.history.len() - 5);
    assert_eq!(record.outcome.owed, BTreeMap::from([(CHALLENGER, Wei(601))]));
    replay(&record).expect("replays");
}

#[test]
fn a_claim_that_another_outran_has_its_record_too() {
    let mut world = World::new(5, 2, (2, 200), false);
    let call = post_claim(world.job, &world.claimed);
    let posted = world.send(STRANGER, Wei(1_001), &call).expect("another claim");
    let Event::ClaimPosted { claim: other, .. } = posted[0] else { panic!("no claim") };
    world.now = START + 100;
    world.send(STRANGER, NOTHING, &Call::Finalise { claim: other }).expect("is final");
    let hard_end = world.game.claim(world.claim).expect("exists").hard_end;
    world.now = hard_end.0;
    world.send(STRANGER, NOTHING, &Call::Finalise { claim: world.claim }).expect("is final");
    let record = record_of(&world);
    assert_eq!(Some(record.outcome.clone()), Outcome::of(&world.game, world.claim));
    assert_eq!(record.outcome.owed[&EXECUTOR], Wei(1_001), "without the fee");
    let story = replay(&record).expect("replays");
    assert_eq!(story.steps.iter().filter(|step| !step.of_the_claim).count(), 2);
}

#[test]
fn an_unfinished_dispute_has_a_record() {
    let world = in_phase(Phase::TileC, true);
    let record = record_of(&world);
    assert_eq!(record.outcome.verdict, ClaimStatus::Pending);
    assert_eq!(replay(&record).expect("replays").finding(), None);
}

#[test]
fn a_history_without_the_claim_makes_no_record() {
    let world = World::new(5, 2, (2, 200), true);
    for cut in 1..4 {
        let history = &world.history[cut..];
        let record = Record::of_claim(CHAIN, GAME, parameters(), Vec::new(), world.claim, history);
        assert!(matches!(record, Err(ReplayError::Record(RecordError::Missing { .. }))), "{cut}");
    }
}

#[test]
fn attack_36_every_altered_byte_is_refused() {
    let record = short();
    let bytes = record.encode().expect("small");
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
fn attack_36_the_refusal_names_what_was_altered() {
    let text = String::from_utf8(short().encode().expect("small")).expect("text");
    let decode = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Record::decode(text.replacen(from, to, 1).as_bytes()).expect_err("altered")
    };
    assert_eq!(
        decode("\"window_seconds\": 100", "\"window_seconds\": 101"),
        RecordError::Altered(Part::Head)
    );
    assert_eq!(decode("\"gas_used\": 21002", "\"gas_used\": 21003"), RecordError::Altered(Part::Entry(2)));
    assert_eq!(
        decode("\"verdict\": \"final\"", "\"verdict\": \"refuted\""),
        RecordError::Altered(Part::Outcome)
    );
    assert_eq!(decode("\"version\": 1", "\"version\": 2"), RecordError::Version(2));
    assert_eq!(decode("\"version\": 1", "\"version\":  1"), RecordError::Spelling);
    assert_eq!(decode("\"77\"", "\"077\""), RecordError::Spelling);
    assert!(matches!(decode("\"version\": 1", "\"extra\": 0,\n  \"version\": 1"), RecordError::Form(_)));
    assert!(matches!(decode("\"verdict\": \"final\"", "\"verdict\": \"lost\""), RecordError::Form(_)));
    assert_eq!(
        Record::decode(&vec![b' '; MAX_RECORD_BYTES + 1]),
        Err(RecordError::TooLarge(MAX_RECORD_BYTES + 1))
    );
    for error in [RecordError::Altered(Part::Entry(2)), RecordError::Spelling, RecordError::Version(2)] {
        assert!(error.to_string().contains(';'), "the message ends with a remedy: {error}");
    }
}

/// Changes one thing in a record.
type Bend = Box<dyn Fn(&mut Record)>;

/// Makes new digests over altered values, as a forger would.
fn reforged(record: &Record) -> Record {
    let bytes = record.encode().expect("small");
    Record::decode(&bytes).unwrap_or_else(|_| record.clone())
}

#[test]
fn attack_37_dropped_doubled_and_swapped_entries_are_refused_even_with_new_digests() {
    let record = record_of(&played((1, 150), true));
    let count = record.entries.len();
    for at in 0..count {
        let mut dropped = record.clone();
        dropped.entries.remove(at);
        assert!(replay(&reforged(&dropped)).is_err(), "without entry {at}");
        let mut doubled = record.clone();
        doubled.entries.insert(at, record.entries[at].clone());
        assert!(replay(&reforged(&doubled)).is_err(), "entry {at} twice");
        for other in at + 1..count {
            let mut swapped = record.clone();
            swapped.entries.swap(at, other);
            // Not caught by the times alone.
            let times = record.entries.iter().map(|entry| entry.time);
            swapped.entries.iter_mut().zip(times).for_each(|(entry, time)| entry.time = time);
            assert!(replay(&reforged(&swapped)).is_err(), "entries {at} and {other} swapped");
        }
    }
}

#[test]
fn attack_37_another_end_with_new_digests_is_refused() {
    let record = record_of(&played((2, 200), true));
    let bends: [fn(&mut Outcome); 6] = [
        |outcome| outcome.verdict = ClaimStatus::Final,
        |outcome| outcome.verdict = ClaimStatus::Pending,
        |outcome| outcome.locked.0 += 1,
        |outcome| outcome.burned.0 -= 1,
        |outcome| outcome.owed.extend([(STRANGER, Wei(1))]),
        |outcome| outcome.owed.clear(),
    ];
    for bend in bends {
        let mut bent = record.clone();
        bend(&mut bent.outcome);
        let read = Record::decode(&bent.encode().expect("small")).expect("its digests are right");
        assert!(matches!(replay(&read), Err(ReplayError::Outcome(_))));
    }
}

#[test]
fn attack_37_other_values_with_new_digests_are_refused() {
    let record = record_of(&played((1, 150), true));
    let last = record.entries.len() - 1;
    let bends: Vec<(&str, Bend)> = vec![
        ("the chain", Box::new(|r| r.head.chain_id += 1)),
        ("the game", Box::new(|r| r.head.game = STRANGER)),
        ("the program", Box::new(|r| r.head.program.0.0[0] ^= 1)),
        ("the claim", Box::new(|r| r.head.claim.0.0[0] ^= 1)),
        ("a clock", Box::new(|r| r.head.parameters.executor_clock_seconds += 1)),
        ("a bond", Box::new(|r| r.head.parameters.executor_bond.0 = 1)),
        ("a move's sender", Box::new(move |r| r.entries[last].sender = EXECUTOR)),
        ("a move's value", Box::new(move |r| r.entries[last].value = Wei(1))),
        ("the last move's time", Box::new(move |r| r.entries[last].time.0 += 1_000)),
        ("an event", Box::new(move |r| r.entries[last].events.clear())),
        ("times that go back", Box::new(|r| r.entries[3].time.0 += 100)),
        ("a time beyond any chain's", Box::new(move |r| r.entries[last].time = BlockTime(1 << 40))),
        ("a stray call", Box::new(move |r| r.entries.push(stray(&r.entries[last])))),
    ];
    for (what, bend) in bends {
        let mut bent = record.clone();
        bend(&mut bent);
        assert!(replay(&bent).is_err(), "{what}");
        assert!(replay(&reforged(&bent)).is_err(), "{what}");
    }
}

/// A call after the verdict that stands.
fn stray(last: &Entry) -> Entry {
    let events = vec![Event::Withdrawn { account: CHALLENGER, amount: Wei(601) }];
    Entry { sender: CHALLENGER, call: Call::Withdraw, events, ..last.clone() }
}

#[test]
fn attack_33_a_hostile_record_never_panics() {
    let record = record_of(&played((1, 150), true));
    for at in 0..record.entries.len() {
        for value in [Wei(u128::MAX), Wei(u128::MAX - 2_000)] {
            let mut bent = record.clone();
            bent.entries[at].value = value;
            assert!(replay(&bent).is_err());
        }
        let mut bent = record.clone();
        bent.entries[at].sender = Account([0; 20]);
        let _ = replay(&bent);
    }
}
