//! Disputes played to their verdict on both machines: every operator, every phase, both sides.

use std::collections::BTreeSet;

use narrows_bisection::game::ids;
use narrows_bisection::players::{Choice, Follower, true_sums};
use narrows_bisection::refute::{committed_state, refutation, reward_opening};
use narrows_bisection::signature::sign;
use narrows_bisection::{Call, Event, Parameters, Phase, Seat, Seated, Side, Trace, Wei};
use narrows_commitment::{Digest, TensorRoot, Tile, keccak};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::{DoctoredOperator, WrongOutput, shift_element};
use narrows_executor::engine::Engine;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{ElementIndex, LayerIndex, OperatorIndex, Program};
use narrows_tests::arena::{
    Arena, CHALLENGER, Outcome, STRANGER, answering, choosing, honest, signer, silent,
};
use narrows_tests::{digits, random_program};
use proptest::prelude::*;

/// Claims `claimed` and has the holder of `truth` dispute it.
fn dispute(arena: &mut Arena, claimed: &Trace, truth: &Trace) -> Outcome {
    let program = arena.program.clone();
    let job = arena.job(truth.input());
    let claim = arena.claim(job, claimed);
    let mut one = arena.open(&claim);
    arena.play(&mut one, &mut answering(&program, claimed), &mut honest(&program, truth))
}

/// The elements that attack 1 asks for: in the first, a middle and the last tile.
fn targets(program: &Program, operator: OperatorIndex) -> Vec<usize> {
    let operator = program.operator(operator);
    let (elements, in_tile) = (operator.elements() as usize, 128 / operator.dtype.bytes());
    let tiles = elements.div_ceil(in_tile);
    let mut targets = vec![0, (tiles / 2) * in_tile, elements - 1];
    targets.dedup();
    targets
}

/// The trace with the smallest change of one element that anybody can see; `None` when later operators swallow every change.
fn visible_lie(program: &Program, truth: &Trace, operator: OperatorIndex, element: usize) -> Option<Trace> {
    let lies = [1, 17, 100].map(|delta| DoctoredOperator { operator, element, delta });
    let traces = lies.iter().map(|lie| lie.trace(program, truth.input().to_vec()).expect("runs"));
    traces.into_iter().find(|claimed| claimed.root() != truth.root())
}

#[test]
fn attack_01_a_lie_in_any_operator_of_the_digits_model_is_caught_there() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for operator in (0..program.operators().len() as u32).map(OperatorIndex) {
        let mut seen = 0;
        for element in targets(&program, operator) {
            let Some(claimed) = visible_lie(&program, &truth, operator, element) else { continue };
            let outcome = dispute(&mut arena, &claimed, &truth);
            assert!(outcome.won(), "operator {operator}, element {element}");
            assert_eq!(outcome.state.place, operator.0, "caught at the operator of the lie");
            seen += 1;
        }
        assert!(seen > 0, "a lie in operator {operator} shows");
    }
}

#[test]
fn attack_01_a_lie_in_any_segment_is_caught_in_it() {
    // A wrong accumulator defended by forged partial sums falls in the segment that was forged.
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let operator = digits::segmented_operator(&program);
    let lie = DoctoredOperator { operator, element: 0, delta: 1 };
    let claimed = lie.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for forged in 0..program.operator(operator).segments() as usize {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let mut one = arena.open(&claim);
        // Move the forged difference from the last segment to `forged`.
        let mut answer = answering(&program, &claimed);
        let mut executor = |follower: &Follower| {
            let mut call = answer(follower)?;
            if let Call::Fold { sums, .. } = &mut call {
                let element = follower.element(&program).expect("a named element");
                let own = true_sums(&program, &claimed, operator, element.0.into());
                let last = sums.len() - 1;
                let moved = sums[last] - own[last];
                assert_ne!(moved, 0, "a lie needs a forged sum");
                sums[last] -= moved;
                sums[forged] += moved;
            }
            Some(call)
        };
        let outcome = arena.play(&mut one, &mut executor, &mut honest(&program, &truth));
        assert!(outcome.won());
        match &outcome.moves.last().expect("moves").1 {
            Call::Segment { index, .. } => assert_eq!(*index as usize, forged),
            other => panic!("expected a segment, got {}", other.name()),
        }
    }
}

