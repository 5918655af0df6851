//! Refutations in one call, their rewards and their copies.

use super::*;
use crate::{Point, Refutation};
use narrows_commitment::keccak;

const WRONG: usize = 200;

/// Brings one fault into a call.
type Bend = fn(&mut Call);

/// The refutation of the copy's element `e` in the layer of both operators, by the executor's signature of its sub-trace.
fn signed(world: &World, e: usize) -> Refutation {
    let list = world.claimed.sub_tree(LayerIndex(0));
    let digest = ids::sub_trace_digest(CHAIN, GAME, world.claim, 0, list.root());
    Refutation {
        list: list.root(),
        list_path: list.path(0),
        signature: signature::sign(digest, &key(7)).to_vec(),
        operator_path: world.program.operators_tree(LayerIndex(0)).path(0),
        ..bare(world, e)
    }
}

/// The same where the copy is a layer of its own.
fn bare(world: &World, e: usize) -> Refutation {
    let tile = (e / 128) as u32;
    let copy = OperatorIndex(0);
    Refutation {
        layer: world.program.layer(LayerIndex(0)).head(),
        layer_path: world.program.layers_tree().path(0),
        operator: world.operator(0),
        trace_path: if world.claimed.tree().depth() > 0 { world.claimed.tree().path(0) } else { Vec::new() },
        tile_index: tile,
        tile: narrows_commitment::tile_at(world.claimed.operator(copy), tile.into()).to_vec(),
        tile_path: world.claimed.operator_tree(copy).path(tile.into()),
        element: (e % 128) as u8,
        witness: if e < 300 { world.witness(0, e as u64, None) } else { Witness::default() },
        ..Refutation::default()
    }
}

fn refute(world: &World, refutation: &Refutation) -> Call {
    Call::Refute { posted: world.posted, refutation: Box::new(refutation.clone()) }
}

fn point(world: &World) -> Point {
    let value = i32::from(input()[WRONG] as i8);
    assert_ne!(value, i32::from(world.claimed.operator(OperatorIndex(0))[WRONG] as i8));
    let before = keccak(&input()[WRONG - WRONG % 128..WRONG]);
    Point { operator: 0, depth: 2, element_bytes: 1, element: WRONG as u32, value, before }
}

fn open_reward(world: &World, number: u64) -> Call {
    let Match { state, seated, .. } = world.at(number);
    let own = trace(&world.program, None, 0);
    let tensor = own.operator_tree(OperatorIndex(0)).path(1);
    Call::OpenReward {
        claim: world.claim,
        number,
        standing: state.standing(),
        node: state.node,
        seat: seated.seat,
        point: point(world),
        salt: OWN_SALT,
        depth: 1,
        tile: narrows_commitment::tile_at(own.operator(OperatorIndex(0)), 1).to_vec(),
        path: [tensor, own.own_tree().path(0)].concat(),
    }
}

#[test]
fn a_refutation_by_the_roots_refutes_copies_too() {
    let mut world = World::new(&[1, 1], Some(WRONG), 0);
    let copy = world.claim_by(account(9), world.now + 1, OWN_SALT);
    let honest = bare(&world, WRONG - 1);
    assert_eq!(world.send(STRANGER, NOTHING, &refute(&world, &honest)), Err(Refusal::NoFault));
    assert_eq!(world.send(STRANGER, NOTHING, &refute(&world, &bare(&world, 300))), Err(Refusal::NoFault));
    let refute_copy = Call::RefuteCopy { original: world.posted, copy };
    assert_eq!(world.send(STRANGER, NOTHING, &refute_copy), Err(Refusal::NotACopy));
    let call = refute(&world, &bare(&world, WRONG));
    let events = world.send(STRANGER, NOTHING, &call).expect("a fault");
    let hash = ids::point(&point(&world));
    assert_eq!(events, [Event::ClaimRefuted { claim: world.claim, job: world.job, point: hash }]);
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::ClaimClosed));
    assert_eq!(world.game.owed(STRANGER), NOTHING, "the reward is open to commitments");
    let other = Posted { trace_root: TraceRoot(SALT), ..world.posted };
    let unknown = Call::RefuteCopy { original: world.posted, copy: other };
    assert_eq!(world.send(STRANGER, NOTHING, &unknown), Err(Refusal::UnknownClaim));
    let no_original = Call::RefuteCopy { original: other, copy };
    assert_eq!(world.send(STRANGER, NOTHING, &no_original), Err(Refusal::NotACopy));
    world.send(STRANGER, NOTHING, &refute_copy).expect("the same trace");
    assert_eq!(world.game.owed(STRANGER), Wei(500));
    assert_eq!(world.send(STRANGER, NOTHING, &refute_copy), Err(Refusal::ClaimClosed));
    // Nobody committed: the first reward is burned.
    let burned = world.game.burned().0;
    let collect = Call::CollectReward { claim: world.claim };
    world.now += 19;
    assert_eq!(world.send(STRANGER, NOTHING, &collect), Err(Refusal::NotYet));
    world.now += 1;
    world.send(STRANGER, NOTHING, &collect).expect("its time is up");
    assert_eq!(world.send(STRANGER, NOTHING, &collect), Err(Refusal::NoReward));
    assert_eq!(world.game.burned(), Wei(burned + 500));
    world.pay_out(77);
}

