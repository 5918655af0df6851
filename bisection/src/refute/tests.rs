//! Refutations of liars and of the honest, and the reward.

use narrows_commitment::Digest;
use narrows_program::{ElementIndex, OperatorIndex, Program};

use super::*;
use crate::game::{ClaimStatus, ids};
use crate::players::world::*;
use crate::{BlockTime, Call, Event, MatchState, Phase, Refusal, Seat, Wei, signature};

/// The claimed trace's sub-trace of the first layer that differs, signed by the executor.
fn signed(world: &World, own: &Trace, claimed: &Trace) -> (Digest, Vec<u8>) {
    let layer = own.first_layer_difference(claimed).expect("differs");
    signed_at(world, claimed, layer)
}

fn signed_at(world: &World, claimed: &Trace, layer: LayerIndex) -> (Digest, Vec<u8>) {
    let list = claimed.sub_tree(layer).root();
    let digest = ids::sub_trace_digest(CHAIN, GAME, world.claim, layer.0, list);
    (list, signature::sign(digest, &key()).to_vec())
}

fn refute(world: &World, refutation: &Refutation) -> Call {
    Call::Refute { posted: world.posted, refutation: Box::new(refutation.clone()) }
}

/// Operators whose output the trace root commits to, with all that they read.
const BY_ROOTS: [u32; 3] = [0, 1, 6];

#[test]
fn attack_01_every_lie_is_refuted_in_one_call() {
    let program = program(2);
    let own = truth(&program);
    for (at, claimed) in lies(&program) {
        let mut world = World::new(&program, &claimed);
        let signature = signed(&world, &own, &claimed);
        let refutation = refutation(&program, &own, &claimed, Some(signature)).expect("a fault");
        assert_eq!(refutation.layer_index, program.layer_of(OperatorIndex(at)).0.0);
        assert_eq!(refutation.position, u32::from(program.layer_of(OperatorIndex(at)).1));
        let by_roots = BY_ROOTS.contains(&at);
        assert_eq!(refutation.signature.is_empty(), by_roots, "operator {at}");
        let events = world.send(STRANGER, NOTHING, &refute(&world, &refutation)).expect("refuted");
        let claim = world.game.claim(world.claim).expect("exists");
        assert_eq!((claim.status, claim.by_roots), (ClaimStatus::Refuted, by_roots));
        let [Event::ClaimRefuted { point, .. }] = events[..] else { panic!("{events:?}") };
        assert_ne!(point, Digest::default(), "an element's verdict knows the right value");
        let found = find_point(&program, &own, [OperatorIndex(at)], point).expect("my own value");
        assert_eq!(found.operator, at);
        assert_eq!(find_point(&program, &claimed, [OperatorIndex(at)], point), None);
        // Once is enough.
        assert_eq!(world.send(STRANGER, NOTHING, &refute(&world, &refutation)), Err(Refusal::ClaimClosed));
    }
}

#[test]
fn what_the_roots_do_not_commit_to_takes_a_signature() {
    let program = program(2);
    let own = truth(&program);
    let mut alone = std::collections::BTreeSet::new();
    for (at, claimed) in lies(&program) {
        let world = World::new(&program, &claimed);
        let Some(refutation) = refutation(&program, &own, &claimed, None) else {
            assert!(!BY_ROOTS.contains(&at));
            continue;
        };
        assert!(refutation.signature.is_empty() && refutation.list == Digest::default());
        assert!(world.clone().send(STRANGER, NOTHING, &refute(&world, &refutation)).is_ok(), "operator {at}");
        alone.insert(at);
    }
    assert_eq!(alone, BY_ROOTS.into());
    // A list of another layer, or of another trace, is none.
    let claimed = doctored(&program, 4, 3, 90);
    let world = World::new(&program, &claimed);
    let elsewhere = signed_at(&world, &claimed, LayerIndex(1));
    assert_eq!(refutation(&program, &own, &claimed, Some(elsewhere)), None);
    let other = signed_at(&world, &own, LayerIndex(2));
    assert_eq!(refutation(&program, &own, &claimed, Some(other)), None);
}

