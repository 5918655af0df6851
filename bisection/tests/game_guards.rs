//! What each move refuses, and in which order: every bend adds one more fault, from the last check to the first.

mod game_support;

use game_support::*;
use narrows_bisection::{Call, Opened, Phase, Refusal};
use narrows_commitment::Digest;

/// A move in `phase`, made by whose turn it is; its own guard, and then all that is checked before it. `lengths`: what is
/// checked before the state. A statement is known by `statement`.
fn guard(
    world: &World,
    call: Option<Call>,
    own: Vec<(Refusal, Bend)>,
    lengths: Vec<(Refusal, Bend)>,
    statement: bool,
) {
    let (sender, next) = world.next();
    let sender = if call.is_some() { CHALLENGER } else { sender };
    let good = Message { now: world.now, sender, value: NOTHING, call: call.unwrap_or(next) };
    let mut bends = own;
    bends.push((Refusal::TooLate, at(world.deadline())));
    if statement {
        bends.push((
            Refusal::NotYourMove,
            Box::new(|message| {
                message.sender = STRANGER;
                if let Call::SubTrace { signature, .. } | Call::Fold { signature, .. } = &mut message.call {
                    signature.clear();
                }
            }),
        ));
    }
    let judged = matches!(
        good.call,
        Call::Prepare { .. } | Call::Name { .. } | Call::Fold { .. } | Call::Segment { .. }
    );
    if judged {
        bends.push((Refusal::ClaimClosed, at(world.hard_end())));
    }
    bends.extend(before_the_claim());
    for (refusal, length) in lengths {
        bends.push((refusal, length));
    }
    bends.extend(about_the_match());
    refused_in_order(world, &good, &bends);
}

#[test]
fn attack_05_a_reveal_is_refused_in_order() {
    for phase in [Phase::LayerE, Phase::TileE] {
        let world = in_phase(phase, true);
        let node = world.state().node;
        let own: Vec<(Refusal, Bend)> =
            vec![(Refusal::WrongCount, bend!(Reveal { nodes } * nodes = vec![node]))];
        let lengths: Bend = bend!(Reveal { nodes } nodes.resize(3, node));
        guard(&world, None, own, vec![(Refusal::WrongCount, lengths)], false);
        for length in [0, 3, 65, 128] {
            let (_, mut call) = world.next();
            let Call::Reveal { nodes, .. } = &mut call else { panic!("a reveal") };
            nodes.resize(length, Digest::default());
            assert_eq!(world.clone().send(STRANGER, NOTHING, &call), Err(Refusal::WrongCount), "{length}");
        }
        for swap in [false, true] {
            let (_, mut call) = world.next();
            let Call::Reveal { nodes, .. } = &mut call else { panic!("a reveal") };
            if swap {
                nodes.swap(0, 1)
            } else {
                flip(&mut nodes[1])
            }
            assert_eq!(world.clone().send(STRANGER, NOTHING, &call), Err(Refusal::WrongState));
        }
    }
}

#[test]
fn attack_13_a_pick_is_refused_in_order() {
    for (phase, early) in
        [(Phase::LayerC, false), (Phase::TileC, false), (Phase::LayerE, true), (Phase::TileE, true)]
    {
        let world = in_phase(phase, true);
        let node = world.state().node;
        let own: Vec<(Refusal, Bend)> = vec![
            // The same way up: only bits beyond the siblings differ.
            (Refusal::WrongCount, bend!(Pick { child } * child |= 2)),
            (
                Refusal::WrongCount,
                Box::new(move |message| {
                    let Call::Pick { siblings, node: picked, .. } = &mut message.call else {
                        panic!("a pick")
                    };
                    (*siblings, *picked) = (Vec::new(), node);
                }),
            ),
        ];
        let lengths: Bend = bend!(Pick { siblings } siblings.resize(33, Digest::default()));
        guard(&world, early.then(|| world.early()), own, vec![(Refusal::WrongCount, lengths)], false);
        let (_, mut call) = if early { (CHALLENGER, world.early()) } else { world.next() };
        let Call::Pick { child, .. } = &mut call else { panic!("a pick") };
        *child ^= 1;
        assert_eq!(world.clone().send(CHALLENGER, NOTHING, &call), Err(Refusal::WrongState), "another place");
    }
}

/// Brings a fault into what the pick of a layer shows of the program: head, operator, path.
type EntryBend<'a> = &'a dyn Fn(&mut Vec<u8>, &mut Vec<u8>, &mut Vec<Digest>);

/// The pick that reaches a layer is the next move.
fn reaching(lies_at: (u32, u32)) -> World {
    let mut world = World::new(1, lies_at, true);
    while world.phase() != Phase::LayerC || world.state().remaining > 1 {
        world.step();
    }
    world
}

