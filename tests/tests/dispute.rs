//! Disputes played to their verdict on both machines: every operator, every phase, both sides.

use narrows_bisection::players::Choice;
use narrows_bisection::{Parameters, Phase, Side, Trace};
use narrows_commitment::{Digest, Tile};
use narrows_executor::adversary::{DoctoredLayer, shift_element};
use narrows_executor::engine::Engine;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{LayerIndex, Program};
use narrows_tests::arena::{Arena, Outcome, answering, choosing, honest, silent};
use narrows_tests::{digits, random_program};
use proptest::prelude::*;

/// Claims `claimed` and has the holder of `truth` dispute it.
fn dispute(arena: &mut Arena, claimed: &Trace, truth: &Trace) -> Outcome {
    let program = arena.program.clone();
    let job = arena.job(truth.input());
    let claim = arena.claim(job, claimed);
    let id = arena.open(claim);
    arena.play(id, &mut answering(&program, claimed), &mut honest(&program, truth))
}

/// The elements that attack 1 asks for: in the first, a middle and the last tile.
fn targets(program: &Program, layer: LayerIndex) -> Vec<usize> {
    let operator = program.layer(layer);
    let (elements, in_tile) = (operator.elements() as usize, 128 / operator.dtype.bytes());
    let tiles = elements.div_ceil(in_tile);
    let mut targets = vec![0, (tiles / 2) * in_tile, elements - 1];
    targets.dedup();
    targets
}

#[test]
fn attack_01_a_lie_in_any_operator_of_the_digits_model_is_caught_there() {
    let program = digits::program();
    let input = digits::input();
    let truth = Honest.trace(&program, input.clone()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for layer in (0..program.layers().len() as u32).map(LayerIndex) {
        for element in targets(&program, layer) {
            let lie = DoctoredLayer { layer, element, delta: 1 };
            let claimed = lie.trace(&program, input.clone()).expect("runs");
            assert_ne!(claimed.root(), truth.root());
            let outcome = dispute(&mut arena, &claimed, &truth);
            assert!(outcome.won(), "layer {layer}, element {element}");
            assert_eq!(outcome.state.layer, layer, "caught at the operator of the lie");
        }
    }
}

#[test]
fn attack_01_a_lie_in_any_segment_is_caught_in_it() {
    // A wrong accumulator defended by forged partial sums falls in the segment that was forged.
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let layer = digits::segmented_layer(&program);
    let lie = DoctoredLayer { layer, element: 0, delta: 1 };
    let claimed = lie.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let segments = program.layer(layer).segments() as usize;
    for forged in 0..segments {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let id = arena.open(claim);
        // Move the forged difference from the last segment to `forged`.
        let mut answer = answering(&program, &claimed);
        let mut executor = |follower: &_, state: &_| {
            let mut call = answer(follower, state)?;
            if let narrows_bisection::Call::Fold { sums, .. } = &mut call {
                let element = u64::from(state.named_element(program.layer(layer).dtype.bytes()).0);
                let own = narrows_bisection::players::true_sums(&program, &claimed, layer, element);
                let last = sums.len() - 1;
                let moved = sums[last] - own[last];
                assert_ne!(moved, 0, "a lie needs a forged sum");
                sums[last] -= moved;
                sums[forged] += moved;
            }
            Some(call)
        };
        let outcome = arena.play(id, &mut executor, &mut honest(&program, &truth));
        assert!(outcome.won());
        match &outcome.moves.last().expect("moves").1 {
            narrows_bisection::Call::Segment { index, .. } => assert_eq!(*index as usize, forged),
            other => panic!("expected a segment, got {}", other.name()),
        }
    }
}

#[test]
fn attack_02_a_wrong_output_alone_and_a_wrong_trace_under_a_right_output() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let last = LayerIndex(program.layers().len() as u32 - 1);

    let wrong = narrows_executor::adversary::WrongOutput.trace(&program, digits::input()).expect("runs");
    assert_eq!(truth.first_difference(&wrong), Some(last));
    let outcome = dispute(&mut arena, &wrong, &truth);
    assert!(outcome.won() && outcome.state.layer == last);

    // The first layer changed, all else left as it truly is: the output is right, the trace is not.
    let mut outputs = truth.outputs().to_vec();
    shift_element(program.layer(LayerIndex(0)).dtype, &mut outputs[0], 5, 1);
    let bent = Trace::new(&program, digits::input(), outputs).expect("lengths");
    assert_eq!(bent.output(), truth.output());
    let outcome = dispute(&mut arena, &bent, &truth);
    assert!(outcome.won() && outcome.state.layer == LayerIndex(0));
}

