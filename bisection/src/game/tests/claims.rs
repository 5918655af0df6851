//! Jobs and claims: clocks, the order of awards, money.

use super::*;
use crate::{ClaimStatus, Wei};

fn honest() -> World {
    let program = program(&[2]);
    let claimed = trace(&program, None, 0);
    World::empty(program, claimed)
}

#[test]
fn a_claim_is_revealed_after_its_commitment_and_not_too_late() {
    let mut world = honest();
    let commitment = world.commitment(executor(), SALT);
    let commit = Call::CommitClaim { job: world.job, commitment };
    assert_eq!(world.send(executor(), Wei(1_004), &commit), Err(Refusal::WrongValue));
    assert_eq!(world.send(executor(), Wei(1_006), &commit), Err(Refusal::WrongValue));
    world.send(executor(), Wei(1_005), &commit).expect("commits");
    assert_eq!(world.game.burned(), Wei(4));
    let post = world.post_claim(0, START, SALT);
    assert_eq!(world.send(executor(), NOTHING, &post), Err(Refusal::NotYet));
    world.now = START + 1;
    assert_eq!(world.send(STRANGER, NOTHING, &post), Err(Refusal::UnknownCommitment));
    let other = world.post_claim(0, START, OWN_SALT);
    assert_eq!(world.send(executor(), NOTHING, &other), Err(Refusal::UnknownCommitment));
    let other = world.post_claim(1, START, SALT);
    assert_eq!(world.send(executor(), NOTHING, &other), Err(Refusal::UnknownCommitment));
    let lapse = Call::Lapse {
        job: world.job,
        number: 0,
        executor: executor(),
        commitment,
        committed_at: BlockTime(START),
    };
    world.now = START + 29;
    assert_eq!(world.send(STRANGER, NOTHING, &lapse), Err(Refusal::NotYet));
    let before = world.game.clone();
    world.send(executor(), NOTHING, &post).expect("in time");
    let claim = *world.game.claim(world.claim).expect("posted");
    assert_eq!(claim.window_end, BlockTime(START + 129));
    // Two clocks, 2 R + 8 moves of grace, and the slack; the layers tree has no level, the tensors' two are tiles: R = 0.
    assert_eq!(claim.hard_end, BlockTime(START + 129 + 50 + 40 + 8 * 5 + 7));
    assert_eq!(world.game.entry(world.job, 0), Some(world.claim.0));
    world.game = before;
    world.now = START + 30;
    assert_eq!(world.send(executor(), NOTHING, &post), Err(Refusal::TooLate));
    world.send(STRANGER, NOTHING, &lapse).expect("lapses");
    assert_eq!(world.game.owed(executor()), Wei(500));
    assert_eq!(world.game.burned(), Wei(4 + 501));
    assert_eq!(world.send(STRANGER, NOTHING, &lapse), Err(Refusal::UnknownCommitment));
    // Nobody answered: the fee goes back.
    world.now = DEADLINE - 1;
    let refund = Call::Refund { job: world.job };
    assert_eq!(world.send(STRANGER, NOTHING, &refund), Err(Refusal::NotYet));
    world.now = DEADLINE;
    assert_eq!(world.send(executor(), Wei(1_005), &commit), Err(Refusal::JobClosed));
    world.send(STRANGER, NOTHING, &refund).expect("nobody answered");
    assert_eq!(world.send(STRANGER, NOTHING, &refund), Err(Refusal::JobClosed));
    assert_eq!(world.game.owed(REQUESTER), FEE);
    world.pay_out(0);
}

#[test]
fn the_fee_is_the_earliest_commitments() {
    let mut world = honest();
    // 0 never posts, 1 and 2 do; 2 is final first.
    let commitment = world.commitment(account(9), SALT);
    world.send(account(9), Wei(1_005), &Call::CommitClaim { job: world.job, commitment }).expect("commits");
    let lapse = Call::Lapse {
        job: world.job,
        number: 0,
        executor: account(9),
        commitment,
        committed_at: BlockTime(START),
    };
    let second = world.claim_by(account(10), START + 2, SALT);
    let third = world.claim_by(account(11), START + 4, SALT);
    let status =
        |world: &World, posted: &Posted| world.game.claim(world.game.claim_id(posted)).map(|c| c.status);
    let (finalise, award) = (|posted| Call::Finalise { posted }, |posted| Call::Award { posted });
    world.now = START + 102;
    assert_eq!(world.send(STRANGER, NOTHING, &award(third)), Err(Refusal::NotYet));
    assert_eq!(world.send(STRANGER, NOTHING, &finalise(second)), Err(Refusal::NotYet));
    world.now = START + 105;
    let events = world.send(STRANGER, NOTHING, &finalise(third)).expect("its window is over");
    assert_eq!(events.len(), 1, "an earlier one is unresolved");
    assert_eq!(world.send(STRANGER, NOTHING, &award(third)), Err(Refusal::NotYet));
    let advance = Call::Advance { job: world.job };
    assert_eq!(world.send(STRANGER, NOTHING, &advance), Err(Refusal::NotYet));
    world.send(STRANGER, NOTHING, &lapse).expect("lapses");
    world.send(STRANGER, NOTHING, &advance).expect("0 lapsed");
    assert_eq!(world.send(STRANGER, NOTHING, &advance), Err(Refusal::NotYet));
    assert_eq!(world.send(STRANGER, NOTHING, &award(third)), Err(Refusal::NotYet));
    let events = world.send(STRANGER, NOTHING, &finalise(second)).expect("its window is over");
    assert!(matches!(events[..], [Event::ClaimFinal { .. }, Event::JobAwarded { .. }]), "{events:?}");
    assert_eq!(status(&world, &second), Some(ClaimStatus::Final));
    assert_eq!(world.send(STRANGER, NOTHING, &award(third)), Err(Refusal::JobClosed));
    assert_eq!(world.send(STRANGER, NOTHING, &finalise(third)), Err(Refusal::ClaimClosed));
    assert_eq!(world.game.owed(account(10)), Wei(1_001 + 77));
    assert_eq!(world.game.owed(account(11)), Wei(1_001));
    world.pay_out(0);
}

