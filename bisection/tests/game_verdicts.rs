//! Whole matches to their verdicts, and what each side gets for them.

mod game_support;

use game_support::*;
use narrows_bisection::game::ids;
use narrows_bisection::{Account, Call, ClaimStatus, Event, MatchState, Phase, Refusal, Side, Wei};
use narrows_commitment::{Digest, TensorTree, Tree, padding, tile_at};
use narrows_program::{OperatorIndex, Program};

#[test]
fn attack_01_every_lie_is_refuted_and_paid_for_to_the_wei() {
    // Elements of one segment: the verdict knows the right value, and the reward waits for commitments.
    for (bits, target) in
        [(1, (0, 0)), (2, (0, 1_199)), (3, (1, 700)), (6, (3, 1_100)), (1, (4, 299)), (2, (6, 9))]
    {
        let mut world = World::new(bits, target, true);
        let events = world.finish();
        let (match_id, claim, job) = (world.id(), world.claim, world.job);
        let point = world.claim_entry().point;
        let expected = [Event::MatchWon { match_id, claim }, Event::ClaimRefuted { claim, job, point }];
        assert_eq!(events, expected, "{bits} bits, {target:?}");
        assert_eq!((world.phase(), world.status()), (Phase::Won, ClaimStatus::Refuted));
        // The sub-trace is the executor's word, so only layers of one operator hang on the roots.
        assert_eq!(world.claim_entry().by_roots, ![1, 2, 3].contains(&target.0));
        let (bond, burned) = (bond(bits).0, CLAIM_FEE + 501);
        assert_eq!(world.money(), [0, 0, 0, 500 + bond + 77, burned]);
        world.send(CHALLENGER, NOTHING, &world.open_reward(0, target)).expect_err("opened in its own second");
        let mut world = World::new(bits, target, true);
        world.now += 1;
        world.finish();
        world.send(CHALLENGER, NOTHING, &world.open_reward(0, target)).expect("knew it before");
        world.now += 20;
        world.send(STRANGER, NOTHING, &Call::CollectReward { claim }).expect("is due");
        world.send(STRANGER, NOTHING, &world.reclaim()).expect("won");
        assert_eq!(world.money(), [0, 0, 500 + bond, 500 + bond + 77, burned]);
    }
    // Elements of several: nobody knows the right value, and the winner is paid at once.
    for (bits, target) in [(1, TARGET), (2, (2, 0)), (6, (2, 299)), (3, (5, 4))] {
        let mut world = World::new(bits, target, true);
        world.finish();
        assert_eq!(world.claim_entry().point, Digest::default());
        let bond = bond(bits).0;
        assert_eq!(world.money(), [0, 0, 500, 500 + bond + 77, CLAIM_FEE + 501]);
    }
}

#[test]
fn attack_12_every_unjust_challenge_is_lost_and_pays_for_the_answers() {
    for target in [(0, 0), (0, 1_199), (1, 5), (2, 299), (3, 640), (4, 7), (5, 9), (6, 0)] {
        let mut world = World::new(2, target, false);
        let mut answers = 0;
        while let Some(side) = world.phase().turn() {
            answers += u128::from(side == Side::Executor);
            world.step();
        }
        assert_eq!((world.phase(), world.status()), (Phase::Lost, ClaimStatus::Pending), "{target:?}");
        assert_eq!(u128::from(world.state().answers), answers);
        let (bond, paid) = (bond(2).0, answers * answer_gas(2) * 2 + 17);
        assert_eq!(world.money(), [0, paid, 0, paid + 1_001 + 77, CLAIM_FEE + bond - paid]);
        assert_eq!(world.claim_entry().open_matches, 0);
    }
}

