//! Whole matches, and every move in every phase where it does not belong.

mod game_support;

use game_support::*;
use narrows_bisection::game::ids;
use narrows_bisection::{Account, Call, Event, Phase, Refusal, Seat, Side, Wei, Witness};
use narrows_commitment::{Digest, TensorRoot, tile_at, tile_siblings};
use narrows_program::{LayerIndex, OperatorIndex};

#[test]
fn a_single_layer_skips_its_phases() {
    let mut world = World::with(single(4), (0, 3), true);
    assert_eq!((world.phase(), world.state().remaining), (Phase::LayerC, 0));
    world.step();
    // Ten tiles: four levels, of which the last two are tiles.
    let state = world.state();
    assert_eq!((state.phase, state.remaining, state.subject, state.operators), (Phase::TileE, 4, 10, 1));
    world.finish();
    assert_eq!(world.phase(), Phase::Won);
    // One layer of all operators: the sub-trace at once.
    let mut world = World::with(grouped(4, &[7]), TARGET, true);
    world.step();
    assert_eq!((world.phase(), world.state().operators, world.state().place), (Phase::SubE, 7, 0));
    world.finish();
    assert_eq!(world.phase(), Phase::Won);
}

#[test]
fn the_challenger_may_supply_nodes_and_tiles_itself_at_the_executors_cost() {
    let mut world = World::new(1, TARGET, true);
    let mut supplied = Vec::new();
    while world.phase().turn().is_some() {
        let phase = world.phase();
        let before = world.state();
        if ![Phase::LayerE, Phase::TileE, Phase::DataE].contains(&phase) {
            world.step();
            continue;
        }
        world.now += 7;
        let call = world.early();
        world.send(CHALLENGER, NOTHING, &call).expect("supplies");
        let after = world.state();
        assert_eq!((after.executor_clock, after.challenger_clock), (before.executor_clock - 2, 40));
        assert_eq!(after.answers, before.answers, "no answer of the executor's side");
        supplied.push(phase);
    }
    use Phase::{DataE, LayerE, TileE};
    assert_eq!(supplied, [LayerE, LayerE, LayerE, TileE, DataE]);
    // The sub-trace and the sums.
    assert_eq!((world.phase(), world.state().answers), (Phase::Won, 2));
}

#[test]
fn a_reveal_may_come_from_anybody() {
    for phase in [Phase::LayerE, Phase::TileE, Phase::DataE] {
        let mut world = in_phase(phase, true);
        let (_, call) = world.next();
        let answers = world.state().answers;
        world.send(STRANGER, NOTHING, &call).expect("a hash preimage is anybody's");
        assert_eq!((world.phase().turn(), world.state().answers), (Some(Side::Challenger), answers + 1));
    }
}

