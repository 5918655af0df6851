//! What a node is asked, one function a question.

use std::sync::atomic::{AtomicBool, Ordering};

use alloy_json_rpc::ErrorPayload;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use narrows_bisection::{Account, Wei};
use serde_json::{Value, json};

use super::client::{Client, Refused};
use super::config::RpcConfig;
use super::key::Key;
use super::types::{Header, LogEntry, TxInfo, TxReceipt, amount, quantity};
use super::{RpcError, verdict};
use crate::ChainError;
use crate::bindings::{account, address, decode_refusal};
use crate::views::Question;

/// A transaction before it has a place and a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// What is done, for errors.
    pub name: &'static str,
    pub from: Account,
    pub to: TxKind,
    pub value: Wei,
    pub data: Bytes,
}

/// A node of a chain that is known.
#[derive(Debug)]
pub(super) struct Node {
    pub client: Client,
    pub config: RpcConfig,
    pub chain_id: u64,
    /// Whether it knows the block that is being made.
    pending: AtomicBool,
}

impl Node {
    /// Reaches the node and checks its chain.
    pub fn connect(config: RpcConfig) -> Result<Self, ChainError> {
        let client = Client::new(&config)?;
        let chain_id = client.ask::<U64>("eth_chainId", json!([]))?.to();
        match config.chain_id {
            Some(expected) if expected != chain_id => {
                let endpoint = client.endpoint().to_owned();
                Err(RpcError::WrongChain { endpoint, expected, found: chain_id }.into())
            }
            _ => Ok(Self { client, config, chain_id, pending: AtomicBool::new(true) }),
        }
    }

    /// The key of an account.
    pub fn key(&self, of: Account) -> Result<&Key, RpcError> {
        self.config.keys.iter().find(|key| key.account() == of).ok_or(RpcError::NoKey(of))
    }

    /// The latest block's number.
    pub fn height(&self) -> Result<u64, ChainError> {
        Ok(self.client.ask::<U64>("eth_blockNumber", json!([]))?.to())
    }

    /// The block of this number, if the node has one.
    pub fn header(&self, number: u64) -> Result<Option<Header>, ChainError> {
        let header = self.block("eth_getBlockByNumber", json!(quantity(number)))?;
        match header {
            Some(header) if header.number != Some(U64::from(number)) || header.hash.is_none() => {
                Err(self.client.nonsense("eth_getBlockByNumber", format!("not block {number}")).into())
            }
            header => Ok(header),
        }
    }

    /// The block of this hash, which must be there.
    pub fn header_of(&self, hash: B256) -> Result<Header, ChainError> {
        let header = self.block("eth_getBlockByHash", json!(hash))?;
        let right = header.filter(|header| header.hash == Some(hash) && header.number.is_some());
        right.ok_or_else(|| self.client.nonsense("eth_getBlockByHash", format!("not block {hash}")).into())
    }

    /// The latest block.
    pub fn latest(&self) -> Result<Header, ChainError> {
        let header = self.block("eth_getBlockByNumber", json!("latest"))?;
        let whole = header.filter(|header| header.number.is_some() && header.hash.is_some());
        whole.ok_or_else(|| self.client.nonsense("eth_getBlockByNumber", "no latest block").into())
    }

    /// What a transaction in the next block pays at least, per gas.
    pub fn base_fee(&self) -> Result<Wei, ChainError> {
        self.base_fee_of(&self.latest()?)
    }

    /// A block's base fee. The contracts read it, so a chain without one cannot run them.
    pub fn base_fee_of(&self, header: &Header) -> Result<Wei, ChainError> {
        let base_fee = header.base_fee_per_gas.map(|fee| Wei(fee.to()));
        base_fee
            .ok_or_else(|| self.client.nonsense("eth_getBlockByNumber", "a block without a base fee").into())
    }

    /// The time of the block that is being made, from nodes that make one up.
    pub fn pending_time(&self) -> Option<u64> {
        if !self.pending.load(Ordering::Relaxed) {
            return None;
        }
        let header = self.block("eth_getBlockByNumber", json!("pending"));
        header.ok().flatten().map(|header| header.timestamp.to())
    }

    fn block(&self, method: &'static str, which: Value) -> Result<Option<Header>, ChainError> {
        self.client.ask(method, json!([which, false]))
    }

    /// How many transactions an account has in blocks up to `tag`.
    pub fn count(&self, of: Account, tag: &str) -> Result<u64, ChainError> {
        Ok(self.client.ask::<U64>("eth_getTransactionCount", json!([address(of), tag]))?.to())
    }

    /// How many transactions an account has in blocks with enough on top of them.
    pub fn standing(&self, of: Account) -> Result<u64, ChainError> {
        match self.config.confirmations {
            0 => self.count(of, "latest"),
            confirmations => self.count(of, &quantity(self.height()?.saturating_sub(confirmations))),
        }
    }

    /// What an account holds.
    pub fn balance(&self, of: Account) -> Result<Wei, ChainError> {
        let balance: U256 = self.client.ask("eth_getBalance", json!([address(of), "latest"]))?;
        u128::try_from(balance).map(Wei).map_err(|_| ChainError::Overflow("the balance"))
    }

    /// The code at an account.
    pub fn code(&self, of: Account) -> Result<Bytes, ChainError> {
        self.client.ask("eth_getCode", json!([address(of), "latest"]))
    }