#[test]
fn attack_15_answers_are_paid_by_the_base_fee_up_to_the_cap() {
    for (base_fee, price) in [(0, 0), (1, 1), (3, 3), (4, 3), (u128::MAX, 3)] {
        let mut world = World::new(2, TARGET, false).to(Phase::Seg);
        world.base_fee = base_fee;
        world.step();
        assert_eq!(world.phase(), Phase::Lost);
        // Two reveals of layers, the sub-trace, a reveal of tiles' nodes, the tiles, the sums.
        assert_eq!(world.state().answers, 6);
        assert_eq!(world.game.owed(executor()), Wei(6 * answer_gas(2) * price + 17));
    }
}

/// The executor's statement of `sums`.
fn fold(world: &World, stated: &[i64]) -> Call {
    let (_, mut call) = world.next();
    let Call::Fold { sums, .. } = &mut call else { panic!("sums") };
    sums.clear();
    sums.extend(stated);
    call
}

/// The proof against segment `wrong` of what was stated.
fn segment(world: &World, stated: &[i64], wrong: u32) -> Call {
    use narrows_bisection::{ClaimedNodes, WitnessSource};
    let (_, mut call) = world.next();
    let claimed = ClaimedNodes::default();
    let source =
        WitnessSource { program: &world.program, trace: &world.claimed, claimed: &claimed, list: None };
    let Call::Segment { sums, index, witness, .. } = &mut call else { panic!("a segment") };
    sums.clear();
    sums.extend(stated);
    *index = wrong;
    **witness = source.witness(OperatorIndex(TARGET.0), TARGET.1.into(), Some(wrong));
    call
}

#[test]
fn attack_10_sums_that_lead_to_a_lie_are_wrong_somewhere() {
    let world = in_phase(Phase::FoldE, true);
    let Call::Fold { sums: forged, .. } = world.next().1 else { panic!("sums") };
    let own = World::new(1, TARGET, false);
    let right = narrows_bisection::players::true_sums(
        &own.program,
        &own.claimed,
        OperatorIndex(TARGET.0),
        TARGET.1.into(),
    );
    let off = forged[2] - right[2];
    assert_eq!((forged[..2] == right[..2], off != 0), (true, true));
    // The truth does not lead to the claimed value, so the executor must lie once more.
    assert_eq!(world.clone().send(executor(), NOTHING, &fold(&world, &right)), Err(Refusal::FoldMismatch));
    let moved = |at: usize, by: i64| {
        let mut sums = right.clone();
        sums[at] += by;
        sums
    };
    let mut hidden = moved(0, off);
    (hidden[1], hidden[2]) = (hidden[1] + 1_000, hidden[2] - 1_000);
    for (stated, wrong) in [
        (moved(0, off), vec![0]),
        (moved(1, off), vec![1]),
        (moved(2, off), vec![2]),
        (hidden, vec![0, 1, 2]),
    ] {
        let mut world = world.clone();
        world.send(executor(), NOTHING, &fold(&world, &stated)).expect("states");
        for index in 0..3 {
            let mut world = world.clone();
            world.send(CHALLENGER, NOTHING, &segment(&world, &stated, index)).expect("is judged");
            let won = wrong.contains(&index);
            assert_eq!(world.phase(), if won { Phase::Won } else { Phase::Lost }, "{stated:?} {index}");
        }
    }
}

#[test]
fn attack_11_as_many_terms_as_a_segment_are_proved_at_once_and_one_more_are_not() {
    for (split, end) in [(301, Phase::Won), (300, Phase::Won), (299, Phase::FoldE)] {
        let mut parts = program(2).parts();
        parts.operators[2].split = split;
        let program = Program::new(parts).expect("legal");
        let mut world = World::with(program, TARGET, true).to(Phase::Name);
        world.step();
        assert_eq!(world.phase(), end, "300 terms, segments of {split}");
    }
}

/// A claim whose first layer's tensor has these leaves, and a match that stands before the pick in that tensor.
fn over(leaves: Vec<Digest>) -> (World, TensorTree) {
    let (mut world, trace, tensor) = claimed(leaves);
    enter(&mut world, &trace, CHALLENGER);
    (world, tensor)
}

