//! Players against each other and against liars, on the mirror of the chain; the follower's state is compared at every step.

use std::collections::BTreeSet;

use narrows_commitment::{Digest, TensorRoot, TensorTree, Tile, Tree, padding, tile_at};
use narrows_program::{DType, LayerIndex, OperatorIndex};

use super::world::*;
use super::*;
use crate::game::ClaimStatus;
use crate::{Call, ClaimedNodes, Event, Phase, Refusal, Side, Trace, Wei, WitnessSource};

const PLAYED: [Phase; 10] = [
    Phase::LayerE,
    Phase::LayerC,
    Phase::SubE,
    Phase::SubC,
    Phase::TileE,
    Phase::TileC,
    Phase::DataE,
    Phase::Name,
    Phase::FoldE,
    Phase::Seg,
];

#[test]
fn attack_01_a_lie_at_every_operator_loses_there() {
    for bits in [1, 2, 4] {
        let program = program(bits);
        let own = truth(&program);
        let mut seen: BTreeSet<Phase> = BTreeSet::new();
        for (at, claimed) in lies(&program) {
            let mut world = World::new(&program, &claimed);
            let played = world.honest_dispute(&claimed, &own);
            assert_eq!(played.end(), Phase::Won, "a lie at operator {at}");
            assert_eq!(played.operator, Some(OperatorIndex(at)));
            assert_eq!(world.game.claim(world.claim).map(|claim| claim.status), Some(ClaimStatus::Refuted));
            assert!(["name", "segment", "timeout"].contains(&played.last()), "{}", played.last());
            seen.extend(played.phases);
        }
        PLAYED.iter().for_each(|phase| assert!(seen.contains(phase), "{phase:?} was never played"));
    }
}

#[test]
fn attack_01_a_lie_loses_however_the_layers_are_cut() {
    let groups: [(u8, &[u8]); 4] = [(3, &[1; 9]), (2, &[2, 2, 2, 3]), (1, &[1, 1, 3, 1, 1, 2]), (3, &[9])];
    let cuts = groups.map(|(bits, groups)| grouped(bits, groups)).into_iter().chain([single(2)]);
    for program in cuts {
        let own = truth(&program);
        let lies = visible_lies(&program);
        assert!(lies.len() >= program.operators().len(), "{} lies show", lies.len());
        for (at, claimed) in lies {
            let played = World::new(&program, &claimed).honest_dispute(&claimed, &own);
            assert_eq!((played.end(), played.operator), (Phase::Won, Some(OperatorIndex(at))));
            // A challenger that is wrong itself.
            let played = World::new(&program, &own).honest_dispute(&own, &claimed);
            assert_eq!(played.end(), Phase::Lost);
        }
    }
}

#[test]
fn attack_02_a_lie_that_nothing_follows_from_loses_there() {
    let program = program(2);
    let own = truth(&program);
    for (at, op) in program.operators().iter().enumerate() {
        let mut outputs = own.outputs().to_vec();
        shift(op.dtype, &mut outputs[at], op.elements() as usize / 2, 1);
        let claimed = Trace::new(&program, input(), outputs).expect("lengths");
        let (layer, position) = program.layer_of(OperatorIndex(at as u32));
        if !program.layer(layer).is_exported(position) {
            assert_eq!(claimed.root(), own.root(), "nothing claims operator {at}");
            continue;
        }
        let played = World::new(&program, &claimed).honest_dispute(&claimed, &own);
        assert_eq!((played.end(), played.operator), (Phase::Won, Some(OperatorIndex(at as u32))));
    }
}

/// Chooses by chance, from a seed.
struct Turns(u64);

impl Turns {
    fn next(&mut self, among: usize) -> Option<usize> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((self.0 >> 33) as usize % among)
    }
}

impl Choice for Turns {
    fn child(&mut self, claimed: &[Digest], _own: &[Digest]) -> Option<usize> {
        let is_padding = |node: &Digest| (0..8).any(|level| padding(level) == *node);
        self.next(claimed.iter().take_while(|node| !is_padding(node)).count())
    }

    fn operator(&mut self, claimed: &[TensorRoot], _own: &[TensorRoot]) -> Option<usize> {
        self.next(claimed.len())
    }

    fn element(&mut self, claimed: &[Tile], _own: &[Tile], size: usize) -> Option<(usize, usize)> {
        let tile = self.next(claimed.len())?;
        // Every tile of the program's tensors holds 5 elements or more.
        Some((tile, self.next(5.min(128 / size))?))
    }