#[test]
fn what_hangs_on_a_signature_refutes_no_copy() {
    let mut world = World::new(&[2], Some(WRONG), 0);
    let copy = world.claim_by(account(9), world.now + 1, OWN_SALT);
    let good = Refutation { trace_path: Vec::new(), ..signed(&world, WRONG) };
    let posted = world.posted;
    let call = |refutation| Call::Refute { posted, refutation: Box::new(refutation) };
    let bent = [
        (Refusal::BadSignature, call(Refutation { list: SALT, ..good.clone() })),
        (Refusal::BadSignature, call(Refutation { signature: vec![0; 65], ..good.clone() })),
        (Refusal::WitnessExtra, call(Refutation { signature: Vec::new(), ..good.clone() })),
        (
            Refusal::WitnessExtra,
            call(Refutation { signature: Vec::new(), list: Digest::default(), ..good.clone() }),
        ),
        (
            Refusal::BadOpening,
            call(Refutation {
                signature: Vec::new(),
                list: Digest::default(),
                list_path: Vec::new(),
                ..good.clone()
            }),
        ),
        (Refusal::WitnessExtra, call(Refutation { trace_path: vec![SALT], ..good.clone() })),
        (Refusal::WitnessExtra, call(Refutation { exports: vec![TensorRoot(SALT)], ..good.clone() })),
        (Refusal::BadOpening, call(Refutation { list_path: vec![SALT], ..good.clone() })),
        (Refusal::BadOpening, call(Refutation { operator_path: vec![SALT], ..good.clone() })),
        (Refusal::BadOpening, call(Refutation { operator_path: Vec::new(), ..good.clone() })),
        (Refusal::BadOpening, call(Refutation { layer_index: 1, ..good.clone() })),
        (Refusal::WrongIndex, call(Refutation { position: 2, ..good.clone() })),
        (Refusal::WrongIndex, call(Refutation { tile_index: 3, ..good.clone() })),
        (Refusal::WrongIndex, call(Refutation { element: 128, ..good.clone() })),
        (Refusal::BadOpening, call(Refutation { tile_path: Vec::new(), ..good.clone() })),
        (Refusal::WrongLength, call(Refutation { tile: vec![0; 127], ..good.clone() })),
        (Refusal::WrongLength, call(Refutation { layer: Vec::new(), ..good.clone() })),
        (Refusal::WrongLength, call(Refutation { operator: vec![0; 192], ..good.clone() })),
        (Refusal::NoFault, call(Refutation { trace_path: Vec::new(), ..signed(&world, WRONG - 1) })),
    ];
    for (refusal, call) in bent {
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(refusal), "{call:?}");
    }
    let call = call(good);
    world.send(STRANGER, NOTHING, &call).expect("a fault");
    let refute_copy = Call::RefuteCopy { original: world.posted, copy };
    assert_eq!(world.send(STRANGER, NOTHING, &refute_copy), Err(Refusal::NotACopy));
}

