//! Whole matches, and every move in every phase where it does not belong.

mod game_support;

use game_support::*;
use narrows_bisection::game::ClaimStatus;
use narrows_bisection::{Account, Call, Event, MatchId, Phase, Refusal, Side, StateHash};
use narrows_commitment::{Digest, Tree, padding};
use narrows_program::Program;

fn status(world: &World) -> ClaimStatus {
    world.game.claim(world.claim).expect("the claim exists").status
}

#[test]
fn attack_01_a_lie_of_one_segment_is_refuted_wherever_it_stands() {
    for bits in [1, 2, 3, 6] {
        for target in [(0, 0), (0, 299), (2, 128), (4, 9)] {
            let mut world = World::new(5, bits, target, true);
            while world.phase().turn().is_some() {
                world.step();
            }
            assert_eq!(world.phase(), Phase::Won, "{bits} bits, {target:?}");
            assert_eq!(status(&world), ClaimStatus::Refuted);
            assert_eq!(world.money(), [0, 0, 500 + 101, 500 + 101 + 77, 501]);
        }
    }
}

#[test]
fn attack_01_a_lie_of_many_segments_is_refuted_in_each_segment() {
    for (element, wrong) in [(0, 0), (150, 1), (299, 2)] {
        let mut world = World::new(5, 2, (1, element), true).to(Phase::FoldE);
        // The truth does not lead to the claimed value, so the executor must lie once more.
        let truth = world.fold(world.true_sums());
        assert_eq!(world.send(EXECUTOR, NOTHING, &truth), Err(Refusal::FoldMismatch));
        let call = world.fold(world.sums(wrong));
        world.send(EXECUTOR, NOTHING, &call).expect("states");
        let call = world.segment(world.history_sums(), wrong as u32);
        let events = world.send(CHALLENGER, NOTHING, &call).expect("proves");
        assert_eq!(events, [Event::MatchWon { match_id: world.id, claim: world.claim }]);
        assert_eq!(status(&world), ClaimStatus::Refuted);
    }
}

#[test]
fn attack_10_two_wrong_sums_of_the_right_total_do_not_save_a_lie() {
    let mut world = World::new(5, 2, (1, 150), true).to(Phase::FoldE);
    let mut sums = world.sums(0);
    sums[1] += 1_000;
    sums[2] -= 1_000;
    let call = world.fold(sums.clone());
    world.send(EXECUTOR, NOTHING, &call).expect("states");
    for wrong in [0, 1, 2] {
        let mut world = world.clone();
        let call = world.segment(sums.clone(), wrong);
        world.send(CHALLENGER, NOTHING, &call).expect("proves");
        assert_eq!(world.phase(), Phase::Won);
    }
}

#[test]
fn attack_12_a_challenge_of_an_honest_claim_is_lost_at_every_leaf() {
    for target in [(0, 0), (0, 128), (0, 299), (1, 5), (1, 299), (2, 7), (3, 200), (4, 0), (4, 9)] {
        let mut world = World::new(5, 2, target, false);
        while world.phase().turn().is_some() {
            world.step();
        }
        assert_eq!(world.phase(), Phase::Lost, "{target:?}");
        assert_eq!(status(&world), ClaimStatus::Pending);
        assert_eq!(world.money(), [0, 50, 0, 50 + 1_001 + 77, 51]);
        assert_eq!(world.game.claim(world.claim).expect("exists").open_matches, 0);
    }
}

#[test]
fn attack_11_as_many_terms_as_a_segment_are_proved_at_once_and_one_more_are_not() {
    for (split, end) in [(301, Phase::Won), (300, Phase::Won), (299, Phase::FoldE)] {
        let mut parts = program(5, 2).parts().clone();
        parts.layers[1].split = split;
        let program = Program::new(parts).expect("legal");
        let run = Run::new(&program, Some((1, 150, 1)));
        let mut world = World::with(program, run, (1, 150)).to(Phase::Name);
        world.step();
        assert_eq!(world.phase(), end, "300 terms, segments of {split}");
    }
}

#[test]
fn a_single_layer_and_a_single_tile_skip_their_phases() {
    let mut world = World::new(1, 4, (0, 3), true);
    assert_eq!((world.phase(), world.state().remaining), (Phase::LayerC, 0));
    assert_eq!(world.nodes().len(), 1);
    world.step();
    assert_eq!((world.phase(), world.state().tiles), (Phase::DataE, 1));
    world.step();
    world.step();
    assert_eq!(world.phase(), Phase::Won);
}

#[test]
fn the_challenger_may_supply_nodes_and_tile_itself_at_the_executors_cost() {
    let mut world = World::new(5, 1, (2, 200), true);
    for phase in [Phase::LayerE, Phase::LayerE, Phase::LayerE, Phase::TileE, Phase::TileE] {
        assert_eq!(world.phase(), phase);
        let clocks = (world.state().executor_clock, world.state().challenger_clock);
        world.now += 7;
        let call = world.pick();
        world.send(CHALLENGER, NOTHING, &call).expect("picks");
        let after = (world.state().executor_clock, world.state().challenger_clock);
        assert_eq!(after, (clocks.0 - 2, clocks.1));
    }
    assert_eq!(world.phase(), Phase::DataE);
    let call = world.name();
    world.send(CHALLENGER, NOTHING, &call).expect("names");
    assert_eq!(world.phase(), Phase::Won);
}

