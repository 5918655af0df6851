//! The chain behind the seam.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::TxKind;
use narrows_bisection::{
    Account, BlockTime, ClaimId, JobId, MatchId, Parameters, Registered, StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};

use super::node::{Message, Node};
use super::types::{TxReceipt, quantity};
use super::{Contracts, RpcChain, RpcError};
use crate::bindings::{self, address, decode_log};
use crate::views::{self, ClaimView, JobView, Question};
use crate::{Chain, ChainError, LoggedEvent, Receipt, Transaction};

/// How long the node's word on the time is taken for the present.
const FRESH: Duration = Duration::from_millis(500);

/// What is held is whole between any two steps, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RpcChain {
    fn message(&self, tx: &Transaction) -> Result<Message, ChainError> {
        let name = tx.call.name();
        if tx.value.0 > 0 && !tx.call.is_payable() {
            return Err(ChainError::NotPayable { call: name });
        }
        let (target, data) = bindings::encode(&tx.call);
        let to = TxKind::Call(address(self.contracts.account_of(target)));
        Ok(Message { name, from: tx.from, to, value: tx.value, data: data.into() })
    }

    fn ask<T>(&self, question: &Question<T>) -> Result<T, ChainError> {
        self.node.view(self.contracts.account_of(question.target), question)
    }
}

/// What a transaction that stands has done.
fn read(
    node: &Node,
    contracts: &Contracts,
    message: &Message,
    receipt: TxReceipt,
) -> Result<Receipt, ChainError> {
    let block: u64 = receipt.block_number.to();
    match receipt.status.to::<u64>() {
        1 => {}
        0 => {
            // As things stood after its block, then before it; its own place within the block cannot be asked for.
            let why =
                [block, block.saturating_sub(1)].into_iter().find_map(|at| node.why(message, &quantity(at)));
            return Err(why.unwrap_or_else(|| RpcError::Reverted { call: message.name, block }.into()));
        }
        _ => return Err(node.client.nonsense("eth_getTransactionReceipt", "an unknown status").into()),
    }
    let nonsense = |what: &str| ChainError::Nonsense(format!("{} announces {what}", message.name));
    let mut events = Vec::with_capacity(receipt.logs.len());
    for entry in receipt.logs {
        let contract = contracts.target(entry.address).ok_or_else(|| nonsense("another contract's log"))?;
        let log = entry.log().ok_or_else(|| nonsense("a log of more than four topics"))?;
        events.push(decode_log(contract, &log)?);
    }
    let header = node.header_of(receipt.block_hash)?;
    Ok(Receipt {
        events,
        gas_used: receipt.gas_used.to(),
        calldata_bytes: message.data.len(),
        block,
        time: BlockTime(header.timestamp.to()),
        base_fee: node.base_fee_of(&header)?,
    })
}

impl Chain for RpcChain {
    fn parameters(&self) -> Parameters {
        self.contracts.parameters
    }

    /// When the node fails, time still runs from the last block that was seen.
    fn now(&self) -> BlockTime {
        let mut clock = lock(&self.clock);
        if !clock.is_fresh(Instant::now(), FRESH.min(self.node.config.poll)) {
            match self.node.latest() {
                Ok(latest) => clock.observe(latest.timestamp.to(), self.node.pending_time(), Instant::now()),
                Err(error) => tracing::warn!(%error, "the chain's time is estimated"),
            }
        }
        BlockTime(clock.next_block(Instant::now()))
    }

    fn chain_id(&self) -> u64 {
        self.node.chain_id
    }

    fn game(&self) -> Account {
        self.contracts.game
    }

    fn max_transaction_bytes(&self) -> usize {
        self.node.config.max_transaction_bytes
    }

    fn send(&mut self, tx: Transaction) -> Result<Receipt, ChainError> {
        let message = self.message(&tx)?;
        let Self { node, contracts, sender, .. } = self;
        sender.send(node, message.clone(), |receipt| read(node, contracts, &message, receipt))
    }

    fn send_all(&mut self, txs: Vec<Transaction>) -> Vec<Result<Receipt, ChainError>> {
        let messages: Vec<_> = txs.iter().map(|tx| self.message(tx)).collect();
        let Self { node, contracts, sender, .. } = self;
        let good = messages.iter().filter_map(|message| message.as_ref().ok().cloned()).collect();
        let mut sent = sender
            .send_all(node, good, |message, receipt| read(node, contracts, message, receipt))
            .into_iter();
        let answer = |message: Result<Message, ChainError>| {
            message.and_then(|_| sent.next().expect("every message is answered for"))
        };
        messages.into_iter().map(answer).collect()
    }

    fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
        lock(&self.follower).events_from(&self.node, &self.contracts, cursor)
    }

    fn program(&self, program: ProgramRoot) -> Result<Option<Registered>, ChainError> {
        self.ask(&views::program(program))
    }

    fn job(&self, job: JobId) -> Result<Option<JobView>, ChainError> {
        self.ask(&views::job(job))
    }

    fn entry(&self, job: JobId, number: u64) -> Result<Option<Digest>, ChainError> {
        self.ask(&views::entry(job, number))
    }

    fn claim(&self, claim: ClaimId) -> Result<Option<ClaimView>, ChainError> {
        self.ask(&views::claim(claim))
    }

    fn match_state(&self, id: MatchId) -> Result<Option<StateHash>, ChainError> {
        self.ask(&views::match_state(id))
    }

    fn owed(&self, account: Account) -> Result<Wei, ChainError> {
        self.ask(&views::owed(account))
    }

    fn locked(&self) -> Result<Wei, ChainError> {
        self.ask(&views::locked())
    }

    fn burned(&self) -> Result<Wei, ChainError> {
        self.ask(&views::burned())
    }

    fn balance(&self, account: Account) -> Result<Wei, ChainError> {
        self.node.balance(account)
    }
}
