//! Records: made, written, read, replayed and told; and what an altered one is refused for.

use std::collections::BTreeMap;

use narrows_commitment::Digest;
use narrows_program::{ElementIndex, LayerIndex, OperatorIndex, SegmentIndex};

use super::*;
use crate::game::{ClaimStatus, ids};
use crate::players::world::*;
use crate::record::{Labels, Part};
use crate::refute::{refutation, reward_opening};
use crate::{BlockTime, Call, Event, Phase, Refusal, Side, Wei, signature};

fn labels() -> Labels {
    let mut labels = Labels::of(&program(2));
    labels.operators[2] = "sum\u{1b}[31m".into();
    labels.layers[4] = String::new();
    labels
}

fn record_of(world: &World) -> Record {
    Record::of_claim(CHAIN, GAME, parameters(), labels(), world.claim, &world.history).expect("a record")
}

/// The record must survive its file and replay to what the chain says.
fn judged(world: &World) -> Story {
    let record = record_of(world);
    let bytes = record.encode().expect("small");
    let read = Record::decode(&bytes).expect("reads");
    assert_eq!(read, record);
    let story = replay(&read).expect("replays");
    assert_eq!(story.outcome, record.outcome);
    assert_eq!(Some(&story.outcome), Outcome::of(&world.game, world.claim).as_ref());
    assert_eq!(story.steps.len(), record.entries.len());
    for step in &story.steps {
        assert!(!step.to_string().chars().any(char::is_control), "a label cannot command a terminal");
    }
    story
}

#[test]
fn a_story_tells_what_is_left_in_doubt() {
    let program = program(2);
    let claimed = doctored(&program, 2, 5, 90);
    let mut world = World::new(&program, &claimed);
    world.honest_dispute(&claimed, &truth(&program));
    let story = judged(&world);
    let doubts: Vec<(&str, Doubt)> = story.steps.iter().map(|step| (step.call, step.doubt)).collect();
    let (operator, element) = (OperatorIndex(2), ElementIndex(5));
    let value = program.operator(operator).dtype.read(claimed.operator(operator), 5).expect("exists") as i32;
    let named = Doubt::Element { operator, element, value, terms: 64, segments: 4 };
    let inside = Doubt::Operators(LayerIndex(1), Span { first: 1, count: 3 });
    let tile = Doubt::Tiles(operator, Span { first: 0, count: 1 });
    let expected = [
        ("register", Doubt::Nothing),
        ("postJob", Doubt::Nothing),
        ("commitClaim", Doubt::Nothing),
        ("postClaim", Doubt::Nothing),
        ("open", Doubt::Layers(Span { first: 0, count: 5 })),
        ("reveal", Doubt::Layers(Span { first: 0, count: 5 })),
        ("pick", Doubt::Layers(Span { first: 0, count: 2 })),
        ("reveal", Doubt::Layers(Span { first: 0, count: 2 })),
        ("enter", inside),
        ("subTrace", inside),
        ("pickOperator", tile),
        ("revealTiles", tile),
        ("name", named),
        ("fold", named),
        ("segment", Doubt::Nothing),
    ];
    assert_eq!(doubts, expected);
    assert_eq!(story.finding(), Some(Finding::Segment(operator, element, SegmentIndex(3), false)));
    let movers: Vec<Mover> = story.steps.iter().map(|step| step.mover).collect();
    assert_eq!(
        movers[..5],
        [Mover::Anyone, Mover::Requester, Mover::Executor, Mover::Executor, Mover::Challenger]
    );
    assert_eq!(movers[9..11], [Mover::Executor, Mover::Challenger]);
    let total: u64 = story.gas_by_mover().values().sum();
    assert_eq!(total, world.history.iter().filter_map(|entry| entry.gas_used).sum::<u64>());
    assert_eq!(story.steps[10].operator, Some((operator, Some("sum?[31m".into()))));
    assert_eq!(story.steps[8].layer.as_ref().map(|(index, _)| *index), Some(LayerIndex(1)));
    assert_eq!(story.steps[8].operator, None);
    assert_eq!(story.steps[8].doubt_text().split(" of ").next(), Some("3 operators (1–3)"));
    assert!(story.steps[12].to_string().contains("element 5 = "), "{}", story.steps[12]);
    assert!(story.steps[12].to_string().contains("operator 2 (sum?[31m)"), "{}", story.steps[12]);
}

