//! Attacks by their numbers, on both machines at once.

use narrows_bisection::players::Choice;
use narrows_bisection::{
    BlockTime, Call, ClaimId, JobId, MatchId, MatchState, Parameters, Phase, Refusal, StateHash, Trace, Wei,
};
use narrows_commitment::{
    Digest, ProgramRoot, TILE_BYTES, Tile, TraceRoot, Tree, fold_up, keccak, padding, tile_at, tile_leaf,
};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredLayer;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::LayerIndex;
use narrows_tests::arena::{
    Arena, CHALLENGER, EXECUTOR, FEE, REQUESTER, STRANGER, answering, choosing, honest,
};
use narrows_tests::{copies, digits};

const NOTHING: Wei = Wei(0);

#[test]
fn attack_03_an_output_that_is_not_the_last_leaf_is_refused() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program, Parameters::default());
    let job = arena.job(truth.input());
    let bond = arena.chain.parameters().executor_bond;
    for at in [0, 127, 128, 299] {
        let mut output = truth.output().to_vec();
        output[at] ^= 1;
        let call = Call::PostClaim { job, trace_root: truth.root(), output, path: truth.output_path() };
        assert_eq!(arena.send(EXECUTOR, bond, call), Err(Refusal::BadOpening), "byte {at}");
    }
    // The right output, shown at another place of the tree, or under another root.
    let path = truth.tree().path(3);
    let call = Call::PostClaim { job, trace_root: truth.root(), output: truth.output().to_vec(), path };
    assert_eq!(arena.send(EXECUTOR, bond, call), Err(Refusal::BadOpening));
    let call = Call::PostClaim {
        job,
        trace_root: TraceRoot(keccak(b"other")),
        output: truth.output().to_vec(),
        path: truth.output_path(),
    };
    assert_eq!(arena.send(EXECUTOR, bond, call), Err(Refusal::BadOpening));
    arena.claim(job, &truth);
}

/// An executor that answers from trees of its own making.
struct Crafted {
    layers: Tree,
    tensor: Tree,
    tiles: Vec<Tile>,
}

impl Crafted {
    fn respond(&self, id: MatchId, state: &MatchState, bits: u8) -> Option<Call> {
        let hash = state.hash(id);
        let tree = if state.phase == Phase::LayerE { &self.layers } else { &self.tensor };
        match state.phase {
            Phase::LayerE | Phase::TileE => {
                let bits = bits.min(state.remaining);
                let nodes = tree.descendants(state.remaining.into(), state.position.into(), bits.into());
                Some(Call::Reveal { match_id: id, state: hash, nodes })
            }
            Phase::DataE => {
                let tile = self.tiles[state.position as usize].to_vec();
                Some(Call::RevealTile { match_id: id, state: hash, tile })
            }
            _ => None,
        }
    }
}

/// Claims with layer `layer`'s tensor replaced by `tiles`, and layers beyond the last given by `beyond`.
fn claim_crafted(
    arena: &mut Arena,
    truth: &Trace,
    layer: usize,
    tiles: Vec<Tile>,
    beyond: &[Digest],
) -> (ClaimId, Crafted) {
    let tensor = Tree::new(tiles.iter().map(tile_leaf).collect());
    let count = truth.outputs().len() as u64;
    let mut leaves: Vec<Digest> = (0..count).map(|i| truth.tree().node(0, i)).collect();
    leaves[layer] = tensor.root();
    leaves.extend_from_slice(beyond);
    let layers = Tree::new(leaves);
    let job = arena.job(truth.input());
    let call = Call::PostClaim {
        job,
        trace_root: TraceRoot(layers.root()),
        output: truth.output().to_vec(),
        path: layers.path(count - 1),
    };
    let bond = arena.chain.parameters().executor_bond;
    let receipt = arena.send(EXECUTOR, bond, call).expect("a claim");
    let claim = match &receipt.events[0] {
        narrows_bisection::Event::ClaimPosted { claim, .. } => *claim,
        other => panic!("{other:?}"),
    };
    (claim, Crafted { layers, tensor, tiles })
}

fn tiles_of(bytes: &[u8], count: u64) -> Vec<Tile> {
    (0..count).map(|i| tile_at(bytes, i)).collect()
}