/// The claim, its trace's tree, and the tensor's.
fn claimed(leaves: Vec<Digest>) -> (World, Tree, TensorTree) {
    let program = program(1);
    let right = truth(&program);
    let tensor = TensorTree::of_leaves(leaves);
    let mut layers: Vec<Digest> = (0..5).map(|i| right.layer_leaf(narrows_program::LayerIndex(i))).collect();
    layers[0] = tensor.root();
    let trace = Tree::new(layers);
    let mut world = World::job(program, right.clone(), right);
    world.posted.trace_root.0 = trace.root();
    world.claim = world.game.claim_id(&world.posted);
    let commitment = ids::claim_commitment(SALT, &world.posted);
    world.send(executor(), STAKE, &Call::CommitClaim { job: world.job, commitment }).expect("commits");
    let mut call = world.post_claim(0, world.now, &world.claimed);
    let Call::PostClaim { trace_root, path, .. } = &mut call else { panic!("a claim") };
    (trace_root.0, *path) = (trace.root(), trace.path(4));
    world.now += 1;
    world.send(executor(), NOTHING, &call).expect("posts");
    (world, trace, tensor)
}

/// Opens a match, and picks down to that tensor.
fn enter(world: &mut World, trace: &Tree, challenger: Account) {
    world.open(challenger).expect("opens");
    for level in [2, 1, 0] {
        pick(world, |index| trace.node(level, index), level == 0, 0).expect("picks");
    }
    assert_eq!((world.phase(), world.state().remaining, world.state().subject), (Phase::TileE, 4, 10));
}

/// Picks node `index` at `level` of the tensor's tree.
fn pick_in(world: &mut World, tensor: &TensorTree, level: u32, index: u64) -> Result<Vec<Event>, Refusal> {
    pick(world, |index| tensor.node(level, index), false, index)
}

/// Picks node `index` of those at its level.
fn pick(
    world: &mut World,
    node: impl Fn(u64) -> Digest,
    enters: bool,
    index: u64,
) -> Result<Vec<Event>, Refusal> {
    let this = world.this();
    let program = &world.program;
    let described = program.layer(narrows_program::LayerIndex(0));
    let (claim, number, child) = (world.claim, world.number, (index & 1) as u32);
    let (node, siblings) = (node(index), vec![node(index ^ 1)]);
    let call = match enters {
        false => Call::Pick { claim, number, footing: this.state.picked(), child, node, siblings },
        true => Call::Enter {
            claim,
            number,
            footing: this.state.seated(),
            child,
            node,
            siblings,
            layer: described.head(),
            operator: program.operator_bytes(described.first),
            path: program.layers_tree().path(0),
        },
    };
    world.send(this.seated.challenger, NOTHING, &call)
}

#[test]
fn attack_08_padding_that_is_wrong_is_no_verdict_once_the_claim_has_fallen() {
    let right = truth(&program(1));
    let mut leaves: Vec<Digest> = (0..16).map(|i| right.operator_tree(OperatorIndex(0)).node(0, i)).collect();
    leaves[12] = SALT;
    let (mut world, trace, tensor) = claimed(leaves);
    for challenger in [CHALLENGER, STRANGER] {
        enter(&mut world, &trace, challenger);
        pick_in(&mut world, &tensor, 3, 1).expect("tiles 8 and 9 are real");
    }
    pick_in(&mut world, &tensor, 2, 3).expect("the claim falls to the second match");
    assert_eq!(world.phase(), Phase::Won);
    world.number = 0;
    assert_eq!(pick_in(&mut world, &tensor, 2, 3), Err(Refusal::ClaimClosed));
    let bond = world.this().seated.seat.bond;
    world.send(STRANGER, NOTHING, &world.reclaim()).expect("overtaken");
    assert_eq!(world.game.owed(CHALLENGER), bond);
    assert_eq!(world.game.owed(STRANGER), Wei(500), "the reward of the one that was first");
}