#[test]
fn every_kind_of_end_is_told() {
    let program = program(2);
    let own = truth(&program);
    // A lie at an element of one segment; an unjust challenge; and the record of a claim that stood.
    let claimed = doctored(&program, 6, 290, 1);
    let mut world = World::new(&program, &claimed);
    world.honest_dispute(&claimed, &own);
    let wrong = Finding::Element(OperatorIndex(6), ElementIndex(290), false);
    assert_eq!(judged(&world).finding(), Some(wrong));

    let mut world = World::new(&program, &own);
    let played = world.honest_dispute(&own, &doctored(&program, 6, 290, 1));
    assert_eq!(played.end(), Phase::Lost);
    let story = judged(&world);
    assert_eq!(story.finding(), None, "nothing refuted the claim");
    let right = Finding::Element(OperatorIndex(6), ElementIndex(290), true);
    assert_eq!(story.steps.last().and_then(|step| step.finding), Some(right));
    assert_eq!(story.outcome.verdict, ClaimStatus::Pending);
    world.now += 1_000;
    let events = world.send(STRANGER, NOTHING, &Call::Finalise { posted: world.posted }).expect("final");
    assert_eq!(events.len(), 2, "the fee with it: {events:?}");
    assert_eq!(judged(&world).outcome.verdict, ClaimStatus::Final);

    let mut world = World::new(&program, &claimed);
    let mut follower = world.open(SALT);
    world.play(&mut follower, &mut |_| None, &mut |_| None);
    assert_eq!(judged(&world).finding(), Some(Finding::Silence(Side::Executor)));
}

#[test]
fn a_refutation_its_copies_and_its_reward_are_told() {
    let program = program(2);
    let own = truth(&program);
    for (at, e) in [(0, 5), (4, 7)] {
        let claimed = doctored(&program, at, e, 90);
        let mut world = World::new(&program, &claimed);
        let (copy, copied) = world.claim_by(STRANGER, claimed.output(), claimed.output_path());
        let depth = own.own_tree().depth() as u8;
        let commitment = ids::own_commitment(SALT, CHALLENGER, world.claim, depth, own.own_root());
        let follower = world.open(commitment);
        world.now += 1;
        let layer = program.layer_of(OperatorIndex(at)).0;
        let list = claimed.sub_tree(layer).root();
        let digest = ids::sub_trace_digest(CHAIN, GAME, world.claim, layer.0, list);
        let signed = Some((list, signature::sign(digest, &key()).to_vec()));
        let refutation = Box::new(refutation(&program, &own, &claimed, signed).expect("a fault"));
        let by_roots = refutation.signature.is_empty();
        let refute = Call::Refute { posted: world.posted, refutation };
        world.send(STRANGER, NOTHING, &refute).expect("refuted");
        let found = Finding::Element(OperatorIndex(at), ElementIndex(e as u32), false);
        assert_eq!(judged(&world).finding(), Some(found));
        let original = world.posted;
        let result = world.send(REQUESTER, NOTHING, &Call::RefuteCopy { original, copy });
        assert_eq!(result.map(|_| ()), if by_roots { Ok(()) } else { Err(Refusal::NotACopy) });
        let (point, tile, path) = reward_opening(&program, &own, OperatorIndex(at), ElementIndex(e as u32));
        assert_eq!(point, crate::refute::point(&program, &own, OperatorIndex(at), ElementIndex(e as u32)));
        let (standing, node, seat) = (follower.standing(), follower.state().node, follower.seated().seat);
        let (claim, number, salt) = (world.claim, 0, SALT);
        let call = Call::OpenReward { claim, number, standing, node, seat, point, salt, depth, tile, path };
        world.send(CHALLENGER, NOTHING, &call).expect("opens");
        world.now += u64::from(parameters().reward_seconds);
        world.send(STRANGER, NOTHING, &Call::CollectReward { claim }).expect("collects");
        world.send(STRANGER, NOTHING, &follower.reclaim()).expect("the bond");
        world.send(STRANGER, NOTHING, &Call::Advance { job: world.job }).expect("passes over it");
        let story = judged_but(&world, 1);
        assert_eq!(story.finding(), Some(found));
        let calls: Vec<&str> =
            story.steps.iter().filter(|step| step.of_the_claim).map(|step| step.call).collect();
        let expected = [
            "register",
            "postJob",
            "commitClaim",
            "postClaim",
            "open",
            "refute",
            "openReward",
            "collectReward",
            "reclaim",
        ];
        assert_eq!(calls, expected);
        if by_roots {
            let claim = std::mem::replace(&mut world.claim, copied);
            assert_eq!(judged_but(&world, 4).finding(), Some(Finding::Copy(claim)));
        }
    }
}

