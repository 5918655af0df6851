//! Transactions through lost answers, stuck pools and reorganisations; `crowd` has those that share an account.

use std::time::{Duration, Instant};

use alloy_primitives::{Bytes, U256};
use narrows_bisection::{Account, Call, Event, JobId, Refusal, Wei};
use narrows_commitment::Digest;
use serde_json::json;

use super::mock::{Fault, GAME, Mock, key};
use super::server::Reply;
use crate::rpc::{RpcConfig, RpcError};
use crate::{Chain, ChainError, Receipt, Transaction};

/// What the contracts revert with to refuse.
pub(super) fn selector(name: &str) -> serde_json::Value {
    json!(Bytes::copy_from_slice(&alloy_primitives::keccak256(name)[..4]))
}

pub(super) fn me() -> Account {
    key(1).account()
}

pub(super) fn withdraw() -> Transaction {
    Transaction { from: me(), value: Wei(0), call: Call::Withdraw }
}

pub(super) fn advance(number: u8) -> Transaction {
    Transaction { from: me(), value: Wei(0), call: Call::Advance { job: JobId(Digest([number; 32])) } }
}

/// The mock announces the nonce as the amount.
pub(super) fn nonce(receipt: &Receipt) -> u128 {
    match receipt.events[..] {
        [Event::Withdrawn { account, amount }] if account == me() => amount.0,
        ref other => panic!("{other:?}"),
    }
}