#[test]
fn attack_05_one_byte_of_padding_refutes_an_otherwise_right_claim() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let bits = program.header().reveal_bits;
    // In the last tile: 300 bytes end 44 bytes into the third.
    for (byte, value) in [(44, 1u8), (127, 0x80)] {
        let mut arena = Arena::new(program.clone(), Parameters::default());
        let mut tiles = tiles_of(truth.layer(LayerIndex(2)), 3);
        tiles[2][byte] = value;
        let (claim, crafted) = claim_crafted(&mut arena, &truth, 2, tiles, &[]);
        let id = arena.open(claim);
        let mut executor = |_: &_, state: &_| crafted.respond(id, state, bits);
        let outcome = arena.play(id, &mut executor, &mut honest(&program, &truth));
        assert!(outcome.won() && outcome.last() == "name", "byte {byte} of the last tile");
    }
    // A whole tile beyond the tensor: the tree has four leaves, the tensor three tiles.
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let mut tiles = tiles_of(truth.layer(LayerIndex(2)), 3);
    tiles.push([0; TILE_BYTES]);
    let (claim, crafted) = claim_crafted(&mut arena, &truth, 2, tiles, &[]);
    let id = arena.open(claim);
    let mut executor = |_: &_, state: &_| crafted.respond(id, state, bits);
    let outcome = arena.play(id, &mut executor, &mut honest(&program, &truth));
    assert!(outcome.won() && outcome.last() == "pick", "a padding tile");
    // A layer beyond the last: the tree has eight leaves, the program five layers.
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let tiles = tiles_of(truth.layer(LayerIndex(2)), 3);
    let (claim, crafted) = claim_crafted(&mut arena, &truth, 2, tiles, &[keccak(b"a sixth layer")]);
    let id = arena.open(claim);
    let mut executor = |_: &_, state: &_| crafted.respond(id, state, bits);
    let outcome = arena.play(id, &mut executor, &mut honest(&program, &truth));
    assert!(outcome.won() && outcome.last() == "pick", "a padding layer");
}

#[test]
fn attack_05_honest_padding_is_no_ground() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let id = arena.open(claim);
    let state = arena.state(id);
    let nodes = truth.tree().descendants(3, 0, 3);
    assert_eq!(nodes[5], padding(0));
    for child in 5..8 {
        let call = Call::Pick {
            match_id: id,
            state: state.hash(id),
            nodes: nodes.clone(),
            child,
            descriptor: vec![],
            path: vec![],
        };
        assert_eq!(arena.send(CHALLENGER, NOTHING, call), Err(Refusal::PaddingHonest), "child {child}");
    }
}

#[test]
fn attack_05_children_of_a_wrong_number_or_kind_are_refused() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let id = arena.open(claim);
    let state = arena.state(id).hash(id);
    let reveal = |nodes: Vec<Digest>| Call::Reveal { match_id: id, state, nodes };
    for bits in [0, 1, 2] {
        let nodes = truth.tree().descendants(3, 0, bits);
        assert_eq!(fold_up(&nodes), Some(truth.root().0), "they do hash to the node");
        assert_eq!(arena.send(EXECUTOR, NOTHING, reveal(nodes)), Err(Refusal::WrongCount));
    }
    let nodes = truth.tree().descendants(3, 0, 3);
    assert_eq!(
        arena.send(EXECUTOR, NOTHING, reveal([&nodes[..], &nodes[..]].concat())),
        Err(Refusal::WrongCount)
    );
    for at in 0..8 {
        let mut bent = nodes.clone();
        bent[at].0[31] ^= 1;
        assert_eq!(arena.send(EXECUTOR, NOTHING, reveal(bent)), Err(Refusal::BadOpening));
    }
    arena.send(EXECUTOR, NOTHING, reveal(nodes)).expect("the true children");
}