#[test]
fn one_call_advances_by_256_entries() {
    let mut world = honest();
    let at = world.now;
    for number in 0..300u64 {
        let commitment = Digest([number as u8; 32]);
        world
            .send(executor(), Wei(1_005), &Call::CommitClaim { job: world.job, commitment })
            .expect("commits");
    }
    world.now = at + 30;
    for number in 0..300u64 {
        let commitment = Digest([number as u8; 32]);
        let (executor, committed_at) = (executor(), BlockTime(at));
        let lapse = Call::Lapse { job: world.job, number, executor, commitment, committed_at };
        world.send(STRANGER, NOTHING, &lapse).expect("lapses");
    }
    world.now = DEADLINE;
    let refund = Call::Refund { job: world.job };
    assert_eq!(world.send(STRANGER, NOTHING, &refund), Err(Refusal::NotYet));
    assert_eq!(world.game.job(world.job).expect("posted").next, 0);
    world.send(STRANGER, NOTHING, &Call::Advance { job: world.job }).expect("moves");
    assert_eq!(world.game.job(world.job).expect("posted").next, 256);
    world.send(STRANGER, NOTHING, &refund).expect("the rest");
    assert_eq!(world.game.job(world.job).expect("posted").next, 300);
    world.pay_out(0);
}

#[test]
fn an_open_match_holds_a_claim_until_its_hard_end() {
    let mut world = World::new(&[2], None, 0);
    let number = world.open();
    let claim = *world.game.claim(world.claim).expect("posted");
    let finalise = Call::Finalise { posted: world.posted };
    world.now = claim.window_end.0;
    let open = Call::Open { posted: world.posted, commitment: SALT };
    let bond = world.bond();
    assert_eq!(world.send(CHALLENGER, bond, &open), Err(Refusal::TooLate));
    assert_eq!(world.send(STRANGER, NOTHING, &finalise), Err(Refusal::NotYet));
    // Nobody plays; the challenger's turn is long over, but at the hard end the timeout comes too late.
    world.now = claim.hard_end.0;
    let timeout = world.timeout(number);
    assert_eq!(world.send(STRANGER, NOTHING, &timeout), Err(Refusal::ClaimClosed));
    let reclaim = world.reclaim(number);
    assert_eq!(world.send(STRANGER, NOTHING, &reclaim), Err(Refusal::NotYet));
    world.send(STRANGER, NOTHING, &finalise).expect("final");
    world.send(STRANGER, NOTHING, &reclaim).expect("overtaken");
    assert_eq!(world.game.owed(CHALLENGER), bond);
    assert_eq!(world.game.owed(executor()), Wei(1_001 + 77));
    world.pay_out(0);
}

#[test]
fn headers_are_held_to_their_ranges() {
    let mut world = honest();
    let layers_root = world.program.layers_root();
    let good = world.program.header_bytes();
    let mut refused = |at: usize, bytes: &[u8]| {
        let mut header = good.to_vec();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        world.send(STRANGER, NOTHING, &Call::Register { header, layers_root }).is_err()
    };
    assert!(!refused(0, &[]));
    // Version, operators, layers (two operators have one or two), types, reveal bits, depth, elements, work.
    for (at, bytes) in [
        (0, vec![0, 0, 0, 3]),
        (0, vec![0, 0, 0, 5]),
        (4, vec![0; 4]),
        (4, vec![0, 0, 0, 3]),
        (8, vec![0; 4]),
        (8, vec![0, 0, 0, 33]),
        (4, vec![0, 16, 0, 1, 0, 16, 0, 1]),
        (12, vec![0]),
        (12, vec![4]),
        (13, vec![16]),
        (14, vec![0]),
        (14, vec![7]),
        (15, vec![27]),
        (16, vec![0; 4]),
        (16, vec![1, 0, 0, 1]),
        (20, vec![0; 4]),
        (20, vec![1, 0, 0, 1]),
        (24, vec![0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        assert!(refused(at, &bytes), "{at}: {bytes:?}");
    }
    for (at, bytes) in [
        (4, vec![0, 0, 0, 2]),
        (8, vec![0, 0, 0, 32]),
        (4, vec![0, 16, 0, 0, 0, 16, 0, 0]),
        (14, vec![6]),
        (15, vec![26]),
        (16, vec![1, 0, 0, 0]),
        (24, vec![0x7f, 255, 255, 255, 255, 255, 255, 255]),
    ] {
        assert!(!refused(at, &bytes), "{at}: {bytes:?}");
    }
    let long = Call::Register { header: [&good[..], &[0]].concat(), layers_root };
    assert_eq!(world.send(STRANGER, NOTHING, &long), Err(Refusal::BadHeader));
}
