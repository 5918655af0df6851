//! How the mock reads and writes.

use alloy_consensus::TxEip1559;
use alloy_consensus::transaction::{RlpEcdsaDecodableTx, SignableTransaction};
use alloy_primitives::{Address, LogData, U256};
use alloy_sol_types::SolEvent;
use serde_json::{Value, json};

use super::mock::{Block, REGISTRY};
use crate::bindings::abi::IRegistry;
use crate::bindings::address;

/// The log by which a program is announced.
pub fn registered(number: u64) -> (Address, LogData) {
    let event = IRegistry::Registered { programRoot: U256::from(number).into() };
    (address(REGISTRY), event.encode_log_data())
}

/// A transaction and its sender.
pub fn decode(raw: &[u8]) -> (Address, TxEip1559) {
    let signed = TxEip1559::rlp_decode_signed(&mut &raw[1..]).expect("a transaction");
    let from = signed.signature().recover_address_from_prehash(&signed.tx().signature_hash());
    (from.expect("signed"), signed.strip_signature())
}

/// A block's logs, as a node shows them.
pub fn logs_of(number: u64, block: &Block) -> Vec<Value> {
    let logs = block.transactions.iter().flat_map(|mined| mined.logs.iter().map(move |log| (mined, log)));
    logs.enumerate()
        .map(|(index, (mined, (at, log)))| {
            json!({
                "address": at, "topics": log.topics(), "data": log.data, "blockNumber": hex(number),
                "blockHash": block.hash, "transactionHash": mined.hash, "logIndex": hex(index as u64), "removed": false,
            })
        })
        .collect()
}

pub fn hex(number: u64) -> Value {
    json!(format!("{number:#x}"))
}

pub fn number(value: &Value) -> u64 {
    let text = value.as_str().expect("a number");
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number")
}

pub fn account(value: &Value) -> Address {
    serde_json::from_value(value.clone()).expect("an address")
}
