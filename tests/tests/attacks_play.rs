//! Attacks by moves (8, 10, 11, 13), on both machines at once.

use narrows_bisection::players::Choice;
use narrows_bisection::{Call, MatchId, MatchState, Parameters, Phase, Refusal, StateHash, Wei};
use narrows_commitment::{Digest, TILE_BYTES, Tile, keccak, tile_at};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredLayer;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::LayerIndex;
use narrows_tests::arena::{Arena, CHALLENGER, EXECUTOR, STRANGER, answering, choosing, honest};
use narrows_tests::{copies, digits};

const NOTHING: Wei = Wei(0);

/// One call of every kind, answering `state`.
fn every_move(id: MatchId, state: StateHash) -> Vec<Call> {
    vec![
        Call::Reveal { match_id: id, state, nodes: vec![] },
        Call::Pick { match_id: id, state, nodes: vec![], child: 0, descriptor: vec![], path: vec![] },
        Call::RevealTile { match_id: id, state, tile: vec![] },
        Call::Name {
            match_id: id,
            state,
            tile: vec![],
            element: 0,
            descriptor: vec![],
            witness: Box::default(),
        },
        Call::Fold { match_id: id, state, descriptor: vec![], sums: vec![], params: Box::default() },
        Call::Segment {
            match_id: id,
            state,
            descriptor: vec![],
            sums: vec![],
            index: 0,
            witness: Box::default(),
        },
        Call::Timeout { match_id: id },
    ]
}

#[test]
fn attack_08_no_move_after_the_verdict() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let lie = DoctoredLayer { layer: LayerIndex(0), element: 0, delta: 1 };
    let claimed = lie.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for claimed in [&claimed, &truth] {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, claimed);
        let id = arena.open(claim);
        let outcome = match claimed.root() == truth.root() {
            true => arena.play(id, &mut answering(&program, claimed), &mut |_: &_, _: &_| None),
            false => arena.play(id, &mut answering(&program, claimed), &mut honest(&program, &truth)),
        };
        let state = outcome.state.hash(id);
        for call in every_move(id, state) {
            for account in [EXECUTOR, CHALLENGER, STRANGER] {
                assert_eq!(
                    arena.send(account, NOTHING, call.clone()),
                    Err(Refusal::WrongPhase),
                    "{}",
                    call.name()
                );
            }
        }
        let reclaimed = arena.send(STRANGER, NOTHING, Call::Reclaim { match_id: id });
        assert_eq!(reclaimed, Err(Refusal::WrongPhase));
        if outcome.won() {
            let finalised = arena.send(STRANGER, NOTHING, Call::Finalise { claim });
            assert_eq!(finalised, Err(Refusal::ClaimClosed));
            let bond = arena.chain.parameters().challenger_bond;
            let opened = arena.send(CHALLENGER, bond, Call::Open { claim, commitment: Digest::default() });
            assert_eq!(opened, Err(Refusal::ClaimClosed));
        }
    }
}

#[test]
fn attack_08_every_move_out_of_its_phase_is_refused() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let layer = digits::segmented_layer(&program);
    let claimed =
        DoctoredLayer { layer, element: 0, delta: 1 }.trace(&program, digits::input()).expect("runs");
    let legal: &[(Phase, &[&str])] = &[
        (Phase::LayerE, &["reveal", "pick", "timeout"]),
        (Phase::LayerC, &["pick", "timeout"]),
        (Phase::TileE, &["reveal", "pick", "timeout"]),
        (Phase::TileC, &["pick", "timeout"]),
        (Phase::DataE, &["revealTile", "name", "timeout"]),
        (Phase::Name, &["name", "timeout"]),
        (Phase::FoldE, &["fold", "timeout"]),
        (Phase::Seg, &["segment", "timeout"]),
    ];
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for (phase, names) in legal {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let id = arena.open(claim);
        let (mut executor, mut challenger) = (answering(&program, &claimed), honest(&program, &truth));
        let reached = arena.play_until(id, &mut executor, &mut challenger, |state| state.phase == *phase);
        let state = reached.state.hash(id);
        for call in every_move(id, state) {
            let answer =
                arena.send(CHALLENGER, NOTHING, call.clone()).map(|_| ()).expect_err("malformed or early");
            let refused = answer == Refusal::WrongPhase;
            assert_eq!(refused, !names.contains(&call.name()), "{} in {phase:?}: {answer}", call.name());
        }
        for call in every_move(id, StateHash(keccak(b"another state"))) {
            let answer =
                arena.send(CHALLENGER, NOTHING, call.clone()).map(|_| ()).expect_err("another state");
            let expected = [Refusal::WrongPhase, Refusal::WrongState, Refusal::NotYet];
            assert!(expected.contains(&answer), "{}: {answer}", call.name());
        }
    }
}