#[test]
fn attack_07_the_pick_of_a_layer_is_refused_in_order() {
    // Layer 1 of three operators, and layer 3 of one.
    for (target, several) in [(TARGET, true), ((5, 3), false)] {
        let world = reaching(target);
        let own: Vec<(Refusal, Bend)> = Vec::new();
        let lengths: Vec<(Refusal, Bend)> = vec![
            (Refusal::WrongLength, bend!(Enter { operator } operator.push(0))),
            (Refusal::WrongLength, bend!(Enter { layer } layer.push(9))),
            (Refusal::WrongCount, bend!(Enter { path } path.resize(33, Digest::default()))),
            (Refusal::WrongCount, bend!(Enter { siblings } siblings.resize(33, Digest::default()))),
        ];
        guard(&world, None, own, lengths, false);
        let (_, good) = world.next();
        let refused = |bend: EntryBend<'_>| {
            let mut call = good.clone();
            let Call::Enter { layer, operator, path, .. } = &mut call else { panic!("a layer") };
            bend(layer, operator, path);
            world.clone().send(CHALLENGER, NOTHING, &call).map(|_| ())
        };
        let bytes = |call: &Call| match call {
            Call::Enter { layer, operator, .. } => (layer.len(), operator.len()),
            _ => panic!("a layer"),
        };
        assert_eq!(bytes(&good), if several { (8, 32) } else { (7, 192 + 32) });
        assert_eq!(refused(&|_, _, _| {}), Ok(()));
        for at in 0..bytes(&good).1 {
            assert_eq!(
                refused(&|_, operator, _| operator[at] ^= 1).map_err(|r| match r {
                    // Another kind of operand is another length, and another flag.
                    Refusal::WrongLength if !several && [5, 6, 7].contains(&at) => Refusal::WrongState,
                    other => other,
                }),
                Err(Refusal::WrongState),
                "byte {at}"
            );
        }
        assert_eq!(refused(&|_, operator, _| operator.clear()), Err(Refusal::WrongLength));
        assert_eq!(refused(&|_, _, path| shorten(path)), Err(Refusal::WrongState));
        assert_eq!(refused(&|_, _, path| flip(&mut path[1])), Err(Refusal::WrongState));
        assert_eq!(refused(&|layer, _, _| layer[3] ^= 1), Err(Refusal::WrongState), "another first operator");
        let heads: &[&[u8]] = &[
            &[],
            &[0, 0, 0, 1, 3],
            &[0, 0, 0, 1, 3, 0],
            &[0, 0, 0, 1, 3, 2, 1],
            &[0, 0, 0, 1, 3, 2, 2, 1],
            &[0, 0, 0, 1, 3, 2, 1, 1],
            &[0, 0, 0, 1, 3, 2, 1, 3],
            &[0, 0, 0, 1, 33, 1, 0],
            &[0, 0, 0, 1, 0, 1, 0],
            &[0, 0, 0, 1, 1, 2, 0, 0],
        ];
        for head in heads {
            let result = refused(&|layer, _, _| *layer = head.to_vec());
            assert_eq!(result, Err(Refusal::WrongLength), "{head:?}");
        }
        // The neighbour layer, with its own path.
        let neighbour = reaching(if several { (0, 3) } else { (4, 3) });
        let Call::Enter { layer, operator, path, .. } = neighbour.next().1 else { panic!("a layer") };
        let swapped = refused(&|l, o, p| {
            (*l, *o, *p) = (layer.clone(), operator.clone(), path.clone());
        });
        assert_eq!(swapped, Err(Refusal::WrongState));
        // A layer is entered with what the program says of it, and nothing else is.
        let Call::Enter { claim, number, child, node, siblings, .. } = good.clone() else { unreachable!() };
        let bare = Call::Pick { claim, number, footing: world.state().picked(), child, node, siblings };
        assert_eq!(world.clone().send(CHALLENGER, NOTHING, &bare), Err(Refusal::WrongLength));
    }
}

#[test]
fn attack_07_a_layer_is_entered_at_its_own_level_alone() {
    let world = in_phase(Phase::LayerC, true);
    let Call::Pick { claim, number, child, node, siblings, .. } = world.next().1 else { panic!("a pick") };
    // The layer of the child's index: its path leads to the layers root, the word to no layer yet.
    let at = narrows_program::LayerIndex(child);
    let layer = world.program.layer(at);
    let operator = match layer.count {
        1 => world.program.operator_bytes(layer.first),
        _ => world.program.operators_tree(at).root().0.to_vec(),
    };
    let (footing, path) = (world.state().seated(), world.program.layers_tree().path(child.into()));
    let early =
        Call::Enter { claim, number, footing, child, node, siblings, layer: layer.head(), operator, path };
    assert_eq!(world.clone().send(CHALLENGER, NOTHING, &early), Err(Refusal::WitnessExtra));
    for (bend, refusal) in [(2u32, Refusal::WrongCount), (1, Refusal::WrongState)] {
        let mut call = early.clone();
        let Call::Enter { child, .. } = &mut call else { unreachable!() };
        // Beyond the siblings the way up is the same, but not the layer's.
        *child ^= bend;
        let result = world.clone().send(CHALLENGER, NOTHING, &call).map(|_| ());
        assert!(result == Err(refusal) || result == Err(Refusal::WrongState), "{result:?}");
    }
}

