//! Attacks on what is committed (3, 5, 9, 36), on both machines at once.

use narrows_bisection::players::Follower;
use narrows_bisection::{Call, Parameters, Phase, Posted, Refusal, Trace, Wei};
use narrows_commitment::{
    Digest, TILE_BYTES, TensorRoot, TensorTree, Tile, TraceRoot, Tree, fold_up, keccak, node_over, padding,
    quad, tile_at, tile_leaf,
};
use narrows_program::OperatorIndex;
use narrows_tests::arena::{Arena, CHALLENGER, Claimed, EXECUTOR, honest};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);

#[test]
fn attack_03_an_output_that_is_not_the_last_leaf_is_refused() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program, Parameters::default());
    let job = arena.job(truth.input());
    let mut refused = |trace_root: TraceRoot, output: Vec<u8>, path: Vec<Digest>| {
        let output_root = TensorRoot(TensorTree::of_bytes(&output).root());
        let commitment = arena.promise(Posted { job, executor: EXECUTOR, trace_root, output_root });
        arena.chain.advance(1);
        arena.send(EXECUTOR, NOTHING, commitment.reveal(output, path)).map(|_| ())
    };
    for at in [0, 127, 128, 299] {
        let mut output = truth.output().to_vec();
        output[at] ^= 1;
        let answer = refused(truth.root(), output, truth.output_path());
        assert_eq!(answer, Err(Refusal::BadOpening), "byte {at}");
    }
    // The right output, shown at another place of the tree, or under another root.
    let output = || truth.output().to_vec();
    assert_eq!(refused(truth.root(), output(), truth.tree().path(3)), Err(Refusal::BadOpening));
    let other = TraceRoot(keccak(b"other"));
    assert_eq!(refused(other, output(), truth.output_path()), Err(Refusal::BadOpening));
    assert_eq!(refused(truth.root(), output(), truth.output_path()), Ok(()));
}

#[test]
fn attack_03_a_claim_says_what_was_committed_to() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program, Parameters::default());
    let job = arena.job(truth.input());
    let commitment = arena.commit(EXECUTOR, job, &truth);
    arena.chain.advance(1);
    // Another output than the one that was committed to, right or wrong, is another claim.
    let mut output = truth.output().to_vec();
    output[7] ^= 1;
    let call = commitment.reveal(output, truth.output_path());
    assert_eq!(arena.send(EXECUTOR, NOTHING, call), Err(Refusal::UnknownCommitment));
    assert_eq!(arena.send(EXECUTOR, NOTHING, commitment.reveal(vec![], vec![])), Err(Refusal::WrongLength));
    arena.send(EXECUTOR, NOTHING, commitment.post(&truth)).expect("a claim");
    assert_eq!(arena.send(EXECUTOR, NOTHING, commitment.post(&truth)), Err(Refusal::UnknownCommitment));
}

/// An executor that answers from trees of its own making; its layers have one operator each.
struct Crafted {
    layers: Tree,
    tensor: TensorTree,
    tiles: Vec<Tile>,
}

impl Crafted {
    fn respond(&self, follower: &Follower) -> Option<Call> {
        let state = follower.state();
        let (claim, number, footing) = (follower.claim(), follower.number(), state.shown());
        let (level, index, bits) = (state.remaining.into(), state.position.into(), state.levels().into());
        match state.phase {
            Phase::LayerE | Phase::TileE => {
                let nodes = match state.phase {
                    Phase::LayerE => self.layers.descendants(level, index, bits),
                    _ => self.tensor.descendants(level, index, bits),
                };
                Some(Call::Reveal { claim, number, footing, nodes })
            }
            Phase::DataE => {
                let first = (state.position << state.remaining) as usize;
                let tiles = self.tiles[first..].iter().take(state.real_tiles() as usize);
                let tiles = tiles.flatten().copied().collect();
                Some(Call::RevealTiles { claim, number, footing, tiles })
            }
            _ => None,
        }
    }
}

/// Claims with operator `operator`'s tensor replaced by `leaves` (of which `tiles` are the first), and layers beyond the last
/// given by `beyond`.
fn claim_crafted(
    arena: &mut Arena,
    truth: &Trace,
    operator: usize,
    tiles: Vec<Tile>,
    beyond: &[Digest],
) -> (Claimed, Crafted) {
    let tensor = TensorTree::of_leaves(tiles.iter().map(tile_leaf).collect());
    let count = truth.outputs().len() as u64;
    let mut leaves: Vec<Digest> = (0..count).map(|i| truth.tree().node(0, i)).collect();
    leaves[operator] = tensor.root();
    leaves.extend_from_slice(beyond);
    let layers = Tree::new(leaves);
    let job = arena.job(truth.input());
    let (root, path) = (TraceRoot(layers.root()), layers.path(count - 1));
    let claim = arena.claim_root(EXECUTOR, job, root, truth.output(), path);
    (claim, Crafted { layers, tensor, tiles })
}