/// The story of a record that leaves out the last `after` calls.
fn judged_but(world: &World, after: usize) -> Story {
    let record = record_of(world);
    assert_eq!(record.entries.len(), world.history.len() - after);
    replay(&record).expect("replays")
}

#[test]
fn a_record_leaves_out_other_jobs_and_keeps_earlier_claims() {
    let program = program(2);
    let own = truth(&program);
    let wrong = doctored(&program, 8, 0, 1);
    // The first claim on the job is wrong, the recorded one is the second, and earns the fee once the first is refuted.
    let mut world = World::new(&program, &wrong);
    let first = world.posted;
    let (path, output) = (own.output_path(), own.output().to_vec());
    world.posted.trace_root = own.root();
    world.posted.output_root =
        narrows_commitment::TensorRoot(narrows_commitment::TensorTree::of_bytes(&output).root());
    let (second, claim) = world.claim_by(STRANGER, &output, path);
    let salt = Digest([77; 32]);
    let elsewhere =
        Call::PostJob { program: program.root(), input: input(), salt, deadline: BlockTime(100_000) };
    let events = world.send(STRANGER, Wei(3), &elsewhere).expect("another job");
    let [Event::JobPosted { job, .. }] = events[..] else { panic!("no job") };
    let fee = world.game.program(program.root()).and_then(|program| program.claim_fee(&parameters()));
    let stake = Wei(parameters().executor_bond.0 + fee.expect("small").0);
    world.send(STRANGER, stake, &Call::CommitClaim { job, commitment: salt }).expect("commits there");
    world.posted = first;
    world.honest_dispute(&wrong, &own);
    world.now += 1_000;
    (world.posted, world.claim) = (second, claim);
    let events = world.send(STRANGER, NOTHING, &Call::Finalise { posted: second }).expect("final");
    assert!(matches!(events[..], [Event::ClaimFinal { .. }, Event::JobAwarded { .. }]), "{events:?}");
    world.send(STRANGER, NOTHING, &Call::Withdraw).expect("paid");
    let record = record_of(&world);
    assert_eq!(record.entries.len(), world.history.len() - 3, "the other job and the withdrawal");
    let story = replay(&record).expect("replays");
    assert_eq!(story.outcome.verdict, ClaimStatus::Final);
    assert_eq!(story.outcome.owed[&STRANGER], Wei(parameters().executor_bond.0 + FEE.0));
    assert!(story.steps.iter().any(|step| !step.of_the_claim && step.call == "name"));
    let own_calls: Vec<&str> =
        story.steps.iter().filter(|step| step.of_the_claim).map(|step| step.call).collect();
    assert_eq!(own_calls, ["register", "postJob", "commitClaim", "postClaim", "finalise"]);
}

#[test]
fn a_history_without_the_claim_makes_no_record() {
    let program = program(2);
    let world = World::new(&program, &truth(&program));
    let record = |history: &[crate::record::Entry]| {
        Record::of_claim(CHAIN, GAME, parameters(), Labels::default(), world.claim, history)
    };
    assert!(record(&world.history).is_ok());
    for cut in 1..4 {
        let expected = matches!(
            record(&world.history[cut..]),
            Err(ReplayError::Record(RecordError::Missing { .. }) | ReplayError::Refused { .. })
        );
        assert!(expected, "{cut}");
    }
    assert!(matches!(
        record(&world.history[..3]),
        Err(ReplayError::Record(RecordError::Missing { what: "claim", .. }))
    ));
}

/// A short record, for tests that go through its bytes.
fn short() -> Record {
    let program = program(4);
    let mut world = World::new(&program, &truth(&program));
    let mut follower = world.open(SALT);
    world.play(&mut follower, &mut |_| None, &mut |_| None);
    let mut labels = Labels::default();
    labels.operators.push("a".into());
    Record::of_claim(CHAIN, GAME, parameters(), labels, world.claim, &world.history).expect("a record")
}

