//! Attacks by moves (8, 10, 11), on both machines at once.

use narrows_bisection::players::{Choice, Follower};
use narrows_bisection::{Call, MatchState, Opened, Parameters, Phase, Posted, Refusal, Trace, Wei, Witness};
use narrows_commitment::{Digest, TensorRoot, Tile};
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::OperatorIndex;
use narrows_tests::arena::{
    Arena, CHALLENGER, Dispute, EXECUTOR, STRANGER, answering, choosing, honest, silent,
};
use narrows_tests::{copies, digits};

const NOTHING: Wei = Wei(0);

/// Where a move belongs, and what it answers.
#[derive(Clone, Copy)]
struct Place {
    posted: Posted,
    claim: narrows_bisection::ClaimId,
    number: u64,
    state: MatchState,
}

fn place(dispute: &Dispute, state: &MatchState) -> Place {
    let follower = &dispute.follower;
    let (posted, claim, number) = (*follower.posted(), follower.claim(), follower.number());
    Place { posted, claim, number, state: *state }
}

/// One call of every kind that answers `at`, with evidence that gives the node and the scope where evidence of that kind can.
fn every_move(program: &narrows_program::Program, at: Place) -> Vec<Call> {
    let Place { posted, claim, number, state } = at;
    let (node, list, challenger) = (state.node, state.list, state.challenger);
    let (footing, shown) = (state.seated(), state.shown());
    // One node is its own ancestor; a node without siblings is at the top; an operator that is disputed is the scope.
    let head = program.layer(narrows_program::LayerIndex(0)).head();
    let layer = [&head[..], &[0; 32]].concat();
    let index = OperatorIndex(state.place.min(program.operators().len() as u32 - 1));
    let (operator, witness) = (program.operator_bytes(index), Box::<Witness>::default());
    vec![
        Call::Reveal { claim, number, footing: shown, nodes: vec![node] },
        Call::Pick { claim, number, footing: state.picked(), child: 0, node, siblings: vec![] },
        Call::SubTrace {
            posted,
            number,
            footing,
            challenger,
            layer: layer.clone(),
            roots: vec![TensorRoot(node); 32],
            signature: vec![],
        },
        Call::PickOperator {
            claim,
            number,
            footing,
            position: 0,
            layer,
            operator: operator.clone(),
            operator_path: vec![],
            root: TensorRoot(node),
            root_path: vec![],
        },
        Call::RevealTiles { claim, number, footing: shown, tiles: vec![1; 128] },
        Call::Name {
            posted,
            number,
            footing,
            list,
            tile: vec![1; 128],
            slot: 0,
            siblings: vec![],
            element: 0,
            operator: operator.clone(),
            witness: witness.clone(),
        },
        Call::Fold {
            posted,
            number,
            footing,
            list,
            challenger,
            operator: operator.clone(),
            sums: vec![],
            params: Box::<Opened>::default(),
            third: Box::<Opened>::default(),
            signature: vec![],
        },
        Call::Segment { posted, number, footing, list, operator, sums: vec![], index: 0, witness },
    ]
}

/// The same call, said of another state.
fn restand(call: &Call, now: &MatchState) -> Call {
    let mut call = call.clone();
    match &mut call {
        Call::Reveal { footing, .. } | Call::RevealTiles { footing, .. } => *footing = now.shown(),
        Call::Pick { footing, .. } => *footing = now.picked(),
        Call::Enter { footing, .. } | Call::SubTrace { footing, .. } | Call::PickOperator { footing, .. } => {
            *footing = now.seated();
        }
        Call::Name { footing, list, .. }
        | Call::Fold { footing, list, .. }
        | Call::Segment { footing, list, .. } => (*footing, *list) = (now.seated(), now.list),
        Call::Timeout { standing, .. } => *standing = now.standing(),
        other => panic!("{} is no move", other.name()),
    }
    call
}

