//! The parts of a node's answers that are read here.

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U64, U128, U256};
use serde::Deserialize;

/// A block, without its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    /// Missing in a block that is still being made.
    pub number: Option<U64>,
    pub hash: Option<B256>,
    pub parent_hash: B256,
    pub timestamp: U64,
    /// Missing on a chain without EIP-1559.
    pub base_fee_per_gas: Option<U128>,
}

/// A log, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogEntry {
    pub address: Address,
    pub topics: Vec<B256>,
    pub data: Bytes,
    pub block_number: Option<U64>,
    pub block_hash: Option<B256>,
    pub transaction_hash: Option<B256>,
    pub log_index: Option<U64>,
    #[serde(default)]
    pub removed: bool,
}

impl LogEntry {
    /// The log itself; `None` when it has more topics than the EVM knows.
    pub fn log(self) -> Option<Log> {
        Some(Log { address: self.address, data: LogData::new(self.topics, self.data)? })
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TxReceipt {
    pub transaction_hash: B256,
    pub block_hash: B256,
    pub block_number: U64,
    pub status: U64,
    pub gas_used: U64,
    pub contract_address: Option<Address>,
    pub logs: Vec<LogEntry>,
}

/// A transaction's sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct TxInfo {
    pub hash: B256,
    pub from: Address,
}

/// A number as JSON-RPC writes it.
pub(super) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// An amount as JSON-RPC writes it.
pub(super) fn amount(number: U256) -> String {
    format!("{number:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_leading_zeros() {
        assert_eq!((quantity(0).as_str(), quantity(255).as_str()), ("0x0", "0xff"));
        assert_eq!((amount(U256::ZERO).as_str(), amount(U256::from(16)).as_str()), ("0x0", "0x10"));
    }

    #[test]
    fn what_is_missing_or_too_large_is_refused() {
        let read = serde_json::from_str::<Header>;
        let zero = format!("0x{}", "0".repeat(64));
        let header =
            format!(r#"{{"number":null,"hash":null,"parentHash":"{zero}","timestamp":"0x5","more":[]}}"#);
        let header = read(&header).expect("a pending block");
        assert_eq!((header.number, header.timestamp, header.base_fee_per_gas), (None, U64::from(5), None));
        let late = format!(r#"{{"parentHash":"{zero}","timestamp":"0x1ffffffffffffffff"}}"#);
        for text in [late.as_str(), "{}", "[]", "null", "5", r#"{"parentHash":"0x","timestamp":"0x1"}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