#[test]
fn attack_36_altered_bytes_are_refused() {
    let bytes = short().encode().expect("small");
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 0x01;
        assert!(Record::decode(&bent).is_err(), "byte {at}");
    }
    for end in (0..bytes.len()).step_by(13) {
        assert!(Record::decode(&bytes[..end]).is_err(), "truncated to {end}");
    }
    let text = String::from_utf8(bytes).expect("text");
    let decode = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Record::decode(text.replacen(from, to, 1).as_bytes()).expect_err("altered")
    };
    assert_eq!(decode("\"gas_used\": 21002", "\"gas_used\": 21003"), RecordError::Altered(Part::Entry(2)));
    assert_eq!(decode("\"base_fee\": \"11\"", "\"base_fee\": \"12\""), RecordError::Altered(Part::Entry(0)));
    assert_eq!(
        decode("\"window_seconds\": 120", "\"window_seconds\": 121"),
        RecordError::Altered(Part::Head)
    );
    assert_eq!(
        decode("\"verdict\": \"refuted\"", "\"verdict\": \"final\""),
        RecordError::Altered(Part::Outcome)
    );
    assert_eq!(decode("\"version\": 5", "\"version\": 4"), RecordError::Version(4));
    assert_eq!(decode("\"version\": 5", "\"version\":  5"), RecordError::Spelling);
    assert_eq!(decode("\"77\"", "\"077\""), RecordError::Spelling);
}

/// A record with something altered, its digests made anew.
fn forged(alter: impl FnOnce(&mut Record)) -> Result<Story, ReplayError> {
    let program = program(2);
    let claimed = doctored(&program, 2, 5, 90);
    let mut world = World::new(&program, &claimed);
    world.honest_dispute(&claimed, &truth(&program));
    let mut record = record_of(&world);
    alter(&mut record);
    let bytes = record.encode().expect("small");
    replay(&Record::decode(&bytes)?)
}

#[test]
fn attack_37_another_story_is_refused() {
    assert!(forged(|_| {}).is_ok());
    let outcome =
        |alter: fn(&mut Outcome)| forged(|record| alter(&mut record.outcome)).expect_err("otherwise");
    assert_eq!(outcome(|o| o.verdict = ClaimStatus::Final), ReplayError::Outcome("verdict"));
    assert_eq!(outcome(|o| o.burned.0 += 1), ReplayError::Outcome("burned amount"));
    assert_eq!(outcome(|o| o.locked.0 += 1), ReplayError::Outcome("locked amount"));
    assert_eq!(outcome(|o| o.owed = BTreeMap::new()), ReplayError::Outcome("list of who is owed what"));
    let altered: [fn(&mut Record); 6] = [
        |record| record.head.chain_id += 1,
        |record| record.head.parameters.grace_seconds += 1,
        |record| record.head.game = STRANGER,
        |record| record.entries[4].sender = STRANGER,
        |record| record.entries[6].block.time.0 += 100,
        |record| {
            let Call::Fold { sums, .. } = &mut record.entries[13].call else { panic!("the sums") };
            sums[0] += 1;
        },
    ];
    for (index, alter) in altered.into_iter().enumerate() {
        assert!(forged(alter).is_err(), "{index}");
    }
    let refused = |entry, call, refusal| Err(ReplayError::Refused { entry, call, refusal });
    assert_eq!(
        forged(|record| drop(record.entries.remove(9))).map(|_| ()),
        refused(9, "pickOperator", Refusal::WrongState)
    );
    let late = forged(|record| {
        let last = record.entries.len() - 1;
        record.entries[last].block.time.0 += 100;
    });
    assert_eq!(late.map(|_| ()), refused(14, "segment", Refusal::TooLate));
    let stray = forged(|record| {
        let mut extra = record.entries[4].clone();
        extra.call = Call::Withdraw;
        record.entries.push(extra);
    });
    assert!(matches!(stray, Err(ReplayError::Record(RecordError::Time(15)))), "{stray:?}");
    let stray = forged(|record| {
        let mut extra = record.entries[14].clone();
        extra.call = Call::Withdraw;
        record.entries.push(extra);
    });
    assert_eq!(stray.map(|_| ()), Err(ReplayError::Stray { entry: 15, call: "withdraw" }));
    let silent = forged(|record| record.entries[5].events.clear());
    assert_eq!(silent.map(|_| ()), Err(ReplayError::Events { entry: 5, call: "reveal" }));
}
