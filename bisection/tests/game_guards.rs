//! What each call and each move refuses, and in which order.

mod game_support;

use game_support::*;
use narrows_bisection::{Call, Opened, Phase, Refusal, Wei, Witness};
use narrows_commitment::Digest;
use narrows_program::LayerIndex;

/// Brings one fault into a call.
type Bend<'a, T> = &'a dyn Fn(&mut T);

/// Each bend adds one more fault to those before it, from the last check to the first: the refusal must follow.
fn refused_in_order<T: Clone>(
    good: &T,
    bends: &[(Refusal, Bend<'_, T>)],
    send: impl Fn(&T) -> Result<(), Refusal>,
) {
    assert_eq!(send(good), Ok(()), "the call itself stands");
    let mut bent = good.clone();
    for (refusal, bend) in bends {
        let mut alone = good.clone();
        bend(&mut alone);
        assert_eq!(send(&alone), Err(*refusal), "that fault alone");
        bend(&mut bent);
        assert_eq!(send(&bent), Err(*refusal), "that fault over all later ones");
    }
}

fn in_world(world: &World) -> impl Fn(&(narrows_bisection::Account, Wei, Call)) -> Result<(), Refusal> {
    move |(sender, value, call)| world.clone().send(*sender, *value, call).map(|_| ())
}

#[test]
fn attack_26_a_header_out_of_range_is_refused() {
    let world = World::new(5, 2, (0, 0), true);
    let Call::Register { header, layers_root, constants_root } = register(&world.program) else {
        unreachable!()
    };
    let send = |header: &[u8]| {
        let call = Call::Register { header: header.to_vec(), layers_root, constants_root };
        world.clone().send(STRANGER, NOTHING, &call).map(|events| events.len())
    };
    assert_eq!(send(&header), Ok(1), "again is no error");
    let set = |at: usize, bytes: &[u8]| {
        let mut header = header.clone();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        send(&header)
    };
    let word = |at, value: u32| set(at, &value.to_be_bytes());
    for at in [4, 8] {
        assert_eq!([word(at, 1), word(at, 1 << 20)], [Ok(1), Ok(1)]);
        assert_eq!([word(at, 0), word(at, (1 << 20) + 1)], [Err(Refusal::BadHeader); 2]);
    }
    for at in [16, 20] {
        assert_eq!([word(at, 1), word(at, 1 << 24)], [Ok(1), Ok(1)]);
        assert_eq!([word(at, 0), word(at, (1 << 24) + 1)], [Err(Refusal::BadHeader); 2]);
    }
    for at in [12, 13] {
        for code in 0..=255 {
            assert_eq!(set(at, &[code]).is_ok(), (1..=3).contains(&code));
        }
    }
    for bits in 0..=255 {
        assert_eq!(set(14, &[bits]).is_ok(), (1..=6).contains(&bits));
        assert_eq!(set(15, &[bits]).is_ok(), bits <= 26);
    }
    for version in [0, 2, u32::MAX] {
        assert_eq!(word(0, version), Err(Refusal::BadHeader));
    }
    for at in 24..32 {
        assert_eq!(set(at, &[1]), Err(Refusal::BadHeader));
    }
    for at in 32..64 {
        assert_eq!(set(at, &[0xff]), Ok(1), "the meta hash is free");
    }
    let mut longer = header.clone();
    longer.push(0);
    assert_eq!([send(&longer), send(&header[..63]), send(&[])], [Err(Refusal::BadHeader); 3]);
}

#[test]
fn a_job_is_refused_in_order() {
    let world = World::new(5, 2, (0, 0), true);
    type Message = (narrows_bisection::Account, Wei, Call);
    let good: Message = (STRANGER, Wei(0), post_job(&world.program, 7));
    let bend = |f: fn(&mut Call)| move |message: &mut Message| f(&mut message.2);
    refused_in_order(
        &good,
        &[
            (Refusal::Exists, &|message: &mut Message| message.0 = REQUESTER),
            (
                Refusal::TooLate,
                &bend(|call| {
                    if let Call::PostJob { deadline, .. } = call {
                        deadline.0 = START;
                    }
                }),
            ),
            (
                Refusal::WrongLength,
                &bend(|call| {
                    if let Call::PostJob { input, .. } = call {
                        input.push(0);
                    }
                }),
            ),
            (
                Refusal::UnknownProgram,
                &bend(|call| {
                    if let Call::PostJob { program, .. } = call {
                        program.0.0[0] ^= 1;
                    }
                }),
            ),
        ],
        in_world(&world),
    );
}

#[test]
fn attack_03_a_claim_is_refused_in_order() {
    let world = World::new(5, 2, (0, 0), true);
    type Message = (u64, narrows_bisection::Account, Wei, Call);
    let good: Message = (START, STRANGER, Wei(1_001), post_claim(world.job, &world.claimed));
    let send = |(now, sender, value, call): &Message| {
        let mut world = world.clone();
        world.now = *now;
        world.send(*sender, *value, call).map(|_| ())
    };
    let output = |f: fn(&mut Vec<u8>)| {
        move |message: &mut Message| {
            if let Call::PostClaim { output, .. } = &mut message.3 {
                f(output);
            }
        }
    };
    refused_in_order(
        &good,
        &[
            (Refusal::Exists, &|message: &mut Message| message.1 = EXECUTOR),
            (Refusal::BadOpening, &output(|output| output[3] ^= 1)),
            (Refusal::WrongLength, &output(|output| output.push(0))),
            (Refusal::WrongValue, &|message: &mut Message| message.2 = Wei(1_000)),
            (Refusal::JobClosed, &|message: &mut Message| message.0 = JOB_DEADLINE.0),
            (Refusal::UnknownJob, &|message: &mut Message| {
                if let Call::PostClaim { job, .. } = &mut message.3 {
                    job.0.0[0] ^= 1;
                }
            }),
        ],
        send,
    );
    // The last moment.
    assert_eq!(send(&(JOB_DEADLINE.0 - 1, STRANGER, Wei(1_001), good.3.clone())), Ok(()));
    // A path that is too long or too short, and another layer's output.
    for change in [0, 1, 2] {
        let mut bad = good.clone();
        if let Call::PostClaim { path, output, .. } = &mut bad.3 {
            match change {
                0 => path.push(Digest::default()),
                1 => path.truncate(2),
                _ => *output = world.claimed.outputs[3][..10].to_vec(),
            }
        }
        assert_eq!(send(&bad), Err(Refusal::BadOpening));
    }
}

#[test]
fn attack_14_a_match_is_opened_in_the_window_only() {
    let mut world = World::posted(program(5, 2), Run::new(&program(5, 2), None), (0, 0));
    let call = Call::Open { claim: world.claim, commitment: Digest::default() };
    for value in [0, 100, 102] {
        assert_eq!(world.send(CHALLENGER, Wei(value), &call), Err(Refusal::WrongValue));
    }
    world.now = START + 100;
    assert_eq!(world.open(CHALLENGER), Err(Refusal::TooLate));
    assert_eq!(world.send(CHALLENGER, NOTHING, &call), Err(Refusal::TooLate), "before the value");
    world.now -= 1;
    assert!(world.open(CHALLENGER).is_ok(), "the last second of the window");
}

#[test]
fn calls_that_take_no_value_refuse_it() {
    let world = in_phase(Phase::LayerE, true);
    let calls = [
        register(&world.program),
        world.next().1,
        Call::Timeout { match_id: world.id },
        Call::Finalise { claim: world.claim },
        Call::Refund { job: world.job },
        Call::Reclaim { match_id: world.id },
        Call::Withdraw,
    ];
    for call in calls {
        assert_eq!(world.clone().send(EXECUTOR, Wei(1), &call), Err(Refusal::WrongValue));
    }
    // More than all the money there can be.
    let mut rich = world.clone();
    assert!(rich.send(REQUESTER, Wei(u128::MAX - 5_000), &post_job(&world.program, 8)).is_ok());
    assert_eq!(rich.send(REQUESTER, Wei(5_000), &post_job(&world.program, 9)), Err(Refusal::WrongValue));
}

/// Sends a move after `bend`; gives the refusal.
fn bent(world: &World, sender: narrows_bisection::Account, bend: impl Fn(&mut Call)) -> Result<(), Refusal> {
    let mut world = world.clone();
    let (_, mut call) = world.next();
    bend(&mut call);
    world.send(sender, NOTHING, &call).map(|_| ())
}

#[test]
fn attack_05_a_reveal_must_be_the_nodes_children() {
    for phase in [Phase::LayerE, Phase::TileE] {
        let world = in_phase(phase, true);
        let reveal = |f: fn(&mut Vec<Digest>)| {
            bent(&world, STRANGER, |call| {
                if let Call::Reveal { nodes, .. } = call {
                    f(nodes);
                }
            })
        };
        assert_eq!(reveal(|_| {}), Ok(()));
        assert_eq!(reveal(|nodes| nodes[1].0[31] ^= 1), Err(Refusal::BadOpening));
        assert_eq!(reveal(|nodes| nodes.swap(0, 1)), Err(Refusal::BadOpening));
        for length in [0, 1, 3, 4] {
            let resized = bent(&world, STRANGER, |call| {
                if let Call::Reveal { nodes, .. } = call {
                    nodes.resize(length, Digest::default());
                }
            });
            assert_eq!(resized, Err(Refusal::WrongCount));
        }
        // The node itself, as a tree of depth 0.
        let node = world.state().node;
        let itself = bent(&world, STRANGER, |call| {
            if let Call::Reveal { nodes, .. } = call {
                *nodes = vec![node];
            }
        });
        assert_eq!(itself, Err(Refusal::WrongCount));
    }
}

/// What a pick holds besides its state.
type PickBend<'a> = &'a dyn Fn(&mut Vec<Digest>, &mut u32, &mut Vec<u8>, &mut Vec<Digest>);

fn picked(world: &World, bend: PickBend<'_>) -> Result<(), Refusal> {
    bent(world, CHALLENGER, |call| {
        if let Call::Pick { nodes, child, descriptor, path, .. } = call {
            bend(nodes, child, descriptor, path);
        }
    })
}

#[test]
fn attack_13_a_pick_is_a_child_of_the_node_and_carries_nothing_more() {
    for phase in [Phase::LayerC, Phase::TileC] {
        let world = in_phase(phase, true);
        assert_eq!(picked(&world, &|_, _, _, _| {}), Ok(()));
        assert_eq!(picked(&world, &|_, child, _, _| *child = 2), Err(Refusal::WrongCount));
        assert_eq!(picked(&world, &|_, child, _, _| *child = u32::MAX), Err(Refusal::WrongCount));
        assert_eq!(picked(&world, &|nodes, _, _, _| nodes.push(Digest::default())), Err(Refusal::WrongCount));
        assert_eq!(picked(&world, &|nodes, _, _, _| nodes[0].0[0] ^= 1), Err(Refusal::BadOpening));
        assert_eq!(picked(&world, &|_, _, descriptor, _| descriptor.push(0)), Err(Refusal::WitnessExtra));
        assert_eq!(picked(&world, &|_, _, _, path| path.push(Digest::default())), Err(Refusal::WitnessExtra));
    }
}

#[test]
fn attack_07_the_pick_of_a_layer_carries_that_layers_descriptor() {
    let mut world = in_phase(Phase::LayerC, true);
    while world.state().remaining > 1 || world.phase() != Phase::LayerC {
        world.step();
    }
    assert_eq!(picked(&world, &|_, _, _, _| {}), Ok(()));
    assert_eq!(picked(&world, &|_, _, descriptor, _| descriptor.push(0)), Err(Refusal::WrongLength));
    assert_eq!(picked(&world, &|_, _, descriptor, _| descriptor.clear()), Err(Refusal::WrongLength));
    assert_eq!(picked(&world, &|_, _, _, path| path[0].0[0] ^= 1), Err(Refusal::BadOpening));
    assert_eq!(picked(&world, &|_, _, _, path| path.truncate(2)), Err(Refusal::BadOpening));
    let other = world.program.descriptor(LayerIndex(0)).to_vec();
    let other_path = world.program.layers_tree().path(0);
    assert_eq!(picked(&world, &|_, _, descriptor, _| *descriptor = other.clone()), Err(Refusal::BadOpening));
    let swapped = picked(&world, &|_, _, descriptor, path| {
        *descriptor = other.clone();
        *path = other_path.clone();
    });
    assert_eq!(swapped, Err(Refusal::BadOpening));
    for at in 0..192 {
        assert_eq!(picked(&world, &|_, _, descriptor, _| descriptor[at] ^= 1), Err(Refusal::BadOpening));
    }
}

#[test]
fn a_tile_must_be_the_disputed_one() {
    for phase in [Phase::DataE, Phase::Name] {
        let world = in_phase(phase, true);
        let tile = |f: fn(&mut Vec<u8>)| {
            bent(&world, CHALLENGER, |call| {
                if let Call::RevealTile { tile, .. } | Call::Name { tile, .. } = call {
                    f(tile);
                }
            })
        };
        assert_eq!(tile(|_| {}), Ok(()));
        assert_eq!(tile(|tile| tile.push(0)), Err(Refusal::WrongLength));
        assert_eq!(tile(|tile| tile.clear()), Err(Refusal::WrongLength));
        assert_eq!(tile(|tile| tile[127] ^= 1), Err(Refusal::BadOpening));
    }
}

#[test]
fn a_name_is_refused_in_order() {
    let world = World::new(5, 1, (1, 150), true).to(Phase::Name);
    type Message = (narrows_bisection::Account, Wei, Call);
    let bend = |f: fn(&mut Vec<u8>, &mut u8, &mut Vec<u8>, &mut Witness)| {
        move |message: &mut Message| {
            if let Call::Name { tile, element, descriptor, witness, .. } = &mut message.2 {
                f(tile, element, descriptor, witness);
            }
        }
    };
    let good = (CHALLENGER, NOTHING, world.name());
    refused_in_order(
        &good,
        &[
            (Refusal::WitnessExtra, &bend(|_, _, _, witness| witness.b.indices.push(0))),
            (Refusal::WrongIndex, &bend(|_, element, _, _| *element = 128)),
            (Refusal::WrongDescriptor, &bend(|_, _, descriptor, _| descriptor[191] ^= 1)),
            (Refusal::BadOpening, &bend(|tile, _, _, _| tile[0] ^= 1)),
            (Refusal::WrongLength, &bend(|tile, _, _, _| tile.truncate(127))),
        ],
        in_world(&world),
    );
    // A witness is not looked at where the element is one of many segments, nor may it be there.
    let none = World::new(5, 1, (1, 150), true).to(Phase::Name);
    let full = bend(|_, _, _, witness| witness.params = Opened { indices: vec![0], ..Opened::default() });
    let mut message = good;
    full(&mut message);
    assert_eq!(in_world(&none)(&message), Err(Refusal::WitnessExtra));
}

#[test]
fn a_statement_is_refused_in_order() {
    let world = in_phase(Phase::FoldE, true);
    let sums = world.sums(1);
    type Message = (narrows_bisection::Account, Wei, Call);
    let good = (EXECUTOR, NOTHING, world.fold(sums));
    let bend = |f: fn(&mut Vec<u8>, &mut Vec<i64>, &mut Opened)| {
        move |message: &mut Message| {
            if let Call::Fold { descriptor, sums, params, .. } = &mut message.2 {
                f(descriptor, sums, params);
            }
        }
    };
    refused_in_order(
        &good,
        &[
            (Refusal::FoldMismatch, &bend(|_, sums, _| sums[0] += 100)),
            (Refusal::BadOpening, &bend(|_, _, params| params.root.0.0[0] ^= 1)),
            (Refusal::OutOfRange, &bend(|_, sums, _| sums[2] = 1 << 62)),
            (Refusal::WrongCount, &bend(|_, sums, _| sums.push(0))),
            (Refusal::WrongDescriptor, &bend(|descriptor, _, _| descriptor[0] ^= 1)),
        ],
        in_world(&world),
    );
    for (sum, refusal) in [
        (i64::MIN, Refusal::OutOfRange),
        (-(1 << 62), Refusal::OutOfRange),
        (1 - (1 << 62), Refusal::FoldMismatch),
        ((1 << 62) - 1, Refusal::FoldMismatch),
        (i64::MAX, Refusal::OutOfRange),
    ] {
        let mut sums = world.sums(1);
        sums[0] = sum;
        assert_eq!(in_world(&world)(&(EXECUTOR, NOTHING, world.fold(sums))), Err(refusal), "{sum}");
    }
    let few = world.sums(1)[..2].to_vec();
    assert_eq!(in_world(&world)(&(EXECUTOR, NOTHING, world.fold(few))), Err(Refusal::WrongCount));
}

#[test]
fn attack_18_a_segment_is_judged_against_the_very_statement() {
    let world = in_phase(Phase::Seg, true);
    type Message = (narrows_bisection::Account, Wei, Call);
    let good = (CHALLENGER, NOTHING, world.segment(world.history_sums(), 1));
    let bend = |f: fn(&mut Vec<u8>, &mut Vec<i64>, &mut u32, &mut Witness)| {
        move |message: &mut Message| {
            if let Call::Segment { descriptor, sums, index, witness, .. } = &mut message.2 {
                f(descriptor, sums, index, witness);
            }
        }
    };
    refused_in_order(
        &good,
        &[
            (Refusal::WitnessMissing, &bend(|_, _, index, _| *index = 2)),
            (Refusal::WitnessExtra, &bend(|_, _, _, witness| witness.params.indices.push(0))),
            (Refusal::WrongIndex, &bend(|_, _, index, _| *index = 3)),
            (Refusal::WrongStatement, &bend(|_, sums, _, _| sums[0] += 1)),
            (Refusal::WrongDescriptor, &bend(|descriptor, _, _, _| descriptor[100] ^= 1)),
        ],
        in_world(&world),
    );
    // The right segments of a lying statement stand.
    for index in [0, 2] {
        let mut world = world.clone();
        let call = world.segment(world.history_sums(), index);
        world.send(CHALLENGER, NOTHING, &call).expect("is judged");
        assert_eq!(world.phase(), Phase::Lost);
    }
}