#[test]
fn a_reveal_may_come_from_anybody() {
    for phase in [Phase::LayerE, Phase::TileE, Phase::DataE] {
        let mut world = in_phase(phase, true);
        let (_, call) = world.next();
        world.send(STRANGER, NOTHING, &call).expect("a hash preimage is anybody's");
        assert_eq!(world.phase().turn(), Some(Side::Challenger));
    }
}

/// Every kind of move, with the present state's hash and contents that are as good as can be.
fn all_moves(world: &World, state: StateHash) -> Vec<(Account, Call)> {
    let (match_id, descriptor) = (world.id, world.descriptor());
    let open = world.phase().turn().is_some();
    let in_tree =
        open && matches!(world.phase(), Phase::LayerE | Phase::LayerC | Phase::TileE | Phase::TileC);
    let nodes = if in_tree { world.nodes() } else { vec![world.state().node] };
    let witness = Box::default();
    let (path, tile, params) = (Vec::new(), world.tile(), Box::new(world.records()));
    let sums = world.true_sums();
    let pick = if in_tree {
        world.pick()
    } else {
        let nodes = nodes.clone();
        Call::Pick { match_id, state, nodes, child: 0, descriptor: descriptor.clone(), path }
    };
    let (element, index) = (0, 0);
    vec![
        (EXECUTOR, Call::Reveal { match_id, state, nodes }),
        (CHALLENGER, pick),
        (EXECUTOR, Call::RevealTile { match_id, state, tile: tile.clone() }),
        (CHALLENGER, Call::Name { match_id, state, tile, element, descriptor: descriptor.clone(), witness }),
        (
            EXECUTOR,
            Call::Fold { match_id, state, descriptor: descriptor.clone(), sums: sums.clone(), params },
        ),
        (CHALLENGER, Call::Segment { match_id, state, descriptor, sums, index, witness: Box::default() }),
    ]
}

fn legal(phase: Phase) -> &'static [&'static str] {
    match phase {
        Phase::LayerE | Phase::TileE => &["reveal", "pick"],
        Phase::LayerC | Phase::TileC => &["pick"],
        Phase::DataE => &["revealTile", "name"],
        Phase::Name => &["name"],
        Phase::FoldE => &["fold"],
        Phase::Seg => &["segment"],
        _ => &[],
    }
}

#[test]
fn attack_08_every_move_in_a_wrong_phase_is_refused() {
    for phase in OPEN_PHASES {
        let world = in_phase(phase, true);
        for (sender, call) in all_moves(&world, world.hash()) {
            let mut world = world.clone();
            let result = world.send(sender, NOTHING, &call);
            let wrong = result == Err(Refusal::WrongPhase);
            assert_eq!(
                wrong,
                !legal(phase).contains(&call.name()),
                "{} in {phase:?}: {result:?}",
                call.name()
            );
            // The phase is judged before the state, the sender and the time.
            if wrong {
                world.now = world.deadline();
                for (_, call) in
                    all_moves(&world, StateHash::default()).iter().filter(|m| m.1.name() == call.name())
                {
                    assert_eq!(world.send(STRANGER, NOTHING, call), Err(Refusal::WrongPhase));
                }
            }
        }
    }
}

#[test]
fn attack_08_nothing_moves_after_the_end() {
    let mut ends = Vec::new();
    for (lies, end) in [(true, Phase::Won), (false, Phase::Lost)] {
        let mut world = World::new(5, 2, (2, 200), lies);
        while world.phase().turn().is_some() {
            world.step();
        }
        assert_eq!(world.phase(), end);
        ends.push(world);
    }
    let mut reclaimed = World::new(5, 2, (2, 200), true);
    let other = reclaimed.open(STRANGER).expect("opens");
    while reclaimed.phase().turn().is_some() {
        reclaimed.step();
    }
    reclaimed.id = other;
    reclaimed.send(REQUESTER, NOTHING, &Call::Reclaim { match_id: other }).expect("reclaims");
    assert_eq!(reclaimed.phase(), Phase::Reclaimed);
    ends.push(reclaimed);
    for world in &mut ends {
        for t in [0, 1, 40, 55, 100_000] {
            world.now += t;
            let mut calls = all_moves(world, world.hash());
            calls.push((STRANGER, Call::Timeout { match_id: world.id }));
            calls.push((STRANGER, Call::Reclaim { match_id: world.id }));
            for (sender, call) in calls {
                assert_eq!(world.send(sender, NOTHING, &call), Err(Refusal::WrongPhase), "{}", call.name());
            }
        }
    }
}