#[test]
fn a_later_fault_that_hangs_on_the_roots_serves_without_a_signature() {
    // Layer 2: a local sum, the pair that reads it, and the linear map, exported, that reads an earlier layer only.
    let program = grouped(2, &[1, 1, 3, 1, 1, 2]);
    let own = truth(&program);
    let claimed = run(&program, &input(), |index, output| {
        if index == 2 || index == 4 {
            shift(program.operator(OperatorIndex(index)).dtype, output, 6, 90);
        }
    });
    let mut world = World::new(&program, &claimed);
    let signature = signed(&world, &own, &claimed);
    let first = refutation(&program, &own, &claimed, Some(signature)).expect("a fault");
    assert_eq!((first.position, first.signature.len()), (0, 65));
    assert!(world.clone().send(STRANGER, NOTHING, &refute(&world, &first)).is_ok());
    let later = refutation(&program, &own, &claimed, None).expect("a fault");
    assert_eq!((later.position, later.signature.len(), later.exports.len()), (2, 0, 2));
    world.send(STRANGER, NOTHING, &refute(&world, &later)).expect("refuted");
    assert!(world.game.claim(world.claim).is_some_and(|claim| claim.by_roots));
}

#[test]
fn attack_18_a_signature_counts_for_its_claim_layer_and_list_only() {
    let program = program(2);
    let own = truth(&program);
    let claimed = doctored(&program, 4, 3, 90);
    let mut world = World::new(&program, &claimed);
    let list = claimed.sub_tree(LayerIndex(2)).root();
    let elsewhere = World::new(&program, &doctored(&program, 4, 4, 90)).claim;
    let digests = [
        ids::sub_trace_digest(CHAIN, GAME, elsewhere, 2, list),
        ids::sub_trace_digest(CHAIN, GAME, world.claim, 1, list),
        ids::sub_trace_digest(CHAIN + 1, GAME, world.claim, 2, list),
        ids::sub_trace_digest(CHAIN, STRANGER, world.claim, 2, list),
        ids::sub_trace_digest(CHAIN, GAME, world.claim, 2, Digest::default()),
    ];
    for digest in digests {
        let signature = signature::sign(digest, &key()).to_vec();
        let refutation = refutation(&program, &own, &claimed, Some((list, signature))).expect("a fault");
        assert_eq!(world.send(STRANGER, NOTHING, &refute(&world, &refutation)), Err(Refusal::BadSignature));
    }
    let right = signed(&world, &own, &claimed);
    let refutation = refutation(&program, &own, &claimed, Some(right)).expect("a fault");
    assert!(world.send(STRANGER, NOTHING, &refute(&world, &refutation)).is_ok());
}

#[test]
fn attack_12_an_honest_claim_has_no_fault() {
    let program = program(2);
    let own = truth(&program);
    assert_eq!(refutation(&program, &own, &own, None), None);
    // A challenger that is wrong itself, against the honest claim with all that it could have signed.
    for (at, wrong) in lies(&program) {
        let mut world = World::new(&program, &own);
        let signature = signed(&world, &wrong, &own);
        let refutation = refutation(&program, &wrong, &own, Some(signature)).expect("thinks so");
        assert_eq!(
            world.send(STRANGER, NOTHING, &refute(&world, &refutation)),
            Err(Refusal::NoFault),
            "{at}"
        );
    }
}

#[test]
fn attack_12_no_element_of_an_honest_claim_has_a_fault() {
    let program = program(2);
    let own = truth(&program);
    let mut world = World::new(&program, &own);
    for (index, op) in program.operators().iter().enumerate() {
        let operator = OperatorIndex(index as u32);
        let layer = program.layer_of(operator).0;
        let per_tile = 128 / op.dtype.bytes() as u32;
        let tiles = op.output_bytes().div_ceil(128) as u32;
        for (tile, element) in [(0, 0), (tiles - 1, 1), (tiles / 2, 4), (tiles - 1, per_tile as u8 - 1)] {
            let list = (!hangs_on_roots(&program, operator)).then(|| signed_at(&world, &own, layer));
            let refutation = prove(&program, &own, layer, operator, tile, element, list);
            let result = world.send(STRANGER, NOTHING, &refute(&world, &refutation));
            assert_eq!(result, Err(Refusal::NoFault), "operator {index}, tile {tile}, element {element}");
        }
    }
}

