//! What each move down to a tensor's tiles refuses, and in which order: every bend adds one more fault, from the last check to
//! the first.

mod game_support;

use game_support::*;
use narrows_bisection::{Call, Phase, Refusal};
use narrows_commitment::Digest;

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