    fn segment(&mut self, claimed: &[i64], _own: &[i64]) -> Option<usize> {
        self.next(claimed.len())
    }
}

#[test]
fn attack_12_every_unjust_challenge_is_lost() {
    let program = program(2);
    let own = truth(&program);
    let mut reached = BTreeSet::new();
    let mut seen: BTreeSet<Phase> = BTreeSet::new();
    for seed in 0..200 {
        let mut world = World::new(&program, &own);
        let played = world.dispute(&own, &own, Turns(seed));
        assert_eq!(played.end(), Phase::Lost, "seed {seed}");
        assert!(["name", "segment"].contains(&played.last()));
        assert_eq!(world.game.claim(world.claim).map(|claim| claim.status), Some(ClaimStatus::Pending));
        reached.extend(played.operator);
        seen.extend(played.phases);
    }
    assert_eq!(reached.len(), 9, "every operator was disputed");
    PLAYED.iter().for_each(|phase| assert!(seen.contains(phase), "{phase:?} was never played"));
}

/// Always the last node, which is padding where there is any.
struct LastNode;

impl Choice for LastNode {
    fn child(&mut self, claimed: &[Digest], _: &[Digest]) -> Option<usize> {
        Some(claimed.len() - 1)
    }

    fn operator(&mut self, _: &[TensorRoot], _: &[TensorRoot]) -> Option<usize> {
        None
    }

    fn element(&mut self, _: &[Tile], _: &[Tile], _: usize) -> Option<(usize, usize)> {
        None
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        None
    }
}

#[test]
fn attack_12_padding_of_a_right_claim_is_honest() {
    // Five layers in a tree of eight leaves: the first pick leads to 4–7, the second to 6–7, which is padding.
    let program = program(1);
    let own = truth(&program);
    let mut world = World::new(&program, &own);
    let mut follower = world.open(SALT);
    let answering = Executor { program: &program, trace: &own };
    let mut challenging = Challenger { program: &program, trace: &own, choice: LastNode };
    for refused in [None, None, None, Some(Refusal::PaddingHonest)] {
        let call = match follower.state().phase.turn() {
            Some(Side::Executor) => answering.respond(&follower),
            _ => challenging.respond(&follower),
        };
        let result = world.send(CHALLENGER, NOTHING, &call.expect("a move"));
        assert_eq!(result.as_ref().err(), refused.as_ref());
        result.iter().flatten().for_each(|event| follower.observe(&program, event));
    }
    assert_eq!(follower.state().phase, Phase::LayerC);
}

#[test]
fn attack_04_silence_loses_in_every_phase() {
    let program = program(2);
    let own = truth(&program);
    // Operator 2: of a layer of several, four segments; operator 0: a tensor's tree with a reveal.
    for (at, e) in [(2, 5), (0, 700)] {
        let claimed = doctored(&program, at, e, 90);
        let answering = Executor { program: &program, trace: &claimed };
        let mut silent = BTreeSet::new();
        for phase in PLAYED {
            let mut world = World::new(&program, &claimed);
            let mut follower = world.open(SALT);
            let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
            let played = world.play(
                &mut follower,
                &mut |f| answering.respond(f).filter(|_| f.state().phase != phase),
                &mut |f| challenging.respond(f).filter(|_| f.state().phase != phase),
            );
            if played.last() != "timeout" {
                assert!(!played.phases.contains(&phase));
                continue;
            }
            let end = if phase.turn() == Some(Side::Executor) { Phase::Won } else { Phase::Lost };
            assert_eq!(played.end(), end, "silence in {phase:?}");
            silent.insert(phase);
        }
        let expected: &[Phase] = if at == 2 { &PLAYED[..4] } else { &PLAYED[..2] };
        expected.iter().chain(&PLAYED[6..8]).for_each(|phase| assert!(silent.contains(phase), "{phase:?}"));
        assert_eq!(silent.contains(&Phase::TileE), at == 0);
        assert_eq!(silent.contains(&Phase::Seg), at == 2);
    }
}