#[test]
fn attack_02_a_wrong_output_alone_and_a_wrong_trace_under_a_right_output() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let last = OperatorIndex(program.operators().len() as u32 - 1);

    let wrong = WrongOutput.trace(&program, digits::input()).expect("runs");
    assert_eq!(truth.first_difference(&wrong), Some(last));
    let outcome = dispute(&mut arena, &wrong, &truth);
    assert!(outcome.won());
    assert_eq!(outcome.state.place, last.0);

    // What the first layer exports is changed, all else left as it truly is: the output is right, the trace is not.
    let first = program.layer(LayerIndex(0)).exported().next().expect("an export");
    let mut outputs = truth.outputs().to_vec();
    shift_element(program.operator(first).dtype, &mut outputs[first.0 as usize], 5, 1);
    let bent = Trace::new(&program, digits::input(), outputs).expect("lengths");
    assert_eq!(bent.output(), truth.output());
    let outcome = dispute(&mut arena, &bent, &truth);
    assert!(outcome.won());
    assert_eq!(outcome.state.place, first.0);
}

#[test]
fn attack_04_silence_loses_at_every_phase_for_either_side() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let operator = digits::segmented_operator(&program);
    let lie = DoctoredOperator { operator, element: 0, delta: 1 };
    let claimed = lie.trace(&program, digits::input()).expect("runs");
    let phases = [
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
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for phase in phases {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let mut one = arena.open(&claim);
        let (mut executor, mut challenger) = (answering(&program, &claimed), honest(&program, &truth));
        let reached =
            arena.play_until(&mut one, &mut executor, &mut challenger, |state| state.phase == phase);
        assert_eq!(reached.state.phase, phase, "the digits model plays every phase");
        let outcome = arena.play(&mut one, &mut silent(), &mut silent());
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

    fn operator(&mut self, claimed: &[TensorRoot], own: &[TensorRoot]) -> Option<usize> {
        assert_eq!(claimed, own, "the executor is honest");
        Some(self.0 % claimed.len())
    }

    /// The last byte that is not 0, counted from the turn: padding of an honest tile is no ground.
    fn element(&mut self, claimed: &[Tile], _: &[Tile], size: usize) -> Option<(usize, usize)> {
        let slot = self.0 % claimed.len();
        let used = claimed[slot].iter().rposition(|byte| *byte != 0).unwrap_or(0) / size;
        Some((slot, self.0 % (used + 1)))
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
    let mut verdicts = BTreeSet::new();
    let mut places = BTreeSet::new();
    for turn in 0..40 {
        // A claim's window is short: a fresh one for every walk.
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &truth);
        let mut one = arena.open(&claim);
        let outcome = arena.play(
            &mut one,
            &mut answering(&program, &truth),
            &mut choosing(&program, &truth, Walk(turn)),
        );
        assert_eq!(outcome.state.phase, Phase::Lost, "walk {turn}");
        verdicts.insert(outcome.last());
        places.insert(outcome.state.place);
    }
    assert_eq!(
        verdicts.into_iter().collect::<Vec<_>>(),
        ["name", "segment"],
        "both kinds of step were played"
    );
    assert!(places.len() > 3, "many operators were accused: {places:?}");
}

#[test]
fn attack_12_an_honest_claim_survives_a_challenger_that_stops_at_any_phase() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for stop in [Phase::LayerC, Phase::SubC, Phase::TileC, Phase::Name, Phase::Seg] {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &truth);
        let mut one = arena.open(&claim);
        // The first operator of the first layer ends in one step, the second in segments.
        let mut walk = choosing(&program, &truth, First(usize::from(stop == Phase::Seg)));
        let mut challenger =
            |follower: &Follower| (follower.state().phase != stop).then(|| walk(follower)).flatten();
        let outcome = arena.play(&mut one, &mut answering(&program, &truth), &mut challenger);
        assert_eq!((outcome.state.phase, outcome.last()), (Phase::Lost, "timeout"), "{stop:?} is reached");
    }
}

/// The first layer, this operator of it, its first element.
struct First(usize);

impl Choice for First {
    fn child(&mut self, _: &[Digest], _: &[Digest]) -> Option<usize> {
        Some(0)
    }

    fn operator(&mut self, _: &[TensorRoot], _: &[TensorRoot]) -> Option<usize> {
        Some(self.0)
    }

