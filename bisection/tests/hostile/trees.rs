//! Roots of no honest tree, of tensors and of layers: leaves in the place of nodes, and more levels than the program's header
//! insures.

use narrows_bisection::game::ids;
use narrows_bisection::{Call, Phase, Point, Refusal, Refutation, Wei};
use narrows_commitment::{
    Digest, Domain, TensorRoot, Tile, Tree, climb_tile, inner, keccak, quad, tagged, tile_at, tile_leaf,
    tile_siblings,
};

use super::{Rules, Shape, Trial, legal};
use crate::game_support::*;

/// Of two operators the second is exported; the first is on trial.
const SHAPE: Shape = Shape { first: 0, count: 2, export: 1 };

/// A match about the first operator's output, of which the executor states this root.
fn about<M: Rules>(rules: M, operator: &[u8], root: Digest) -> Trial<M> {
    walked(Trial::of(rules, SHAPE, operator), operator, root)
}

fn walked<M: Rules>(mut trial: Trial<M>, operator: &[u8], root: Digest) -> Trial<M> {
    assert_eq!(trial.advance(1), None, "enters");
    let state = trial.state();
    let mut roots = SHAPE.roots(trial.tree.root());
    roots[0] = TensorRoot(root);
    let list = Tree::new(roots.iter().map(|root| root.0).collect());
    let operators = SHAPE.operators(operator);
    let layer = [&SHAPE.head()[..], &operators.root().0].concat();
    let (posted, claim, number, footing) = (trial.posted, trial.claim, 0, state.seated());
    let (challenger, layer_, signature) = (state.challenger, layer.clone(), Vec::new());
    let call = Call::SubTrace { posted, number, footing, challenger, layer: layer_, roots, signature };
    trial.send(executor(), NOTHING, 2, &call).expect("states");
    let call = Call::PickOperator {
        claim,
        number,
        footing: trial.state().seated(),
        position: 0,
        layer,
        operator: operator.to_vec(),
        operator_path: operators.path(0),
        root: TensorRoot(root),
        root_path: list.path(0),
    };
    trial.send(CHALLENGER, NOTHING, 2, &call).expect("picks the operator");
    trial
}

/// A node over four that are alike.
fn above(node: Digest) -> Digest {
    let pair = inner(&node, &node);
    inner(&pair, &pair)
}

/// Shows four nodes that are alike.
fn reveal<M: Rules>(trial: &mut Trial<M>, node: Digest) {
    let (claim, footing) = (trial.claim, trial.state().shown());
    let call = Call::Reveal { claim, number: 0, footing, nodes: vec![node; 4] };
    trial.send(executor(), NOTHING, 2, &call).expect("shows");
}

/// Shows them, and picks the first.
fn two_levels_down<M: Rules>(trial: &mut Trial<M>, node: Digest) {
    reveal(trial, node);
    let (claim, number) = (trial.claim, 0);
    let (footing, siblings) = (trial.state().picked(), vec![node, inner(&node, &node)]);
    let call = Call::Pick { claim, number, footing, child: 0, node, siblings };
    trial.send(CHALLENGER, NOTHING, 2, &call).expect("picks");
}

/// A leaf in the place of a node cannot be named in.
pub fn a_leaf_for_a_node<M: Rules>(rules: M) {
    // Ten tiles: four levels, of which the node two levels down is a tile's own leaf.
    let tile = [7; 128];
    let leaf = tile_leaf(&tile);
    let mut trial = about(rules, &legal(), above(leaf));
    two_levels_down(&mut trial, leaf);
    let state = trial.state();
    assert_eq!((state.phase, state.remaining, state.node), (Phase::DataE, 2, leaf));
    let name = |siblings: Vec<Digest>| Call::Name {
        posted: trial.posted,
        number: 0,
        footing: state.seated(),
        list: state.list,
        tile: tile.to_vec(),
        slot: 0,
        siblings,
        element: 0,
        operator: legal(),
        witness: Box::new(trial.witness(1, true)),
    };
    // The leaf is the node that is known, but no tile of the tensor lies there.
    let calls = [name(Vec::new()), name(vec![leaf; 3])];
    assert_eq!(trial.send(CHALLENGER, NOTHING, 2, &calls[0]), Err(Refusal::WrongCount));
    assert_eq!(trial.send(CHALLENGER, NOTHING, 2, &calls[1]), Err(Refusal::WrongState));
}

/// An operator in the place of a node is not refuted.
pub fn an_operator_for_a_node<M: Rules>(rules: impl Fn() -> M) {
    // The layer says that it has two operators; its tree's root is one's own leaf, or has a third below it.
    let leaf = tagged(Domain::Operator, &[&legal()]);
    let pair = inner(&leaf, &leaf);
    for root in [leaf, inner(&leaf, &pair)] {
        let mut trial = Trial::under(rules(), SHAPE, &legal(), root);
        for path in [vec![], vec![leaf], vec![leaf, leaf], vec![pair]] {
            assert_eq!(trial.refute_by(path, 1), Err(Refusal::BadOpening));
        }
    }
    let path = SHAPE.operators(&legal()).path(1);
    assert_eq!(Trial::of(rules(), SHAPE, &legal()).refute_by(path, 1), Err(Refusal::NoFault));
}

