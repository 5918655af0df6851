//! Several transactions of one account at once: this process's own, and those of another with the same key.

use std::time::{Duration, Instant};

use alloy_primitives::TxKind;
use narrows_bisection::{Refusal, Wei};

use super::mock::{CHAIN, Fault, GAME, Mock, State, key};
use super::send::{advance, me, nonce, rpc, selector, withdraw};
use crate::bindings::address;
use crate::rpc::fees::Price;
use crate::rpc::node::Message;
use crate::rpc::sign::sign;
use crate::rpc::{RpcConfig, RpcError};
use crate::{Chain, ChainError, Transaction};

/// Puts another transaction of the account into the pool, as another process would.
fn intrude(state: &mut State, nonce: u64, priority: u128) {
    let (to, data) = (TxKind::Call(address(GAME)), vec![9].into());
    let message = Message { name: "other", from: me(), to, value: Wei(0), data };
    let offer = sign(&key(1), CHAIN, &message, nonce, 50_000, Price { max: 10_000_000_000, priority });
    let waiting = super::mock::Waiting { hash: offer.hash, tx: super::json::decode(&offer.raw).1 };
    state.pool.insert((address(me()), nonce), waiting);
}

#[test]
fn attack_15_many_moves_are_on_their_way_at_once() {
    let mock = Mock::start();
    mock.state().automine = false;
    let mut chain = mock.chain_with(RpcConfig { confirmations: 2, ..mock.config() });
    let moves: Vec<Transaction> = (1..=40).map(advance).collect();
    std::thread::scope(|scope| {
        let miner = scope.spawn(|| {
            let begun = Instant::now();
            // No block until all forty wait: one who sends them one by one never gets there.
            while mock.state().pool.len() < 40 {
                std::thread::sleep(Duration::from_millis(2));
                assert!(
                    begun.elapsed() < Duration::from_secs(20),
                    "{} are on their way",
                    mock.state().pool.len()
                );
            }
            (0..40).for_each(|_| mock.state().mine());
            (0..3).for_each(|_| mock.state().mine_logs(vec![]));
        });
        let sent = chain.send_all(moves.clone());
        miner.join().expect("the miner");
        let blocks: Vec<u64> = sent.iter().map(|sent| sent.as_ref().expect("it stands").block).collect();
        assert!(blocks.is_sorted(), "each in its place: {blocks:?}");
    });
    assert_eq!(mock.state().sent(me()).len(), 40, "each once");
}

#[test]
fn attack_15_one_bad_move_does_not_hold_up_the_others() {
    let mock = Mock::start();
    let mut chain = mock.chain();
    // The second is refused before it is sent, the fourth takes no money, the answer to the fifth is lost.
    let paid = Transaction { value: Wei(1), ..advance(4) };
    let moves = vec![advance(1), advance(2), advance(3), paid, advance(5)];
    let refuse = Fault::Error(3, "execution reverted", Some(selector("TooLate()")));
    mock.state().hooks.push((
        "eth_sendRawTransaction".into(),
        Box::new(move |state| {
            state.fault("eth_estimateGas", refuse);
        }),
    ));
    let sent = chain.send_all(moves);
    assert_eq!(sent[1], Err(ChainError::Refused { call: "advance", refusal: Refusal::TooLate }));
    assert_eq!(sent[3], Err(ChainError::NotPayable { call: "advance" }));
    for good in [0, 2, 4] {
        assert!(sent[good].is_ok(), "{good}: {:?}", sent[good]);
    }
    assert_eq!(mock.state().sent(me()).len(), 3);
}

#[test]
fn attack_30_transactions_of_another_process_are_waited_for() {
    let mock = Mock::start();
    mock.state().automine = false;
    intrude(&mut mock.state(), 0, 5_000_000_000);
    intrude(&mut mock.state(), 1, 5_000_000_000);
    let mut chain = mock.chain();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            mock.state().mine();
        });
        let error = rpc(chain.send(withdraw()).expect_err("decide again"));
        assert_eq!(error, RpcError::Interrupted { account: me() });
    });
    assert_eq!(mock.state().sent(me()).len(), 2);
    mock.state().automine = true;
    assert_eq!(nonce(&chain.send(withdraw()).expect("sent")), 2);
}

