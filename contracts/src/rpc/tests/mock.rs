//! A chain in memory behind JSON-RPC, whose node does what it is told to do wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, LogData, TxKind, U256, keccak256};
use alloy_sol_types::{SolCall, SolEvent, SolValue};
use narrows_bisection::{Account, Call, Parameters};
use serde_json::{Value, json};

use super::json::{account, decode, hex, logs_of, number, registered};
use super::server::{Handler, Reply, Server};
use crate::artifacts;
use crate::bindings::abi::{IGame, IParts};
use crate::bindings::{address, decode_call};
use crate::rpc::{Key, RpcChain, RpcConfig};

/// The mock's chain.
pub const CHAIN: u64 = 77;
pub const GAME: Account = Account([0x61; 20]);
pub const REGISTRY: Account = Account([0x72; 20]);
pub const REFEREE: Account = Account([0x73; 20]);

/// What goes wrong with the next request for a method.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This instead of an answer.
    Reply(Reply),
    /// This result.
    Result(Value),
    /// This JSON-RPC error.
    Error(i64, &'static str, Option<Value>),
    /// The request is carried out, and the answer lost.
    Lost,
    /// The right answer, with another id.
    WrongId,
    /// The right answer, late.
    Late(Duration),
}

#[derive(Debug, Clone)]
pub struct Block {
    pub hash: B256,
    pub parent: B256,
    pub time: u64,
    pub transactions: Vec<Mined>,
}

#[derive(Debug, Clone)]
pub struct Mined {
    pub hash: B256,
    pub from: Address,
    pub nonce: u64,
    pub good: bool,
    pub created: Option<Address>,
    pub logs: Vec<(Address, LogData)>,
}

/// A transaction that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub hash: B256,
    pub tx: TxEip1559,
}

/// Something that happens between two questions.
pub type Hook = Box<dyn FnOnce(&mut State) + Send>;

pub struct State {
    pub blocks: Vec<Block>,
    pub pool: BTreeMap<(Address, u64), Waiting>,
    pub codes: BTreeMap<Address, Bytes>,
    pub parameters: Parameters,
    pub parameters_hash: B256,
    /// Mine each transaction at once.
    pub automine: bool,
    pub base_fee: u64,
    /// Below this, transactions wait.
    pub least_priority: u128,
    pub estimate: u64,
    /// What executions revert with when they are estimated or called.
    pub revert: Option<Value>,
    /// What transactions do in blocks.
    pub fail: bool,
    /// The most blocks in one question for logs.
    pub max_range: u64,
    /// The last block that the node shows by number.
    pub shows: u64,
    pub balance: U256,
    /// The pool's own account of nonces is not in `pending`.
    pub hides_pool: bool,
    pub has_pending: bool,
    faults: BTreeMap<String, VecDeque<Fault>>,
    /// What happens when a method is asked for: reorganisations between two questions.
    pub hooks: Vec<(String, Hook)>,
    pub asked: Vec<(String, Value)>,
    forks: u64,
}

/// A mock node and its chain.
pub struct Mock {
    state: Arc<Mutex<State>>,
    server: Server,
}

pub fn key(number: u8) -> Key {
    Key::from_hex(&format!("{number:02x}").repeat(32), "the test").expect("a key")
}