/// No more than the bond is paid for answers that it did not insure.
pub fn more_answers_than_are_insured<M: Rules>(rules: M) {
    // 2^31 - 1 outputs of i32 in a program whose header speaks of four levels: 26 levels, twelve reveals.
    let mut operator = legal();
    (operator[2], operator[8]) = (3, 26);
    for (at, count) in [(32, i32::MAX as u32), (36, 1), (40, 1), (44, 1)] {
        operator[at..at + 4].copy_from_slice(&count.to_be_bytes());
    }
    let mut nodes = vec![SALT];
    for _ in 0..12 {
        nodes.push(above(*nodes.last().expect("one")));
    }
    nodes.pop();
    let mut trial = about(rules, &operator, above(*nodes.last().expect("the highest")));
    assert_eq!(trial.state().remaining, 26);
    while nodes.len() > 1 {
        two_levels_down(&mut trial, nodes.pop().expect("one"));
    }
    reveal(&mut trial, nodes[0]);
    // The challenger is silent after thirteen answers, the sub-trace among them, at a price above all that is insured.
    let state = trial.state();
    assert_eq!((state.phase, state.remaining, state.answers), (Phase::TileC, 4, 13));
    let seated = trial.the_match().seated;
    let Wei(bond) = seated.seat.bond;
    let answers = 13 * (50_000 + 4 * 1_600) * parameters().fee_cap.0;
    assert!(answers > bond, "{answers} are more than {bond}");
    let call = Call::Timeout {
        posted: trial.posted,
        number: 0,
        standing: state.standing(),
        seated,
        node: state.node,
    };
    let (owed, burned) = (trial.rules.game().owed(executor()), trial.rules.game().burned());
    trial.send_at(STRANGER, NOTHING, 2 + 45, Wei(1_000), &call).expect("its clock has run out");
    assert_eq!(trial.phase(), Phase::Lost);
    assert_eq!(trial.rules.game().owed(executor()), Wei(owed.0 + bond));
    assert_eq!(trial.rules.game().burned(), burned);
}

/// Of a layer's only export no others are shown.
pub fn exports_that_are_none<M: Rules>(rules: M) {
    let path = SHAPE.operators(&legal()).path(1);
    let mut trial = Trial::of(rules, SHAPE, &legal());
    for exports in [vec![trial.tree.root()], vec![SALT, trial.tree.root()]] {
        let exports = exports.into_iter().map(TensorRoot).collect();
        let refutation = Refutation { exports, ..trial.refutation(path.clone(), 1) };
        assert_eq!(trial.refute_with(refutation), Err(Refusal::WitnessExtra));
    }
}

/// No reward is opened in a tensor of more levels than trees have.
pub fn a_reward_too_deep<M: Rules>(rules: M) {
    const DEPTH: u8 = 34;
    let mut operator = legal();
    operator[8] = DEPTH;
    let own: Tile = tile_at(truth(&single(2)).output(), 0);
    let mut wrong = own;
    wrong[0] ^= 1;
    let leaf = tile_leaf(&wrong);
    let mut nodes = vec![quad(&[leaf; 4])];
    while nodes.len() < usize::from(DEPTH) / 2 {
        nodes.push(above(*nodes.last().expect("one")));
    }
    let root = nodes.pop().expect("the root");
    // The challenger's own run has such a tensor, too.
    let path = vec![SALT; tile_siblings(DEPTH.into()) + 1];
    let own_root = inner(&climb_tile(0, tile_leaf(&own), &path[1..]), &SALT);
    let commitment = |claim| ids::own_commitment(SALT, CHALLENGER, claim, 1, own_root);
    let program = SHAPE.operators(&operator).root();
    let mut trial = walked(Trial::disputed(rules, SHAPE, &operator, program, commitment), &operator, root);
    while let Some(node) = nodes.pop() {
        two_levels_down(&mut trial, node);
    }
    let state = trial.state();
    assert_eq!((state.phase, state.remaining, state.position), (Phase::DataE, 2, 0));
    let call = Call::Name {
        posted: trial.posted,
        number: 0,
        footing: state.seated(),
        list: state.list,
        tile: wrong.to_vec(),
        slot: 0,
        siblings: vec![leaf; 3],
        element: 0,
        operator,
        witness: Box::new(trial.witness(1, true)),
    };
    trial.send(CHALLENGER, NOTHING, 2, &call).expect("it is wrong");
    let this = trial.the_match();
    assert_eq!(this.state.phase, Phase::Won);
    let (value, before) = (i32::from(own[0] as i8), keccak(&[]));
    let point = Point { operator: 0, depth: DEPTH, element_bytes: 1, element: 0, value, before };
    assert_eq!(trial.rules.game().claim(trial.claim).expect("refuted").point, ids::point(&point));
    let call = Call::OpenReward {
        claim: trial.claim,
        number: 0,
        standing: this.state.standing(),
        node: this.state.node,
        seat: this.seated.seat,
        point,
        salt: SALT,
        depth: 1,
        tile: own.to_vec(),
        path,
    };
    assert_eq!(trial.send(CHALLENGER, NOTHING, 3, &call), Err(Refusal::BadOpening));
}
