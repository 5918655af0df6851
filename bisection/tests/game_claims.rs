//! What each call about jobs, claims, refutations and rewards refuses, and in which order.

mod game_support;

use game_support::*;
use narrows_bisection::{Call, Refusal, Wei};
use narrows_commitment::Digest;

#[test]
fn a_job_is_refused_in_order() {
    let world = World::new(2, TARGET, true);
    let good = Message { now: START, sender: STRANGER, value: Wei(0), call: post_job(&world.program, 7) };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::Exists, from(REQUESTER)),
        (Refusal::TooLate, bend!(PostJob { deadline } deadline.0 = START)),
        (Refusal::WrongLength, bend!(PostJob { input } input.push(0))),
        (Refusal::UnknownProgram, bend!(PostJob { program } flip(&mut program.0))),
    ];
    refused_in_order(&world, &good, &bends);
}

/// An honest claim, a refuted one by account 9, and two commitments of account 10 to one more, made at `world.now`.
fn busy() -> World {
    let program = program(2);
    let (right, lie) = (truth(&program), doctored(&program, (0, 4)));
    let mut world = World::posted(program, right, lie);
    // Seen from the liar's claim, the other trace is right.
    let posted = world.claim_by(account(9), &world.own.clone());
    let mut liar = world.clone();
    std::mem::swap(&mut liar.claimed, &mut liar.own);
    (liar.posted, liar.claim) = (posted, liar.game.claim_id(&posted));
    world.send(STRANGER, NOTHING, &liar.refute()).expect("a fault");
    let trace = world.claimed.clone();
    assert_eq!([world.commit_claim(account(10), &trace), world.commit_claim(account(10), &trace)], [2, 3]);
    world
}

fn refuted(world: &World) -> narrows_bisection::Posted {
    posted(world.job, account(9), &world.own)
}

#[test]
fn attack_03_a_commitment_to_a_claim_is_refused_in_order() {
    let world = busy();
    let call = Call::CommitClaim { job: world.job, commitment: SALT };
    let good = Message { now: JOB_DEADLINE.0 - 1, sender: STRANGER, value: STAKE, call };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::WrongValue, value(STAKE.0 - 1)),
        (Refusal::JobClosed, at(JOB_DEADLINE.0)),
        (Refusal::UnknownJob, bend!(CommitClaim { job } flip(&mut job.0))),
    ];
    refused_in_order(&world, &good, &bends);
    // A job whose fee is paid is closed before its deadline.
    let mut world = world;
    world.now = START + 100;
    world.send(STRANGER, NOTHING, &world.finalise()).expect("final");
    assert_eq!(world.send(STRANGER, STAKE, &good.call), Err(Refusal::JobClosed));
}

