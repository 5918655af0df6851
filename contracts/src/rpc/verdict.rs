//! What nodes mean by their errors. There is no standard: geth, its kin, nethermind, besu, erigon, reth and anvil were read.

use alloy_json_rpc::ErrorPayload;
use alloy_primitives::{Bytes, hex};
use serde_json::Value;

/// What a node says to a transaction that it is handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    /// It has it already.
    Known,
    /// Its nonce is used up.
    NonceUsed,
    /// Its nonce is beyond the next, and this node keeps no such transactions.
    NonceAhead,
    /// Another has its place and pays as much.
    Underpriced,
    /// It pays less than the base fee, or than this node asks.
    FeeTooLow,
    /// The sender cannot pay it.
    Poor,
    /// Anything else.
    Other,
}

/// What the node says to a transaction.
pub(super) fn of_pool(payload: &ErrorPayload) -> Pool {
    let words = payload.message.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&["already known", "already imported", "alreadyknown", "known transaction", "already in mempool"])
    {
        Pool::Known
    } else if says(&["nonce too low", "old nonce", "nonce is too low", "oldnonce", "nonce_too_low"]) {
        Pool::NonceUsed
    } else if says(&["nonce too high", "nonce gap", "noncegap", "nonce is too high", "gapped"]) {
        Pool::NonceAhead
    } else if says(&["replacement", "replace existing", "feetoolowtocompete", "underpriced to replace"]) {
        Pool::Underpriced
    } else if says(&[
        "underpriced",
        "less than block base fee",
        "less than the block base fee",
        "fee too low",
        "gas price too low",
        "below current base fee",
        "below base fee",
    ]) {
        Pool::FeeTooLow
    } else if is_poor(payload) {
        Pool::Poor
    } else {
        Pool::Other
    }
}

/// Whether the sender cannot pay.
pub(super) fn is_poor(payload: &ErrorPayload) -> bool {
    let words = payload.message.to_lowercase();
    words.contains("insufficient funds")
        || words.contains("insufficient balance")
        || words.contains("upfront cost")
}

/// Whether an execution ended for want of gas.
pub(super) fn is_out_of_gas(payload: &ErrorPayload) -> bool {
    let words = payload.message.to_lowercase();
    [
        "out of gas",
        "outofgas",
        "gas required exceeds",
        "intrinsic gas",
        "gas floor",
        "exceeds max transaction gas",
    ]
    .iter()
    .any(|part| words.contains(part))
}

/// What an execution reverted with: `None` when it did not revert, `Some(None)` when the node says that it did and not
/// with what.
pub(super) fn revert(payload: &ErrorPayload) -> Option<Option<Bytes>> {
    let data = payload.data.as_ref().and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let found = data.as_ref().and_then(bytes_in);
    let words = payload.message.to_lowercase();
    if words.contains("revert") || payload.code == 3 {
        return Some(found);
    }
    // Parity's heirs say only "VM execution error" and put "Reverted 0x…" into the data.
    let reverted = data.as_ref().and_then(Value::as_str).is_some_and(|text| text.starts_with("Reverted"));
    reverted.then_some(found)
}

/// The first hexadecimal bytes in a value: a text, or one of an object's.
fn bytes_in(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => {
            let text = text.trim().strip_prefix("Reverted").unwrap_or(text).trim();
            hex::decode(text.strip_prefix("0x")?).ok().map(Bytes::from)
        }
        Value::Object(fields) => {
            fields.get("data").and_then(bytes_in).or_else(|| fields.values().find_map(bytes_in))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(code: i64, message: &str, data: &str) -> ErrorPayload {
        let data = if data.is_empty() { String::new() } else { format!(r#","data":{data}"#) };
        let text = format!(r#"{{"code":{code},"message":{}{data}}}"#, Value::from(message));
        serde_json::from_str(&text).expect("a payload")
    }

    #[test]
    fn what_pools_say_is_understood() {
        for (words, meaning) in [
            ("already known", Pool::Known),
            ("transaction already imported", Pool::Known),
            ("AlreadyKnown", Pool::Known),
            ("nonce too low: next nonce 5, tx nonce 4", Pool::NonceUsed),
            ("OldNonce", Pool::NonceUsed),
            ("Nonce too high. Expected nonce to be 1 but got 3.", Pool::NonceAhead),
            ("replacement transaction underpriced", Pool::Underpriced),
            ("Gas price too low to replace existing transaction", Pool::Underpriced),
            ("transaction underpriced: gas tip cap 1, minimum needed 5", Pool::FeeTooLow),
            ("max fee per gas less than block base fee: address 0x…", Pool::FeeTooLow),
            ("insufficient funds for gas * price + value", Pool::Poor),
            ("Insufficient funds for gas * price + value", Pool::Poor),
            ("Upfront cost exceeds account balance", Pool::Poor),
            ("transaction type not supported", Pool::Other),
            ("", Pool::Other),
        ] {
            assert_eq!(of_pool(&payload(-32000, words, "")), meaning, "{words}");
        }
    }

    #[test]
    fn reverts_are_found_where_nodes_put_them() {
        let data = Some(Some(Bytes::from_static(&[1, 2, 3, 4])));
        assert_eq!(revert(&payload(3, "execution reverted", r#""0x01020304""#)), data);
        assert_eq!(revert(&payload(-32015, "VM execution error.", r#""Reverted 0x01020304""#)), data);
        let nested = r#"{"txHash":"nothing","data":"0x01020304"}"#;
        assert_eq!(revert(&payload(-32000, "VM Exception: revert", nested)), data);
        assert_eq!(revert(&payload(3, "execution reverted", "")), Some(None));
        assert_eq!(revert(&payload(3, "execution reverted", r#""0x0""#)), Some(None));
        assert_eq!(revert(&payload(-32000, "header not found", "")), None);
        assert_eq!(revert(&payload(-32000, "no", r#""0x01020304""#)), None);
    }

    #[test]
    fn want_of_gas_is_no_revert() {
        let gas = payload(-32000, "gas required exceeds allowance (16777216)", "");
        assert!(is_out_of_gas(&gas) && revert(&gas).is_none());
        assert!(!is_out_of_gas(&payload(3, "execution reverted", "")));
    }
}