fn segmented_lie() -> (narrows_program::Program, Trace, Trace) {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let operator = digits::segmented_operator(&program);
    let lie = DoctoredOperator { operator, element: 0, delta: 1 };
    let claimed = lie.trace(&program, digits::input()).expect("runs");
    (program, truth, claimed)
}

#[test]
fn attack_08_no_move_after_the_verdict() {
    let (program, truth, claimed) = segmented_lie();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for claimed in [&claimed, &truth] {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, claimed);
        let mut one = arena.open(&claim);
        let outcome = match claimed.root() == truth.root() {
            true => arena.play(&mut one, &mut answering(&program, claimed), &mut silent()),
            false => arena.play(&mut one, &mut answering(&program, claimed), &mut honest(&program, &truth)),
        };
        let at = place(&one, &outcome.state);
        // Every earlier move again, as it was and said of the decided state; and one of each kind that fits the decided state.
        let again = outcome.moves.iter().map(|(_, call, _)| (call.clone(), restand(call, &at.state)));
        let again: Vec<Call> =
            again.flat_map(|(old, new)| [old, new]).chain(every_move(&program, at)).collect();
        let timeout = arena.timeout(one.id);
        let mut refusals = Vec::new();
        for call in again.into_iter().chain([timeout]) {
            for account in [EXECUTOR, CHALLENGER, STRANGER] {
                refusals
                    .push((call.name(), arena.send(account, NOTHING, call.clone()).expect_err("it is over")));
            }
        }
        let known = [Refusal::WrongState, Refusal::WrongPhase, Refusal::WrongCount];
        assert!(refusals.iter().all(|(_, refusal)| known.contains(refusal)), "{refusals:?}");
        for name in ["reveal", "pick", "timeout"] {
            assert!(refusals.contains(&(name, Refusal::WrongPhase)), "{name} fits the state, not the phase");
        }
        if outcome.won() {
            assert!(refusals.contains(&("segment", Refusal::WrongPhase)), "the winning move, twice");
            let finalise = Call::Finalise { posted: claim.posted };
            assert_eq!(arena.send(STRANGER, NOTHING, finalise), Err(Refusal::ClaimClosed));
            let (bond, open) = (arena.bond(), Call::Open { posted: claim.posted, commitment: at.state.node });
            assert_eq!(arena.send(CHALLENGER, bond, open), Err(Refusal::ClaimClosed));
            let reclaim = arena.reclaim(one.id);
            arena.send(STRANGER, NOTHING, reclaim).expect("the winner's bond goes back, to it");
            assert_eq!(arena.chain.game.owed(STRANGER), NOTHING);
        }
        let reclaim = arena.reclaim(one.id);
        assert_eq!(
            arena.send(STRANGER, NOTHING, reclaim),
            Err(Refusal::WrongPhase),
            "never twice, never lost ones"
        );
    }
}

#[test]
fn attack_08_every_move_out_of_its_phase_is_refused() {
    let (program, truth, claimed) = segmented_lie();
    let legal: &[(Phase, &[&str])] = &[
        (Phase::LayerE, &["reveal", "pick", "enter"]),
        (Phase::LayerC, &["pick", "enter"]),
        (Phase::SubE, &["subTrace"]),
        (Phase::SubC, &["pickOperator"]),
        (Phase::TileE, &["reveal", "pick"]),
        (Phase::TileC, &["pick"]),
        (Phase::DataE, &["revealTiles", "name"]),
        (Phase::Name, &["name"]),
        (Phase::FoldE, &["fold"]),
        (Phase::Seg, &["segment"]),
    ];
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for (phase, names) in legal {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let mut one = arena.open(&claim);
        let (mut executor, mut challenger) = (answering(&program, &claimed), honest(&program, &truth));
        let reached =
            arena.play_until(&mut one, &mut executor, &mut challenger, |state| state.phase == *phase);
        let at = place(&one, &reached.state);
        let mut fitting = 0;
        for call in every_move(&program, at) {
            let refusal = arena.send(CHALLENGER, NOTHING, call.clone()).expect_err("malformed or early");
            match (refusal, names.contains(&call.name())) {
                (Refusal::WrongPhase, false) => fitting += 1,
                (Refusal::WrongState, _) => {}
                (Refusal::WrongPhase, true) => panic!("{} belongs into {phase:?}", call.name()),
                (_, true) => fitting += 1,
                (Refusal::WrongCount, false) if call.name() == "revealTiles" => {}
                (refusal, false) => panic!("{} in {phase:?}: {refusal}", call.name()),
            }
        }
        assert!(fitting >= 2, "{phase:?}: moves whose evidence gives the node are judged by their phase");
        let early = arena.timeout(one.id);
        assert_eq!(arena.send(CHALLENGER, NOTHING, early), Err(Refusal::NotYet));
    }
}