#[test]
fn attack_25_calls_about_what_does_not_exist_are_refused() {
    let mut world = in_phase(Phase::LayerE, true);
    let real = world.id;
    world.id = MatchId(Digest([1; 32]));
    for call in [Call::Timeout { match_id: world.id }, Call::Reclaim { match_id: world.id }] {
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::UnknownMatch));
    }
    let call = Call::Reveal { match_id: world.id, state: StateHash::default(), nodes: Vec::new() };
    assert_eq!(world.send(EXECUTOR, NOTHING, &call), Err(Refusal::UnknownMatch));
    world.id = real;
    let claim = narrows_bisection::ClaimId(Digest([1; 32]));
    let job = narrows_bisection::JobId(Digest([1; 32]));
    let commitment = Digest::default();
    let bond = parameters().challenger_bond;
    assert_eq!(world.send(STRANGER, bond, &Call::Open { claim, commitment }), Err(Refusal::UnknownClaim));
    assert_eq!(world.send(STRANGER, NOTHING, &Call::Finalise { claim }), Err(Refusal::UnknownClaim));
    assert_eq!(world.send(STRANGER, NOTHING, &Call::Refund { job }), Err(Refusal::UnknownJob));
}

#[test]
fn attack_31_a_move_that_names_another_state_is_refused() {
    for phase in OPEN_PHASES {
        let mut world = in_phase(phase, true);
        let stale = StateHash(Digest([5; 32]));
        for (sender, call) in all_moves(&world, stale) {
            // `pick` of a tree phase names the present state in `all_moves`; bend it here.
            let call = match call {
                Call::Pick { match_id, nodes, child, descriptor, path, .. } => {
                    Call::Pick { match_id, state: stale, nodes, child, descriptor, path }
                }
                other => other,
            };
            if legal(phase).contains(&call.name()) {
                assert_eq!(world.send(sender, NOTHING, &call), Err(Refusal::WrongState), "{}", call.name());
                // Before the sender and the time.
                let mut late = world.clone();
                late.now = late.deadline();
                assert_eq!(late.send(STRANGER, NOTHING, &call), Err(Refusal::WrongState));
            }
        }
    }
}

#[test]
fn attack_18_only_the_challenger_picks_and_only_the_executor_states() {
    for phase in OPEN_PHASES {
        let world = in_phase(phase, true);
        for (sender, call) in all_moves(&world, world.hash()) {
            if !legal(phase).contains(&call.name()) || ["reveal", "revealTile"].contains(&call.name()) {
                continue;
            }
            for other in [REQUESTER, EXECUTOR, CHALLENGER, STRANGER, GAME] {
                let mut world = world.clone();
                let result = world.send(other, NOTHING, &call);
                let refused = result == Err(Refusal::NotYourMove);
                assert_eq!(refused, other != sender, "{} by {other}: {result:?}", call.name());
                // Before the time.
                if refused {
                    world.now = world.deadline();
                    assert_eq!(world.send(other, NOTHING, &call), Err(Refusal::NotYourMove));
                }
            }
        }
    }
}

#[test]
fn attack_05_a_byte_in_a_last_tiles_padding_refutes() {
    let program = program(5, 2);
    let mut outputs = Run::new(&program, None).outputs;
    outputs[2].resize(384, 0);
    let honest = Run::of(outputs.clone());
    outputs[2][300] = 1;
    let lying = Run::of(outputs);
    for (run, end) in [(lying, Some(Phase::Won)), (honest, None)] {
        let mut world = World::with(program.clone(), run, (2, 300)).to(Phase::Name);
        let call = world.name();
        let result = world.send(CHALLENGER, NOTHING, &call);
        match end {
            Some(end) => assert_eq!((result.is_ok(), world.phase()), (true, end)),
            None => assert_eq!(result, Err(Refusal::PaddingHonest)),
        }
    }
}

#[test]
fn attack_05_padding_nodes_must_be_the_constants() {
    // Five layers in a tree of eight leaves: from leaf 5 on, at both levels, all is padding.
    let program = program(5, 1);
    let honest = Run::new(&program, None);
    let mut leaves: Vec<Digest> = (0..8).map(|i| honest.tree.node(0, i)).collect();
    leaves[6] = Digest([1; 32]);
    let lying = Run { tree: Tree::new(leaves), ..honest.clone() };
    for (run, at, end) in [(honest, 6, None), (lying.clone(), 6, Some(Phase::Won)), (lying, 5, None)] {
        let mut world = World::with(program.clone(), run, (at, 0));
        // The pick that leads beyond the layers comes at level 1 (6–7), or at level 0 (5).
        let last = loop {
            world.step();
            let call = world.next().1;
            let Call::Pick { nodes, child, .. } = &call else { continue };
            let state = world.state();
            if (u64::from(state.position) * 2 + u64::from(*child)) << (state.remaining - 1) >= 5 {
                let constant = padding(u32::from(state.remaining) - 1);
                assert_eq!(nodes[*child as usize] == constant, end.is_none());
                break world.send(CHALLENGER, NOTHING, &call);
            }
        };
        match end {
            Some(end) => assert_eq!((last.is_ok(), world.phase()), (true, end)),
            None => assert_eq!(last, Err(Refusal::PaddingHonest)),
        }
    }
}