pub(super) fn rpc(error: ChainError) -> RpcError {
    match error {
        ChainError::Rpc(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_transaction_is_sent_once_and_read_back() {
    let mock = Mock::start();
    let mut chain = mock.chain();
    for number in 0..3 {
        let receipt = chain.send(withdraw()).expect("sent");
        assert_eq!(nonce(&receipt), number);
        assert_eq!((receipt.block, receipt.calldata_bytes), (number as u64 + 1, 4));
        assert_eq!((receipt.gas_used, receipt.base_fee), (21_000, Wei(1_000_000_000)));
        assert_eq!(receipt.time.0, mock.state().blocks[number as usize + 1].time);
        let shown = chain.events_from(number as u64).expect("events");
        assert_eq!((shown.len(), &shown[0].event, shown[0].sender), (1, &receipt.events[0], me()));
    }
    assert_eq!(mock.count("eth_sendRawTransaction"), 3);
}

#[test]
fn what_would_be_refused_is_not_sent() {
    let mock = Mock::start();
    let mut chain = mock.chain();
    let not_yet = Err(ChainError::Refused { call: "withdraw", refusal: Refusal::NothingOwed });
    mock.state().revert = Some(selector("NothingOwed()"));
    assert_eq!(chain.send(withdraw()), not_yet);
    // A node that does not say with what, and one that does only when it is called.
    mock.fault("eth_estimateGas", Fault::Error(-32000, "execution reverted", None));
    assert_eq!(chain.send(withdraw()), not_yet);
    mock.state().revert = Some(json!(null));
    assert!(matches!(chain.send(withdraw()), Err(ChainError::Nonsense(_))));
    mock.state().revert = Some(json!("0x12345678"));
    assert!(matches!(chain.send(withdraw()), Err(ChainError::Nonsense(_))));
    mock.state().revert = None;
    mock.fault("eth_estimateGas", Fault::Error(-32000, "gas required exceeds allowance (16777216)", None));
    let out_of_gas = Err(ChainError::OutOfGas { call: "withdraw", limit: 1 << 24 });
    assert_eq!(chain.send(withdraw()), out_of_gas);
    mock.state().estimate = (1 << 24) + 1;
    assert_eq!(chain.send(withdraw()), out_of_gas);
    mock.state().estimate = 50_000;
    let paid = Transaction { value: Wei(1), ..withdraw() };
    assert_eq!(chain.send(paid), Err(ChainError::NotPayable { call: "withdraw" }));
    let stranger = Transaction { from: GAME, ..withdraw() };
    assert_eq!(chain.send(stranger), Err(ChainError::Rpc(RpcError::NoKey(GAME))));
    mock.state().base_fee = 100_000_000_001;
    assert!(matches!(rpc(chain.send(withdraw()).expect_err("dear")), RpcError::BaseFee { .. }));
    mock.state().base_fee = 1_000_000_000;
    mock.state().balance = U256::from(7);
    let poor = chain.send(withdraw()).expect_err("poor");
    assert!(matches!(poor, ChainError::InsufficientFunds { balance: Wei(7), .. }), "{poor}");
    mock.state().balance = U256::MAX >> 130;
    mock.fault("eth_sendRawTransaction", Fault::Error(-32000, "transaction type not supported", None));
    assert!(matches!(
        rpc(chain.send(withdraw()).expect_err("rejected")),
        RpcError::Rejected { call: "withdraw", .. }
    ));
    assert!(mock.state().sent(me()).is_empty(), "nothing was sent");
    assert_eq!(nonce(&chain.send(withdraw()).expect("sent")), 0, "and nothing is left behind");
}

#[test]
fn a_node_without_a_pending_block_is_asked_as_of_the_latest() {
    let mock = Mock::start();
    mock.state().has_pending = false;
    let mut chain = mock.chain();
    chain.send(withdraw()).expect("sent");
    let asked = mock.count("eth_estimateGas");
    chain.send(withdraw()).expect("sent");
    assert_eq!((asked, mock.count("eth_estimateGas")), (2, 3), "and remembered");
}

#[test]
fn a_lost_answer_does_not_send_twice() {
    for faults in [1, 2, 3, 4, 6] {
        let mock = Mock::start();
        let mut chain = mock.chain();
        for _ in 0..faults {
            mock.fault("eth_sendRawTransaction", Fault::Lost);
        }
        let mut result = chain.send(withdraw());
        while let Err(error) = &result {
            assert!(error.is_transient(), "{error}");
            result = chain.send(withdraw());
        }
        assert_eq!(nonce(&result.expect("sent")), 0, "{faults}");
        assert_eq!(mock.state().sent(me()).len(), 1, "{faults}");
        let raws: Vec<_> = mock
            .state()
            .asked
            .iter()
            .filter(|(method, _)| method == "eth_sendRawTransaction")
            .map(|(_, raw)| raw.clone())
            .collect();
        assert!(raws.len() > 1 && raws.iter().all(|raw| *raw == raws[0]), "the same bytes each time");
        assert_eq!(nonce(&chain.send(withdraw()).expect("the next")), 1);
    }
}

#[test]
fn any_answer_may_be_lost() {
    let methods = [
        "eth_getTransactionCount",
        "eth_estimateGas",
        "eth_getBlockByNumber",
        "eth_sendRawTransaction",
        "eth_blockNumber",
        "eth_getTransactionReceipt",
        "eth_getBlockByHash",
    ];
    for method in methods {
        let mock = Mock::start();
        let mut chain = mock.chain();
        // Longer than one call's patience.
        (0..3).for_each(|_| mock.fault(method, Fault::Lost));
        let error = rpc(chain.send(advance(1)).expect_err("nothing comes back"));
        assert!(matches!(error, RpcError::Unreachable { .. }), "{method}: {error}");
        chain.send(advance(1)).expect("then it does");
        assert_eq!(mock.state().sent(me()).len(), 1, "{method}");
    }
}

#[test]
fn a_refusal_in_the_block_is_told_apart_from_success() {
    let mock = Mock::start();
    let mut chain = mock.chain();
    mock.state().fail = true;
    let reverts = |name: &str| Fault::Error(3, "execution reverted", Some(selector(name)));
    mock.fault("eth_call", reverts("TooLate()"));
    let refused = Err(ChainError::Refused { call: "advance", refusal: Refusal::TooLate });
    assert_eq!(chain.send(advance(1)), refused);
    // What was refused among others, and would not be now.
    let error = rpc(chain.send(advance(1)).expect_err("refused"));
    assert_eq!(error, RpcError::Reverted { call: "advance", block: 2 });
    (0..2).for_each(|_| mock.fault("eth_call", Fault::Lost));
    mock.fault("eth_call", Fault::Result(json!("0x")));
    mock.fault("eth_call", reverts("NotYet()"));
    let before = Err(ChainError::Refused { call: "advance", refusal: Refusal::NotYet });
    assert_eq!(chain.send(advance(1)), before, "as things stood before the block");
    assert_eq!(mock.state().sent(me()).len(), 3, "each was an attempt of its own");
    mock.state().fail = false;
    chain.send(advance(1)).expect("a refusal does not stick");
}

#[test]
fn a_stuck_transaction_is_offered_for_more_and_stands_once() {
    let mock = Mock::start();
    mock.state().automine = false;
    mock.state().least_priority = 1_200_000_000;
    let mut chain = mock.chain();
    std::thread::scope(|scope| {
        let miner = scope.spawn(|| {
            let begun = Instant::now();
            while mock.state().sent(me()).is_empty() {
                mock.state().mine();
                std::thread::sleep(Duration::from_millis(2));
                assert!(begun.elapsed() < Duration::from_secs(20), "it is never offered for enough");
            }
        });
        let receipt = chain.send(withdraw()).expect("sent");
        assert_eq!(nonce(&receipt), 0);
        miner.join().expect("the miner");
    });
    assert_eq!(mock.state().sent(me()).len(), 1);
    assert!(mock.count("eth_sendRawTransaction") >= 2);
}

#[test]
fn waiting_ends_and_goes_on_with_the_same_transaction() {
    let mock = Mock::start();
    mock.state().automine = false;
    let mut chain = mock.chain_with(RpcConfig {
        receipt_timeout: Duration::from_millis(30),
        replace_after: Duration::from_secs(60),
        ..mock.config()
    });
    for _ in 0..3 {
        let error = rpc(chain.send(withdraw()).expect_err("nothing is mined"));
        assert!(matches!(error, RpcError::NotMined { nonce: 0, .. }), "{error}");
    }
    // Another call meanwhile gets the next place.
    let error = rpc(chain.send(advance(1)).expect_err("nothing is mined"));
    assert!(matches!(error, RpcError::NotMined { nonce: 1, .. }), "{error}");
    mock.state().mine();
    assert_eq!(nonce(&chain.send(withdraw()).expect("it stands")), 0);
    chain.send(advance(1)).expect("it stands");
    assert_eq!(mock.state().sent(me()).len(), 2, "each once");
    // The next of the same kind is a new one.
    mock.state().automine = true;
    assert_eq!(nonce(&chain.send(withdraw()).expect("another")), 2);
}

#[test]
fn receipts_that_are_left_out_are_asked_for_again() {
    let mock = Mock::start();
    let mut chain = mock.chain();
    (0..5).for_each(|_| mock.fault("eth_getTransactionReceipt", Fault::Result(json!(null))));
    assert_eq!(nonce(&chain.send(withdraw()).expect("sent")), 0);
    // A node that knows the block and not the transaction for longer than that is believed.
    (0..500).for_each(|_| mock.fault("eth_getTransactionReceipt", Fault::Result(json!(null))));
    assert!(matches!(rpc(chain.send(withdraw()).expect_err("gone")), RpcError::Interrupted { .. }));
}

#[test]
fn attack_31_a_receipt_counts_when_it_is_confirmed_and_not_when_it_is_undone() {
    let mock = Mock::start();
    let mut chain = mock.chain_with(RpcConfig { confirmations: 3, ..mock.config() });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while mock.state().sent(me()).is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(20));
            // The block goes, the transaction comes back two blocks later.
            let mut state = mock.state();
            let mined = state.blocks.pop().expect("its block").transactions;
            state.undo(1);
            state.mine_logs(vec![]);
            state.mine_logs(vec![]);
            state.add(mined);
            assert_eq!(state.height(), 3);
            drop(state);
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(10));
                mock.state().mine_logs(vec![]);
            }
        });
        let receipt = chain.send(withdraw()).expect("sent");
        assert_eq!((receipt.block, nonce(&receipt)), (3, 0));
    });
    assert_eq!(chain.events_from(0).expect("events").len(), 1, "what stands is among the events");
}