/// Every kind of move, whose evidence gives the present node wherever it can; and whether it does.
fn all_moves(world: &World) -> Vec<(Account, Call, bool)> {
    let this = world.this();
    let (state, number, posted, claim) = (this.state, this.number, world.posted, world.claim);
    let (footing, list) = (state.seated(), state.list);
    let (node, challenger) = (state.node, this.seated.challenger);
    // The operator at the target, and the tile; integers of 2 bytes, or of 4.
    let (target, tile) = match state.phase {
        Phase::Ready => (OperatorIndex(ALONE.0), u64::from(ALONE.1 / 32)),
        _ => (OperatorIndex(TARGET.0), u64::from(TARGET.1 / 64)),
    };
    let operator = world.program.operator_bytes(target);
    let bytes = world.claimed.operator(target);
    let tree = world.claimed.operator_tree(target);
    let (under, above) = (u32::from(state.remaining), tile >> state.remaining);
    let in_tensor =
        matches!(state.phase, Phase::TileE | Phase::TileC | Phase::DataE | Phase::Name | Phase::Ready);
    let tiles: Vec<u8> = match in_tensor {
        true => {
            (above << under..(above << under) + state.real_tiles()).flat_map(|i| tile_at(bytes, i)).collect()
        }
        false => tile_at(bytes, 0).to_vec(),
    };
    let beside = tile_siblings(state.remaining.into());
    let siblings = if in_tensor { tree.path(tile)[..beside].to_vec() } else { Vec::new() };
    // The disputed layer while it is the scope: of three operators, of which it exports the last.
    let in_layer = matches!(state.phase, Phase::SubE | Phase::SubC);
    let at = LayerIndex(if in_layer { state.place } else { 1 });
    let head = world.program.layer(at).head();
    let operators_root = world.program.operators_tree(at).root();
    let layer = [&head[..], &operators_root.0].concat();
    let stated = state.phase == Phase::Seg;
    let sums = world
        .history
        .iter()
        .rev()
        .flat_map(|entry| &entry.events)
        .find_map(|event| if let Event::Folded { sums, .. } = event { Some(sums.clone()) } else { None });
    let (child, siblings_) = (0, Vec::new());
    let pick =
        Call::Pick { claim, number, footing: state.picked(), child, node, siblings: siblings_.clone() };
    // Its path leads to the layers root from the position that the word names, or is empty where the leaf is the scope.
    let in_layers = matches!(state.phase, Phase::LayerE | Phase::LayerC);
    let enter = {
        let at = LayerIndex(if in_layers { state.position } else { at.0 });
        let operator = match world.program.layer(at).count {
            1 => world.program.operator_bytes(world.program.layer(at).first),
            _ => world.program.operators_tree(at).root().0.to_vec(),
        };
        let path = if in_layers { world.program.layers_tree().path(at.0.into()) } else { Vec::new() };
        let layer = world.program.layer(at).head();
        Call::Enter { claim, number, footing, child, node, siblings: siblings_, layer, operator, path }
    };
    let pick_operator = Call::PickOperator {
        claim,
        number,
        footing,
        position: 0,
        layer: layer.clone(),
        operator: operator.clone(),
        operator_path: Vec::new(),
        root: TensorRoot(node),
        root_path: Vec::new(),
    };
    let prepare = Call::Prepare {
        posted,
        number,
        footing,
        list,
        node,
        operator: operator.clone(),
        witness: Box::default(),
    };
    let name = Call::Name {
        posted,
        number,
        footing,
        list,
        tile: tile_at(bytes, tile).to_vec(),
        slot: (tile & ((1u64 << under) - 1)) as u8,
        siblings,
        element: 0,
        operator: operator.clone(),
        witness: Box::default(),
    };
    let fold = Call::Fold {
        posted,
        number,
        footing,
        list,
        challenger,
        operator: operator.clone(),
        sums: Vec::new(),
        params: Box::default(),
        third: Box::default(),
        signature: Vec::new(),
    };
    let sums = sums.filter(|_| stated).unwrap_or_default();
    let (index, witness) = (0, Box::<Witness>::default());
    let segment = Call::Segment { posted, number, footing, list, operator, sums, index, witness };
    let (roots, signature) = (world.claimed.sub_roots(at), Vec::new());
    let sub_trace = Call::SubTrace { posted, number, footing, challenger, layer, roots, signature };
    let executor = executor();
    // A committed match and one that nobody reveals have neither scope nor list.
    let shown = state.shown();
    vec![
        (executor, Call::Reveal { claim, number, footing: shown, nodes: vec![node] }, true),
        (challenger, pick, true),
        (challenger, enter, in_layers || state.phase == Phase::SubE),
        (executor, sub_trace, state.phase == Phase::SubE),
        (challenger, pick_operator, state.phase == Phase::SubC),
        (executor, Call::RevealTiles { claim, number, footing: shown, tiles }, in_tensor),
        (challenger, prepare, state.scope == world.program.operator_leaf(target)),
        (challenger, name, in_tensor),
        (executor, fold, state.phase == Phase::FoldE),
        (challenger, segment, stated),
    ]
}

fn legal(phase: Phase) -> &'static [&'static str] {
    match phase {
        Phase::LayerE => &["reveal", "pick", "enter"],
        Phase::TileE => &["reveal", "pick"],
        Phase::LayerC => &["pick", "enter"],
        Phase::TileC => &["pick"],
        Phase::SubE => &["subTrace"],
        Phase::SubC => &["pickOperator"],
        Phase::DataE => &["revealTiles", "prepare", "name"],
        Phase::Name => &["prepare", "name"],
        Phase::Ready => &["name"],
        Phase::FoldE => &["fold"],
        Phase::Seg => &["segment"],
        _ => &[],
    }
}

