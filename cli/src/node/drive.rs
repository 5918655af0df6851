//! The loop of a node: a tick, what it did, a pause; and which failures end it.

use std::time::{Duration, Instant};

use anyhow::Result;
use narrows_bisection::{Account, Call, Event, Ledger};
use narrows_challenger::node::{Action as Watched, NodeError as WatchError, WatchtowerNode};
use narrows_contracts::{Chain, ChainError, InboxError, Receipt, RpcError};
use narrows_executor::node::{Action as Executed, ExecutorNode, NodeError as ExecuteError};

use super::board::Board;
use super::stop::Stop;

/// The longest pause after failures.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// How often the account's money is looked up.
const MONEY_EVERY: Duration = Duration::from_secs(10);

/// A node of either kind.
pub enum Node {
    /// Claims.
    Executor(Box<ExecutorNode>),
    /// Disputes.
    Watchtower(Box<WatchtowerNode>),
}

/// Why a tick failed, and whether the next may succeed without anybody's doing.
struct Failure {
    again: bool,
    error: anyhow::Error,
}

impl Node {
    fn ledger(&self) -> &Ledger {
        match self {
            Self::Executor(node) => node.ledger(),
            Self::Watchtower(node) => node.ledger(),
        }
    }

    /// One tick; whether it changed anything that makes more due.
    async fn tick(&mut self, chain: &mut dyn Chain, board: &Board) -> Result<bool, Failure> {
        match self {
            Self::Executor(node) => {
                let actions = node.tick(chain).await.map_err(|error| {
                    let again = match &error {
                        ExecuteError::Inbox(error) => inbox_again(error),
                        ExecuteError::Chain(error) => chain_again(error),
                        ExecuteError::Interrupted => true,
                    };
                    Failure { again, error: error.into() }
                })?;
                actions.iter().for_each(|action| tell_executed(action, board));
                Ok(actions.iter().any(|action| matches!(action, Executed::Sent(..))))
            }
            Self::Watchtower(node) => {
                let actions = node.tick(chain).await.map_err(|error| {
                    let again = match &error {
                        WatchError::Inbox(error) => inbox_again(error),
                        WatchError::Chain(error) => chain_again(error),
                        WatchError::Engine(_) => false,
                        WatchError::Interrupted => true,
                    };
                    Failure { again, error: error.into() }
                })?;
                actions.iter().for_each(|action| tell_watched(action, board));
                Ok(actions.iter().any(|action| matches!(action, Watched::Sent(..))))
            }
        }
    }
}

/// Whether the journal may be used again later. One that the chain contradicts, or that is damaged, is for a person to look at.
fn inbox_again(error: &InboxError) -> bool {
    match error {
        InboxError::Chain(error) => chain_again(error),
        InboxError::Behind(_) => true,
        InboxError::Storage(_) | InboxError::Damaged(_) | InboxError::Diverged(_) => false,
    }
}

/// Whether to ask the chain again. Nonsense, an empty purse or a limit may pass, and a watchtower that stopped for them would be
/// easily silenced; another chain, other contracts and a deep reorganisation do not pass.
fn chain_again(error: &ChainError) -> bool {
    !matches!(
        error,
        ChainError::Storage(_)
            | ChainError::Parameters(_)
            | ChainError::Rpc(
                RpcError::BadEndpoint(_)
                    | RpcError::WrongChain { .. }
                    | RpcError::NoContract { .. }
                    | RpcError::OtherContract { .. }
                    | RpcError::OtherParameters(_)
                    | RpcError::NoKey(_)
                    | RpcError::Key(_)
                    | RpcError::Reorganised { .. }
                    | RpcError::Start(_)
            )
    )
}

/// Runs a node until it is asked to stop, or nothing but a person can help.
pub async fn drive(
    mut node: Node,
    account: Account,
    chain: &mut dyn Chain,
    board: &Board,
    poll: Duration,
    mut stop: Stop,
) -> Result<()> {
    let mut backoff = poll;
    let mut looked: Option<Instant> = None;
    while !stop.is_asked() {
        match node.tick(chain, board).await {
            Ok(changed) => {
                backoff = poll;
                board.ticked(node.ledger());
                if looked.is_none_or(|at| at.elapsed() >= MONEY_EVERY) {
                    looked = Some(Instant::now());
                    if let (Ok(balance), Ok(owed)) = (chain.balance(account), chain.owed(account)) {
                        board.holds(balance, owed);
                    }
                }
                if !changed {
                    stop.pause(poll).await;
                }
            }
            Err(Failure { again: true, error }) => {
                let error = format!("{error:#}");
                tracing::warn!(
                    error,
                    retry_ms = backoff.as_millis() as u64,
                    "the chain could not be used; trying again"
                );
                board.failed(&error);
                stop.pause(backoff).await;
                backoff = backoff.saturating_mul(2).min(MAX_BACKOFF.max(poll));
            }
            Err(Failure { again: false, error }) => return Err(error),
        }
    }
    tracing::info!("stopped");
    Ok(())
}