#[test]
fn the_lowest_commitment_that_knew_better_gets_the_reward() {
    let mut world = World::new(&[2], Some(WRONG), 0);
    let commit = |world: &World, commitment| Call::Commit { claim: world.claim, commitment };
    // 0: a commitment to nothing; 1: the challenger's match; 2: a stranger that knows; 3: one in the verdict's second.
    let call = commit(&world, SALT);
    world.send(STRANGER, NOTHING, &call).expect("commits");
    assert_eq!(world.phase(0), Phase::Committed);
    let number = world.reach_name(0);
    assert_eq!(number, 1);
    let call = commit(&world, world.own_commitment(STRANGER));
    world.send(STRANGER, NOTHING, &call).expect("commits");
    world.now += 1;
    let call = commit(&world, world.own_commitment(account(9)));
    world.send(account(9), NOTHING, &call).expect("commits");
    let early = open_reward(&world, 2);
    assert_eq!(world.send(STRANGER, NOTHING, &early), Err(Refusal::NoReward));
    world.play(&[(CHALLENGER, &|w| w.name(number, 0, 1, (WRONG - 128) as u8))]);
    // Too late, not the challenger, not the right trace, not the point.
    let call = open_reward(&world, 3);
    assert_eq!(world.send(account(9), NOTHING, &call), Err(Refusal::TooLate));
    let call = open_reward(&world, 2);
    assert_eq!(world.send(CHALLENGER, NOTHING, &call), Err(Refusal::WrongState));
    let call = open_reward(&world, 0);
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::BadOpening));
    let mut call = open_reward(&world, 2);
    let Call::OpenReward { number: named, .. } = &mut call else { unreachable!() };
    *named = 7;
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::UnknownMatch));
    let bent: [(Refusal, Bend); 5] = [
        (Refusal::WrongStatement, |call| {
            let Call::OpenReward { point, .. } = call else { unreachable!() };
            point.value += 1;
        }),
        (Refusal::BadOpening, |call| {
            let Call::OpenReward { tile, .. } = call else { unreachable!() };
            tile.pop();
        }),
        (Refusal::BadOpening, |call| {
            let Call::OpenReward { path, .. } = call else { unreachable!() };
            path.pop();
        }),
        (Refusal::BadOpening, |call| {
            let Call::OpenReward { salt, .. } = call else { unreachable!() };
            *salt = SALT;
        }),
        (Refusal::BadOpening, |call| {
            let Call::OpenReward { depth, .. } = call else { unreachable!() };
            *depth = 2;
        }),
    ];
    for (refusal, bend) in bent {
        let mut call = open_reward(&world, 2);
        bend(&mut call);
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(refusal));
    }
    let call = open_reward(&world, 2);
    world.send(STRANGER, NOTHING, &call).expect("knew it");
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::NotBetter));
    let call = open_reward(&world, 1);
    world.now += 19;
    world.send(CHALLENGER, NOTHING, &call).expect("knew it earlier");
    world.now += 1;
    let call = open_reward(&world, 0);
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::TooLate));
    let events = world.send(STRANGER, NOTHING, &Call::CollectReward { claim: world.claim }).expect("is due");
    assert_eq!(events, [Event::RewardCollected { claim: world.claim, winner: CHALLENGER, amount: Wei(500) }]);
    let reclaim = world.reclaim(number);
    world.send(STRANGER, NOTHING, &reclaim).expect("won");
    // The refuted claim is passed over, and the fee goes back after the deadline.
    world.now = DEADLINE;
    world.send(STRANGER, NOTHING, &Call::Refund { job: world.job }).expect("nobody else");
    world.pay_out(0);
}

#[test]
fn a_right_root_with_a_wrong_value_earns_nothing() {
    // Somebody committed to the wrong trace too: it opens, but the tile does not hold the right value.
    let mut world = World::new(&[2], Some(WRONG), 0);
    let (root, copy) = (world.claimed.own_root(), OperatorIndex(0));
    let commitment = ids::own_commitment(OWN_SALT, STRANGER, world.claim, 1, root);
    world.send(STRANGER, NOTHING, &Call::Commit { claim: world.claim, commitment }).expect("commits");
    world.now += 1;
    let refutation = Refutation { trace_path: Vec::new(), ..signed(&world, WRONG) };
    world.send(STRANGER, NOTHING, &refute(&world, &refutation)).expect("a fault");
    let mut call = open_reward(&world, 0);
    let Call::OpenReward { tile, path, .. } = &mut call else { unreachable!() };
    *tile = narrows_commitment::tile_at(world.claimed.operator(copy), 1).to_vec();
    *path = [world.claimed.operator_tree(copy).path(1), world.claimed.own_tree().path(0)].concat();
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::WrongStatement));
}
