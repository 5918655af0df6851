//! Sends an account's transactions one after another, and waits until each stands.
//!
//! A call is signed once for one nonce. Until that nonce is used up it is never signed for another, so a call that is
//! sent again after an error goes on where it was, and nothing happens twice. Transactions of the account that this
//! process does not know, of a process that was killed or of another with the same key, are waited for and then, if
//! they are stuck, replaced by transfers of nothing; the caller is told to decide again.

use std::thread::sleep;
use std::time::Instant;

use alloy_primitives::{Bytes, TxKind};
use narrows_bisection::{Account, Wei};

use super::RpcError;
use super::fees::gas_limit;
use super::flight::{Flight, Place};
use super::node::{Message, Node};
use super::types::TxReceipt;
use crate::bindings::address;
use crate::chain::check_bytes;
use crate::{ChainError, MAX_TOGETHER};

/// The most transactions whose end is not known that are kept; no node runs so many at once.
const MAX_FLIGHTS: usize = MAX_TOGETHER;
/// The most transactions of an account that may be on their way at once: more is nonsense.
const MAX_PENDING: u64 = 1024;
/// How often in a row, beside for how long, a nonce must be used up and no receipt to be had, before another is believed
/// to have it. Nodes behind one endpoint may be some seconds apart.
const OVERTAKEN_LOOKS: u32 = 10;
/// Gas of a transfer.
const TRANSFER_GAS: u64 = 21_000;

/// The transactions of this process whose end is not known.
#[derive(Debug, Default)]
pub(super) struct Sender {
    flights: Vec<Flight>,
}

impl Sender {
    /// Sends, or goes on with what was sent before, until it stands, and reads what it did. Until that is read too, the
    /// same message goes on with the same transaction.
    pub fn send<T>(
        &mut self,
        node: &Node,
        message: Message,
        read: impl FnOnce(TxReceipt) -> Result<T, ChainError>,
    ) -> Result<T, ChainError> {
        let held = self.flights.iter().position(|flight| flight.message == message);
        let mut flight = match held {
            Some(at) => self.flights.remove(at),
            None => self.begin(node, message)?,
        };
        let result = self.land(node, &mut flight).and_then(read);
        // A refusal in the block is the end of it; whatever fails on the way is not.
        let open =
            matches!(&result, Err(ChainError::Rpc(error)) if !matches!(error, RpcError::Reverted { .. }));
        if open && flight.handed && !flight.overtaken {
            if self.flights.len() == MAX_FLIGHTS {
                self.flights.remove(0);
            }
            self.flights.push(flight);
        }
        result
    }

    /// Sends several, all on their way before the first is waited for; each is answered for as by [`Sender::send`].
    pub fn send_all<T>(
        &mut self,
        node: &Node,
        messages: Vec<Message>,
        mut read: impl FnMut(&Message, TxReceipt) -> Result<T, ChainError>,
    ) -> Vec<Result<T, ChainError>> {
        let launched: Vec<_> = messages.iter().map(|message| self.launch(node, message)).collect();
        let land = |(message, launched): (Message, Result<(), ChainError>)| {
            launched?;
            self.send(node, message.clone(), |receipt| read(&message, receipt))
        };
        messages.into_iter().zip(launched).map(land).collect()
    }

    /// Hands a message over without waiting for it. When there is no room for it, it is begun once it is waited for.
    fn launch(&mut self, node: &Node, message: &Message) -> Result<(), ChainError> {
        let held = self.flights.iter().any(|flight| flight.message == *message);
        if held || self.flights.len() == MAX_FLIGHTS {
            return Ok(());
        }
        let mut flight = self.begin(node, message.clone())?;
        let handed = flight.hand_over(node);
        // Its answer may be lost: then the transaction may not be.
        if flight.handed {
            self.flights.push(flight);
            return Ok(());
        }
        handed
    }

    /// Finds the place, the gas and the price of a new transaction. What would be refused is refused here, at no cost.
    fn begin(&self, node: &Node, message: Message) -> Result<Flight, ChainError> {
        let account = message.from;
        node.key(account)?;
        check_bytes(message.name, message.data.len(), node.config.max_transaction_bytes)?;
        let standing = node.standing(account)?;
        let next = node.count(account, "pending")?.max(node.count(account, "latest")?);
        if next.saturating_sub(standing) > MAX_PENDING {
            let reason = format!("{next} transactions of {account}, of which {standing} stand");
            return Err(node.client.nonsense("eth_getTransactionCount", reason).into());
        }
        // Those of this process that have ended stand: it waited until they did.
        if (standing..next).any(|nonce| self.known(account, nonce).is_none()) {
            self.drain(node, account, next)?;
            return Err(RpcError::Interrupted { account }.into());
        }
        let estimate = node.estimate(&message)?;
        let out_of_gas = ChainError::OutOfGas { call: message.name, limit: node.config.gas_cap };
        let gas = gas_limit(&node.config, estimate).ok_or(out_of_gas)?;
        let held = self.flights.iter().filter(|flight| flight.message.from == account);
        let beyond = held.map(|flight| flight.nonce.saturating_add(1)).max();
        Flight::prepare(node, message, next.max(beyond.unwrap_or_default()), gas)
    }

