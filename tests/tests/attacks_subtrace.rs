//! Attacks by sub-traces (4, 6), on both machines at once.

use narrows_bisection::players::Follower;
use narrows_bisection::{Call, MatchState, Parameters, Phase, Refusal, Trace, Wei};
use narrows_commitment::{TensorRoot, keccak};
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{
    Arena, CHALLENGER, Dispute, EXECUTOR, Player, STRANGER, answering, choosing, honest, silent,
};
use narrows_tests::{copies, digits};

const NOTHING: Wei = Wei(0);

/// A match about `claimed` that has come to SUB_E in the layer of the first difference from `truth`.
fn at_sub_e(arena: &mut Arena, claimed: &Trace, truth: &Trace) -> Dispute {
    let program = arena.program.clone();
    let job = arena.job(truth.input());
    let claim = arena.claim(job, claimed);
    let mut one = arena.open(&claim);
    let (mut executor, mut challenger) = (answering(&program, claimed), honest(&program, truth));
    let stop = |state: &MatchState| state.phase == Phase::SubE;
    let reached = arena.play_until(&mut one, &mut executor, &mut challenger, stop);
    assert_eq!(reached.state.phase, Phase::SubE);
    one
}

fn with_roots(call: &Call, bend: impl Fn(&mut Vec<TensorRoot>)) -> Call {
    let mut call = call.clone();
    match &mut call {
        Call::SubTrace { roots, .. } => bend(roots),
        other => panic!("{} states no sub-trace", other.name()),
    }
    call
}

fn lie(program: &Program, operator: u32, element: usize, input: &[u8]) -> Trace {
    let lie = DoctoredOperator { operator: OperatorIndex(operator), element, delta: 100 };
    lie.trace(program, input.to_vec()).expect("runs")
}

#[test]
fn attack_04_a_sub_trace_withheld_or_late_loses() {
    let program = copies::grouped(&[2, 3], 300);
    let truth = copies::truth(&program, &copies::input(300));
    let claimed = lie(&program, 3, 7, truth.input());
    let mut arena = Arena::new(program.clone(), Parameters::default());

    let mut one = at_sub_e(&mut arena, &claimed, &truth);
    let outcome = arena.play(&mut one, &mut silent(), &mut honest(&program, &truth));
    assert!(outcome.won());
    assert_eq!(outcome.last(), "timeout");

    // In its last second it counts …
    let mut one = at_sub_e(&mut arena, &claimed, &truth);
    let call = answering(&program, &claimed)(&one.follower).expect("a sub-trace");
    let deadline = one.follower.state().deadline(arena.chain.game.parameters()).expect("a turn");
    arena.chain.advance_to(narrows_bisection::BlockTime(deadline.0 - 1));
    arena.act(&mut one, EXECUTOR, call).expect("in time");
    let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
    assert!(outcome.won(), "which does not help a liar");

    // … and then no more, though it be right.
    let mut one = at_sub_e(&mut arena, &claimed, &truth);
    let call = answering(&program, &claimed)(&one.follower).expect("a sub-trace");
    let deadline = one.follower.state().deadline(arena.chain.game.parameters()).expect("a turn");
    arena.chain.advance_to(deadline);
    assert_eq!(arena.act(&mut one, EXECUTOR, call), Err(Refusal::TooLate));
    let timeout = one.follower.timeout();
    arena.act(&mut one, STRANGER, timeout).expect("its time is up");
    assert_eq!(arena.state(one.id).phase, Phase::Won);
}

