//! What each move about a tensor's tiles refuses, and how a match ends, in the order of `game_guards`.

mod game_support;

use game_support::*;
use narrows_bisection::{Call, Opened, Phase, Refusal};
use narrows_commitment::Digest;

#[test]
fn tiles_are_refused_in_order() {
    let world = in_phase(Phase::DataE, true);
    let lengths: Bend = bend!(RevealTiles { tiles } tiles.resize(5 * 128, 0));
    guard(&world, None, Vec::new(), vec![(Refusal::WrongCount, lengths)], false);
    for (length, refusal) in [
        (0, Refusal::WrongCount),
        (1, Refusal::WrongCount),
        (511, Refusal::WrongCount),
        (513, Refusal::WrongCount),
        (384, Refusal::WrongState),
    ] {
        let (_, mut call) = world.next();
        let Call::RevealTiles { tiles, .. } = &mut call else { panic!("tiles") };
        tiles.resize(length, 0);
        assert_eq!(world.clone().send(STRANGER, NOTHING, &call), Err(refusal), "{length}");
    }
}

#[test]
fn a_name_is_refused_in_order() {
    for (world, early) in [(in_phase(Phase::Name, true), false), (in_phase(Phase::DataE, true), true)] {
        let own: Vec<(Refusal, Bend)> = vec![
            (Refusal::WitnessExtra, bend!(Name { witness } witness.b.indices.push(0))),
            (Refusal::WrongIndex, bend!(Name { element } * element = 64)),
            // The same way up: only bits beyond the siblings differ.
            (Refusal::WrongIndex, bend!(Name { slot } * slot |= 4)),
        ];
        let lengths: Bend = bend!(Name { siblings } siblings.resize(33, Digest::default()));
        guard(&world, early.then(|| world.early()), own, vec![(Refusal::WrongCount, lengths)], false);
    }
    // An element of one segment is judged by its witness, which is opened a, b, params.
    let world = World::new(1, (4, 200), true).to(Phase::Name);
    let own: Vec<(Refusal, Bend)> = vec![
        (Refusal::BadOpening, bend!(Name { witness } flip(&mut witness.params.proof.0[0]))),
        (Refusal::BadOpening, bend!(Name { witness } flip(&mut witness.b.root_path[0]))),
        (Refusal::BadOpening, bend!(Name { witness } witness.a.tiles[3] ^= 1)),
        (Refusal::WrongCount, bend!(Name { witness } witness.a.indices.push(99))),
        (Refusal::WrongIndex, bend!(Name { element } * element = 32)),
    ];
    guard(&world, None, own, Vec::new(), false);
}

#[test]
fn a_preparation_is_refused_in_order() {
    let world = World::new(1, ALONE, true).preparing();
    let worlds = [(world.clone().to(Phase::Name), false), (world.to(Phase::DataE), true)];
    for (world, early) in worlds {
        let own: Vec<(Refusal, Bend)> = vec![
            (Refusal::WitnessExtra, bend!(Prepare { witness } witness.third.indices.push(0))),
            (Refusal::BadOpening, bend!(Prepare { witness } flip(&mut witness.params.proof.0[0]))),
            (Refusal::BadOpening, bend!(Prepare { witness } flip(&mut witness.b.root_path[0]))),
            (Refusal::BadOpening, bend!(Prepare { witness } witness.a.tiles[3] ^= 1)),
            (Refusal::WrongCount, bend!(Prepare { witness } witness.a.indices.push(99))),
        ];
        guard(&world, early.then(|| world.early()), own, Vec::new(), false);
    }
    // What is named without a witness has nothing to be prepared.
    let world = in_phase(Phase::Name, true);
    let (sender, Call::Name { posted, number, footing, list, operator, .. }) = world.next() else {
        panic!("a name")
    };
    let (node, witness) = (world.state().node, Box::default());
    let call = Call::Prepare { posted, number, footing, list, node, operator, witness };
    assert_eq!(world.clone().send(sender, NOTHING, &call), Err(Refusal::WitnessExtra));
}

#[test]
fn a_prepared_name_is_refused_in_order() {
    let own: Vec<(Refusal, Bend)> = vec![
        (Refusal::BadOpening, bend!(Name { witness } witness.a.tiles[3] ^= 1)),
        (Refusal::WitnessExtra, bend!(Name { witness } witness.third.indices.push(0))),
        (Refusal::BadOpening, bend!(Name { witness } witness.b.root_path.push(Digest::default()))),
        (Refusal::WrongCount, bend!(Name { witness } witness.a.indices.push(99))),
        (Refusal::WrongIndex, bend!(Name { element } * element = 32)),
        (Refusal::WrongIndex, bend!(Name { slot } * slot |= 4)),
    ];
    let lengths: Bend = bend!(Name { siblings } siblings.resize(33, Digest::default()));
    guard(&ready(true), None, own, vec![(Refusal::WrongCount, lengths)], false);
}