impl Mock {
    pub fn start() -> Self {
        let parameters = Parameters::default();
        let parameters_hash = keccak256(IGame::Parameters::from(parameters).abi_encode());
        let genesis =
            Block { hash: B256::repeat_byte(1), parent: B256::ZERO, time: 1_000, transactions: vec![] };
        let code = |artifact: &artifacts::Artifact| Bytes::copy_from_slice(&artifact.deployed);
        let codes = BTreeMap::from([
            (address(GAME), code(&artifacts::GAME)),
            (address(REGISTRY), code(&artifacts::REGISTRY)),
            (address(REFEREE), code(&artifacts::REFEREE)),
        ]);
        let state = State {
            blocks: vec![genesis],
            pool: BTreeMap::new(),
            codes,
            parameters,
            parameters_hash,
            automine: true,
            base_fee: 1_000_000_000,
            least_priority: 0,
            estimate: 50_000,
            revert: None,
            fail: false,
            max_range: u64::MAX,
            shows: u64::MAX,
            balance: U256::MAX >> 130,
            hides_pool: false,
            has_pending: true,
            faults: BTreeMap::new(),
            hooks: Vec::new(),
            asked: Vec::new(),
            forks: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let handler: Handler = Arc::new(move |method, params, id| {
            shared.lock().expect("the mock does not panic").reply(method, params, id)
        });
        Self { state, server: Server::start(handler) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the mock does not panic")
    }

    /// The next request for `method` goes wrong; after the others of which that was said.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.state().fault(method, fault);
    }

    /// Impatient: tests are.
    pub fn config(&self) -> RpcConfig {
        RpcConfig {
            keys: vec![key(1), key(2)],
            chain_id: Some(CHAIN),
            request_timeout: Duration::from_millis(1_000),
            attempts: 3,
            backoff: Duration::from_millis(1),
            poll: Duration::from_millis(1),
            replace_after: Duration::from_millis(60),
            receipt_timeout: Duration::from_secs(10),
            max_answer_bytes: 1 << 20,
            ..RpcConfig::local(self.server.url())
        }
    }

    pub fn chain(&self) -> RpcChain {
        self.chain_with(self.config())
    }

    pub fn chain_with(&self, config: RpcConfig) -> RpcChain {
        RpcChain::connect(config, GAME, 1).expect("connected")
    }

    /// How often a method was asked for.
    pub fn count(&self, method: &str) -> usize {
        self.state().asked.iter().filter(|(asked, _)| asked == method).count()
    }
}

impl State {
    pub fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    pub fn fault(&mut self, method: &str, fault: Fault) {
        self.faults.entry(method.to_owned()).or_default().push_back(fault);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&mut self) {
        self.faults.clear();
    }

    /// Adds a block with these logs, in one transaction each.
    pub fn mine_logs(&mut self, logs: Vec<(Address, LogData)>) {
        let transactions = logs
            .into_iter()
            .enumerate()
            .map(|(at, log)| Mined {
                hash: keccak256((self.forks, self.height(), at as u64).abi_encode()),
                from: Address::repeat_byte(at as u8 + 1),
                nonce: 0,
                good: true,
                created: None,
                logs: vec![log],
            })
            .collect();
        self.add(transactions);
    }

    pub fn add(&mut self, transactions: Vec<Mined>) {
        let last = self.blocks.last().expect("a genesis");
        let (parent, time) = (last.hash, last.time + 12);
        let hash = keccak256((parent, self.forks, transactions.len() as u64).abi_encode());
        self.blocks.push(Block { hash, parent, time, transactions });
    }

    /// Undoes the blocks from `number` on; what is mined next is another branch.
    pub fn undo(&mut self, number: u64) {
        self.blocks.truncate(number as usize);
        self.forks += 1;
    }

    /// Mines what waits and pays enough.
    pub fn mine(&mut self) {
        let mut transactions = Vec::new();
        while let Some(place) = self.ready() {
            let Waiting { hash, tx } = self.pool.remove(&place).expect("it waits");
            let (from, nonce) = place;
            let created = (tx.to == TxKind::Create).then(|| from.create(nonce));
            if let Some(at) = created {
                let artifacts = [&artifacts::REGISTRY, &artifacts::REFEREE, &artifacts::GAME];
                let artifact =
                    artifacts.into_iter().find(|artifact| tx.input.starts_with(&artifact.creation));
                self.codes.insert(at, artifact.map(|a| a.deployed.clone()).unwrap_or_default().into());
            }
            let logs = match decode_call(&tx.input) {
                Ok(Call::Withdraw) if !self.fail => {
                    let event = IGame::Withdrawn { account: from, amount: U256::from(nonce) };
                    vec![(address(GAME), event.encode_log_data())]
                }
                Ok(Call::Register { .. }) if !self.fail => vec![registered(nonce)],
                _ => vec![],
            };
            let mined = Mined { hash, from, nonce, good: !self.fail, created, logs };
            self.add(vec![mined.clone()]);
            transactions.push(mined);
        }
        if transactions.is_empty() {
            self.add(vec![]);
        }
    }

    fn ready(&self) -> Option<(Address, u64)> {
        let ready = |place: &&(Address, u64)| {
            let waiting = &self.pool[*place];
            place.1 == self.used(place.0)
                && waiting.tx.max_priority_fee_per_gas >= self.least_priority
                && waiting.tx.max_fee_per_gas >= u128::from(self.base_fee)
        };
        self.pool.keys().find(ready).copied()
    }

    fn mined(&self) -> impl Iterator<Item = (u64, &Block, &Mined)> {
        let numbered = (0..).zip(&self.blocks);
        numbered
            .flat_map(|(number, block)| block.transactions.iter().map(move |mined| (number, block, mined)))
    }

