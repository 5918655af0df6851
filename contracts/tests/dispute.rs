//! One match through all of its phases, every byte made by hand.

mod common;

use common::{CHALLENGER, EXECUTOR, INPUT, STRANGER, World, hash, number, only};
use narrows_bisection::ClaimStatus;
use narrows_bisection::{Call, ClaimId, Event, MatchId, Opened, Phase, Wei, Witness};
use narrows_commitment::{TILE_BYTES, TensorRoot, TraceRoot, Tree, keccak, tile_at};
use narrows_contracts::Chain;
use narrows_program::{ConstantIndex, LayerIndex, Program};

/// The first element should be 20.
const LIE: [u8; 3] = [21, 60, 100];
const NOTHING: Wei = Wei(0);

fn constant(program: &Program, index: u32) -> Opened {
    let bytes = &program.constant(ConstantIndex(index)).bytes;
    Opened {
        root: program.constant_root(ConstantIndex(index)),
        root_path: program.constants_tree().path(u64::from(index)),
        indices: vec![0],
        tiles: tile_at(bytes, 0).to_vec(),
        ..Opened::default()
    }
}

fn input() -> Opened {
    let (root, tiles) = (TensorRoot(Tree::of_bytes(&INPUT).root()), tile_at(&INPUT, 0).to_vec());
    Opened { root, indices: vec![0], tiles, ..Opened::default() }
}

#[test]
fn a_lie_is_narrowed_down_to_a_partial_sum() {
    let mut world = World::new();
    let parameters = world.chain.parameters();
    let job = world.job(1);
    let lie = Tree::new(vec![Tree::of_bytes(&LIE).root(); 2]);
    let (trace_root, path) = (TraceRoot(lie.root()), lie.path(1));
    let call = Call::PostClaim { job, trace_root, output: LIE.to_vec(), path };
    let receipt = world.send(EXECUTOR, parameters.executor_bond, call);
    let Event::ClaimPosted { claim, .. } = *only(&receipt) else { panic!("{receipt:?}") };
    let match_id = world.open(claim, 0);
    let first = |phase, world: &World| {
        assert_eq!(world.chain.match_state(match_id).expect("a view").expect("a match").state.phase, phase);
    };

    // Layer by layer: the first leaf differs.
    first(Phase::LayerE, &world);
    let nodes = lie.descendants(1, 0, 1);
    let state = world.state_of(match_id);
    world.send(EXECUTOR, NOTHING, Call::Reveal { match_id, state, nodes: nodes.clone() });
    first(Phase::LayerC, &world);
    let state = world.state_of(match_id);
    let descriptor = world.program.descriptor(LayerIndex(0)).to_vec();
    let path = world.program.layers_tree().path(0);
    let pick = Call::Pick { match_id, state, nodes, child: 0, descriptor: descriptor.clone(), path };
    assert_eq!(only(&world.send(CHALLENGER, NOTHING, pick)), &Event::Picked { match_id, child: 0 });

    // Its only tile, and the first element in it.
    first(Phase::DataE, &world);
    let tile = tile_at(&LIE, 0).to_vec();
    assert_eq!(tile.len(), TILE_BYTES);
    let state = world.state_of(match_id);
    let reveal = Call::RevealTile { match_id, state, tile: tile.clone() };
    assert_eq!(
        only(&world.send(EXECUTOR, NOTHING, reveal)),
        &Event::TileRevealed { match_id, tile: tile.clone() }
    );
    first(Phase::Name, &world);
    let state = world.state_of(match_id);
    let witness = Box::default();
    let name = Call::Name { match_id, state, tile, element: 0, descriptor: descriptor.clone(), witness };
    assert_eq!(
        only(&world.send(CHALLENGER, NOTHING, name)),
        &Event::Named { match_id, element: 0, value: 21 }
    );

    // Two segments: 0*1 + 1*2 = 2 and 2*3 + 3*4 = 18; the executor must lie in one to reach 21.
    first(Phase::FoldE, &world);
    let state = world.state_of(match_id);
    let sums = vec![2, 19];
    let params = Box::new(constant(&world.program, 1));
    let fold = Call::Fold { match_id, state, descriptor: descriptor.clone(), sums: sums.clone(), params };
    assert_eq!(only(&world.send(EXECUTOR, NOTHING, fold)), &Event::Folded { match_id, sums: sums.clone() });
    first(Phase::Seg, &world);
    let stated = world.chain.match_state(match_id).expect("a view").expect("a match").state.node;
    let packed: Vec<u8> = sums.iter().flat_map(|sum: &i64| sum.to_be_bytes()).collect();
    assert_eq!(stated, keccak(&[&[7], &packed[..]].concat()));

    let state = world.state_of(match_id);
    let witness = Witness { a: input(), b: constant(&world.program, 0), params: Opened::default() };
    let segment = |index| {
        let (descriptor, sums, witness) = (descriptor.clone(), sums.clone(), Box::new(witness.clone()));
        Call::Segment { match_id, state, descriptor, sums, index, witness }
    };
    let receipt = world.send(CHALLENGER, NOTHING, segment(1));
    assert_eq!(only(&receipt), &Event::MatchWon { match_id, claim });
    finished(&mut world, claim, match_id);
}

fn finished(world: &mut World, claim: ClaimId, match_id: MatchId) {
    assert_eq!(match_id.0, hash(&[claim.0.0, number(0)]));
    let status = world.chain.claim(claim).expect("a view").expect("a claim").status;
    assert_eq!(status, ClaimStatus::Refuted);
    let parameters = world.chain.parameters();
    let owed = Wei(parameters.executor_bond.0 / 2 + parameters.challenger_bond.0);
    assert_eq!(world.chain.owed(CHALLENGER), Ok(owed));
    world.send(CHALLENGER, NOTHING, Call::Withdraw);
    let refused = world.refused(STRANGER, NOTHING, Call::Timeout { match_id });
    assert_eq!(refused, narrows_bisection::Refusal::WrongPhase);
}
