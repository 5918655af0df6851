//! Attacks by what does not exist, or is another's (7), on both machines at once.

use narrows_bisection::{BlockTime, Call, Parameters, Posted, Refusal, Seated, Standing, Wei};
use narrows_commitment::{Digest, ProgramRoot, TensorRoot, TraceRoot, keccak};
use narrows_contracts::Chain as _;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{LayerIndex, OperatorIndex};
use narrows_tests::arena::{
    Arena, CHALLENGER, EXECUTOR, FEE, REQUESTER, STRANGER, answering, honest, posted,
};
use narrows_tests::{copies, digits};

const NOTHING: Wei = Wei(0);

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
    let call = post(other, input.clone());
    assert_eq!(arena.send(REQUESTER, FEE, call), Err(Refusal::UnknownProgram), "not registered");
    for length in [0, 9, 11] {
        let call = post(program.root(), vec![1; length]);
        assert_eq!(arena.send(REQUESTER, FEE, call), Err(Refusal::WrongLength));
    }
    let stake = arena.stake();
    let nowhere = narrows_bisection::JobId(keccak(b"no job"));
    let call = Call::CommitClaim { job: nowhere, commitment: Digest::default() };
    assert_eq!(arena.send(EXECUTOR, stake, call), Err(Refusal::UnknownJob));
    let none = posted(nowhere, EXECUTOR, &truth);
    let bond = arena.bond();
    let call = Call::Open { posted: none, commitment: Digest::default() };
    assert_eq!(arena.send(CHALLENGER, bond, call), Err(Refusal::UnknownClaim));
    for call in [
        Call::Finalise { posted: none },
        Call::Award { posted: none },
        Call::Refute { posted: none, refutation: Box::default() },
        Call::RefuteCopy { original: none, copy: none },
    ] {
        let name = call.name();
        assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::UnknownClaim), "{name}");
    }
    for call in [Call::Refund { job: nowhere }, Call::Advance { job: nowhere }] {
        let name = call.name();
        assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::UnknownJob), "{name}");
    }
    let (standing, seated, node) = (Standing::default(), Seated::default(), Digest::default());
    let call = Call::Timeout { posted: none, number: 0, standing, seated, node };
    assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::UnknownMatch));
    // A header of another version registers nothing.
    for version in [0, 1, 2, 3, 5] {
        let mut header = program.header_bytes().to_vec();
        header[3] = version;
        let call = Call::Register { header, layers_root: program.layers_root() };
        assert_eq!(arena.send(STRANGER, NOTHING, call), Err(Refusal::BadHeader));
    }
}

#[test]
fn attack_07_a_commitment_that_is_not_there_posts_nothing() {
    let program = copies::program(3, 10);
    let truth = copies::truth(&program, &copies::input(10));
    let mut arena = Arena::new(program, Parameters::default());
    let job = arena.job(truth.input());
    let commitment = arena.commit(EXECUTOR, job, &truth);
    arena.chain.advance(1);
    let good = commitment.post(&truth);
    // By another, under another number, of another time, with another salt, of another job.
    assert_eq!(arena.send(STRANGER, NOTHING, good.clone()), Err(Refusal::UnknownCommitment));
    let mut bent = Vec::new();
    for turn in 0..4 {
        let mut call = good.clone();
        if let Call::PostClaim { number, committed_at, salt, trace_root, .. } = &mut call {
            match turn {
                0 => *number += 1,
                1 => committed_at.0 -= 1,
                2 => salt.0[0] ^= 1,
                _ => *trace_root = TraceRoot(keccak(b"another")),
            }
        }
        bent.push(call);
    }
    for call in bent {
        assert_eq!(arena.send(EXECUTOR, NOTHING, call), Err(Refusal::UnknownCommitment));
    }
    let other = arena.job(truth.input());
    if let Call::PostClaim { number, committed_at, salt, trace_root, output, path, .. } = good.clone() {
        let call = Call::PostClaim { job: other, number, committed_at, salt, trace_root, output, path };
        assert_eq!(arena.send(EXECUTOR, NOTHING, call), Err(Refusal::UnknownCommitment));
    }
    arena.send(EXECUTOR, NOTHING, good).expect("the claim");
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
    let mut one = arena.open(&claim);
    let outcome = arena.play(&mut one, &mut answering(&program, &stale), &mut honest(&program, &truth));
    assert!(outcome.won());
    assert_eq!(program.layer_of(OperatorIndex(outcome.state.place)).0, LayerIndex(0));
}

#[test]
fn attack_07_a_pick_of_what_does_not_exist_is_refused() {
    let program = copies::program(5, 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let one = arena.open(&claim);
    let footing = one.follower.state().seated();
    let operator = |index| program.operator_bytes(OperatorIndex(index));
    let head = |index| program.layer(LayerIndex(index)).head();
    let path = |index| program.layers_tree().path(index);
    let mut send = |child: u32, layer, operator, path| {
        let at = u64::from(child % 8);
        let (node, siblings) = (truth.tree().node(0, at), truth.tree().path(at));
        let claim = claim.id;
        let call = Call::Enter { claim, number: 0, footing, child, node, siblings, layer, operator, path };
        arena.send(CHALLENGER, NOTHING, call).map(|_| ())
    };
    // Children that there are not: the first has the bits of layer 0, the second those of a layer that the path does not show.
    assert_eq!(send(8, head(0), operator(0), path(0)), Err(Refusal::WrongCount));
    assert_eq!(send(u32::MAX, head(0), operator(0), path(0)), Err(Refusal::WrongState));
    assert_eq!(send(1, head(0), operator(1), path(1)), Err(Refusal::WrongState), "another layer's head");
    assert_eq!(send(1, head(1), operator(0), path(1)), Err(Refusal::WrongState), "another operator");
    assert_eq!(send(1, head(1), operator(1), path(0)), Err(Refusal::WrongState), "another layer's path");
    let short = operator(1)[..operator(1).len() - 1].to_vec();
    assert_eq!(send(1, head(1), short, path(1)), Err(Refusal::WrongLength));
    assert_eq!(send(1, head(1), vec![], path(1)), Err(Refusal::WrongLength));
    assert_eq!(send(1, vec![], operator(1), path(1)), Err(Refusal::WrongLength));
    let unopened = [Err(Refusal::WrongState), Err(Refusal::WrongLength)];
    for bit in (0..operator(1).len() * 8).step_by(7) {
        let mut bent = operator(1);
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(unopened.contains(&send(1, head(1), bent, path(1))), "bit {bit} of the operator");
    }
    for bit in 0..head(1).len() * 8 {
        let mut bent = head(1);
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(unopened.contains(&send(1, bent, operator(1), path(1))), "bit {bit} of the head");
    }
    assert_eq!(send(1, head(1), operator(1), path(1)), Ok(()));
}

#[test]
fn attack_07_a_claim_is_only_what_its_id_says() {
    let program = copies::program(3, 10);
    let truth = copies::truth(&program, &copies::input(10));
    let mut arena = Arena::new(program, Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &truth);
    let bond = arena.bond();
    let said = claim.posted;
    let others = [
        Posted { job: narrows_bisection::JobId(keccak(b"another")), ..said },
        Posted { executor: STRANGER, ..said },
        Posted { trace_root: TraceRoot(keccak(b"another")), ..said },
        Posted { output_root: TensorRoot(keccak(b"another")), ..said },
    ];
    for posted in others {
        let call = Call::Open { posted, commitment: Digest::default() };
        assert_eq!(arena.send(CHALLENGER, bond, call), Err(Refusal::UnknownClaim));
    }
    arena.open(&claim);
}