#[test]
fn attack_05_padding_nodes_of_a_tensor_must_be_the_constants() {
    let right = truth(&program(1));
    let honest: Vec<Digest> = (0..10).map(|i| right.operator_tree(OperatorIndex(0)).node(0, i)).collect();
    // Ten tiles in a tree of sixteen leaves: node 3 of level 2 is padding.
    for (bad, won) in [(None, false), (Some(12), true), (Some(15), true)] {
        let mut leaves = honest.clone();
        if let Some(bad) = bad {
            leaves.resize(16, padding(0));
            leaves[bad] = SALT;
        }
        let (mut world, tensor) = over(leaves);
        pick_in(&mut world, &tensor, 3, 1).expect("tiles 8 and 9 are real");
        let before = world.state();
        assert_eq!(tensor.node(2, 3) == padding(2), !won);
        let result = pick_in(&mut world, &tensor, 2, 3);
        if !won {
            assert_eq!(result, Err(Refusal::PaddingHonest));
            continue;
        }
        let names: Vec<bool> =
            result.expect("not padding").iter().map(|e| matches!(e, Event::Picked { .. })).collect();
        assert_eq!(names, [true, false, false], "the pick, MatchWon, ClaimRefuted");
        let (remaining, position, node) = (2, 3, tensor.node(2, 3));
        assert_eq!(world.state(), MatchState { phase: Phase::Won, remaining, position, node, ..before });
        // Nothing is known that would be right: the reward is the challenger's at once, and no copy falls with it.
        assert_eq!(world.game.owed(CHALLENGER), Wei(500));
        assert!(!world.claim_entry().by_roots);
    }
}

#[test]
fn attack_05_a_leaf_that_is_no_tile_cannot_be_named() {
    let right = truth(&program(1));
    let bytes = right.operator(OperatorIndex(0));
    let mut leaves: Vec<Digest> = (0..16).map(|i| right.operator_tree(OperatorIndex(0)).node(0, i)).collect();
    // The leaf of 127 bytes where tile 2 belongs.
    let short = tile_at(bytes, 2)[..127].to_vec();
    leaves[2] = narrows_commitment::keccak(&[&[0][..], &short].concat());
    let (mut world, tensor) = over(leaves.clone());
    pick_in(&mut world, &tensor, 3, 0).expect("picks");
    pick_in(&mut world, &tensor, 2, 0).expect("picks");
    assert_eq!(world.phase(), Phase::DataE);
    let this = world.this();
    let name = |tile: &[u8], slot: u8| Call::Name {
        posted: world.posted,
        number: 0,
        footing: this.state.seated(),
        list: this.state.list,
        tile: tile.to_vec(),
        slot,
        siblings: tensor.path(slot.into())[..3].to_vec(),
        element: 0,
        operator: world.program.operator_bytes(OperatorIndex(0)),
        witness: Box::default(),
    };
    assert_eq!(tensor.path(2)[..3], [leaves[0], leaves[1], leaves[3]]);
    let (odd, even) = (name(&short, 2), name(&tile_at(bytes, 1), 1));
    assert_eq!(world.clone().send(CHALLENGER, NOTHING, &odd), Err(Refusal::WrongLength));
    assert_eq!(world.clone().send(CHALLENGER, NOTHING, &even), Err(Refusal::WrongCount), "without a witness");
    // But the executor cannot show four tiles either.
    world.now = world.deadline();
    world.send(STRANGER, NOTHING, &world.timeout()).expect("silence");
    assert_eq!(world.phase(), Phase::Won);
}

