//! What a match costs, by hand, and amounts that do not fit.

use super::*;
use crate::Registered;

fn registered(layers: u32, bits: u8, depth: u8, work: u64) -> Registered {
    let program = program(&[2]);
    let mut header = *program.header();
    (header.layers, header.reveal_bits, header.max_tensor_depth, header.work) = (layers, bits, depth, work);
    Registered { header, layers_root: program.layers_root() }
}

#[test]
fn bonds_by_hand() {
    // (layers, bits, greatest depth): R.
    for (layers, bits, depth, rounds) in [
        (1, 4, 0, 0),
        (1, 4, 2, 0),
        (2, 4, 3, 2),
        (16, 4, 6, 2),
        (17, 4, 7, 4),
        (1 << 20, 6, 26, 8),
        (1 << 20, 1, 26, 44),
    ] {
        let program = registered(layers, bits, depth, 1);
        assert_eq!(program.reveal_rounds(), rounds);
        assert_eq!(program.moves(), 2 * rounds + 8);
        let answer = 50_000 + 1_600 * (1 << bits);
        assert_eq!(program.answer_gas(), answer);
        let bond = 2 * (u128::from(rounds * answer) + 300_000) * 3 + 17;
        assert_eq!(program.bond(&parameters()), Some(Wei(bond)));
    }
}

#[test]
fn fees_are_rounded_up_and_may_not_fit() {
    let fee = |work, price| {
        let priced = Parameters { work_price: Wei(price), ..parameters() };
        registered(1, 4, 0, work).claim_fee(&priced).map(|fee| fee.0)
    };
    assert_eq!(fee(0, 1 << 30), Some(0));
    assert_eq!(fee(1, 1), Some(1));
    assert_eq!(fee(1 << 30, 7), Some(7));
    assert_eq!(fee((1 << 30) + 1, 7), Some(8));
    assert_eq!(fee(3, 0), Some(0));
    assert_eq!(fee((1 << 63) - 1, 1 << 95), Some(((1 << 63) - 1) << 65));
    assert_eq!(fee(1 << 30, u128::MAX), Some(u128::MAX));
    assert_eq!(fee((1 << 30) + 1, u128::MAX), None);
    assert_eq!(fee((1 << 63) - 1, u128::MAX), None);
    // Half of the greatest amount, plus what the lower half of the price leaves: ceil((2^128 - 1) / 2).
    assert_eq!(fee(1 << 29, u128::MAX), Some(1 << 127));
}

#[test]
fn what_does_not_fit_cannot_be_paid() {
    let program = program(&[2]);
    let claimed = trace(&program, None, 0);
    let mut world = World::empty(program, claimed);
    world.game.parameters.delay_fee = Wei(u128::MAX);
    world.claim_by(executor(), START, SALT);
    let posted = world.posted;
    let open = Call::Open { posted, commitment: SALT };
    for value in [0, 1, u128::MAX / 2] {
        assert_eq!(world.send(CHALLENGER, Wei(value), &open), Err(Refusal::WrongValue));
    }
    world.game.parameters.work_price = Wei(u128::MAX);
    world.game.parameters.executor_bond = Wei(u128::MAX);
    let commit = Call::CommitClaim { job: world.job, commitment: SALT };
    for value in [0, u128::MAX / 2, u128::MAX] {
        assert_eq!(world.send(executor(), Wei(value), &commit), Err(Refusal::WrongValue));
    }
}

#[test]
fn value_is_refused_where_none_is_taken() {
    let mut world = World::new(&[2], None, 0);
    let number = world.open();
    let calls = [
        Call::Finalise { posted: world.posted },
        Call::Withdraw,
        Call::Advance { job: JobId::default() },
        Call::Commit { claim: world.claim, commitment: SALT },
        world.pick_layer(number, 0),
        world.timeout(number),
    ];
    for call in calls {
        assert_eq!(world.send(CHALLENGER, Wei(1), &call), Err(Refusal::WrongValue), "{}", call.name());
    }
    assert_eq!(world.send(STRANGER, NOTHING, &Call::Withdraw), Err(Refusal::NothingOwed));
}

#[test]
fn a_parameter_out_of_range_is_refused() {
    let good = parameters();
    assert!(Game::new(CHAIN, GAME, good).is_ok());
    for bad in [
        Parameters { window_seconds: 0, ..good },
        Parameters { reveal_seconds: 1 << 31, ..good },
        Parameters { grace_seconds: 1 << 31, ..good },
        Parameters { block_gas: 1 << 32, ..good },
        Parameters { executor_bond: Wei(1), ..good },
        Parameters { fee_cap: Wei(0), ..good },
        Parameters { attacker_budget: Wei(1 << 92), ..good },
        // 2 * 3 * 50 * 30,000,000 / (10 * 12) is 75,000,000.
        Parameters { attacker_budget: Wei(75_000_001), ..good },
    ] {
        assert!(Game::new(CHAIN, GAME, bad).is_err());
    }
    assert!(Game::new(CHAIN, GAME, Parameters { attacker_budget: Wei(75_000_000), ..good }).is_ok());
}