#[test]
fn attack_04_a_challenger_that_withholds_its_pick_of_an_operator_loses_to_anybody() {
    let program = copies::grouped(&[2, 3], 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let accuser = lie(&program, 3, 7, truth.input());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let mut one = arena.open(&claim);
    // It goes to the second layer, where nothing differs from the claim, and cannot go on honestly.
    let mut walk = honest(&program, &accuser);
    let mut challenger = |follower: &Follower| match follower.state().phase {
        Phase::SubC => None,
        _ => choosing(&program, &truth, Second)(follower).or_else(|| walk(follower)),
    };
    let outcome = arena.play(&mut one, &mut answering(&program, &truth), &mut challenger);
    assert_eq!((outcome.state.phase, outcome.last()), (Phase::Lost, "timeout"));
    let answers =
        outcome.moves.iter().filter(|(side, ..)| *side == narrows_bisection::Side::Executor).count();
    assert_eq!(outcome.state.answers as usize, answers, "each answer counts");
    let paid = arena.chain.game.owed(EXECUTOR);
    assert!(paid >= arena.chain.game.parameters().delay_fee, "the delay is paid for: {paid:?}");
}

/// The second of everything.
struct Second;

impl narrows_bisection::players::Choice for Second {
    fn child(&mut self, _: &[narrows_commitment::Digest], _: &[narrows_commitment::Digest]) -> Option<usize> {
        Some(1)
    }

    fn operator(&mut self, _: &[TensorRoot], _: &[TensorRoot]) -> Option<usize> {
        Some(1)
    }

    fn element(
        &mut self,
        _: &[narrows_commitment::Tile],
        _: &[narrows_commitment::Tile],
        _: usize,
    ) -> Option<(usize, usize)> {
        None
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        None
    }
}

#[test]
fn attack_06_a_sub_trace_must_give_the_claimed_leaf() {
    // The first layer of the digits model exports its last operator, the second both of its two.
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    for operator in [1, 2, 3] {
        let claimed = lie(&program, operator, 3, truth.input());
        let mut one = at_sub_e(&mut arena, &claimed, &truth);
        let good = answering(&program, &claimed)(&one.follower).expect("a sub-trace");
        let own = answering(&program, &truth)(&one.follower).expect("a sub-trace");
        let exports = program.layer(program.layer_of(OperatorIndex(operator)).0).exports.clone();
        let mut wrong = vec![
            (own, "of the true trace"),
            (with_roots(&good, |roots| roots.reverse()), "in another order"),
            (with_roots(&good, |roots| roots[1] = roots[0]), "the same twice"),
        ];
        for export in exports {
            let bent = with_roots(&good, |roots| roots[usize::from(export)].0.0[0] ^= 1);
            wrong.push((bent, "with an export bent"));
        }
        for (call, what) in wrong {
            assert_eq!(arena.act(&mut one, EXECUTOR, call), Err(Refusal::WrongState), "{what}");
        }
        // As many roots as operators: fewer or none do not even give a leaf, more give the right one.
        for count in [0, 1] {
            let call = with_roots(&good, |roots| roots.truncate(count));
            assert_eq!(arena.act(&mut one, EXECUTOR, call), Err(Refusal::WrongCount));
        }
        let call = with_roots(&good, |roots| roots.push(roots[0]));
        assert_eq!(arena.act(&mut one, EXECUTOR, call), Err(Refusal::WrongCount));
        // Another layer's description, and none.
        for layer in [vec![], vec![0; 38], vec![0, 0, 0, 0, 0, 0, 0, 0], vec![255; 39]] {
            let mut call = good.clone();
            if let Call::SubTrace { layer: given, .. } = &mut call {
                *given = layer;
            }
            assert_eq!(arena.act(&mut one, EXECUTOR, call), Err(Refusal::WrongCount));
        }
        let mut call = good.clone();
        if let Call::SubTrace { layer, .. } = &mut call {
            let last = layer.len() - 1;
            layer[last] ^= 1;
        }
        assert_eq!(arena.act(&mut one, EXECUTOR, call), Err(Refusal::WrongState));
        arena.act(&mut one, EXECUTOR, good).expect("its own sub-trace");
    }
}

/// Answers from a trace, but states this sub-trace, and shows `inner`'s tensors below it.
fn stating<'a>(
    program: &'a Program,
    claimed: &'a Trace,
    inner: &'a Trace,
    junk: Option<usize>,
) -> Box<Player<'a>> {
    Box::new(move |follower: &Follower| {
        if follower.state().phase != Phase::SubE {
            let trace = if follower.state().phase < Phase::SubE { claimed } else { inner };
            return answering(program, trace)(follower)
                .filter(|_| junk.is_none() || follower.operator().is_none());
        }
        let call = answering(program, inner)(follower)?;
        Some(with_roots(&call, |roots| {
            if let Some(position) = junk {
                roots[position] = TensorRoot(keccak(b"no tensor"));
            }
        }))
    })
}

#[test]
fn attack_06_a_sub_trace_that_hides_the_lie_falls_where_it_begins() {
    // Four copies in one layer, the lie visible in the last, which the layer exports.
    let program = copies::grouped(&[1, 4, 1], 300);
    let truth = copies::truth(&program, &copies::input(300));
    let consistent = lie(&program, 2, 7, truth.input());
    let mut arena = Arena::new(program.clone(), Parameters::default());
    // Inside the layer the lie may begin at any operator: what is stated decides where it is found.
    for begins in 1..=4u32 {
        let mut outputs = consistent.outputs().to_vec();
        for operator in 1..=4 {
            let source = if operator < begins { &truth } else { &consistent };
            outputs[operator as usize] = source.outputs()[4].clone();
        }
        let inner = Trace::new(&program, truth.input().to_vec(), outputs).expect("lengths");
        assert_eq!(inner.root(), consistent.root(), "the same claim");
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &consistent);
        let mut one = arena.open(&claim);
        let mut executor = stating(&program, &consistent, &inner, None);
        let outcome = arena.play(&mut one, &mut executor, &mut honest(&program, &truth));
        assert!(outcome.won());
        assert_eq!((outcome.last(), outcome.state.place), ("name", begins));
    }
    // Roots of nothing inside the layer: there is nothing to show under them.
    for junk in 0..3 {
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &consistent);
        let mut one = arena.open(&claim);
        let mut executor = stating(&program, &consistent, &consistent, Some(junk));
        let outcome = arena.play(&mut one, &mut executor, &mut honest(&program, &truth));
        assert!(outcome.won());
        let place = outcome.state.place;
        // The lie itself begins at the second operator of the layer.
        assert_eq!((outcome.last(), place), ("timeout", (1 + junk as u32).min(2)));
    }
}

#[test]
fn attack_06_a_true_sub_trace_is_no_ground() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let accuser = lie(&program, 2, 3, truth.input());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let mut one = arena.open(&claim);
    let outcome = arena.play(&mut one, &mut answering(&program, &truth), &mut honest(&program, &accuser));
    assert_eq!(outcome.state.phase, Phase::Lost);
    let (deadline, posted) = (arena.chain.game.claim(claim.id).expect("a claim").window_end, claim.posted);
    arena.chain.advance_to(deadline);
    arena.send(STRANGER, NOTHING, Call::Finalise { posted }).expect("final");
    arena.chain.close_books();
    let parameters = arena.chain.game.parameters();
    assert!(arena.chain.gain(EXECUTOR) > 0, "fee and insurance, less the claim fee");
    assert!(arena.chain.gain(CHALLENGER) <= -(parameters.delay_fee.0 as i128));
}
