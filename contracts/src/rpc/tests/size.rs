//! Transactions that are longer than the chain's nodes take.

use alloy_primitives::{Bytes, TxKind};
use narrows_bisection::{BlockTime, Call, Wei};
use narrows_commitment::{Digest, ProgramRoot};

use super::mock::{GAME, Mock, key};
use crate::bindings::{address, encode};
use crate::chain::check_bytes;
use crate::rpc::RpcConfig;
use crate::rpc::fees::Price;
use crate::rpc::node::Message;
use crate::rpc::sign::sign;
use crate::{Chain, ChainError, MAX_TRANSACTION_BYTES, Transaction};

fn job(bytes: usize) -> Transaction {
    let (program, salt, deadline) = (ProgramRoot(Digest([1; 32])), Digest([2; 32]), BlockTime(u64::MAX));
    let call = Call::PostJob { program, input: vec![7; bytes], salt, deadline };
    Transaction { from: key(1).account(), value: Wei(0), call }
}

#[test]
fn attack_35_what_is_too_long_is_refused_before_a_node_is_asked() {
    let mock = Mock::start();
    let calldata = encode(&job(1_000).call).1.len();
    for (limit, fits) in [(calldata + 192, true), (calldata + 191, false)] {
        let mut chain = mock.chain_with(RpcConfig { max_transaction_bytes: limit, ..mock.config() });
        assert_eq!(chain.max_transaction_bytes(), limit);
        assert_eq!(chain.check_size(&job(1_000).call).is_ok(), fits);
        let asked = mock.count("eth_estimateGas");
        let sent = chain.send(job(1_000));
        let too_long = ChainError::TooLong { call: "postJob", bytes: calldata + 192, limit };
        if fits {
            assert_ne!(sent.err(), Some(too_long), "the mock knows no jobs: what comes next is its business");
            assert!(mock.count("eth_estimateGas") > asked);
        } else {
            assert_eq!(sent, Err(too_long.clone()));
            assert_eq!(chain.send_all(vec![job(1_000), job(1_000)]), [Err(too_long.clone()), Err(too_long)]);
            assert_eq!(mock.count("eth_estimateGas"), asked, "nobody was asked");
        }
    }
    assert_eq!(RpcConfig::new("http://node").max_transaction_bytes, MAX_TRANSACTION_BYTES);
}

#[test]
fn no_envelope_is_longer_than_is_reckoned_with() {
    // Everything the greatest, and the length of the data that the header of a list takes longest to say.
    let price = Price { max: u128::MAX, priority: u128::MAX };
    for bytes in [0, 1, 55, 56, 1 << 16, 130_000, 1 << 24] {
        let (from, to, data) =
            (key(1).account(), TxKind::Call(address(GAME)), Bytes::from(vec![0xff; bytes]));
        let message = Message { name: "postJob", from, to, value: Wei(u128::MAX), data };
        let raw = sign(&key(1), u64::MAX, &message, u64::MAX, u64::MAX, price).raw;
        let most = raw.len();
        assert!(check_bytes("postJob", bytes, most - 1).is_err(), "{bytes} bytes: {most} on the wire");
        assert!(most <= bytes + 192);
    }
}