#[test]
fn attack_09_a_tensor_is_refuted_by_the_very_exports_that_it_is_one_of() {
    let program = program(1);
    let honest = World::posted(program.clone(), truth(&program), truth(&program));
    // The second of a layer's two exports.
    let mut world = World::posted(program.clone(), doctored(&program, (3, 5)), truth(&program));
    let call = world.refute();
    let Call::Refute { refutation: good, .. } = &call else { panic!("a refutation") };
    assert_eq!((good.exports.len(), good.position), (2, 2));
    type Bend = fn(&mut narrows_bisection::Refutation);
    let bends: [Bend; 7] = [
        |r| r.exports.clear(),
        |r| r.exports.truncate(1),
        |r| r.exports.push(r.exports[1]),
        |r| r.exports.swap(0, 1),
        |r| r.exports[0].0.0[3] ^= 1,
        |r| r.tile[5] ^= 1,
        |r| r.tile_path[0].0[3] ^= 1,
    ];
    for (index, bend) in bends.iter().enumerate() {
        let mut refutation = good.clone();
        bend(&mut refutation);
        for (mut world, posted) in [(world.clone(), world.posted), (honest.clone(), honest.posted)] {
            let call = Call::Refute { posted, refutation: refutation.clone() };
            let refused = world.send(STRANGER, NOTHING, &call).expect_err("no proof");
            // A signature of the one claim is none of the other.
            assert!([Refusal::BadOpening, Refusal::BadSignature].contains(&refused), "{index}: {refused:?}");
            assert!(posted == honest.posted || refused == Refusal::BadOpening, "{index}: {refused:?}");
        }
    }
    world.send(STRANGER, NOTHING, &call).expect("it is wrong");
}

#[test]
fn attack_18_a_commitment_to_a_tree_of_another_depth_opens_nothing() {
    let program = program(1);
    let target = (3, 5);
    let mut world = World::posted(program.clone(), doctored(&program, target), truth(&program));
    let own = truth(&program);
    let depth = own.own_tree().depth() as u8;
    // Each commits to the right root, and to a depth.
    let seats = [(Account([51; 20]), depth - 1), (Account([52; 20]), depth + 1), (Account([53; 20]), depth)];
    for (challenger, depth) in seats {
        let commitment = ids::own_commitment(OWN_SALT, challenger, world.claim, depth, own.own_root());
        let call = Call::Open { posted: world.posted, commitment };
        world.send(challenger, world.bond(), &call).expect("opens");
    }
    world.now += 1;
    world.send(STRANGER, NOTHING, &world.refute()).expect("it is wrong");
    for (number, (challenger, said)) in (0..).zip(seats) {
        let mut call = world.open_reward(number, target);
        let Call::OpenReward { depth: shown, .. } = &mut call else { panic!("a reward") };
        *shown = said;
        let result = world.send(challenger, NOTHING, &call).map(|_| ());
        assert_eq!(result, if said == depth { Ok(()) } else { Err(Refusal::BadOpening) }, "{said}");
    }
}

#[test]
fn attack_18_a_run_that_is_right_at_the_element_and_wrong_before_it_opens_nothing() {
    let program = program(1);
    let (at, e) = (3, 5);
    let world = World::posted(program.clone(), doctored(&program, (at, e)), truth(&program));
    // One is right at the element and after it, and wrong before it in its tile; one is wrong behind it alone.
    let runs = [doctored(&program, (at, 2)), doctored(&program, (at, 9)), truth(&program)];
    let refusals = [Err(Refusal::WrongStatement), Ok(()), Ok(())];
    for (own, refused) in runs.into_iter().zip(refusals) {
        let mut world = world.clone();
        let depth = own.own_tree().depth() as u8;
        let commitment = ids::own_commitment(OWN_SALT, CHALLENGER, world.claim, depth, own.own_root());
        let call = Call::Open { posted: world.posted, commitment };
        world.send(CHALLENGER, world.bond(), &call).expect("opens");
        world.now += 1;
        world.send(STRANGER, NOTHING, &world.refute()).expect("it is wrong");
        let mut call = world.open_reward(0, (at, e));
        let (_, its_tile, its_path) = narrows_bisection::refute::reward_opening(
            &program,
            &own,
            OperatorIndex(at),
            narrows_program::ElementIndex(e),
        );
        let Call::OpenReward { tile, path, .. } = &mut call else { panic!("a reward") };
        (*tile, *path) = (its_tile, its_path);
        assert_eq!(world.send(CHALLENGER, NOTHING, &call).map(|_| ()), refused);
    }
}