#[test]
fn attack_10_partial_sums_that_telescope_with_two_wrong_terms() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let layer = digits::segmented_layer(&program);
    let claimed =
        DoctoredLayer { layer, element: 0, delta: 1 }.trace(&program, digits::input()).expect("runs");
    // The liar hides its forged difference behind a pair that cancels out; and an executor of a right claim that states such a
    // pair has lied too, and falls for it.
    for (trace, element) in [(&claimed, 0), (&truth, 0)] {
        let mut arena = Arena::new(program.clone(), Parameters::default());
        let job = arena.job(truth.input());
        let claim = arena.claim(job, trace);
        let id = arena.open(claim);
        let mut answer = answering(&program, trace);
        let mut executor = |follower: &_, state: &_| {
            let mut call = answer(follower, state)?;
            if let Call::Fold { sums, .. } = &mut call {
                sums[0] += 1 << 40;
                sums[1] -= 1 << 40;
            }
            Some(call)
        };
        let mut first = honest(&program, &truth);
        let mut challenger = |follower: &narrows_bisection::players::Follower, state: &MatchState| {
            // Against the right claim there is nothing to name on the way down: walk to the segmented layer's element.
            let child = if state.phase == Phase::LayerC { layer.0 as usize } else { 0 };
            let walk = Walk { child, element };
            if trace.root() == truth.root() && state.phase != Phase::Seg {
                return choosing(&program, &truth, walk)(follower, state);
            }
            first(follower, state)
        };
        let outcome = arena.play(id, &mut executor, &mut challenger);
        assert!(outcome.won() && outcome.last() == "segment");
    }
}

/// Always the same choice.
struct Walk {
    child: usize,
    element: usize,
}

impl Choice for Walk {
    fn child(&mut self, _: &[Digest], _: &[Digest]) -> Option<usize> {
        Some(self.child)
    }

    fn element(&mut self, _: &Tile, _: &Tile, _: usize) -> Option<usize> {
        Some(self.element)
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        None
    }
}

#[test]
fn attack_11_boundaries_of_every_count() {
    for (layers, elements) in
        [(1, 1), (1, 128), (1, 129), (2, 127), (2, 2048), (3, 2049), (15, 300), (16, 4096), (17, 4097)]
    {
        let program = copies::program(layers, elements);
        let truth = copies::truth(&program, &copies::input(elements));
        let mut arena = Arena::new(program.clone(), Parameters::default());
        for layer in [0, layers - 1] {
            for element in [0, elements as usize - 1] {
                let lie = DoctoredLayer { layer: LayerIndex(layer), element, delta: 1 };
                let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
                let job = arena.job(truth.input());
                let claim = arena.claim(job, &claimed);
                let id = arena.open(claim);
                let outcome =
                    arena.play(id, &mut answering(&program, &claimed), &mut honest(&program, &truth));
                assert!(
                    outcome.won() && outcome.last() == "name",
                    "{layers} x {elements}: layer {layer}, {element}"
                );
                assert_eq!(outcome.state.layer, LayerIndex(layer));
            }
        }
        // And the honest claim survives being accused at the same places.
        let other = DoctoredLayer { layer: LayerIndex(layers - 1), element: elements as usize - 1, delta: 1 };
        let accuser = other.trace(&program, truth.input().to_vec()).expect("runs");
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &truth);
        let id = arena.open(claim);
        let outcome = arena.play(id, &mut answering(&program, &truth), &mut honest(&program, &accuser));
        assert_eq!(outcome.state.phase, Phase::Lost);
    }
}