    fn element(&mut self, _: &[Tile], _: &[Tile], _: usize) -> Option<(usize, usize)> {
        Some((0, 0))
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        Some(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// On random programs: any single lie that shows loses, at its operator; the same challenge against the truth loses too.
    #[test]
    fn attack_01_random_programs_random_lies((program, input) in random_program::program(), at in any::<(prop::sample::Index, prop::sample::Index)>(), delta in 1i64..100) {
        let outputs = Engine::new(&program).run(&input).expect("runs");
        let truth = Trace::new(&program, input.clone(), outputs).expect("lengths");
        let operator = OperatorIndex(at.0.index(program.operators().len()) as u32);
        let element = at.1.index(program.operator(operator).elements() as usize);
        let lie = |operator, element| {
            DoctoredOperator { operator, element, delta }.trace(&program, input.clone()).expect("runs")
        };
        let mut arena = Arena::new(program.clone(), Parameters::default());
        // In every operator: the first, a middle and the last tile; and one element anywhere.
        let all = (0..program.operators().len() as u32).map(OperatorIndex);
        let tiles = all.flat_map(|index| targets(&program, index).into_iter().map(move |element| (index, element)));
        for (operator, element) in tiles.chain([(operator, element)]) {
            let claimed = lie(operator, element);
            // What later operators of the layer swallow was never claimed.
            if claimed.root() == truth.root() {
                continue;
            }
            let outcome = dispute(&mut arena, &claimed, &truth);
            prop_assert!(outcome.won());
            prop_assert_eq!(outcome.state.place, operator.0);
        }
        let claimed = lie(operator, element);

        let job = arena.job(truth.input());
        let claim = arena.claim(job, &truth);
        let mut one = arena.open(&claim);
        // The liar's mirror image: it believes the doctored trace and disputes the true one.
        let outcome = arena.play(&mut one, &mut answering(&program, &truth), &mut honest(&program, &claimed));
        prop_assert_eq!(outcome.state.phase, Phase::Lost);
    }

    /// On random programs: a lie that shows falls in one transaction too, if the executor signed what it states, and the
    /// reward opens to whoever committed to the truth before.
    #[test]
    fn attack_01_random_programs_refuted_in_one_transaction((program, input) in random_program::program(), at in any::<(prop::sample::Index, prop::sample::Index)>(), delta in 1i64..100) {
        let outputs = Engine::new(&program).run(&input).expect("runs");
        let truth = Trace::new(&program, input.clone(), outputs).expect("lengths");
        let operator = OperatorIndex(at.0.index(program.operators().len()) as u32);
        let element = at.1.index(program.operator(operator).elements() as usize);
        let claimed = DoctoredOperator { operator, element, delta }.trace(&program, input).expect("runs");
        prop_assume!(claimed.root() != truth.root());
        let mut arena = Arena::new(program.clone(), Parameters::default());
        let (key, executor) = signer("an executor that signs");
        arena.chain.fund(executor);
        let job = arena.job(truth.input());
        let claim = arena.claim_by(executor, job, &claimed);
        let (salt, depth) = (keccak(b"salt"), truth.own_tree().depth() as u8);
        let commitment = ids::own_commitment(salt, CHALLENGER, claim.id, depth, truth.own_root());
        let receipt = arena.send(CHALLENGER, Wei(0), Call::Commit { claim: claim.id, commitment }).expect("one");
        let seat = Seat { commitment, opened_at: receipt.time, bond: Wei(0) };
        arena.chain.advance(1);

        let layer = truth.first_layer_difference(&claimed).expect("the roots differ");
        let list = claimed.sub_tree(layer).root();
        let (chain_id, game) = (arena.chain.chain_id(), arena.chain.game());
        let signature = sign(ids::sub_trace_digest(chain_id, game, claim.id, layer.0, list), &key).to_vec();
        let shown = refutation(&program, &truth, &claimed, Some((list, signature)));
        // A fold that reads more tiles than a step may open takes a match.
        prop_assume!(shown.is_some());
        let call = Call::Refute { posted: claim.posted, refutation: Box::new(shown.expect("a fault")) };
        let receipt = arena.send(STRANGER, Wei(0), call).expect("refuted");
        let (point, tile, path) = reward_opening(&program, &truth, operator, ElementIndex(element as u32));
        let refuted = Event::ClaimRefuted { claim: claim.id, job, point: ids::point(&point) };
        prop_assert_eq!(&receipt.events, &[refuted], "at the lie, and by the truth");

        let state = committed_state(&Seated { challenger: CHALLENGER, seat });
        let (standing, node, number) = (state.standing(), state.node, 0);
        let claim = claim.id;
        let open = Call::OpenReward { claim, number, standing, node, seat, point, salt, depth, tile, path };
        arena.send(CHALLENGER, Wei(0), open).expect("what was committed to is right");
        arena.chain.advance(arena.chain.parameters().reward_seconds.into());
        arena.send(STRANGER, Wei(0), Call::CollectReward { claim }).expect("collected");
        prop_assert_eq!(arena.chain.game.owed(CHALLENGER).0, arena.chain.parameters().executor_bond.0 / 2);
    }
}