    /// What became of a transaction, if it is in a block.
    pub fn receipt(&self, hash: B256) -> Result<Option<TxReceipt>, ChainError> {
        let method = "eth_getTransactionReceipt";
        let receipt: Option<TxReceipt> = self.client.ask(method, json!([hash]))?;
        match receipt {
            Some(receipt) if receipt.transaction_hash != hash => {
                Err(self.client.nonsense(method, format!("not the receipt of {hash}")).into())
            }
            receipt => Ok(receipt),
        }
    }

    /// Who sent a transaction that is in a block.
    pub fn sender_of(&self, hash: B256) -> Result<Account, ChainError> {
        let method = "eth_getTransactionByHash";
        let info: Option<TxInfo> = self.client.ask(method, json!([hash]))?;
        let info = info.filter(|info| info.hash == hash);
        let info = info.ok_or_else(|| self.client.nonsense(method, format!("not transaction {hash}")))?;
        Ok(account(info.from))
    }

    /// Logs of these contracts in a range of blocks, or in one block by its hash.
    pub fn logs(&self, of: &[Address], filter: Value) -> Result<Vec<LogEntry>, Refused> {
        let mut filter = filter;
        filter["address"] = json!(of);
        self.client.request("eth_getLogs", json!([filter]))
    }

    /// Asks a contract as of the latest block.
    pub fn view<T>(&self, of: Account, question: &Question<T>) -> Result<T, ChainError> {
        let params = json!([{ "to": address(of), "data": Bytes::copy_from_slice(&question.data) }, "latest"]);
        let answer: Result<Bytes, Refused> = self.client.request("eth_call", params);
        match answer {
            Ok(answer) => Ok((question.read)(&answer)?),
            Err(Refused::Answer(payload)) if verdict::revert(&payload).is_some() => {
                Err(ChainError::Nonsense(format!("{} reverts", question.name)))
            }
            Err(refused) => Err(self.client.explain("eth_call", refused)),
        }
    }

    /// The gas that a transaction takes, if it would not be refused in the next block.
    pub fn estimate(&self, message: &Message) -> Result<u64, ChainError> {
        let method = "eth_estimateGas";
        let ask = |tag| self.client.request::<U64>(method, self.execution(message, tag));
        let of_the_node = |refused: &Refused| match refused {
            Refused::Answer(payload) => !is_about_the_call(payload),
            Refused::Other(_) => false,
        };
        let mut answer;
        if self.pending.load(Ordering::Relaxed) {
            answer = ask("pending");
            // It may make no block up before there is one: then it is asked as of the latest, from now on.
            if answer.as_ref().is_err_and(of_the_node) {
                answer = ask("latest");
                self.pending.store(answer.as_ref().is_err_and(of_the_node), Ordering::Relaxed);
            }
        } else {
            answer = ask("latest");
        }
        match answer {
            Ok(gas) => Ok(gas.to()),
            Err(Refused::Answer(payload)) if verdict::revert(&payload) == Some(None) => {
                let unclear =
                    || ChainError::Nonsense(format!("{} reverts, and then it does not", message.name));
                Err(self.why(message, "latest").unwrap_or_else(unclear))
            }
            Err(Refused::Answer(payload)) => Err(self.refusal(message, method, payload)),
            Err(refused) => Err(self.client.explain(method, refused)),
        }
    }

    /// Why a transaction reverts on the state after a block; `None` when it does not.
    pub fn why(&self, message: &Message, tag: &str) -> Option<ChainError> {
        match self.client.request::<Bytes>("eth_call", self.execution(message, tag)) {
            Err(Refused::Answer(payload)) => Some(self.refusal(message, "eth_call", payload)),
            Err(refused) => Some(self.client.explain("eth_call", refused)),
            Ok(_) => None,
        }
    }

    /// What an error of an execution means.
    fn refusal(&self, message: &Message, method: &'static str, payload: ErrorPayload) -> ChainError {
        let call = message.name;
        match verdict::revert(&payload) {
            Some(Some(data)) => match decode_refusal(&data) {
                Some(refusal) => ChainError::Refused { call, refusal },
                None => ChainError::Nonsense(format!("{call} reverts with {data}")),
            },
            Some(None) => ChainError::Nonsense(format!("{call} reverts and the node does not say with what")),
            None if verdict::is_out_of_gas(&payload) => {
                ChainError::OutOfGas { call, limit: self.config.gas_cap }
            }
            None if verdict::is_poor(&payload) => self.poor(message, 0),
            None => self.client.explain(method, Refused::Answer(payload)),
        }
    }

    /// The sender cannot pay the value and `fees`.
    pub fn poor(&self, message: &Message, fees: u128) -> ChainError {
        let needed = Wei(message.value.0.saturating_add(fees));
        match self.balance(message.from) {
            Ok(balance) => ChainError::InsufficientFunds { account: message.from, needed, balance },
            Err(error) => error,
        }
    }

    fn execution(&self, message: &Message, tag: &str) -> Value {
        let mut call = json!({
            "from": address(message.from),
            "value": amount(U256::from(message.value.0)),
            "gas": quantity(self.config.gas_cap),
            "data": message.data,
        });
        if let TxKind::Call(to) = message.to {
            call["to"] = json!(to);
        }
        json!([call, tag])
    }
}

/// Whether an error says something of the call, and not of the node.
fn is_about_the_call(payload: &ErrorPayload) -> bool {
    verdict::revert(payload).is_some() || verdict::is_out_of_gas(payload) || verdict::is_poor(payload)
}