#[test]
fn attack_05_padding_in_a_last_tile_is_refuted() {
    let program = program(2);
    let own = truth(&program);
    let mut bytes = own.operator(OperatorIndex(6)).to_vec();
    bytes.resize(384, 0);
    bytes[300] = 255;
    let tensor = narrows_commitment::TensorTree::of_bytes(&bytes);
    let mut leaves: Vec<Digest> = (0..5).map(|layer| own.layer_leaf(LayerIndex(layer))).collect();
    leaves[3] = tensor.root();
    let tree = narrows_commitment::Tree::new(leaves);
    let mut world = World::claiming(&program, tree.root(), own.output(), tree.path(4));
    // The first padding element: 300 = 2 * 128 + 44. The prover's own trace, with the claimed tile and paths.
    let honest = prove(&program, &own, LayerIndex(3), OperatorIndex(6), 2, 44, None);
    let refutation = Refutation {
        tile: tile_at(&bytes, 2).to_vec(),
        tile_path: tensor.path(2),
        trace_path: tree.path(3),
        ..honest
    };
    let events = world.send(STRANGER, NOTHING, &refute(&world, &refutation)).expect("refuted");
    assert!(matches!(events[..], [Event::ClaimRefuted { point: Digest([0, ..]), .. }]), "{events:?}");
    assert_eq!(world.game.owed(STRANGER), Wei(500), "the reward of padding is paid at once");
}

/// A challenger's commitment to its own trace.
fn committed(world: &World, own: &Trace) -> Digest {
    let depth = own.own_tree().depth() as u8;
    ids::own_commitment(SALT, CHALLENGER, world.claim, depth, own.own_root())
}

fn open_reward(
    world: &World,
    program: &Program,
    own: &Trace,
    point: Point,
    state: &MatchState,
    seat: Seat,
) -> Call {
    let (point, tile, path) =
        reward_opening(program, own, OperatorIndex(point.operator), ElementIndex(point.element));
    Call::OpenReward {
        claim: world.claim,
        number: 0,
        standing: state.standing(),
        node: state.node,
        seat,
        point,
        salt: SALT,
        depth: own.own_tree().depth() as u8,
        tile,
        path,
    }
}

#[test]
fn a_commitment_opens_at_the_point_of_every_operator() {
    let program = program(2);
    let own = truth(&program);
    for (at, claimed) in lies(&program) {
        let mut world = World::new(&program, &claimed);
        let commitment = committed(&world, &own);
        let follower = world.open(commitment);
        world.now += 1;
        let signature = signed(&world, &own, &claimed);
        let refutation = refutation(&program, &own, &claimed, Some(signature)).expect("a fault");
        let events = world.send(STRANGER, NOTHING, &refute(&world, &refutation)).expect("refuted");
        let [Event::ClaimRefuted { point, .. }] = events[..] else { panic!("{events:?}") };
        let all = (0..9).map(OperatorIndex);
        let point = find_point(&program, &own, all, point).expect("found");
        assert_eq!(point.operator, at);
        let call = open_reward(&world, &program, &own, point, follower.state(), follower.seated().seat);
        let mut liar = world.clone();
        // Whoever committed to the claimed trace has another value there.
        let wrong = open_reward(&world, &program, &claimed, point, follower.state(), follower.seated().seat);
        assert_eq!(liar.send(CHALLENGER, NOTHING, &wrong), Err(Refusal::WrongStatement));
        world.send(CHALLENGER, NOTHING, &call).expect("opens");
        assert_eq!(world.send(CHALLENGER, NOTHING, &call), Err(Refusal::NotBetter));
        world.now += u64::from(parameters().reward_seconds);
        let events =
            world.send(STRANGER, NOTHING, &Call::CollectReward { claim: world.claim }).expect("collects");
        let paid = Event::RewardCollected { claim: world.claim, winner: CHALLENGER, amount: Wei(500) };
        assert_eq!(events, [paid]);
    }
}

#[test]
fn a_bare_commitment_opens_too() {
    let program = program(2);
    let own = truth(&program);
    let claimed = doctored(&program, 0, 5, 1);
    let mut world = World::new(&program, &claimed);
    let commitment = committed(&world, &own);
    world.send(CHALLENGER, NOTHING, &Call::Commit { claim: world.claim, commitment }).expect("commits");
    let seat = Seat { commitment, opened_at: BlockTime(world.now), bond: Wei(0) };
    world.now += 1;
    let refutation = refutation(&program, &own, &claimed, None).expect("a fault");
    world.send(STRANGER, NOTHING, &refute(&world, &refutation)).expect("refuted");
    let state = world.state(ids::match_id(world.claim, 0));
    assert_eq!(state, committed_state(&crate::Seated { challenger: CHALLENGER, seat }));
    assert_eq!(state.phase, Phase::Committed);
    let point = point(&program, &own, OperatorIndex(0), ElementIndex(5));
    let call = open_reward(&world, &program, &own, point, &state, seat);
    world.send(CHALLENGER, NOTHING, &call).expect("opens");
}