#[test]
fn attack_08_every_move_in_a_wrong_phase_is_refused() {
    let mut judged = 0;
    for world in everywhere() {
        let phase = world.phase();
        for (sender, call, fits) in all_moves(&world) {
            let result = world.clone().send(sender, NOTHING, &call);
            let what = format!("{} in {phase:?}: {result:?}", call.name());
            if !fits {
                assert!([Err(Refusal::WrongState), Err(Refusal::WrongCount)].contains(&result), "{what}");
            } else if legal(phase).contains(&call.name()) {
                assert!(![Err(Refusal::WrongPhase), Err(Refusal::WrongState)].contains(&result), "{what}");
            } else {
                assert_eq!(result, Err(Refusal::WrongPhase), "{what}");
                judged += 1;
                // The phase is judged before the time, the sender and the claim.
                for late in [world.deadline(), world.hard_end()] {
                    let mut world = world.clone();
                    world.now = late;
                    assert_eq!(world.send(sender, NOTHING, &call), Err(Refusal::WrongPhase), "{what}");
                }
            }
        }
    }
    // Of eleven phases: reveal in nine, pick in seven, a layer in one, tiles in four, a preparation in five, a name in two;
    // twice. The evidence of the others gives the state of their own phase alone.
    assert_eq!(judged, 2 * (9 + 7 + 1 + 4 + 5 + 2));
}

#[test]
fn attack_08_nothing_moves_after_the_end() {
    let mut ends = Vec::new();
    for (lies, end) in [(true, Phase::Won), (false, Phase::Lost)] {
        let mut world = World::new(2, TARGET, lies);
        world.finish();
        assert_eq!(world.phase(), end);
        if lies {
            let mut reclaimed = world.clone();
            reclaimed.send(REQUESTER, NOTHING, &world.reclaim()).expect("reclaims");
            ends.push(reclaimed);
        }
        ends.push(world);
    }
    // A bare commitment, to a claim that is then refuted, and to one that is not.
    for refuted in [true, false] {
        let mut world = World::new(2, TARGET, true);
        let call = Call::Commit { claim: world.claim, commitment: SALT };
        world.send(STRANGER, NOTHING, &call).expect("commits");
        if refuted {
            world.send(STRANGER, NOTHING, &world.refute()).expect("a fault");
        }
        world.number = 1;
        assert_eq!(world.phase(), Phase::Committed);
        ends.push(world);
    }
    for world in &mut ends {
        let won = world.phase() == Phase::Won;
        for t in [0, 1, 40, 55, 100_000] {
            world.now += t;
            let mut calls = all_moves(world);
            calls.push((STRANGER, world.timeout(), true));
            if !won {
                calls.push((STRANGER, world.reclaim(), true));
            }
            for (sender, call, fits) in calls {
                let result = world.send(sender, NOTHING, &call);
                let refused = if fits {
                    vec![Refusal::WrongPhase]
                } else {
                    vec![Refusal::WrongState, Refusal::WrongCount]
                };
                assert!(
                    refused.contains(&result.expect_err("over")),
                    "{} in {:?}",
                    call.name(),
                    world.phase()
                );
            }
        }
    }
}

#[test]
fn a_bare_commitment_has_the_state_that_everybody_knows() {
    let mut world = World::new(2, TARGET, true);
    let call = Call::Commit { claim: world.claim, commitment: SALT };
    let events = world.send(STRANGER, NOTHING, &call).expect("commits");
    let (claim, challenger) = (world.claim, STRANGER);
    assert_eq!(events, [Event::Committed { claim, challenger, number: 1, commitment: SALT }]);
    world.number = 1;
    let seat = Seat { commitment: SALT, opened_at: narrows_bisection::BlockTime(START), bond: Wei(0) };
    assert_eq!(world.this().seated.seat, seat);
    let mut word = Digest::default();
    word.0[31] = 14;
    assert_eq!(world.state().word(), word);
    assert_eq!(world.state(), narrows_bisection::refute::committed_state(&world.this().seated));
    assert_eq!(world.claim_entry().open_matches, 1, "it holds no claim up");
}

#[test]
fn attack_25_calls_about_what_does_not_exist_are_refused() {
    let mut world = World::new(2, TARGET, true);
    let (claim, job) = (narrows_bisection::ClaimId(SALT), narrows_bisection::JobId(SALT));
    let posted = narrows_bisection::Posted { job, ..world.posted };
    let commitment = SALT;
    for call in [
        Call::Open { posted, commitment },
        Call::Commit { claim, commitment },
        Call::Finalise { posted },
        Call::Award { posted },
        Call::RefuteCopy { original: world.posted, copy: posted },
        Call::Refute { posted, refutation: Box::default() },
    ] {
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::UnknownClaim), "{}", call.name());
    }
    let number = 0;
    let (executor, committed_at) = (executor(), narrows_bisection::BlockTime(START - 1));
    for call in [
        Call::Refund { job },
        Call::Advance { job },
        Call::CommitClaim { job, commitment },
        Call::Lapse { job, number, executor, commitment, committed_at },
    ] {
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::UnknownJob), "{}", call.name());
    }
    // Matches of another claim, and of another number; whatever else is wrong with the call but its lengths.
    for (_, mut call, _) in all_moves(&world) {
        *carried(&mut call).expect("a move").0 = 1;
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::UnknownMatch), "{}", call.name());
    }
    assert_eq!(world.send(STRANGER, NOTHING, &Call::CollectReward { claim }), Err(Refusal::NoReward));
}