#[test]
fn attack_03_a_claim_is_refused_in_order() {
    let mut world = busy();
    let committed = world.now;
    world.now += 1;
    let trace = world.claimed.clone();
    let again = world.post_claim(2, committed, &trace);
    world.send(account(10), NOTHING, &again).expect("the first of two");
    // Another trace of the same executor.
    let other = doctored(&world.program, (6, 9));
    let at_other = world.now;
    let number = world.commit_claim(account(10), &other);
    let good = Message {
        now: at_other + 1,
        sender: account(10),
        value: NOTHING,
        call: world.post_claim(number, at_other, &other),
    };
    let twice = world.post_claim(3, committed, &trace);
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::Exists, Box::new(move |message| message.call = twice.clone())),
        (Refusal::BadOpening, bend!(PostClaim { path } flip(&mut path[2]))),
        (Refusal::TooLate, at(at_other + 30)),
        (Refusal::NotYet, at(committed)),
        (Refusal::UnknownCommitment, bend!(PostClaim { salt } flip(salt))),
        (Refusal::WrongLength, bend!(PostClaim { output } output.push(0))),
        (Refusal::UnknownJob, bend!(PostClaim { job } flip(&mut job.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);
    // A path that is too long or too short; and an output or a root that was not committed to.
    let send = |bend: &dyn Fn(&mut Call)| {
        let mut call = good.call.clone();
        bend(&mut call);
        let mut world = world.clone();
        world.now = good.now;
        world.send(good.sender, NOTHING, &call).map(|_| ())
    };
    let bent = |bend: fn(&mut Vec<Digest>, &mut Vec<u8>, &mut Digest)| {
        send(&|call| {
            let Call::PostClaim { path, output, trace_root, .. } = call else { panic!("a claim") };
            bend(path, output, &mut trace_root.0);
        })
    };
    assert_eq!(bent(|path, _, _| path.push(Digest::default())), Err(Refusal::BadOpening));
    assert_eq!(bent(|path, _, _| shorten(path)), Err(Refusal::BadOpening));
    assert_eq!(bent(|_, output, _| output[0] ^= 1), Err(Refusal::UnknownCommitment));
    assert_eq!(bent(|_, _, root| flip(root)), Err(Refusal::UnknownCommitment));
}

#[test]
fn attack_03_a_claim_whose_output_is_not_its_last_leaf_is_refused() {
    // Committed to with another output's root, so that nothing else is wrong.
    let program = program(2);
    let (right, wrong) = (truth(&program), doctored(&program, (6, 9)));
    let mut world = World::job(program, right.clone(), wrong.clone());
    let mut said = posted(world.job, executor(), &right);
    said.output_root = posted(world.job, executor(), &wrong).output_root;
    let commitment = narrows_bisection::game::ids::claim_commitment(SALT, &said);
    world.send(executor(), STAKE, &Call::CommitClaim { job: world.job, commitment }).expect("commits");
    let mut call = world.post_claim(0, world.now, &right);
    let Call::PostClaim { output, .. } = &mut call else { panic!("a claim") };
    *output = wrong.output().to_vec();
    world.now += 1;
    assert_eq!(world.send(executor(), NOTHING, &call), Err(Refusal::BadOpening));
}

#[test]
fn a_lapse_a_final_claim_and_a_refund_are_refused_in_order() {
    let world = busy();
    let (job, committed_at) = (world.job, narrows_bisection::BlockTime(world.now));
    let commitment =
        narrows_bisection::game::ids::claim_commitment(SALT, &posted(job, account(10), &world.claimed));
    let call = Call::Lapse { job, number: 2, executor: account(10), commitment, committed_at };
    let good = Message { now: world.now + 30, sender: STRANGER, value: NOTHING, call };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::NotYet, at(world.now + 29)),
        (Refusal::UnknownCommitment, bend!(Lapse { executor } * executor = STRANGER)),
        (Refusal::UnknownJob, bend!(Lapse { job } flip(&mut job.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);

    let lost = refuted(&world);
    let good = Message { now: START + 100, sender: STRANGER, value: NOTHING, call: world.finalise() };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::NotYet, at(START + 99)),
        (Refusal::ClaimClosed, bend!(Finalise { posted } * posted = lost)),
        (Refusal::UnknownClaim, bend!(Finalise { posted } flip(&mut posted.trace_root.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);

    // A job that nobody answered, beside one whose fee is paid.
    let mut world = world;
    world.send(STRANGER, Wei(5), &post_job(&world.program, 9)).expect("another job");
    let other = world.game.jobs().map(|(id, _)| id).find(|id| *id != job).expect("two jobs");
    world.now = START + 100;
    world.send(STRANGER, NOTHING, &world.finalise()).expect("final");
    let paid = job;
    let good =
        Message { now: JOB_DEADLINE.0, sender: STRANGER, value: NOTHING, call: Call::Refund { job: other } };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::NotYet, at(JOB_DEADLINE.0 - 1)),
        (Refusal::JobClosed, bend!(Refund { job } * job = paid)),
        (Refusal::UnknownJob, bend!(Refund { job } flip(&mut job.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);
}

#[test]
fn attack_14_an_opening_and_a_commitment_are_refused_in_order() {
    let world = busy();
    let lost = refuted(&world);
    let call = Call::Open { posted: world.posted, commitment: SALT };
    let good = Message { now: START + 99, sender: STRANGER, value: bond(2), call };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::WrongValue, value(bond(2).0 - 1)),
        (Refusal::TooLate, at(START + 100)),
        (Refusal::ClaimClosed, bend!(Open { posted } * posted = lost)),
        (Refusal::UnknownClaim, bend!(Open { posted } posted.executor = STRANGER)),
    ];
    refused_in_order(&world, &good, &bends);
    let id = world.game.claim_id(&lost);
    let call = Call::Commit { claim: world.claim, commitment: SALT };
    let good = Message { now: START + 99, sender: STRANGER, value: NOTHING, call };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::ClaimClosed, bend!(Commit { claim } * claim = id)),
        (Refusal::UnknownClaim, bend!(Commit { claim } flip(&mut claim.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);
}

/// The refutation in a call.
macro_rules! refuting {
    ($shown:ident, $body:expr) => {
        bend!(Refute { refutation } {
            let $shown = refutation;
            $body
        })
    };
}

#[test]
fn attack_01_a_refutation_is_refused_in_order() {
    // Element 151 of the same tile reads what the witness opens; its tile has 64 elements.
    let program = program(2);
    let world = World::posted(program.clone(), doctored(&program, TARGET), truth(&program));
    let good = Message { now: START + 99, sender: STRANGER, value: NOTHING, call: world.refute() };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::NoFault, refuting!(r, r.element += 1)),
        (Refusal::WitnessMissing, refuting!(r, r.element += 20)),
        (Refusal::BadOpening, refuting!(r, flip(&mut r.witness.params.proof.0[0]))),
        (Refusal::WitnessExtra, refuting!(r, r.witness.b.indices.push(0))),
        (Refusal::BadOpening, refuting!(r, flip(&mut r.witness.a.root_path[0]))),
        (Refusal::WrongCount, refuting!(r, r.witness.a.tiles.truncate(100))),
        (Refusal::WrongIndex, refuting!(r, r.element = 64)),
        (Refusal::BadOpening, refuting!(r, flip(&mut r.trace_path[0]))),
        (Refusal::BadOpening, refuting!(r, r.exports.swap(0, 1))),
        (Refusal::BadOpening, refuting!(r, r.exports.truncate(1))),
        (Refusal::BadSignature, refuting!(r, r.signature[5] ^= 1)),
        (Refusal::BadOpening, refuting!(r, shorten(&mut r.tile_path))),
        (Refusal::WrongIndex, refuting!(r, r.tile_index = 5)),
        (Refusal::WrongLength, refuting!(r, r.tile.truncate(127))),
        (Refusal::BadOpening, refuting!(r, flip(&mut r.layer_path[1]))),
        (Refusal::BadOpening, refuting!(r, shorten(&mut r.operator_path))),
        (Refusal::WrongIndex, refuting!(r, r.position = 3)),
        // No elements at all.
        (Refusal::WrongDescriptor, refuting!(r, r.operator[44..48].fill(0))),
        (Refusal::WrongLength, refuting!(r, r.operator.push(0))),
        (Refusal::WrongLength, refuting!(r, r.layer.push(0))),
        (Refusal::ClaimClosed, at(START + 100)),
        (Refusal::UnknownClaim, bend!(Refute { posted } flip(&mut posted.output_root.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);
}

#[test]
fn attack_17_a_refuted_copy_is_refused_in_order() {
    let program = program(2);
    let lie = doctored(&program, (0, 4));
    let mut world = World::posted(program.clone(), lie.clone(), truth(&program));
    let copy = world.claim_by(account(9), &lie);
    let right = world.claim_by(account(10), &truth(&program));
    world.send(STRANGER, NOTHING, &world.refute()).expect("a fault");
    let original = world.posted;
    let good = Message {
        now: world.now,
        sender: STRANGER,
        value: NOTHING,
        call: Call::RefuteCopy { original, copy },
    };
    let bends: Vec<(Refusal, Bend)> = vec![
        // Another trace; an original that is not refuted.
        (Refusal::NotACopy, bend!(RefuteCopy { copy } * copy = right)),
        (Refusal::NotACopy, bend!(RefuteCopy { original } * original = right)),
        (Refusal::ClaimClosed, bend!(RefuteCopy { copy } * copy = original)),
        (Refusal::UnknownClaim, bend!(RefuteCopy { copy } copy.executor = STRANGER)),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);
}

#[test]
fn attack_17_a_reward_is_refused_in_order() {
    let mut world = World::new(2, (0, 4), true);
    world.now += 1;
    world.send(STRANGER, NOTHING, &world.refute()).expect("a fault");
    let end = world.now + 20;
    let good =
        Message { now: end - 1, sender: CHALLENGER, value: NOTHING, call: world.open_reward(0, (0, 4)) };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::BadOpening, bend!(OpenReward { salt } flip(salt))),
        (Refusal::WrongStatement, bend!(OpenReward { point } point.value += 1)),
        (Refusal::WrongState, bend!(OpenReward { node } flip(node))),
        (Refusal::UnknownMatch, bend!(OpenReward { number } * number = 7)),
        (Refusal::TooLate, at(end)),
        (Refusal::NoReward, bend!(OpenReward { claim } flip(&mut claim.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);
    let call = Call::CollectReward { claim: world.claim };
    let good = Message { now: end, sender: STRANGER, value: NOTHING, call };
    let bends: Vec<(Refusal, Bend)> = vec![
        (Refusal::NotYet, at(end - 1)),
        (Refusal::NoReward, bend!(CollectReward { claim } flip(&mut claim.0))),
        (Refusal::WrongValue, value(1)),
    ];
    refused_in_order(&world, &good, &bends);
}
