//! How long a claim can be held up, and whether an attacker could fill the chain.

use narrows_bisection::{Parameters, Registered, Wei};
use serde::Serialize;

use super::worst::Dispute;

/// The window and the time for a move under which others published their delays, in seconds.
const WINDOW: u64 = 120;
const MOVE: u64 = 30;

/// Somebody else's delay of a disputed inference, as published at a window of 120 s and 30 s a move.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Others {
    /// The system and the model.
    pub name: &'static str,
    /// Seconds.
    pub seconds: u64,
}

/// The delays that others published.
pub const OTHERS: [Others; 3] = [
    Others { name: "zk-OPML, a model of MNIST's size", seconds: 361 },
    Others { name: "zk-OPML, MobileNet", seconds: 1115 },
    Others { name: "opML, a model of MNIST's size", seconds: 1440 },
];

/// How long a claim on the model can take, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Delay {
    /// From the posting: nobody disputes.
    pub undisputed: u64,
    /// From the posting: the latest moment of a refutation in one transaction.
    pub at_once: u64,
    /// From the posting: the latest end of any match, hardEnd.
    pub hard_end: u64,
    /// hardEnd - windowEnd = both clocks + moves x grace + slack.
    pub after_window: u64,
    /// The most moves.
    pub moves: u64,
    /// By hardEnd's formula, at a window of 120 s: a refutation in one transaction.
    pub at_once_published: u64,
    /// By hardEnd's formula, at a window of 120 s and a grace of 30 s a move, the clocks at their least: any match.
    pub hard_end_published: u64,
    /// At these parameters: the match that was played, opened at the window's last moment.
    pub played_published: u64,
}

impl Delay {
    /// Of a program under these parameters, and of the dispute that was played about it.
    pub fn of(registered: &Registered, parameters: &Parameters, dispute: &Dispute) -> Self {
        let p = parameters;
        let moves = registered.moves();
        let clocks = u64::from(p.executor_clock_seconds) + u64::from(p.challenger_clock_seconds);
        let after_window = clocks + moves * u64::from(p.grace_seconds) + u64::from(p.slack_seconds);
        let window = u64::from(p.window_seconds);
        Self {
            undisputed: window,
            // It is legal while the claim cannot be made final: without a match, before windowEnd.
            at_once: window,
            hard_end: window + after_window,
            after_window,
            moves,
            at_once_published: WINDOW,
            // Clocks of 1 s each, no slack.
            hard_end_published: WINDOW + 2 + moves * MOVE,
            played_published: WINDOW + dispute.interactive.transactions.saturating_sub(1) * MOVE,
        }
    }
}

/// The flood check of PROTOCOL 2, and what it means for this program.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Flood {
    /// attackerBudget x 10 x blockSeconds.
    pub attack: Wei,
    /// 2 x feeCap x executorClockSeconds x blockGas: at least as much.
    pub room: Wei,
    /// Matches about this program that the budget buys.
    pub matches: u64,
    /// Gas of the answers that they force.
    pub forced_gas: u64,
    /// Gas of all blocks while the executor's clock runs.
    pub block_gas: u64,
    /// The forced gas in thousandths of that: at most 100.
    pub thousandths: u64,
}

impl Flood {
    /// Of a program under these parameters.
    pub fn of(registered: &Registered, parameters: &Parameters, bond: Wei) -> Self {
        let p = parameters;
        let clock = u128::from(p.executor_clock_seconds);
        // The parameters were checked: these do not overflow, or have room in plenty.
        let attack = p.attacker_budget.0.saturating_mul(10 * u128::from(p.block_seconds));
        let room = [p.fee_cap.0, clock, u128::from(p.block_gas)].into_iter().fold(2, u128::saturating_mul);
        let matches = p.attacker_budget.0 / bond.0.max(1);
        let answering =
            u128::from(registered.reveal_rounds()) * u128::from(registered.answer_gas()) + 300_000;
        let forced_gas = matches.saturating_mul(answering);
        let block_gas = clock.saturating_mul(p.block_gas.into()) / u128::from(p.block_seconds.max(1));
        let thousandths = forced_gas.saturating_mul(1000) / block_gas.max(1);
        Self {
            attack: Wei(attack),
            room: Wei(room),
            matches: clamped(matches),
            forced_gas: clamped(forced_gas),
            block_gas: clamped(block_gas),
            thousandths: clamped(thousandths),
        }
    }
}

/// A number for a report: 2^64 - 1 for more.
pub fn clamped(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
