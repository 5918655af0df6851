//! Attacks on what is committed (3, 5, 7, 36), on both machines at once.

use narrows_bisection::{
    BlockTime, Call, ClaimId, JobId, MatchId, MatchState, Parameters, Phase, Refusal, Trace, Wei,
};
use narrows_commitment::{
    Digest, ProgramRoot, TILE_BYTES, Tile, TraceRoot, Tree, fold_up, keccak, padding, tile_at, tile_leaf,
};
use narrows_contracts::Chain as _;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::LayerIndex;
use narrows_tests::arena::{Arena, CHALLENGER, EXECUTOR, FEE, REQUESTER, STRANGER, answering, honest};
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