#[test]
fn attack_08_a_state_bent_in_any_bit_is_refused() {
    let (program, truth, claimed) = segmented_lie();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let mut one = arena.open(&claim);
    let (mut executor, mut challenger) = (answering(&program, &claimed), honest(&program, &truth));
    let stop = |state: &MatchState| state.phase == Phase::TileC;
    let reached = arena.play_until(&mut one, &mut executor, &mut challenger, stop);
    let good = challenger(&one.follower).expect("a pick");
    let Call::Pick { footing, .. } = good.clone() else { panic!("a pick") };
    assert_eq!(footing, reached.state.picked());
    for bit in 0..512 {
        let mut call = good.clone();
        let Call::Pick { footing, .. } = &mut call else { unreachable!() };
        let digest = if bit < 256 { &mut footing.word } else { &mut footing.rest };
        digest.0[bit / 8 % 32] ^= 1 << (bit % 8);
        assert_eq!(arena.send(CHALLENGER, NOTHING, call), Err(Refusal::WrongState));
    }
    // Nor by anybody else, however it is said: the seat is the sender's.
    for account in [EXECUTOR, STRANGER] {
        assert_eq!(arena.send(account, NOTHING, good.clone()), Err(Refusal::WrongState));
    }
    arena.act(&mut one, CHALLENGER, good).expect("the pick");
}

#[test]
fn attack_10_partial_sums_that_telescope_with_two_wrong_terms() {
    let (program, truth, claimed) = segmented_lie();
    let operator = digits::segmented_operator(&program);
    // The liar hides its forged difference behind a pair that cancels out; and an executor of a right claim that states such a
    // pair has lied too, and falls for it.
    for trace in [&claimed, &truth] {
        let mut arena = Arena::new(program.clone(), Parameters::default());
        let job = arena.job(truth.input());
        let claim = arena.claim(job, trace);
        let mut one = arena.open(&claim);
        let mut answer = answering(&program, trace);
        let mut executor = |follower: &Follower| {
            let mut call = answer(follower)?;
            if let Call::Fold { sums, .. } = &mut call {
                sums[0] += 1 << 40;
                sums[1] -= 1 << 40;
            }
            Some(call)
        };
        let mut first = honest(&program, &truth);
        let mut walk = choosing(&program, &truth, To(program.layer_of(operator).1));
        let mut challenger = |follower: &Follower| {
            // Against the right claim there is nothing to name on the way down: walk to the segmented operator's element.
            let walks = trace.root() == truth.root() && follower.state().phase != Phase::Seg;
            if walks { walk(follower) } else { first(follower) }
        };
        let outcome = arena.play(&mut one, &mut executor, &mut challenger);
        assert!(outcome.won());
        assert_eq!(outcome.last(), "segment");
    }
}