#[test]
fn attack_07_nothing_is_claimed_on_what_does_not_exist() {
    let program = copies::program(3, 10);
    let input = copies::input(10);
    let truth = copies::truth(&program, &input);
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let deadline = BlockTime(arena.chain.now().0 + 100);
    let post = |program: ProgramRoot, input: Vec<u8>| Call::PostJob {
        program,
        input,
        salt: Digest::default(),
        deadline,
    };
    let unknown = ProgramRoot(keccak(b"another model"));
    assert_eq!(arena.send(REQUESTER, FEE, post(unknown, input.clone())), Err(Refusal::UnknownProgram));
    let other = copies::program(3, 11).root();
    assert_eq!(
        arena.send(REQUESTER, FEE, post(other, input.clone())),
        Err(Refusal::UnknownProgram),
        "not registered"
    );
    for length in [0, 9, 11] {
        let call = post(program.root(), vec![1; length]);
        assert_eq!(arena.send(REQUESTER, FEE, call), Err(Refusal::WrongLength));
    }
    let bond = arena.chain.parameters().executor_bond;
    let nowhere = Arena::claim_call(JobId(keccak(b"no job")), &truth);
    assert_eq!(arena.send(EXECUTOR, bond, nowhere), Err(Refusal::UnknownJob));
    let challenger_bond = arena.chain.parameters().challenger_bond;
    let call = Call::Open { claim: ClaimId(keccak(b"no claim")), commitment: Digest::default() };
    assert_eq!(arena.send(CHALLENGER, challenger_bond, call), Err(Refusal::UnknownClaim));
    let call = Call::Timeout { match_id: MatchId(keccak(b"no match")) };
    assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::UnknownMatch));
    // A header of another version registers nothing.
    let mut header = program.header_bytes().to_vec();
    header[3] = 2;
    let call = Call::Register {
        header,
        layers_root: program.layers_root(),
        constants_root: program.constants_tree().root(),
    };
    assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::BadHeader));
}

#[test]
fn attack_07_a_trace_of_another_input_is_caught_in_the_first_layer() {
    let program = digits::program();
    let mut other = digits::input();
    other[20] ^= 0x11;
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let stale = Honest.trace(&program, other).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &stale);
    let id = arena.open(claim);
    let outcome = arena.play(id, &mut answering(&program, &stale), &mut honest(&program, &truth));
    assert!(outcome.won());
    assert_eq!(outcome.state.layer, LayerIndex(0));
}

#[test]
fn attack_07_a_pick_of_what_does_not_exist_is_refused() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let id = arena.open(claim);
    let state = arena.state(id).hash(id);
    let nodes = truth.tree().descendants(3, 0, 3);
    let descriptor = |layer| program.descriptor(LayerIndex(layer)).to_vec();
    let path = |layer| program.layers_tree().path(layer);
    let mut send = |child, descriptor, path| {
        let call = Call::Pick { match_id: id, state, nodes: nodes.clone(), child, descriptor, path };
        arena.send(CHALLENGER, NOTHING, call).map(|_| ())
    };
    assert_eq!(send(8, descriptor(0), path(0)), Err(Refusal::WrongCount));
    assert_eq!(send(u32::MAX, descriptor(0), path(0)), Err(Refusal::WrongCount));
    assert_eq!(send(1, descriptor(0), path(1)), Err(Refusal::BadOpening), "another layer's descriptor");
    assert_eq!(send(1, descriptor(1), path(0)), Err(Refusal::BadOpening), "another layer's path");
    assert_eq!(send(1, descriptor(1)[..191].to_vec(), path(1)), Err(Refusal::WrongLength));
    for bit in (0..192 * 8).step_by(7) {
        let mut bent = descriptor(1);
        bent[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(send(1, bent, path(1)), Err(Refusal::BadOpening), "bit {bit} of the descriptor");
    }
    assert_eq!(send(1, descriptor(1), path(1)), Ok(()));
}

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

#[test]
fn attack_36_a_bent_trace_file_is_refused() {
    let program = copies::program(3, 40);
    let truth = copies::truth(&program, &copies::input(40));
    let bytes = truth.encode(&program);
    assert_eq!(Trace::decode(&program, &bytes), Ok(truth));
    for end in 0..bytes.len() {
        assert!(Trace::decode(&program, &bytes[..end]).is_err(), "truncated to {end}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(Trace::decode(&program, &bent).is_err(), "bit {bit}");
    }
    assert!(Trace::decode(&copies::program(3, 41), &bytes).is_err(), "another program");
}