    fn known(&self, account: Account, nonce: u64) -> Option<usize> {
        self.flights.iter().position(|flight| flight.message.from == account && flight.nonce == nonce)
    }

    /// Hands over and waits; offers more when it takes long.
    fn land(&mut self, node: &Node, flight: &mut Flight) -> Result<TxReceipt, ChainError> {
        let (begun, mut offered) = (Instant::now(), Instant::now());
        // Since when, and how often, the nonce was seen to be used and the transaction was not seen.
        let mut missing: Option<(Instant, u32)> = None;
        flight.hand_over(node)?;
        loop {
            match flight.look(node)? {
                Place::Stands(receipt) => return Ok(*receipt),
                Place::Shallow => missing = None,
                Place::Nowhere => {
                    let used = node.count(flight.message.from, "latest")?;
                    if used > flight.nonce {
                        let (since, looks) = missing.unwrap_or_else(|| (Instant::now(), 0));
                        if looks >= OVERTAKEN_LOOKS && since.elapsed() >= node.config.replace_after {
                            flight.overtaken = true;
                            return Err(RpcError::Interrupted { account: flight.message.from }.into());
                        }
                        missing = Some((since, looks + 1));
                    } else {
                        missing = None;
                        if offered.elapsed() >= node.config.replace_after {
                            self.push(node, flight, used)?;
                            offered = Instant::now();
                        }
                    }
                }
            }
            if begun.elapsed() >= node.config.receipt_timeout {
                return Err(flight.not_mined(node));
            }
            sleep(node.config.poll);
        }
    }

    /// Gets a transaction moving that waits: for more pay, or for the ones before it.
    fn push(&mut self, node: &Node, flight: &mut Flight, used: u64) -> Result<(), ChainError> {
        tracing::warn!(
            call = flight.message.name,
            nonce = flight.nonce,
            used,
            "a transaction does not stand yet"
        );
        if used < flight.nonce {
            self.clear(node, flight.message.from, used, flight.nonce)?;
        } else {
            flight.raise(node)?;
        }
        flight.hand_over(node)
    }

    /// Waits until the account's first `until` transactions stand, and replaces what is stuck before that.
    fn drain(&self, node: &Node, account: Account, until: u64) -> Result<(), ChainError> {
        tracing::warn!(%account, "waiting for transactions that this process did not send");
        let (begun, mut moved) = (Instant::now(), Instant::now());
        loop {
            let used = node.count(account, "latest")?;
            // What the pool has dropped will not come either.
            let last = if node.count(account, "pending")? <= used { used } else { until };
            if node.standing(account)? >= last || begun.elapsed() >= node.config.receipt_timeout {
                return Ok(());
            }
            if used < last && moved.elapsed() >= node.config.replace_after {
                self.clear_unknown(node, account, used, last)?;
                moved = Instant::now();
            }
            sleep(node.config.poll);
        }
    }

    /// Offers again what is ours before a place, and replaces what is not.
    fn clear(&mut self, node: &Node, account: Account, used: u64, until: u64) -> Result<(), ChainError> {
        for nonce in used..until.min(used.saturating_add(MAX_PENDING)) {
            if let Some(at) = self.known(account, nonce) {
                let flight = &mut self.flights[at];
                flight.raise(node)?;
                flight.hand_over(node)?;
            }
        }
        self.clear_unknown(node, account, used, until)
    }

    /// Puts a transfer of nothing to oneself into each place that no transaction of ours has.
    fn clear_unknown(&self, node: &Node, account: Account, used: u64, until: u64) -> Result<(), ChainError> {
        for nonce in used..until.min(used.saturating_add(MAX_PENDING)) {
            if self.known(account, nonce).is_some() {
                continue;
            }
            let to = TxKind::Call(address(account));
            let (name, data) = ("a transfer of nothing", Bytes::new());
            let message = Message { name, from: account, to, value: Wei(0), data };
            let mut filler = Flight::prepare(node, message, nonce, TRANSFER_GAS)?;
            filler.raise(node)?;
            filler.hand_over(node)?;
        }
        Ok(())
    }
}