#[test]
fn a_follower_knows_the_state_of_every_verdict() {
    let program = program(2);
    let own = truth(&program);
    // By name, by segment, by silence: the bond comes back to whoever gives the state.
    for (at, e, silent) in [(0, 767, false), (1, 100, false), (2, 3, false), (7, 2, false), (3, 0, true)] {
        let claimed = doctored(&program, at, e, 90);
        let mut world = World::new(&program, &claimed);
        let mut follower = world.open(SALT);
        let mut other = world.open(SALT);
        let answering = Executor { program: &program, trace: &claimed };
        let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
        let mut answer = |f: &Follower| answering.respond(f).filter(|_| !silent);
        let played = world.play(&mut follower, &mut answer, &mut |f| challenging.respond(f));
        assert_eq!(played.end(), Phase::Won);
        for follower in [&mut follower, &mut other] {
            let before = world.game.owed(CHALLENGER);
            let events = world.send(STRANGER, NOTHING, &follower.reclaim()).expect("the bond comes back");
            assert_eq!(world.game.owed(CHALLENGER).0 - before.0, world.bond().0);
            events.iter().for_each(|event| follower.observe(&program, event));
            assert_eq!(follower.state(), &world.state(follower.id()));
            assert_eq!(follower.state().phase, Phase::Reclaimed);
        }
    }
}

#[test]
fn attack_31_a_follower_takes_no_word_for_granted() {
    let program = program(2);
    let own = truth(&program);
    let claimed = doctored(&program, 2, 5, 90);
    let mut world = World::new(&program, &claimed);
    let mut follower = world.open(SALT);
    let answering = Executor { program: &program, trace: &claimed };
    let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
    world.play(&mut follower, &mut |f| answering.respond(f), &mut |f| challenging.respond(f));
    let opened = world.history.iter().find(|entry| entry.call.name() == "open").expect("opened").clone();
    let fresh = Follower::new(&program, &parameters(), opened.block.time, world.posted, &opened.events[0])
        .expect("a match");
    assert!(
        Follower::new(
            &program,
            &parameters(),
            opened.block.time,
            world.posted,
            &Event::Reclaimed { match_id: fresh.id() }
        )
        .is_none()
    );
    let moves: Vec<Event> = world.history.iter().flat_map(|entry| entry.events.clone()).collect();
    let words = moves.iter().filter(|event| word(event).is_some()).count();
    assert_eq!(words, 9, "reveal and pick twice; the sub-trace and the operator; tiles, name and sums");
    // Events of other matches are ignored.
    let mut ignoring = fresh.clone();
    world.now += 1;
    let mut elsewhere = World::new(&program, &own);
    elsewhere.honest_dispute(&own, &own);
    elsewhere
        .history
        .iter()
        .flat_map(|entry| &entry.events)
        .for_each(|event| ignoring.observe(&program, event));
    assert_eq!(ignoring.state(), fresh.state());
    assert!(!ignoring.is_lost());
    for (at, event) in moves.iter().enumerate().filter(|(_, event)| word(event).is_some()) {
        let mut honest = fresh.clone();
        moves[..at].iter().for_each(|event| honest.observe(&program, event));
        assert!(!honest.is_lost());
        for bit in 0..256 {
            let mut follower = honest.clone();
            let mut bent = event.clone();
            let word = word_mut(&mut bent).expect("a move");
            word.0[bit / 8] ^= 1 << (bit % 8);
            follower.observe(&program, &bent);
            // Bytes 10 to 22: both clocks and the turn's start, which only the chain knows.
            let time = (10..23).contains(&(bit / 8));
            assert_eq!(follower.is_lost(), !time, "bit {bit} of {event:?}");
            if !time {
                assert_eq!(follower.state(), honest.state());
                assert!(answering.respond(&follower).is_none() && challenging.respond(&follower).is_none());
            }
        }
    }
}

fn word(event: &Event) -> Option<Digest> {
    word_mut(&mut event.clone()).copied()
}

fn word_mut(event: &mut Event) -> Option<&mut Digest> {
    match event {
        Event::Revealed { word, .. }
        | Event::Picked { word, .. }
        | Event::SubTraced { word, .. }
        | Event::OperatorPicked { word, .. }
        | Event::TilesRevealed { word, .. }
        | Event::Prepared { word, .. }
        | Event::Named { word, .. }
        | Event::Folded { word, .. } => Some(word),
        _ => None,
    }
}

#[test]
fn what_one_match_has_shown_another_need_not_ask_for() {
    let program = program(2);
    let own = truth(&program);
    let claimed = doctored(&program, 5, 20, 1);
    let mut world = World::new(&program, &claimed);
    let answering = Executor { program: &program, trace: &claimed };
    let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
    let mut first = world.open(SALT);
    let mut second = world.open(SALT);
    // The first match stops at the disputed layer.
    let mut stop = |f: &Follower| answering.respond(f).filter(|_| f.state().phase != Phase::SubE);
    let mut probe = world.clone();
    let played = probe.play(&mut first, &mut stop, &mut |f| challenging.respond(f));
    assert_eq!(played.calls, ["reveal", "pick", "reveal", "enter", "timeout"]);
    second.learn(&first.shown().claimed);
    let played = world.play(&mut second, &mut |f| answering.respond(f), &mut |f| challenging.respond(f));
    assert_eq!(played.calls[..3], ["pick", "enter", "subTrace"], "no reveal among layers");
    assert_eq!((played.end(), played.operator), (Phase::Won, Some(OperatorIndex(5))));
}

