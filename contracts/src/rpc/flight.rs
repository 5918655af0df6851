//! One transaction on its way: its place is fixed when it is first handed over, only its price may rise.
//!
//! So at most one of its offers can ever stand, whatever is lost, repeated or answered late.

use alloy_primitives::B256;
use serde_json::json;

use super::RpcError;
use super::client::Refused;
use super::error::quote;
use super::fees;
use super::node::{Message, Node};
use super::sign::{Offer, sign};
use super::types::TxReceipt;
use super::verdict::{self, Pool};
use crate::ChainError;
use crate::bindings::digest;

/// The most prices that one transaction is offered at.
const MAX_OFFERS: usize = 64;

/// A transaction and what is known of its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub message: Message,
    pub nonce: u64,
    gas: u64,
    /// Never empty; the last is the present one.
    offers: Vec<Offer>,
    /// Whether a node may have it.
    pub handed: bool,
    /// Whether another transaction has its place for good.
    pub overtaken: bool,
}

/// Where a transaction is.
#[derive(Debug)]
pub(super) enum Place {
    /// Deep enough in the chain.
    Stands(Box<TxReceipt>),
    /// In a block that may still be undone.
    Shallow,
    /// In no block that the node knows.
    Nowhere,
}

impl Flight {
    /// Signs a first offer.
    pub fn prepare(node: &Node, message: Message, nonce: u64, gas: u64) -> Result<Self, ChainError> {
        let price = fees::offer(&node.config, node.base_fee()?)?;
        let offer = sign(node.key(message.from)?, node.chain_id, &message, nonce, gas, price);
        Ok(Self { message, nonce, gas, offers: vec![offer], handed: false, overtaken: false })
    }

    fn offer(&self) -> &Offer {
        self.offers.last().expect("a flight has an offer")
    }

    /// The hash of the present offer.
    pub fn hash(&self) -> B256 {
        self.offer().hash
    }

    /// Signs a higher offer; `false` when the cap is reached.
    pub fn raise(&mut self, node: &Node) -> Result<bool, ChainError> {
        if self.offers.len() == MAX_OFFERS {
            return Ok(false);
        }
        let Some(price) = fees::raise(&node.config, self.offer().price, node.base_fee()?) else {
            return Ok(false);
        };
        let key = node.key(self.message.from)?;
        self.offers.push(sign(key, node.chain_id, &self.message, self.nonce, self.gas, price));
        Ok(true)
    }

    /// Hands the present offer to the node, and a higher one where it asks for more.
    ///
    /// An error after which [`Flight::handed`] is false means that the transaction will never stand.
    pub fn hand_over(&mut self, node: &Node) -> Result<(), ChainError> {
        let method = "eth_sendRawTransaction";
        loop {
            let (hash, raw) = (self.hash(), self.offer().raw.clone());
            let payload = match node.client.request::<B256>(method, json!([raw])) {
                Ok(answer) => {
                    self.handed = true;
                    let other = || node.client.nonsense(method, format!("not the hash {hash}"));
                    return if answer == hash { Ok(()) } else { Err(other().into()) };
                }
                Err(Refused::Answer(payload)) => payload,
                Err(refused) => {
                    // The answer is lost: the transaction may not be.
                    self.handed = true;
                    return Err(node.client.explain(method, refused));
                }
            };
            let account = self.message.from;
            match verdict::of_pool(&payload) {
                // A used nonce may have been used by an attempt whose answer was lost: the receipts tell.
                Pool::Known | Pool::NonceUsed => {
                    self.handed = true;
                    return Ok(());
                }
                Pool::Underpriced | Pool::FeeTooLow => {
                    if self.raise(node)? {
                        continue;
                    }
                    if self.handed {
                        return Ok(());
                    }
                    fees::offer(&node.config, node.base_fee()?)?;
                    return Err(self.rejected(node, &payload.message));
                }
                // An earlier offer is out: that a higher one is not taken changes nothing.
                _ if self.handed => {
                    if self.offers.len() > 1 {
                        self.offers.pop();
                    }
                    return Ok(());
                }
                Pool::NonceAhead => return Err(RpcError::Interrupted { account }.into()),
                Pool::Poor => {
                    let fees = self.offer().price.max.saturating_mul(u128::from(self.gas));
                    return Err(node.poor(&self.message, fees));
                }
                Pool::Other => return Err(self.rejected(node, &payload.message)),
            }
        }
    }

    fn rejected(&self, node: &Node, words: &str) -> ChainError {
        let endpoint = node.client.endpoint().to_owned();
        RpcError::Rejected { endpoint, call: self.message.name, message: quote(words) }.into()
    }

    /// Looks for any of the offers in the chain.
    pub fn look(&self, node: &Node) -> Result<Place, ChainError> {
        // The height first: a receipt read later is of a chain at least as high.
        let height = node.height()?;
        for offer in self.offers.iter().rev() {
            if let Some(receipt) = node.receipt(offer.hash)? {
                let block: u64 = receipt.block_number.to();
                let deep = block.saturating_add(node.config.confirmations) <= height;
                return Ok(if deep { Place::Stands(Box::new(receipt)) } else { Place::Shallow });
            }
        }
        Ok(Place::Nowhere)
    }

    /// It does not stand after so long.
    pub fn not_mined(&self, node: &Node) -> ChainError {
        let seconds = node.config.receipt_timeout.as_secs();
        RpcError::NotMined { hash: digest(self.hash()), nonce: self.nonce, seconds }.into()
    }
}