#[test]
fn attack_10_partial_sums_out_of_range_or_number_are_refused() {
    let (program, truth, claimed) = segmented_lie();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let mut one = arena.open(&claim);
    let (mut executor, mut challenger) = (answering(&program, &claimed), honest(&program, &truth));
    let stop = |state: &MatchState| state.phase == Phase::FoldE;
    arena.play_until(&mut one, &mut executor, &mut challenger, stop);
    let good = executor(&one.follower).expect("sums");
    let bent = |change: &dyn Fn(&mut Vec<i64>)| {
        let mut call = good.clone();
        if let Call::Fold { sums, .. } = &mut call {
            change(sums);
        }
        call
    };
    // They would cancel out, if 64 bits were let overflow.
    for (plus, minus) in [(1i64 << 62, -(1i64 << 62)), (i64::MAX, i64::MIN), (i64::MIN, i64::MIN)] {
        let call = bent(&|sums| (sums[0], sums[1]) = (plus, minus));
        assert_eq!(arena.send(EXECUTOR, NOTHING, call), Err(Refusal::OutOfRange));
    }
    assert_eq!(arena.send(EXECUTOR, NOTHING, bent(&Vec::clear)), Err(Refusal::WrongCount));
    assert_eq!(arena.send(EXECUTOR, NOTHING, bent(&|sums| sums.push(0))), Err(Refusal::WrongCount));
    assert_eq!(arena.send(EXECUTOR, NOTHING, bent(&|sums| sums.truncate(1))), Err(Refusal::WrongCount));
    let call = bent(&|sums| sums[0] += (1 << 62) - 1 - sums[0]);
    assert_eq!(arena.send(EXECUTOR, NOTHING, call), Err(Refusal::FoldMismatch), "in range, to another value");
    assert_eq!(arena.send(STRANGER, NOTHING, good.clone()), Err(Refusal::NotYourMove));
    arena.act(&mut one, EXECUTOR, good).expect("the executor's own sums");
}

/// The first layer, this operator of it, and the first of everything.
struct To(u8);

impl Choice for To {
    fn child(&mut self, _: &[Digest], _: &[Digest]) -> Option<usize> {
        Some(0)
    }

    fn operator(&mut self, _: &[TensorRoot], _: &[TensorRoot]) -> Option<usize> {
        Some(self.0.into())
    }

    fn element(&mut self, _: &[Tile], _: &[Tile], _: usize) -> Option<(usize, usize)> {
        Some((0, 0))
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        None
    }
}

/// Lies in the first and the last operator, in the first and the last element.
fn caught_at_the_ends(groups: &[u8], elements: u32) {
    let program = copies::grouped(groups, elements);
    let truth = copies::truth(&program, &copies::input(elements));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let last = program.operators().len() as u32 - 1;
    for operator in [0, last].map(OperatorIndex) {
        for element in [0, elements as usize - 1] {
            let lie = DoctoredOperator { operator, element, delta: 1 };
            let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
            let job = arena.job(truth.input());
            let claim = arena.claim(job, &claimed);
            let mut one = arena.open(&claim);
            let outcome =
                arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
            assert!(outcome.won(), "{groups:?} x {elements}: operator {operator}, element {element}");
            assert_eq!((outcome.last(), outcome.state.place), ("name", operator.0));
        }
    }
    // And the honest claim survives being accused at the same places.
    let other = DoctoredOperator { operator: OperatorIndex(last), element: elements as usize - 1, delta: 1 };
    let accuser = other.trace(&program, truth.input().to_vec()).expect("runs");
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let mut one = arena.open(&claim);
    let outcome = arena.play(&mut one, &mut answering(&program, &truth), &mut honest(&program, &accuser));
    assert_eq!(outcome.state.phase, Phase::Lost);
}

#[test]
fn attack_11_boundaries_of_every_count() {
    for (layers, elements) in [
        (1, 1),
        (1, 128),
        (1, 129),
        (2, 127),
        (2, 512),
        (2, 513),
        (2, 2048),
        (3, 2049),
        (15, 300),
        (16, 4096),
        (17, 4097),
    ] {
        caught_at_the_ends(&vec![1; layers], elements);
    }
    for groups in [&[32][..], &[31, 1], &[1, 32], &[2, 2], &[1, 2, 1], &[17; 16], &[3; 17]] {
        caught_at_the_ends(groups, 129);
    }
}