/// Answers from a tree of its own instead of the trace's, and as the trace says otherwise.
fn reveal(follower: &Follower, tree: &Tree, bits: u32) -> Call {
    let state = follower.state();
    let nodes = tree.descendants(state.remaining.into(), state.position.into(), bits);
    Call::Reveal { claim: follower.claim(), number: follower.number(), footing: state.shown(), nodes }
}

#[test]
fn attack_05_a_trace_with_other_padding_loses() {
    for (bits, at) in [(1, 5), (1, 7), (2, 6), (4, 5)] {
        let program = program(bits);
        let own = truth(&program);
        let mut leaves: Vec<Digest> = (0..8).map(|leaf| own.tree().node(0, leaf)).collect();
        leaves[at] = Digest([1; 32]);
        let tree = Tree::new(leaves);
        let mut world = World::claiming(&program, tree.root(), own.output(), tree.path(4));
        let mut follower = world.open(SALT);
        let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
        let mut answer = |f: &Follower| {
            let levels = u32::from(f.state().levels());
            (f.state().phase == Phase::LayerE).then(|| reveal(f, &tree, levels))
        };
        let played = world.play(&mut follower, &mut answer, &mut |f| challenging.respond(f));
        assert_eq!((played.end(), played.last()), (Phase::Won, "pick"), "{bits} {at}");
        // Padding says no value: the reward goes to the winner at once.
        assert_eq!(world.game.owed(CHALLENGER), Wei(500));
    }
}

#[test]
fn attack_05_a_byte_in_a_last_tiles_padding_loses() {
    let program = program(2);
    let own = truth(&program);
    // Operator 6 is the only one of layer 3: 300 bytes in 3 tiles, so that 84 are padding.
    let mut bytes = own.operator(OperatorIndex(6)).to_vec();
    bytes.resize(384, 0);
    bytes[383] = 1;
    let tensor = TensorTree::of_bytes(&bytes);
    let mut leaves: Vec<Digest> = (0..5).map(|layer| own.layer_leaf(LayerIndex(layer))).collect();
    leaves[3] = tensor.root();
    let tree = Tree::new(leaves);
    let mut world = World::claiming(&program, tree.root(), own.output(), tree.path(4));
    let mut follower = world.open(SALT);
    let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
    let mut answer = |f: &Follower| match f.state().phase {
        Phase::LayerE => Some(reveal(f, &tree, u32::from(f.state().levels()))),
        Phase::DataE => {
            let (claim, number, state) = (f.claim(), f.number(), f.state());
            let tiles = (0..3).flat_map(|tile| tile_at(&bytes, tile)).collect();
            Some(Call::RevealTiles { claim, number, footing: state.shown(), tiles })
        }
        _ => None,
    };
    let played = world.play(&mut follower, &mut answer, &mut |f| challenging.respond(f));
    assert_eq!((played.end(), played.last()), (Phase::Won, "name"));
    assert_eq!(played.operator, Some(OperatorIndex(6)));
}