#[test]
fn attack_09_a_witness_that_misses_a_term_is_refused() {
    // Element 201 reads the same tiles as 200; 231 reads others of a, and 263 of the records.
    let world = World::new(1, (4, 200), true).to(Phase::Name);
    let (_, good) = world.next();
    let missing = |element_of: u64| {
        use narrows_bisection::{ClaimedNodes, WitnessSource};
        let mut call = good.clone();
        let Call::Name { witness, .. } = &mut call else { panic!("a name") };
        let claimed = ClaimedNodes::default();
        let source =
            WitnessSource { program: &world.program, trace: &world.claimed, claimed: &claimed, list: None };
        **witness = source.witness(narrows_program::OperatorIndex(4), element_of, None);
        world.clone().send(CHALLENGER, NOTHING, &call).map(|_| ())
    };
    assert_eq!([missing(200), missing(201)], [Ok(()), Ok(())]);
    assert_eq!([missing(263), missing(0)], [Err(Refusal::WitnessMissing); 2]);
}

#[test]
fn a_statement_of_sums_is_refused_in_order() {
    let world = in_phase(Phase::FoldE, true);
    let own: Vec<(Refusal, Bend)> = vec![
        (Refusal::BadSignature, bend!(Fold { signature } * signature = vec![1; 65])),
        (Refusal::FoldMismatch, bend!(Fold { sums } sums[0] += 100)),
        (Refusal::BadOpening, bend!(Fold { params } params.tiles[0] ^= 1)),
        (Refusal::OutOfRange, bend!(Fold { sums } sums[2] = 1 << 62)),
        (Refusal::WrongCount, bend!(Fold { sums } sums.push(0))),
    ];
    guard(&world, None, own, Vec::new(), true);
    let refused = |bend: &dyn Fn(&mut Vec<i64>, &mut Opened)| {
        let (_, mut call) = world.next();
        let Call::Fold { sums, params, .. } = &mut call else { panic!("sums") };
        bend(sums, params);
        world.clone().send(executor(), NOTHING, &call).map(|_| ())
    };
    for (sum, refusal) in [
        (i64::MIN, Refusal::OutOfRange),
        (-(1 << 62), Refusal::OutOfRange),
        (1 - (1 << 62), Refusal::FoldMismatch),
        ((1 << 62) - 1, Refusal::FoldMismatch),
        (i64::MAX, Refusal::OutOfRange),
    ] {
        assert_eq!(refused(&|sums, _| sums[0] = sum), Err(refusal), "{sum}");
    }
    assert_eq!(refused(&|sums, _| sums.truncate(2)), Err(Refusal::WrongCount));
    assert_eq!(refused(&|sums, _| sums.clear()), Err(Refusal::WrongCount));
    assert_eq!(refused(&|_, params| *params = Opened::default()), Err(Refusal::WrongCount));
    assert_eq!(refused(&|_, params| params.root_path.push(Digest::default())), Err(Refusal::BadOpening));
    assert_eq!(refused(&|_, params| params.indices[0] ^= 1), Err(Refusal::BadOpening));
}

#[test]
fn attack_18_a_segment_is_refused_in_order() {
    let world = in_phase(Phase::Seg, true);
    let own: Vec<(Refusal, Bend)> = vec![
        // The first segment's tiles do not hold the second's terms.
        (Refusal::WitnessMissing, bend!(Segment { index } * index = 1)),
        (Refusal::BadOpening, bend!(Segment { witness } witness.a.tiles[0] ^= 1)),
        (Refusal::WitnessExtra, bend!(Segment { witness } witness.params.indices.push(0))),
        (Refusal::WrongIndex, bend!(Segment { index } * index = 3)),
    ];
    let (_, call) = world.next();
    let Call::Segment { index, .. } = call else { panic!("a segment") };
    assert_eq!(index, 2, "the forged sum is the last");
    guard(&world, None, own, Vec::new(), false);
    let (_, mut call) = world.next();
    let Call::Segment { sums, .. } = &mut call else { panic!("a segment") };
    sums[0] += 1;
    assert_eq!(
        world.clone().send(CHALLENGER, NOTHING, &call),
        Err(Refusal::WrongState),
        "the very statement"
    );
}

#[test]
fn a_timeout_is_refused_in_order() {
    for world in everywhere() {
        let good = Message { now: world.deadline(), sender: STRANGER, value: NOTHING, call: world.timeout() };
        let mut bends: Vec<(Refusal, Bend)> =
            vec![(Refusal::NotYet, at(world.deadline() - 1)), (Refusal::ClaimClosed, at(world.hard_end()))];
        bends.extend(before_the_claim());
        bends.extend(about_the_match());
        refused_in_order(&world, &good, &bends);
    }
}

#[test]
fn a_reclaim_is_refused_in_order() {
    let mut world = in_phase(Phase::SubC, true);
    let early = world.reclaim();
    assert_eq!(world.send(STRANGER, NOTHING, &early), Err(Refusal::NotYet), "the claim is pending");
    world.send(STRANGER, NOTHING, &world.refute()).expect("a fault");
    let good = Message { now: world.now, sender: STRANGER, value: NOTHING, call: world.reclaim() };
    let mut bends = before_the_claim();
    bends.extend(about_the_match());
    refused_in_order(&world, &good, &bends);
    for bend in [
        (|c: &mut Call| {
            if let Call::Reclaim { seated, .. } = c {
                seated.challenger = STRANGER
            }
        }) as fn(&mut Call),
        |c| {
            if let Call::Reclaim { seated, .. } = c {
                seated.seat.bond.0 += 1
            }
        },
        |c| {
            if let Call::Reclaim { node, .. } = c {
                flip(node)
            }
        },
    ] {
        let mut call = world.reclaim();
        bend(&mut call);
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::WrongState));
    }
}