#[test]
fn attack_06_a_sub_trace_is_refused_in_order() {
    let world = in_phase(Phase::SubE, true);
    let own: Vec<(Refusal, Bend)> = vec![
        (Refusal::BadSignature, bend!(SubTrace { signature } * signature = vec![0; 65])),
        // Whatever is more than the exported positions gives the same node.
        (Refusal::WrongCount, bend!(SubTrace { roots } roots.push(roots[0]))),
    ];
    let lengths: Bend = bend!(SubTrace { layer } layer.clear());
    guard(&world, None, own, vec![(Refusal::WrongCount, lengths)], true);
    let refused = |bend: &dyn Fn(&mut Vec<u8>, &mut Vec<narrows_commitment::TensorRoot>)| {
        let (_, mut call) = world.next();
        let Call::SubTrace { layer, roots, .. } = &mut call else { panic!("a sub-trace") };
        bend(layer, roots);
        world.clone().send(executor(), NOTHING, &call).map(|_| ())
    };
    assert_eq!(refused(&|_, roots| roots.truncate(2)), Err(Refusal::WrongCount), "no root for an export");
    assert_eq!(refused(&|layer, _| layer[4] = 33), Err(Refusal::WrongCount), "not well-formed");
    assert_eq!(refused(&|layer, _| *layer.last_mut().expect("a root") ^= 1), Err(Refusal::WrongState));
    assert_eq!(refused(&|_, roots| flip(&mut roots[2].0)), Err(Refusal::WrongState));
    assert_eq!(refused(&|_, roots| flip(&mut roots[0].0)), Ok(()), "nobody else has claimed that root");
}

#[test]
fn attack_06_the_pick_of_an_operator_is_refused_in_order() {
    let world = in_phase(Phase::SubC, true);
    let own: Vec<(Refusal, Bend)> = vec![
        (Refusal::BadOpening, bend!(PickOperator { operator } operator.push(0))),
        // The same way up: only bits beyond the path differ.
        (Refusal::WrongIndex, bend!(PickOperator { position } * position |= 4)),
    ];
    let lengths: Bend = bend!(PickOperator { root_path } root_path.resize(33, Digest::default()));
    guard(&world, None, own, vec![(Refusal::WrongCount, lengths)], false);
    let refused = |bend: &dyn Fn(&mut Call)| {
        let (_, mut call) = world.next();
        bend(&mut call);
        world.clone().send(CHALLENGER, NOTHING, &call).map(|_| ())
    };
    let of_the_state: [fn(&mut Call); 5] = [
        |call| {
            if let Call::PickOperator { root, .. } = call {
                flip(&mut root.0)
            }
        },
        |call| {
            if let Call::PickOperator { root_path, .. } = call {
                shorten(root_path)
            }
        },
        |call| {
            if let Call::PickOperator { root_path, .. } = call {
                flip(&mut root_path[1])
            }
        },
        |call| {
            if let Call::PickOperator { position, .. } = call {
                *position ^= 1
            }
        },
        |call| {
            if let Call::PickOperator { layer, .. } = call {
                layer[3] ^= 1
            }
        },
    ];
    for (index, bend) in of_the_state.iter().enumerate() {
        assert_eq!(refused(bend), Err(Refusal::WrongState), "{index}");
    }
    let of_the_operator: [fn(&mut Call); 3] = [
        |call| {
            if let Call::PickOperator { operator_path, .. } = call {
                flip(&mut operator_path[0])
            }
        },
        |call| {
            if let Call::PickOperator { operator_path, .. } = call {
                shorten(operator_path)
            }
        },
        |call| {
            if let Call::PickOperator { operator, .. } = call {
                operator.clear()
            }
        },
    ];
    for (index, bend) in of_the_operator.iter().enumerate() {
        assert_eq!(refused(bend), Err(Refusal::BadOpening), "{index}");
    }
    // A node of the list's tree is no root: three operators have two levels, and this path leads to the list by one.
    let (_, good) = world.next();
    let Call::PickOperator { root, root_path, position, .. } = &good else { panic!("an operator") };
    let above = match position % 2 {
        0 => narrows_commitment::inner(&root.0, &root_path[0]),
        _ => narrows_commitment::inner(&root_path[0], &root.0),
    };
    let inner = refused(&|call| {
        let Call::PickOperator { position, root, root_path, operator, operator_path, .. } = call else {
            panic!("an operator")
        };
        root.0 = above;
        root_path.remove(0);
        *position /= 2;
        let first = world.program.layer(narrows_program::LayerIndex(1)).first.0;
        *operator = world.program.operator_bytes(narrows_program::OperatorIndex(first + *position));
        *operator_path =
            world.program.operators_tree(narrows_program::LayerIndex(1)).path(u64::from(*position));
    });
    assert_eq!(inner, Err(Refusal::BadOpening), "a node of the list");
    for length in [0, 6, 38] {
        let short = refused(&|call| {
            if let Call::PickOperator { layer, .. } = call {
                layer.truncate(length);
            }
        });
        assert_eq!(short, Err(Refusal::WrongState));
    }
}

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
