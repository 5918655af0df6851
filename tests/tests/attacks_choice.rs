//! Attacks by what the challenger picks (13), on both machines at once.

use narrows_bisection::players::{Choice, Follower};
use narrows_bisection::{Call, ClaimedNodes, Parameters, Phase, Refusal, Wei, WitnessSource};
use narrows_commitment::{Digest, TILE_BYTES, TensorRoot, Tile};
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::Conduct as _;
use narrows_program::OperatorIndex;
use narrows_tests::arena::{Arena, CHALLENGER, answering, choosing, honest};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);

/// Picks the last that differs instead of the first.
struct LastDifference;

fn last<T: PartialEq>(claimed: &[T], own: &[T]) -> Option<usize> {
    (0..own.len()).rev().find(|i| claimed[*i] != own[*i])
}

impl Choice for LastDifference {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        last(claimed, own)
    }

    fn operator(&mut self, claimed: &[TensorRoot], own: &[TensorRoot]) -> Option<usize> {
        last(claimed, own)
    }

    fn element(&mut self, claimed: &[Tile], own: &[Tile], size: usize) -> Option<(usize, usize)> {
        let slot = last(claimed, own)?;
        (0..TILE_BYTES).rev().find(|i| claimed[slot][*i] != own[slot][*i]).map(|byte| (slot, byte / size))
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        None
    }
}

#[test]
fn attack_13_a_later_fault_is_no_fault() {
    // Every operator after the lie differs from the truth, and follows from the lie: accusing one of them wins nothing.
    // In layers of one operator each, and with the lie and the accused in one layer.
    for groups in [&[1, 1, 1, 1, 1][..], &[1, 4], &[5]] {
        let program = copies::grouped(groups, 300);
        let truth = copies::truth(&program, &copies::input(300));
        let lie = DoctoredOperator { operator: OperatorIndex(1), element: 7, delta: 1 };
        let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
        let mut arena = Arena::new(program.clone(), Parameters::default());
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let mut one = arena.open(&claim);
        let mut executor = answering(&program, &claimed);
        let mut challenger = choosing(&program, &truth, LastDifference);
        let reached =
            arena.play_until(&mut one, &mut executor, &mut challenger, |state| state.phase == Phase::Name);
        assert_eq!(reached.state.place, 4);
        // With its own inputs, which are not the claimed ones, the witness does not open …
        let call = challenger(&one.follower).expect("a name");
        assert_eq!(arena.send(CHALLENGER, NOTHING, call.clone()), Err(Refusal::BadOpening));
        // … and with the claimed ones, the step agrees with the claim.
        let nodes = ClaimedNodes::default();
        let source = WitnessSource { program: &program, trace: &claimed, claimed: &nodes, list: None };
        let honest_witness = source.witness(OperatorIndex(4), 7, None);
        let Call::Name { posted, number, footing, list, tile, slot, siblings, element, operator, .. } = call
        else {
            panic!("a name");
        };
        let witness = Box::new(honest_witness);
        let call =
            Call::Name { posted, number, footing, list, tile, slot, siblings, element, operator, witness };
        arena.act(&mut one, CHALLENGER, call).expect("a legal move");
        assert_eq!(arena.state(one.id).phase, Phase::Lost);
        // The claim still falls to whoever names the first.
        let mut other = arena.open(&claim);
        let outcome =
            arena.play(&mut other, &mut answering(&program, &claimed), &mut honest(&program, &truth));
        assert!(outcome.won());
    }
}

/// Picks the first child that agrees.
struct Agreed;

fn first<T: PartialEq>(claimed: &[T], own: &[T]) -> Option<usize> {
    (0..own.len()).find(|i| claimed[*i] == own[*i])
}

impl Choice for Agreed {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        first(claimed, own)
    }

    fn operator(&mut self, claimed: &[TensorRoot], own: &[TensorRoot]) -> Option<usize> {
        first(claimed, own)
    }

    fn element(&mut self, _: &[Tile], _: &[Tile], _: usize) -> Option<(usize, usize)> {
        Some((0, 0))
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        Some(0)
    }
}

#[test]
fn attack_13_an_agreed_child_leads_nowhere() {
    // The lie is in the third layer; or in the last operator of the only layer, so that earlier ones agree.
    for (groups, operator) in [(&[1, 1, 1, 1, 1][..], 3), (&[5], 4), (&[2, 3], 4)] {
        let program = copies::grouped(groups, 300);
        let truth = copies::truth(&program, &copies::input(300));
        let lie = DoctoredOperator { operator: OperatorIndex(operator), element: 7, delta: 1 };
        let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
        let mut arena = Arena::new(program.clone(), Parameters::default());
        for stall in [true, false] {
            let job = arena.job(truth.input());
            let claim = arena.claim(job, &claimed);
            let mut one = arena.open(&claim);
            let mut agreed = choosing(&program, &truth, Agreed);
            let mut to_the_layer = choosing(&program, &truth, LastDifference);
            let mut challenger = |follower: &Follower| {
                let phase = follower.state().phase;
                match phase {
                    _ if stall && phase >= Phase::TileE => None,
                    // A layer whose leaf agrees has nothing to pick in it: go to the one that differs.
                    Phase::LayerC if groups.len() < 5 => to_the_layer(follower),
                    _ => agreed(follower),
                }
            };
            let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut challenger);
            assert_eq!(outcome.state.phase, Phase::Lost);
            assert_eq!(outcome.last(), if stall { "timeout" } else { "name" });
            // A lost match changes nobody's right: another challenger still wins.
            let mut one = arena.open(&claim);
            let outcome =
                arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
            assert!(outcome.won());
        }
    }
}