#[test]
fn attack_05_a_tile_beyond_the_tensor_cannot_be_shown() {
    let program = program(2);
    let own = truth(&program);
    // Three tiles, and a fourth leaf that should be padding: no three tiles hash to the node.
    let tiles: Vec<Tile> = (0..3).map(|tile| tile_at(own.operator(OperatorIndex(6)), tile)).collect();
    let mut leaves: Vec<Digest> = tiles.iter().map(narrows_commitment::tile_leaf).collect();
    leaves.push(Digest([2; 32]));
    let mut layers: Vec<Digest> = (0..5).map(|layer| own.layer_leaf(LayerIndex(layer))).collect();
    layers[3] = TensorTree::of_leaves(leaves).root();
    let tree = Tree::new(layers);
    let mut world = World::claiming(&program, tree.root(), own.output(), tree.path(4));
    let mut follower = world.open(SALT);
    let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
    let mut answer = |f: &Follower| match f.state().phase {
        Phase::LayerE => Some(reveal(f, &tree, u32::from(f.state().levels()))),
        _ => None,
    };
    let mut shown = world.clone();
    let played = world.play(&mut follower, &mut answer, &mut |f| challenging.respond(f));
    assert_eq!((played.end(), played.last()), (Phase::Won, "timeout"));
    // Showing the right tiles does not help.
    let mut follower = shown.open(SALT);
    let mut refused = None;
    let mut answer = |f: &Follower| match f.state().phase {
        Phase::DataE => {
            let (claim, number, state) = (f.claim(), f.number(), f.state());
            let tiles = tiles.concat();
            refused = Some(Call::RevealTiles { claim, number, footing: state.shown(), tiles });
            None
        }
        _ => answer(f),
    };
    let mut probe = shown.clone();
    probe.play(&mut follower, &mut answer, &mut |f| challenging.respond(f));
    let call = refused.expect("came so far");
    let at = probe.history.iter().position(|entry| entry.call.name() == "timeout").expect("timed out");
    let mut replayed = World::claiming(&program, tree.root(), own.output(), tree.path(4));
    for entry in &probe.history[replayed.history.len()..at] {
        replayed.now = entry.block.time.0;
        replayed.send(entry.sender, entry.value, &entry.call).expect("stands again");
    }
    assert_eq!(replayed.send(executor(), NOTHING, &call), Err(Refusal::WrongState));
}

#[test]
fn attack_06_a_sub_trace_that_does_not_give_the_leaf_is_refused() {
    let program = program(2);
    let own = truth(&program);
    let claimed = doctored(&program, 3, 7, 1);
    let mut world = World::new(&program, &claimed);
    let mut follower = world.open(SALT);
    // It answers with the right roots, which do not hash to what it claimed.
    let (liar, saint) =
        (Executor { program: &program, trace: &claimed }, Executor { program: &program, trace: &own });
    let mut challenging = Challenger { program: &program, trace: &own, choice: FirstDifference };
    for _ in 0..4 {
        let call = liar.respond(&follower).or_else(|| challenging.respond(&follower)).expect("moves");
        let sender = if matches!(call, Call::Reveal { .. }) { executor() } else { CHALLENGER };
        let events = world.send(sender, NOTHING, &call).expect("stands");
        events.iter().for_each(|event| follower.observe(&program, event));
    }
    assert_eq!(follower.state().phase, Phase::SubE);
    let right = saint.respond(&follower).expect("states");
    assert_eq!(world.send(executor(), NOTHING, &right), Err(Refusal::WrongState));
    // A local root that hides the place of the lie is taken, and is disputed then.
    let mut hidden = liar.respond(&follower).expect("states");
    let Call::SubTrace { roots, .. } = &mut hidden else { panic!("a sub-trace") };
    roots[1] = TensorRoot(Digest([9; 32]));
    let events = world.send(executor(), NOTHING, &hidden).expect("stands");
    events.iter().for_each(|event| follower.observe(&program, event));
    let played = world.play(&mut follower, &mut |_| None, &mut |f| challenging.respond(f));
    assert_eq!((played.end(), played.operator), (Phase::Won, Some(OperatorIndex(2))));
}

#[test]
fn forged_sums_lead_to_the_value_or_there_are_none() {
    let program = program(2);
    let own = truth(&program);
    for at in [2u32, 4, 7] {
        let index = OperatorIndex(at);
        let descriptor = crate::witness::descriptor(&program, index);
        let sums = true_sums(&program, &own, index, 1);
        assert!(sums.len() > 1);
        let dtype: DType = program.operator(index).dtype;
        let right = dtype.read(own.operator(index), 1).expect("exists");
        let (record, claimed) = (crate::witness::record_of(&program, index, 1), ClaimedNodes::default());
        let source = WitnessSource { program: &program, trace: &own, claimed: &claimed, list: None };
        let forge = |value| forge_sums(&source, index, 1, sums.clone(), value);
        let result = |sums: &[i64]| {
            crate::referee::requantise(&descriptor, crate::referee::combine(&descriptor, sums), record)
        };
        assert_eq!((result(&sums), forge(right)), (right, Some(sums.clone())));
        let (lo, hi) = (program.operator(index).lo.into(), program.operator(index).hi.into());
        for delta in [-3, 1, 40] {
            let target = (right + delta).clamp(lo, hi);
            let forged = forge(target).expect("an accumulator leads there");
            assert_eq!(result(&forged), target);
            assert!(target == right || forged != sums, "{right}");
        }
        assert_eq!(forge(i64::from(i32::MAX) + 1), None);
    }
}