fn tiles_of(bytes: &[u8], count: u64) -> Vec<Tile> {
    (0..count).map(|i| tile_at(bytes, i)).collect()
}

/// Claims a trace whose third tensor has these tiles, and plays; the last move, the challenger having won.
fn refuted_by(elements: u32, beyond: &[Digest], bend: impl Fn(&mut Vec<Tile>)) -> &'static str {
    let program = copies::program(5, elements);
    let truth = copies::truth(&program, &copies::input(elements));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let mut tiles = tiles_of(truth.operator(OperatorIndex(2)), u64::from(elements).div_ceil(128));
    bend(&mut tiles);
    let (claim, crafted) = claim_crafted(&mut arena, &truth, 2, tiles, beyond);
    let mut one = arena.open(&claim);
    let outcome =
        arena.play(&mut one, &mut |f: &Follower| answer(&crafted, f), &mut honest(&program, &truth));
    assert!(outcome.won());
    let reclaim = arena.reclaim(one.id);
    arena.send(CHALLENGER, NOTHING, reclaim).expect("the bond goes back");
    assert_eq!(
        arena.chain.game.owed(CHALLENGER).0,
        arena.bond().0 + reward(&arena),
        "the bond, and the reward"
    );
    outcome.last()
}

fn reward(arena: &Arena) -> u128 {
    arena.chain.game.parameters().executor_bond.0 / 2
}

/// What the crafted executor answers, unless the contracts cannot take it: then it has nothing better than silence.
fn answer(crafted: &Crafted, follower: &Follower) -> Option<Call> {
    let call = crafted.respond(follower)?;
    let Call::RevealTiles { tiles, .. } = &call else { return Some(call) };
    let state = follower.state();
    let mut leaves: Vec<Digest> = tiles.as_chunks::<TILE_BYTES>().0.iter().map(tile_leaf).collect();
    leaves.resize(1 << state.remaining, padding(0));
    (node_over(leaves, state.remaining.into()) == state.node).then_some(call)
}

#[test]
fn attack_05_one_byte_of_padding_refutes_an_otherwise_right_claim() {
    // In the last tile: 300 bytes end 44 bytes into the third.
    for (byte, value) in [(44, 1u8), (127, 0x80)] {
        let last = refuted_by(300, &[], |tiles| tiles[2][byte] = value);
        assert_eq!(last, "name", "byte {byte} of the last tile");
    }
    // A tile beyond the tensor, beside its last ones: real tiles and padding leaves do not give the node, so the executor has
    // nothing to show.
    assert_eq!(refuted_by(300, &[], |tiles| tiles.push([0; TILE_BYTES])), "timeout", "a padding tile");
    // 17 tiles stand under five nodes of four; a tile under the sixth is a node that should be padding.
    let far = |tiles: &mut Vec<Tile>| tiles.resize(21, [0; TILE_BYTES]);
    assert_eq!(refuted_by(2100, &[], far), "timeout", "beside the last tile first");
    // A layer beyond the last: the tree has eight leaves, the program five layers.
    assert_eq!(refuted_by(300, &[keccak(b"a sixth layer")], |_| {}), "pick", "a padding layer");
}

#[test]
fn attack_05_a_padding_node_of_a_tensor_refutes() {
    // As above, but the tiles beside the last one are padding as they should be: only the sixth node is not.
    let program = copies::program(1, 2100);
    let truth = copies::truth(&program, &copies::input(2100));
    let mut leaves: Vec<Digest> = (0..17).map(|i| tile_leaf(&tile_at(truth.output(), i))).collect();
    leaves.resize(20, padding(0));
    leaves.push(keccak(b"no tile at all"));
    let tensor = TensorTree::of_leaves(leaves);
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    // The output is the last leaf, which the contract computes: a claim on such a tensor cannot even be posted …
    let output_root = TensorRoot(TensorTree::of_bytes(truth.output()).root());
    let posted = Posted { job, executor: EXECUTOR, trace_root: TraceRoot(tensor.root()), output_root };
    let commitment = arena.promise(posted);
    arena.chain.advance(1);
    let call = commitment.reveal(truth.output().to_vec(), vec![]);
    assert_eq!(arena.send(EXECUTOR, NOTHING, call), Err(Refusal::BadOpening));
    // … but one on such a tensor in the middle can.
    let program = copies::program(2, 2100);
    let truth = copies::truth(&program, &copies::input(2100));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let layers = Tree::new(vec![tensor.root(), truth.tree().node(0, 1)]);
    let claim = arena.claim_root(EXECUTOR, job, TraceRoot(layers.root()), truth.output(), layers.path(1));
    let crafted = Crafted { layers, tensor, tiles: vec![] };
    let mut one = arena.open(&claim);
    let outcome = arena.play(&mut one, &mut |f: &Follower| crafted.respond(f), &mut honest(&program, &truth));
    assert!(outcome.won());
    assert_eq!((outcome.last(), outcome.state.remaining), ("pick", 2));
}

