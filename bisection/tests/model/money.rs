//! Where every wei goes (PROTOCOL 4.8), reckoned from what a call announced.

use narrows_bisection::{Account, Call, Claim, Event, Game, Phase};
use narrows_commitment::Digest;

use super::position::{Position, Step};
use crate::stage::scene::{BASE_FEE, CHALLENGERS, FEE, REQUESTER, STRANGER, Scene, executor};

/// All accounts that money may be owed to.
pub const ACCOUNTS: [Account; 5] = [REQUESTER, STRANGER, CHALLENGERS[0], CHALLENGERS[1], CHALLENGERS[2]];

/// What the contract holds, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    /// Owed to [`ACCOUNTS`], then to the executor.
    pub owed: [u128; 6],
    pub burned: u128,
    /// Locked, what is owed included.
    pub locked: u128,
    pub balance: u128,
}

impl Purse {
    pub fn of(game: &Game) -> Self {
        let mut owed = [0; 6];
        for (slot, account) in owed.iter_mut().zip(ACCOUNTS.into_iter().chain([executor()])) {
            *slot = game.owed(account).0;
        }
        Self { owed, burned: game.burned().0, locked: game.locked().0, balance: game.balance().0 }
    }

    fn owe(&mut self, account: Account, amount: u128) {
        let at = ACCOUNTS.iter().position(|one| *one == account).unwrap_or(5);
        assert!(at < 5 || account == executor(), "{account} is nobody");
        self.owed[at] += amount;
    }

    fn burn(&mut self, amount: u128) {
        self.burned += amount;
        self.locked -= amount;
    }
}

/// A lost challenge pays for the answers, at the block's base fee or the cap, and for the delay.
pub fn lost_payment(scene: &Scene, answers: u8) -> u128 {
    let p = &scene.parameters;
    let gas = u128::from(answers) * (50_000 + 1_600 * (1u128 << scene.program.header().reveal_bits));
    (gas * BASE_FEE.0.min(p.fee_cap.0) + p.delay_fee.0).min(scene.bond.0)
}

/// Compares the money after a step with what its events mean.
pub fn check(scene: &Scene, before: &Position, after: &Position, step: &Step, events: &[Event]) {
    let Step::Call { from, value, about, call } = step else { return };
    let mut purse = Purse::of(&before.game);
    purse.balance += value.0;
    purse.locked += value.0;
    let bond = scene.parameters.executor_bond.0;
    for event in events {
        match event {
            Event::ClaimRefuted { point, .. } => {
                purse.burn(bond - bond / 2);
                if *point == Digest::default() {
                    let winner = match (call, about) {
                        (Call::Refute { .. } | Call::RefuteCopy { .. }, _) => *from,
                        (_, Some(who)) => CHALLENGERS[*who],
                        _ => panic!("{} refuted", call.name()),
                    };
                    purse.owe(winner, bond / 2);
                }
            }
            Event::MatchLost { .. } => {
                let who = about.expect("a match");
                let answers = after.at(scene, who).expect("a match").state.answers;
                let paid = lost_payment(scene, answers);
                purse.owe(executor(), paid);
                purse.burn(scene.bond.0 - paid);
            }
            Event::Reclaimed { .. } => purse.owe(CHALLENGERS[about.expect("a match")], scene.bond.0),
            Event::ClaimFinal { .. } => purse.owe(executor(), bond),
            Event::JobAwarded { .. } => purse.owe(executor(), FEE.0),
            Event::JobRefunded { .. } => purse.owe(REQUESTER, FEE.0),
            Event::RewardCollected { winner, amount, .. } => {
                assert_eq!(amount.0, bond / 2, "the reward");
                if *winner == Account::default() {
                    purse.burn(bond / 2);
                } else {
                    purse.owe(*winner, bond / 2);
                }
            }
            Event::Withdrawn { account, amount } => {
                let at = ACCOUNTS.iter().position(|one| one == account).unwrap_or(5);
                assert_eq!(purse.owed[at], amount.0, "all that is owed is paid");
                purse.owed[at] = 0;
                purse.balance -= amount.0;
                purse.locked -= amount.0;
            }
            _ => {}
        }
    }
    assert_eq!(Purse::of(&after.game), purse, "the money after {}: {events:?}", call.name());
    assert_eq!(purse.balance, purse.locked + purse.burned, "in = out + burned + locked");
}

/// What is at stake in a pending game: the job's fee, the executor's bond, the bonds of open matches.
pub fn check_stakes(scene: &Scene, at: &Position, claim: &Claim) {
    let open = (0..3).filter_map(|who| at.at(scene, who));
    let open = open.filter(|one| one.state.phase.turn().is_some() || one.state.phase == Phase::Won).count();
    let stakes = FEE.0 + scene.parameters.executor_bond.0 + open as u128 * scene.bond.0;
    let purse = Purse::of(&at.game);
    assert_eq!(purse.locked, stakes + purse.owed.iter().sum::<u128>(), "what is locked: {claim:?}");
}