    /// Nonces that an account has used up.
    pub fn used(&self, account: Address) -> u64 {
        self.used_by(account, u64::MAX)
    }

    fn used_by(&self, account: Address, height: u64) -> u64 {
        let mined = self.mined().filter(|(number, _, mined)| *number <= height && mined.from == account);
        mined.map(|(.., mined)| mined.nonce + 1).max().unwrap_or(0)
    }

    /// Hashes of an account's transactions in blocks.
    pub fn sent(&self, account: Account) -> Vec<B256> {
        self.mined()
            .filter(|(.., mined)| mined.from == address(account))
            .map(|(.., mined)| mined.hash)
            .collect()
    }

    fn reply(&mut self, method: &str, params: &Value, id: &Value) -> Reply {
        self.asked.push((method.to_owned(), params.clone()));
        if let Some(at) = self.hooks.iter().position(|(of, _)| of == method) {
            let (_, hook) = self.hooks.remove(at);
            hook(self);
        }
        let fault = self.faults.get_mut(method).and_then(VecDeque::pop_front);
        match fault {
            Some(Fault::Reply(reply)) => return reply,
            Some(Fault::Result(result)) => return Reply::result(id, &result),
            Some(Fault::Error(code, message, data)) => return Reply::error(id, code, message, data.as_ref()),
            _ => {}
        }
        let id = if matches!(fault, Some(Fault::WrongId)) { &json!(123_456_789) } else { id };
        let reply = match self.answer(method, params) {
            Ok(result) => Reply::result(id, &result),
            Err((code, message, data)) => Reply::error(id, code, message, data.as_ref()),
        };
        match fault {
            Some(Fault::Lost) => Reply::Cut,
            Some(Fault::Late(pause)) => Reply::Late(pause, Box::new(reply)),
            _ => reply,
        }
    }

    fn answer(&mut self, method: &str, params: &Value) -> Result<Value, (i64, &'static str, Option<Value>)> {
        Ok(match method {
            "eth_chainId" => hex(CHAIN),
            "eth_blockNumber" => hex(self.height()),
            "eth_getBlockByNumber" => match params[0].as_str() {
                Some("latest") => self.block(self.height()),
                Some("pending") if self.has_pending => {
                    json!({ "number": hex(self.height() + 1), "hash": null, "parentHash": B256::ZERO, "timestamp": "0x1" })
                }
                Some("pending") => return Err((-32000, "no pending block", None)),
                _ => match number(&params[0]) {
                    number if number <= self.shows => self.block(number),
                    _ => Value::Null,
                },
            },
            "eth_getBlockByHash" => {
                let at = self.blocks.iter().position(|block| json!(block.hash) == params[0]);
                at.map_or(Value::Null, |at| self.block(at as u64))
            }
            "eth_getTransactionCount" => {
                let account = account(&params[0]);
                if let Some(height) = params[1].as_str().and_then(|tag| tag.strip_prefix("0x")) {
                    let height = u64::from_str_radix(height, 16).expect("a number");
                    return Ok(hex(self.used_by(account, height)));
                }
                let mut count = self.used(account);
                if params[1] == "pending" && !self.hides_pool {
                    while self.pool.contains_key(&(account, count)) {
                        count += 1;
                    }
                }
                hex(count)
            }
            "eth_getBalance" => json!(self.balance),
            "eth_getCode" => json!(self.codes.get(&account(&params[0])).cloned().unwrap_or_default()),
            "eth_call" => return self.call(&params[0]),
            "eth_estimateGas" => match &self.revert {
                _ if params[1] == "pending" && !self.has_pending => {
                    return Err((-32000, "no pending block", None));
                }
                Some(data) => {
                    return Err((3, "execution reverted", Some(data.clone()).filter(|data| !data.is_null())));
                }
                None => hex(self.estimate),
            },
            "eth_sendRawTransaction" => return self.take(&params[0]),
            "eth_getTransactionReceipt" => self.receipt(&params[0]),
            "eth_getTransactionByHash" => {
                let found = self.mined().find(|(.., mined)| json!(mined.hash) == params[0]);
                found.map_or(
                    Value::Null,
                    |(.., mined)| json!({ "hash": mined.hash, "from": mined.from, "more": {} }),
                )
            }
            "eth_getLogs" => return self.logs(&params[0]),
            _ => return Err((-32601, "the method does not exist", None)),
        })
    }