#[test]
fn attack_30_a_process_that_comes_back_waits_until_what_it_sent_is_seen() {
    let mock = Mock::start();
    // A transaction of the process that was killed is in the latest block: its event is not delivered yet.
    intrude(&mut mock.state(), 0, 5_000_000_000);
    mock.state().mine();
    let mut chain = mock.chain_with(RpcConfig { confirmations: 2, ..mock.config() });
    assert_eq!(chain.events_from(0), Ok(vec![]));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                std::thread::sleep(Duration::from_millis(20));
                assert_eq!(mock.count("eth_sendRawTransaction"), 0);
                mock.state().mine_logs(vec![]);
            }
        });
        let error = rpc(chain.send(withdraw()).expect_err("decide again"));
        assert_eq!(error, RpcError::Interrupted { account: me() });
    });
    assert_eq!(mock.state().height(), 3);
    assert_eq!(mock.state().sent(me()).len(), 1);
}

#[test]
fn attack_30_a_hole_that_the_pool_made_is_filled_with_what_was_there() {
    let mock = Mock::start();
    mock.state().automine = false;
    let short = RpcConfig { receipt_timeout: Duration::from_millis(5), ..mock.config() };
    let mut chain = mock.chain_with(RpcConfig { replace_after: Duration::from_millis(1), ..short });
    for number in 1..=3 {
        let error = rpc(chain.send(advance(number)).expect_err("nothing is mined"));
        assert!(matches!(error, RpcError::NotMined { .. }), "{error}");
    }
    // The pool forgets the first two.
    for nonce in 0..2 {
        mock.state().pool.remove(&(address(me()), nonce)).expect("it waits");
    }
    mock.state().automine = true;
    let begun = Instant::now();
    while let Err(error) = chain.send(advance(3)) {
        assert!(error.is_transient() && begun.elapsed() < Duration::from_secs(20), "{error}");
    }
    assert_eq!(mock.state().sent(me()).len(), 3);
    // Their senders may still ask what became of them.
    for number in 1..=2 {
        chain.send(advance(number)).expect("it stands");
    }
    assert_eq!(mock.state().sent(me()).len(), 3, "each once");
}

#[test]
fn attack_30_stuck_transactions_of_another_process_are_replaced() {
    let mock = Mock::start();
    mock.state().automine = false;
    mock.state().least_priority = 50;
    intrude(&mut mock.state(), 0, 1);
    // A hole: 1 is nobody's. Pools keep what is beyond it, and count only up to it.
    intrude(&mut mock.state(), 2, 1);
    let mut chain = mock.chain();
    std::thread::scope(|scope| {
        let miner = scope.spawn(|| {
            let begun = Instant::now();
            while mock.state().used(address(me())) < 1 && begun.elapsed() < Duration::from_secs(20) {
                mock.state().mine();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let error = rpc(chain.send(withdraw()).expect_err("decide again"));
        assert_eq!(error, RpcError::Interrupted { account: me() });
        miner.join().expect("the miner");
    });
    // The place of 1 is the next; then comes the other's 2 again, which stays stuck.
    mock.state().automine = true;
    assert_eq!(nonce(&chain.send(withdraw()).expect("sent")), 1);
    let error = rpc(chain.send(withdraw()).expect_err("2 is another's"));
    assert_eq!(error, RpcError::Interrupted { account: me() });
    assert_eq!(nonce(&chain.send(withdraw()).expect("sent")), 3);
}

#[test]
fn attack_30_a_place_that_another_takes_is_given_up_and_never_doubled() {
    let mock = Mock::start();
    mock.state().automine = false;
    let mut chain = mock.chain();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while mock.state().pool.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // Another's transaction of the same nonce is mined in place of ours.
            intrude(&mut mock.state(), 0, 9_000_000_000);
            mock.state().mine();
        });
        let error = rpc(chain.send(withdraw()).expect_err("overtaken"));
        assert_eq!(error, RpcError::Interrupted { account: me() });
    });
    mock.state().automine = true;
    assert_eq!(nonce(&chain.send(withdraw()).expect("sent")), 1);
    assert_eq!(mock.state().sent(me()).len(), 2);
}

#[test]
fn attack_30_a_pool_that_hides_a_transaction_is_outbid() {
    let mock = Mock::start();
    mock.state().automine = false;
    mock.state().hides_pool = true;
    intrude(&mut mock.state(), 0, 3_000_000_000);
    let mut chain = mock.chain();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let begun = Instant::now();
            while mock.state().sent(me()).is_empty() && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(5));
                if mock.count("eth_getTransactionReceipt") > 0 {
                    mock.state().mine();
                }
            }
        });
        assert_eq!(nonce(&chain.send(withdraw()).expect("sent")), 0);
    });
    assert_eq!(mock.state().sent(me()).len(), 1, "at most one of a nonce");
}