#[test]
fn attack_31_a_move_answers_one_state_of_one_match_alone() {
    for world in everywhere() {
        let (sender, good) = world.next();
        let mut bent: Vec<Call> = vec![good.clone(), world.timeout(), world.reclaim()];
        // One bit of every byte of the word, and some of the digests.
        let calls = bent.clone();
        bent.clear();
        for call in calls {
            for at in 0..32 {
                for part in 0..3 {
                    let mut call = call.clone();
                    let mut digests = carried(&mut call).expect("a move").1;
                    let Some(digest) = digests.get_mut(part) else { continue };
                    digest.0[at] ^= 1 << (at % 8);
                    bent.push(call);
                }
            }
        }
        for call in bent {
            let result = world.clone().send(sender, NOTHING, &call);
            // The tiles are counted by the word as given, before it is known to be wrong.
            let counted = result == Err(Refusal::WrongCount) && call.name() == "revealTiles";
            assert!(result == Err(Refusal::WrongState) || counted, "{} {result:?}", call.name());
        }
        // The same move in another match of the same claim, in the same phase: its seat is another.
        let mut other = world.clone();
        other.open(STRANGER).expect("opens");
        let mut call = good.clone();
        *carried(&mut call).expect("a move").0 = 1;
        assert_eq!(other.send(sender, NOTHING, &call), Err(Refusal::WrongState));
        // Once it stands, it does not stand again.
        let mut played = world.clone();
        played.step();
        assert_eq!(played.send(sender, NOTHING, &good), Err(Refusal::WrongState));
    }
}

#[test]
fn attack_18_only_the_challenger_picks_and_only_the_executor_states() {
    for world in everywhere() {
        let (sender, call) = world.next();
        let refusal = match world.phase() {
            Phase::LayerE | Phase::TileE | Phase::DataE => None,
            Phase::SubE | Phase::FoldE => Some(Refusal::NotYourMove),
            _ => Some(Refusal::WrongState),
        };
        for other in [REQUESTER, executor(), CHALLENGER, STRANGER, GAME, Account::default()] {
            let result = world.clone().send(other, NOTHING, &call).err();
            assert_eq!(result, refusal.filter(|_| other != sender), "{} by {other}", call.name());
        }
    }
}

#[test]
fn attack_18_sums_count_by_anybody_with_the_executors_signature() {
    let world = in_phase(Phase::FoldE, true);
    let Call::Fold { sums, .. } = world.next().1 else { panic!("sums") };
    let digest = |chain, claim, operator, element| {
        ids::sums_digest(chain, GAME, claim, operator, element, ids::statement(&sums))
    };
    let (claim, (operator, element)) = (world.claim, TARGET);
    let good = digest(CHAIN, claim, operator, element);
    let send = |digest, seed: u8| {
        let mut call = world.next().1;
        let Call::Fold { signature, .. } = &mut call else { panic!("sums") };
        *signature = narrows_bisection::signature::sign(digest, &key(seed)).to_vec();
        let mut world = world.clone();
        world.send(STRANGER, NOTHING, &call).map(|_| world.state().answers)
    };
    assert_eq!(send(good, 7), Ok(world.state().answers + 1));
    assert_eq!(send(good, 8), Err(Refusal::BadSignature));
    for other in [
        digest(CHAIN + 1, claim, operator, element),
        digest(CHAIN, narrows_bisection::ClaimId(SALT), operator, element),
        digest(CHAIN, claim, operator + 1, element),
        // The element's place in its tile is not its index.
        digest(CHAIN, claim, operator, element % 64),
        ids::sums_digest(CHAIN, STRANGER, claim, operator, element, ids::statement(&sums)),
        ids::sums_digest(CHAIN, GAME, claim, operator, element, ids::statement(&sums[1..])),
    ] {
        assert_eq!(send(other, 7), Err(Refusal::BadSignature));
    }
}