    fn block(&self, number: u64) -> Value {
        let Some(block) = self.blocks.get(number as usize) else { return Value::Null };
        json!({
            "number": hex(number), "hash": block.hash, "parentHash": block.parent,
            "timestamp": hex(block.time), "baseFeePerGas": hex(self.base_fee), "logsBloom": "0x00",
        })
    }

    fn call(&self, call: &Value) -> Result<Value, (i64, &'static str, Option<Value>)> {
        let data: Bytes = serde_json::from_value(call["data"].clone()).expect("calldata");
        let answer = match data.first_chunk::<4>() {
            Some(&IGame::parametersCall::SELECTOR) => IGame::Parameters::from(self.parameters).abi_encode(),
            Some(&IGame::parametersHashCall::SELECTOR) => self.parameters_hash.to_vec(),
            Some(&IParts::registryCall::SELECTOR) => address(REGISTRY).into_word().to_vec(),
            Some(&IParts::refereeCall::SELECTOR) => address(REFEREE).into_word().to_vec(),
            Some(&IGame::owedCall::SELECTOR) => U256::from(5).abi_encode(),
            _ => match &self.revert {
                Some(Value::Null) => return Err((3, "execution reverted", None)),
                Some(data) => return Err((3, "execution reverted", Some(data.clone()))),
                None => vec![],
            },
        };
        Ok(json!(Bytes::from(answer)))
    }

    /// What pools do.
    fn take(&mut self, raw: &Value) -> Result<Value, (i64, &'static str, Option<Value>)> {
        let raw: Bytes = serde_json::from_value(raw.clone()).expect("bytes");
        let hash = keccak256(&raw);
        let (from, tx) = decode(&raw);
        assert_eq!(tx.chain_id, CHAIN);
        let error = |message| Err((-32000, message, None));
        if tx.nonce < self.used(from) {
            return error("nonce too low");
        }
        if let Some(waiting) = self.pool.get(&(from, tx.nonce)) {
            if waiting.hash == hash {
                return error("already known");
            }
            let more = |new: u128, old: u128| new * 10 >= old * 11;
            let old = &waiting.tx;
            if !more(tx.max_fee_per_gas, old.max_fee_per_gas)
                || !more(tx.max_priority_fee_per_gas, old.max_priority_fee_per_gas)
            {
                return error("replacement transaction underpriced");
            }
        }
        if tx.max_fee_per_gas < u128::from(self.base_fee) {
            return error("max fee per gas less than block base fee");
        }
        if tx.value + U256::from(tx.gas_limit) * U256::from(tx.max_fee_per_gas) > self.balance {
            return error("insufficient funds for gas * price + value");
        }
        self.pool.insert((from, tx.nonce), Waiting { hash, tx });
        if self.automine {
            self.mine();
        }
        Ok(json!(hash))
    }

    fn receipt(&self, hash: &Value) -> Value {
        let found = self.mined().find(|(.., mined)| json!(mined.hash) == *hash);
        let Some((number, block, mined)) = found else { return Value::Null };
        json!({
            "transactionHash": mined.hash, "blockHash": block.hash, "blockNumber": hex(number),
            "status": hex(u64::from(mined.good)), "gasUsed": "0x5208", "contractAddress": mined.created,
            "logs": logs_of(number, block).into_iter().filter(|log| log["transactionHash"] == *hash).collect::<Vec<_>>(),
        })
    }

    fn logs(&self, filter: &Value) -> Result<Value, (i64, &'static str, Option<Value>)> {
        assert_eq!(filter["address"], json!([address(GAME), address(REGISTRY)]));
        let blocks: Vec<(u64, &Block)> = if filter["blockHash"].is_null() {
            let (from, to) = (number(&filter["fromBlock"]), number(&filter["toBlock"]));
            if to - from >= self.max_range {
                return Err((-32005, "query returned more than 10000 results", None));
            }
            // As some nodes do: what lies beyond what they know is left out without a word.
            let to = to.min(self.shows);
            (0..).zip(&self.blocks).filter(|(number, _)| (from..=to).contains(number)).collect()
        } else {
            let found: Vec<_> = (0..)
                .zip(&self.blocks)
                .filter(|(_, block)| json!(block.hash) == filter["blockHash"])
                .collect();
            if found.is_empty() {
                return Err((-32000, "unknown block", None));
            }
            found
        };
        Ok(blocks.into_iter().flat_map(|(number, block)| logs_of(number, block)).collect())
    }
}