/// Picks the last child that differs instead of the first.
struct LastDifference;

impl Choice for LastDifference {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        (0..own.len()).rev().find(|i| claimed[*i] != own[*i])
    }

    fn element(&mut self, claimed: &Tile, own: &Tile, size: usize) -> Option<usize> {
        (0..TILE_BYTES).rev().find(|i| claimed[*i] != own[*i]).map(|byte| byte / size)
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        None
    }
}

#[test]
fn attack_13_a_later_fault_is_no_fault() {
    // Every layer after the lie differs from the truth, and follows from the lie: accusing one of them wins nothing.
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let claimed = DoctoredLayer { layer: LayerIndex(1), element: 7, delta: 1 };
    let claimed = claimed.trace(&program, truth.input().to_vec()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let id = arena.open(claim);
    let mut executor = answering(&program, &claimed);
    let mut last = choosing(&program, &truth, LastDifference);
    let reached = arena.play_until(id, &mut executor, &mut last, |state| state.phase == Phase::Name);
    assert_eq!(reached.state.layer, LayerIndex(4));
    // With its own inputs, which are not the claimed ones, the witness does not open …
    let program_ = program.clone();
    let mut follower = narrows_bisection::players::Follower::new(&program_, id);
    for (_, _, receipt) in &reached.moves {
        receipt.events.iter().for_each(|event| follower.observe(&program_, event));
    }
    let call = last(&follower, &reached.state).expect("a name");
    assert_eq!(arena.send(CHALLENGER, NOTHING, call), Err(Refusal::BadOpening));
    // … and with the claimed ones, the step agrees with the claim.
    let tile = tile_at(claimed.layer(LayerIndex(4)), 0).to_vec();
    let claimed_nodes = narrows_bisection::ClaimedNodes::default();
    let source =
        narrows_bisection::WitnessSource { program: &program, trace: &claimed, claimed: &claimed_nodes };
    let call = Call::Name {
        match_id: id,
        state: reached.state.hash(id),
        tile,
        element: 7,
        descriptor: program.descriptor(LayerIndex(4)).to_vec(),
        witness: Box::new(source.witness(LayerIndex(4), 7, None)),
    };
    arena.send(CHALLENGER, NOTHING, call).expect("a legal move");
    assert_eq!(arena.state(id).phase, Phase::Lost);
}

/// Picks the first child that agrees.
struct Agreed;

impl Choice for Agreed {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        (0..own.len()).find(|i| claimed[*i] == own[*i])
    }

    fn element(&mut self, _: &Tile, _: &Tile, _: usize) -> Option<usize> {
        Some(0)
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        Some(0)
    }
}

#[test]
fn attack_13_an_agreed_child_leads_nowhere() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let lie = DoctoredLayer { layer: LayerIndex(3), element: 7, delta: 1 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for stall in [true, false] {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let id = arena.open(claim);
        let mut agreed = choosing(&program, &truth, Agreed);
        let mut challenger = |f: &_, state: &MatchState| {
            (!stall || state.phase < Phase::TileE).then(|| agreed(f, state)).flatten()
        };
        let outcome = arena.play(id, &mut answering(&program, &claimed), &mut challenger);
        assert_eq!(outcome.state.phase, Phase::Lost);
        assert_eq!(outcome.last(), if stall { "timeout" } else { "name" });
        // A lost match changes nobody's right: another challenger still wins.
        let id = arena.open(claim);
        let outcome = arena.play(id, &mut answering(&program, &claimed), &mut honest(&program, &truth));
        assert!(outcome.won());
    }
}
