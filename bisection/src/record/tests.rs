//! Records that somebody forged: other values, orders and ends, with the digests made anew.

use super::*;
use crate::players::world::*;
use crate::{Refusal, ReplayError, replay};

/// A record of every kind of move, won by a segment.
fn record() -> Record {
    let program = program(2);
    let claimed = doctored(&program, 2, 5, 90);
    let mut world = World::new(&program, &claimed);
    world.honest_dispute(&claimed, &truth(&program));
    record_of(&world)
}

fn record_of(world: &World) -> Record {
    let labels = Labels::of(&world.program);
    Record::of_claim(CHAIN, GAME, parameters(), labels, world.claim, &world.history).expect("a record")
}

/// Makes new digests over altered values, as a forger would.
fn reforged(record: &Record) -> Record {
    let bytes = record.encode().expect("small");
    Record::decode(&bytes).unwrap_or_else(|_| record.clone())
}

#[test]
fn attack_37_dropped_doubled_and_swapped_entries_are_refused() {
    let record = record();
    assert!(replay(&record).is_ok());
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
            let blocks = record.entries.iter().map(|entry| entry.block);
            swapped.entries.iter_mut().zip(blocks).for_each(|(entry, block)| entry.block = block);
            assert!(replay(&reforged(&swapped)).is_err(), "entries {at} and {other} swapped");
        }
    }
}

/// Changes one thing in a record.
type Bend = Box<dyn Fn(&mut Record)>;

#[test]
fn attack_37_other_values_are_refused() {
    let record = record();
    let last = record.entries.len() - 1;
    let bends: Vec<(&str, Bend)> = vec![
        ("the chain", Box::new(|r| r.head.chain_id += 1)),
        ("the game", Box::new(|r| r.head.game = STRANGER)),
        ("the program", Box::new(|r| r.head.program.0.0[0] ^= 1)),
        ("the claim", Box::new(|r| r.head.claim.0.0[0] ^= 1)),
        ("a clock", Box::new(|r| r.head.parameters.executor_clock_seconds += 1)),
        ("a bond", Box::new(|r| r.head.parameters.executor_bond.0 = 1)),
        ("parameters that flood", Box::new(|r| r.head.parameters.attacker_budget.0 = 1 << 91)),
        ("a move's sender", Box::new(move |r| r.entries[last].sender = STRANGER)),
        ("a move's value", Box::new(move |r| r.entries[last].value = Wei(1))),
        ("the last move's time", Box::new(move |r| r.entries[last].block.time.0 += 1_000)),
        ("an event", Box::new(move |r| r.entries[last].events.clear())),
        ("times that go back", Box::new(|r| r.entries[3].block.time.0 += 100)),
        ("a time beyond any chain's", Box::new(move |r| r.entries[last].block.time = BlockTime(1 << 40))),
    ];
    for (what, bend) in bends {
        let mut bent = record.clone();
        bend(&mut bent);
        assert!(replay(&bent).is_err(), "{what}");
        assert!(replay(&reforged(&bent)).is_err(), "{what}");
    }
}

#[test]
fn attack_37_a_lost_bond_is_settled_by_the_recorded_base_fee() {
    let program = program(2);
    let own = truth(&program);
    let mut world = World::new(&program, &own);
    world.honest_dispute(&own, &doctored(&program, 6, 290, 1));
    let record = record_of(&world);
    assert!(record.outcome.owed[&executor()].0 > parameters().delay_fee.0);
    let mut bent = record.clone();
    let last = record.entries.len() - 1;
    bent.entries[last].block.base_fee.0 += 1;
    assert_eq!(replay(&reforged(&bent)).map(|_| ()), Err(ReplayError::Outcome("list of who is owed what")));
    // Other calls burn no bond.
    let mut same = record.clone();
    same.entries[last - 1].block.base_fee.0 += 1;
    assert!(replay(&same).is_ok());
}

#[test]
fn attack_33_a_hostile_record_never_panics() {
    let record = record();
    for at in 0..record.entries.len() {
        for value in [Wei(u128::MAX), Wei(u128::MAX - 2_000)] {
            let mut bent = record.clone();
            bent.entries[at].value = value;
            assert!(replay(&bent).is_err());
        }
        let mut bent = record.clone();
        bent.entries[at].sender = Account([0; 20]);
        let anybodys = ["register", "reveal", "revealTiles"].contains(&bent.entries[at].call.name());
        assert_eq!(replay(&bent).is_ok(), anybodys, "{}", bent.entries[at].call.name());
        let mut bent = record.clone();
        let call = bent.entries[at].call.name();
        if let Call::Pick { siblings, child, .. } | Call::Enter { siblings, child, .. } =
            &mut bent.entries[at].call
        {
            siblings.resize(33, narrows_commitment::Digest::default());
            *child = u32::MAX;
            let refused = ReplayError::Refused { entry: at, call, refusal: Refusal::WrongCount };
            assert_eq!(replay(&bent).map(|_| ()), Err(refused));
        }
    }
}

#[test]
fn attack_36_records_beyond_their_limits_are_refused() {
    let too_large = Record::decode(&vec![b' '; MAX_RECORD_BYTES + 1]);
    assert_eq!(too_large, Err(RecordError::TooLarge(MAX_RECORD_BYTES + 1)));
    let mut many = record();
    let entry = many.entries[0].clone();
    many.entries.resize(MAX_RECORD_ENTRIES + 1, entry);
    assert_eq!(many.encode(), Err(RecordError::TooMany(MAX_RECORD_ENTRIES + 1)));
    for error in [RecordError::Altered(Part::Entry(2)), RecordError::Spelling, RecordError::Version(1)] {
        assert!(error.to_string().contains(';'), "the message ends with a remedy: {error}");
    }
}

#[test]
fn labels_are_shown_printable_and_cut() {
    let label = "\u{7}é".repeat(100);
    let labels = Labels { layers: vec![String::new(), label.clone()], operators: vec![label] };
    assert_eq!(labels.layer(LayerIndex(0)), None);
    assert_eq!(labels.layer(LayerIndex(1)), Some("?é".repeat(40)));
    assert_eq!(labels.operator(OperatorIndex(0)), labels.layer(LayerIndex(1)));
    assert_eq!(labels.operator(OperatorIndex(1)), None);
    let of = Labels::of(&program(2));
    assert_eq!((of.layers.len(), of.operators.len()), (5, 9));
}