#[test]
fn bent_answers_to_a_transaction_are_typed_errors() {
    let mock = Mock::start();
    let mut chain = mock.chain();
    let hash = json!(format!("0x{}", "77".repeat(32)));
    mock.fault("eth_sendRawTransaction", Fault::Result(hash.clone()));
    assert!(matches!(rpc(chain.send(withdraw()).expect_err("another hash")), RpcError::Nonsense { .. }));
    let receipt = json!({
        "transactionHash": hash, "blockHash": hash, "blockNumber": "0x1", "status": "0x1", "gasUsed": "0x1", "logs": [],
    });
    mock.fault("eth_getTransactionReceipt", Fault::Result(receipt));
    assert!(matches!(rpc(chain.send(withdraw()).expect_err("another receipt")), RpcError::Nonsense { .. }));
    for count in ["0xffffffffffffffff", "0x9000"] {
        mock.fault("eth_getTransactionCount", Fault::Result(json!("0x0")));
        mock.fault("eth_getTransactionCount", Fault::Result(json!(count)));
        assert!(matches!(rpc(chain.send(advance(3)).expect_err("so many")), RpcError::Nonsense { .. }));
    }
    mock.fault("eth_estimateGas", Fault::Result(json!("0xffffffffffffffff")));
    assert!(matches!(chain.send(advance(3)), Err(ChainError::OutOfGas { .. })));
    mock.fault("eth_sendRawTransaction", Fault::Reply(Reply::Http(413, "", vec![])));
    assert!(matches!(
        rpc(chain.send(advance(3)).expect_err("refused")),
        RpcError::Denied { status: 413, .. }
    ));
    assert_eq!(nonce(&chain.send(withdraw()).expect("the first, still")), 0);
}

#[test]
fn no_error_and_no_debug_shows_a_key() {
    let mock = Mock::start();
    let mut chain = mock.chain();
    (0..9).for_each(|_| {
        mock.fault("eth_sendRawTransaction", Fault::Reply(Reply::Http(500, "", b"01010101".to_vec())))
    });
    let error = chain.send(withdraw()).expect_err("no answer");
    let shown = format!("{error} {error:?} {chain:?} {:?}", mock.config());
    assert!(!shown.contains("0101010101") && shown.contains(&me().to_string()), "{shown}");
}