#[test]
fn attack_05_honest_padding_is_no_ground() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let one = arena.open(&claim);
    for child in 5..8u32 {
        let path = truth.tree().path(child.into());
        let call = Call::Pick {
            claim: claim.id,
            number: 0,
            footing: one.follower.state().picked(),
            child,
            node: padding(0),
            siblings: path,
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
    let one = arena.open(&claim);
    let footing = one.follower.state().shown();
    let mut reveal = |nodes: Vec<Digest>| {
        let call = Call::Reveal { claim: claim.id, number: 0, footing, nodes };
        arena.send(EXECUTOR, NOTHING, call).map(|_| ())
    };
    for bits in [0, 1, 2] {
        let nodes = truth.tree().descendants(3, 0, bits);
        assert_eq!(fold_up(&nodes), Some(truth.root().0), "they do hash to the node");
        assert_eq!(reveal(nodes), Err(Refusal::WrongCount));
    }
    let nodes = truth.tree().descendants(3, 0, 3);
    for count in [0, 3, 5, 6, 7, 65, 128] {
        assert_eq!(reveal(vec![nodes[0]; count]), Err(Refusal::WrongCount), "{count} nodes");
    }
    assert_eq!(reveal([&nodes[..], &nodes[..]].concat()), Err(Refusal::WrongState));
    for at in 0..8 {
        let mut bent = nodes.clone();
        bent[at].0[31] ^= 1;
        assert_eq!(reveal(bent), Err(Refusal::WrongState));
    }
    assert_eq!(reveal(nodes), Ok(()), "the true children");
}

#[test]
fn attack_09_a_node_is_no_tile_and_a_tile_no_node() {
    // 128 bytes of four nodes are a tile, and hash to something else than the nodes' ancestor does.
    let program = copies::program(1, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let tree = truth.operator_tree(OperatorIndex(0));
    let nodes: [Digest; 4] = std::array::from_fn(|leaf| tree.node(0, leaf as u64));
    let tile: Vec<u8> = nodes.iter().flat_map(|node| node.0).collect();
    let tile: Tile = tile.try_into().expect("four nodes");
    assert_eq!(quad(&nodes), truth.root().0);
    assert_ne!(fold_up(&nodes), Some(truth.root().0), "nor are they two pairs");
    assert_ne!(tile_leaf(&tile), truth.root().0);
    // So a claim on one tile's leaf whose bytes are nodes is a claim on those bytes.
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let mut one = arena.open(&claim);
    let reached =
        arena.play_until(&mut one, &mut |_: &_| None, &mut first_layer(&program, &truth), |state| {
            state.phase == Phase::DataE
        });
    assert_eq!(reached.state.phase, Phase::DataE);
    let footing = reached.state.shown();
    let reveal = |tiles: Vec<u8>| Call::RevealTiles { claim: claim.id, number: 0, footing, tiles };
    for bytes in [tile.to_vec(), [tile; 2].concat(), [tile; 3].concat()] {
        assert_eq!(arena.send(EXECUTOR, NOTHING, reveal(bytes)), Err(Refusal::WrongState));
    }
    let tiles: Vec<u8> = (0..3).flat_map(|i| tile_at(truth.output(), i)).collect();
    arena.act(&mut one, EXECUTOR, reveal(tiles)).expect("the true tiles");
}

/// Picks the only layer of a program, and says nothing further.
fn first_layer<'a>(
    program: &'a narrows_program::Program,
    trace: &'a Trace,
) -> Box<narrows_tests::arena::Player<'a>> {
    struct Zero;
    impl narrows_bisection::players::Choice for Zero {
        fn child(&mut self, _: &[Digest], _: &[Digest]) -> Option<usize> {
            Some(0)
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
    narrows_tests::arena::choosing(program, trace, Zero)
}

#[test]
fn attack_36_a_bent_trace_file_is_refused() {
    let program = copies::grouped(&[1, 2], 40);
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
    assert!(Trace::decode(&copies::grouped(&[1, 2], 41), &bytes).is_err(), "another program");
    assert!(Trace::decode(&copies::grouped(&[2, 1], 40), &bytes).is_err(), "other layers");
}