fn tell_executed(action: &Executed, board: &Board) {
    match action {
        Executed::Sent(call, receipt) => tell_sent(call, receipt, board),
        Executed::Refused(call, refusal) => tell_refused(call, format!("{refusal:?}"), board),
        Executed::Skipped(job, reason) => {
            board.skipped();
            tracing::warn!(%job, reason, "a job is passed over");
        }
    }
}

fn tell_watched(action: &Watched, board: &Board) {
    match action {
        Watched::Sent(call, receipt) => tell_sent(call, receipt, board),
        Watched::Refused(call, refusal) => tell_refused(call, format!("{refusal:?}"), board),
        Watched::Skipped(claim, reason) => {
            board.skipped();
            tracing::warn!(%claim, reason, "a claim cannot be checked here");
        }
        Watched::Checked { claim, claimed, own, took } => {
            let (agrees, ms) = (claimed == own, took.as_secs_f64() * 1e3);
            board.checked(agrees);
            if agrees {
                tracing::info!(%claim, %own, agrees, ms, "a claim is right");
            } else {
                tracing::warn!(%claim, %claimed, %own, agrees, ms, "a claim is WRONG: it is disputed");
            }
        }
    }
}

fn tell_refused(call: &Call, refusal: String, board: &Board) {
    tracing::warn!(call = call.name(), refusal, "refused by the contracts");
    board.refused(call.name(), refusal);
}

fn tell_sent(call: &Call, receipt: &Receipt, board: &Board) {
    board.sent(call.name(), receipt.gas_used);
    let Receipt { gas_used, block, .. } = receipt;
    tracing::info!(call = call.name(), gas = gas_used, block, "sent");
    for event in &receipt.events {
        match event {
            Event::ClaimPosted { claim, posted, window_end, .. } => {
                tracing::info!(%claim, job = %posted.job, window_end = window_end.0, "a claim stands");
            }
            Event::ClaimFinal { claim, job } => tracing::info!(%claim, %job, "a claim is final"),
            Event::ClaimRefuted { claim, job, .. } => tracing::info!(%claim, %job, "a claim is refuted"),
            Event::MatchOpened { match_id, claim, .. } => {
                tracing::info!(%match_id, %claim, "a match is open")
            }
            Event::MatchWon { match_id, claim } => {
                tracing::info!(%match_id, %claim, "a match is won by its challenger")
            }
            Event::MatchLost { match_id, claim } => {
                tracing::info!(%match_id, %claim, "a match is lost by its challenger")
            }
            Event::JobAwarded { job, claim } => tracing::info!(%job, %claim, "a job is paid"),
            Event::RewardCollected { claim, winner, amount } => {
                tracing::info!(%claim, %winner, wei = amount.0, "a reward is paid");
            }
            Event::Withdrawn { account, amount } => {
                tracing::info!(%account, wei = amount.0, "money is withdrawn")
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_must_mend_ends_a_node() {
        let lasting = [
            ChainError::Rpc(RpcError::Reorganised { block: 1, event: 1 }),
            ChainError::Rpc(RpcError::WrongChain { endpoint: String::new(), expected: 1, found: 2 }),
        ];
        for error in lasting {
            assert!(!chain_again(&error), "{error}");
            assert!(!inbox_again(&InboxError::Chain(error)));
        }
        let passing = [
            ChainError::Nonsense("a log of another contract".into()),
            ChainError::Rpc(RpcError::Denied { endpoint: String::new(), status: 401 }),
            ChainError::Rpc(RpcError::Interrupted { account: Account([1; 20]) }),
            ChainError::InsufficientFunds {
                account: Account([1; 20]),
                needed: narrows_bisection::Wei(2),
                balance: narrows_bisection::Wei(1),
            },
        ];
        for error in passing {
            assert!(chain_again(&error), "{error}");
        }
        assert!(inbox_again(&InboxError::Behind(3)) && !inbox_again(&InboxError::Diverged(3)));
    }
}