#[test]
fn attack_04_silence_loses_at_every_phase_for_either_side() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let layer = digits::segmented_layer(&program);
    let claimed =
        DoctoredLayer { layer, element: 0, delta: 1 }.trace(&program, digits::input()).expect("runs");
    let phases = [
        Phase::LayerE,
        Phase::LayerC,
        Phase::TileE,
        Phase::TileC,
        Phase::DataE,
        Phase::Name,
        Phase::FoldE,
        Phase::Seg,
    ];
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for phase in phases {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let id = arena.open(claim);
        let (mut executor, mut challenger) = (answering(&program, &claimed), honest(&program, &truth));
        let reached = arena.play_until(id, &mut executor, &mut challenger, |state| state.phase == phase);
        assert_eq!(reached.state.phase, phase, "the digits model plays every phase");
        let outcome = arena.play(id, &mut silent(), &mut silent());
        assert_eq!(outcome.last(), "timeout");
        let silenced = phase.turn().expect("a playable phase");
        assert_eq!(outcome.won(), silenced == Side::Executor, "{phase:?}: the silent side loses");
    }
}

/// Takes the same turn wherever it may, even where nothing differs.
struct Walk(usize);

impl Choice for Walk {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        assert_eq!(claimed, own, "the claim is honest");
        let real = (0..claimed.len())
            .rev()
            .find(|i| !(0..32).any(|l| narrows_commitment::padding(l) == claimed[*i]));
        Some(self.0 % (real? + 1))
    }

    fn element(&mut self, _: &Tile, _: &Tile, size: usize) -> Option<usize> {
        Some(self.0 % (128 / size))
    }

    fn segment(&mut self, claimed: &[i64], own: &[i64]) -> Option<usize> {
        assert_eq!(claimed, own, "the executor is honest");
        Some(self.0 % claimed.len())
    }
}

#[test]
fn attack_12_an_honest_claim_survives_a_walk_to_any_leaf() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let mut verdicts = std::collections::BTreeSet::new();
    for turn in 0..40 {
        // A claim's window is short: a fresh one for every few walks.
        let job = if turn == 0 { job } else { arena.job(truth.input()) };
        let claim = arena.claim(job, &truth);
        let id = arena.open(claim);
        let mut challenger = choosing(&program, &truth, Walk(turn));
        // Naming padding of an honest tile is refused, which the arena would report: name inside the tensor instead.
        let mut within = |follower: &narrows_bisection::players::Follower,
                          state: &narrows_bisection::MatchState| {
            if state.phase == Phase::Name {
                let operator = program.layer(state.layer);
                let in_tile = 128 / operator.dtype.bytes() as u64;
                let left = operator.elements() - u64::from(state.position) * in_tile;
                let mut walk = choosing(&program, &truth, Walk(turn % left.min(in_tile) as usize));
                return walk(follower, state);
            }
            challenger(follower, state)
        };
        let outcome = arena.play(id, &mut answering(&program, &truth), &mut within);
        assert_eq!(outcome.state.phase, Phase::Lost, "walk {turn}");
        verdicts.insert(outcome.last());
    }
    assert_eq!(
        verdicts.into_iter().collect::<Vec<_>>(),
        ["name", "segment"],
        "both kinds of step were played"
    );
}

#[test]
fn attack_12_an_honest_claim_survives_a_challenger_that_stops_at_any_phase() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for stop in [Phase::LayerC, Phase::TileC, Phase::Name, Phase::Seg] {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &truth);
        let id = arena.open(claim);
        let mut walk = choosing(&program, &truth, Walk(usize::from(stop == Phase::Seg)));
        let mut challenger = |follower: &_, state: &narrows_bisection::MatchState| {
            (state.phase != stop).then(|| walk(follower, state)).flatten()
        };
        let outcome = arena.play(id, &mut answering(&program, &truth), &mut challenger);
        assert_eq!((outcome.state.phase, outcome.last()), (Phase::Lost, "timeout"), "{stop:?} is reached");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// On random programs: any single lie loses, at its operator; the same challenge against the truth loses too.
    #[test]
    fn attack_01_random_programs_random_lies((program, input) in random_program::program(), at in any::<(prop::sample::Index, prop::sample::Index)>(), delta in 1i64..100) {
        let outputs = Engine::new(&program).run(&input).expect("runs");
        let truth = Trace::new(&program, input.clone(), outputs).expect("lengths");
        let layer = LayerIndex(at.0.index(program.layers().len()) as u32);
        let element = at.1.index(program.layer(layer).elements() as usize);
        let lie = |layer, element| DoctoredLayer { layer, element, delta }.trace(&program, input.clone()).expect("runs");
        let mut arena = Arena::new(program.clone(), Parameters::default());
        // In every operator: the first, a middle and the last tile; and one element anywhere.
        let all = (0..program.layers().len() as u32).map(LayerIndex);
        let tiles = all.flat_map(|layer| targets(&program, layer).into_iter().map(move |element| (layer, element)));
        for (layer, element) in tiles.chain([(layer, element)]) {
            let outcome = dispute(&mut arena, &lie(layer, element), &truth);
            prop_assert!(outcome.won());
            prop_assert_eq!(outcome.state.layer, layer);
        }
        let claimed = lie(layer, element);

        let job = arena.job(truth.input());
        let claim = arena.claim(job, &truth);
        let id = arena.open(claim);
        // The liar's mirror image: it believes the doctored trace and disputes the true one.
        let outcome = arena.play(id, &mut answering(&program, &truth), &mut honest(&program, &claimed));
        prop_assert_eq!(outcome.state.phase, Phase::Lost);
    }
}
