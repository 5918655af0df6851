//! What a node may do to one request.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use narrows_bisection::{Account, Parameters, Wei};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::mock::{CHAIN, Fault, GAME, Mock, REGISTRY};
use super::server::{Reply, Server};
use crate::rpc::{RpcChain, RpcConfig, RpcError};
use crate::{Chain, ChainError};

fn garbage() -> Vec<Fault> {
    let http = |status, more, body: &[u8]| Fault::Reply(Reply::Http(status, more, body.to_vec()));
    vec![
        Fault::Reply(Reply::Cut),
        Fault::Reply(Reply::Half),
        Fault::WrongId,
        Fault::Lost,
        http(200, "", b""),
        http(200, "", b"<html>"),
        http(200, "", b"[]"),
        http(200, "", b"{}"),
        http(200, "", b"null"),
        http(200, "", &b"[".repeat(10_000)),
        http(200, "", br#"{"jsonrpc":"2.0","id":0}"#),
        http(200, "", br#"{"jsonrpc":"2.0","id":0,"result":"0x1","error":{"code":1,"message":""}}"#),
        http(429, "retry-after: 0\r\n", b"slow down"),
        http(429, "retry-after: tomorrow\r\n", b""),
        http(500, "", b"oops"),
        http(502, "", b"<html>"),
        http(503, "", b""),
        Fault::Error(-32005, "daily request count exceeded, request rate limited", None),
        Fault::Error(429, "slow down", None),
        Fault::Result(json!("0xzz")),
        Fault::Result(json!(-1)),
        Fault::Result(json!({ "number": [] })),
        Fault::Result(json!("0x1ffffffffffffffffffffff")),
    ]
}

#[test]
fn what_goes_wrong_once_does_no_harm() {
    let mock = Mock::start();
    let chain = mock.chain();
    for fault in garbage() {
        let before = mock.count("eth_blockNumber");
        mock.fault("eth_blockNumber", fault.clone());
        assert_eq!(chain.block(), Ok(0), "{fault:?}");
        assert_eq!(mock.count("eth_blockNumber") - before, 2, "{fault:?}");
    }
}

#[test]
fn what_stays_wrong_is_a_typed_error_without_the_url_s_secrets() {
    let mock = Mock::start();
    let chain = mock.chain();
    for fault in garbage() {
        let before = mock.count("eth_blockNumber");
        for _ in 0..3 {
            mock.fault("eth_blockNumber", fault.clone());
        }
        let error = chain.block().expect_err("it never answers");
        assert_eq!(mock.count("eth_blockNumber") - before, 3, "{fault:?}");
        let text = format!("{error} {error:?} {chain:?}");
        assert!(text.contains("http://127.0.0.1:") && !text.contains("secret"), "{text}");
        assert!(error.is_transient(), "{error}");
        let ChainError::Rpc(error) = error else { panic!("{error}") };
        let expected = matches!(
            error,
            RpcError::Unreachable { attempts: 3, .. } | RpcError::Nonsense { .. } | RpcError::Declined { .. }
        );
        assert!(expected, "{fault:?}: {error}");
        assert_eq!(chain.block(), Ok(0), "and then it does");
    }
}

#[test]
fn what_no_patience_helps_is_not_tried_again() {
    let mock = Mock::start();
    let chain = mock.chain();
    let http = |status, body: &[u8]| Fault::Reply(Reply::Http(status, "", body.to_vec()));
    let error = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no\u001b[2J"}}"#;
    let faults = [
        http(401, b""),
        http(403, b""),
        http(404, b"secret"),
        http(302, b""),
        http(500, error),
        http(200, error),
        Fault::Error(-32601, "the method does not exist", None),
    ];
    for fault in faults {
        let before = mock.count("eth_blockNumber");
        mock.fault("eth_blockNumber", fault.clone());
        let error = chain.block().expect_err("refused");
        assert_eq!(mock.count("eth_blockNumber") - before, 1, "{fault:?}");
        assert!(!error.to_string().contains(['\u{1b}']), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        match error {
            ChainError::Rpc(RpcError::Denied { .. }) => {
                assert!(matches!(fault, Fault::Reply(Reply::Http(300..500, ..))))
            }
            ChainError::Rpc(RpcError::Declined { code, .. }) => assert!(code < -32_599),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_answer_is_read_only_so_far() {
    let mock = Mock::start();
    let chain = mock.chain();
    let begun = Instant::now();
    mock.fault("eth_blockNumber", Fault::Reply(Reply::Huge(1 << 34)));
    let error = chain.block().expect_err("too large");
    assert!(matches!(error, ChainError::Rpc(RpcError::TooLarge { limit: 1_048_576, .. })), "{error}");
    assert_eq!(mock.count("eth_blockNumber"), 1, "it is not tried again");
    assert!(begun.elapsed() < Duration::from_secs(10), "16 GiB were read");
}

#[test]
fn an_answer_that_is_late_is_asked_for_again() {
    let mock = Mock::start();
    let chain = mock.chain_with(RpcConfig { request_timeout: Duration::from_millis(100), ..mock.config() });
    mock.fault("eth_blockNumber", Fault::Late(Duration::from_millis(20)));
    assert_eq!((chain.block(), mock.count("eth_blockNumber")), (Ok(0), 1));
    mock.fault("eth_blockNumber", Fault::Late(Duration::from_millis(400)));
    assert_eq!((chain.block(), mock.count("eth_blockNumber")), (Ok(0), 3));
}

#[test]
fn a_node_that_is_gone_is_named() {
    let mock = Mock::start();
    let chain = mock.chain();
    let now = chain.now();
    drop(mock);
    let error = chain.owed(Account([1; 20])).expect_err("nobody is there");
    let ChainError::Rpc(RpcError::Unreachable { endpoint, method, .. }) = &error else { panic!("{error}") };
    assert!(endpoint.starts_with("http://127.0.0.1:") && *method == "eth_call", "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(chain.now() >= now, "time goes on");
}

#[test]
fn only_this_build_s_contracts_on_the_chain_that_was_meant_are_used() {
    type Bend = fn(&Mock);
    type Expected = fn(&ChainError) -> bool;
    let bends: [(Bend, Expected); 8] = [
        (
            |mock| mock.fault("eth_chainId", Fault::Result(json!("0x1"))),
            |error| matches!(error, ChainError::Rpc(RpcError::WrongChain { expected: CHAIN, found: 1, .. })),
        ),
        (
            |mock| mock.state().codes.clear(),
            |error| matches!(error, ChainError::Rpc(RpcError::NoContract { contract: "Game", .. })),
        ),
        (
            |mock| mock.fault("eth_getCode", Fault::Result(json!("0x00"))),
            |error| matches!(error, ChainError::Rpc(RpcError::OtherContract { contract: "Game", .. })),
        ),
        (
            |mock| drop(mock.state().codes.remove(&crate::bindings::address(REGISTRY))),
            |error| {
                matches!(
                    error,
                    ChainError::Rpc(RpcError::NoContract { contract: "Registry", address: REGISTRY })
                )
            },
        ),
        (
            |mock| mock.state().parameters.window_seconds += 1,
            |error| matches!(error, ChainError::Rpc(RpcError::OtherParameters(GAME))),
        ),
        (
            |mock| mock.state().parameters.window_seconds = 0,
            |error| matches!(error, ChainError::Parameters(_)),
        ),
        (
            |mock| mock.fault("eth_call", Fault::Result(json!("0x01"))),
            |error| matches!(error, ChainError::Decode(_)),
        ),
        (
            |mock| mock.fault("eth_call", Fault::Error(3, "execution reverted", None)),
            |error| matches!(error, ChainError::Nonsense(_)),
        ),
    ];
    for (number, (bend, expected)) in bends.into_iter().enumerate() {
        let mock = Mock::start();
        bend(&mock);
        let error = RpcChain::connect(mock.config(), GAME, 0).expect_err("not that chain");
        assert!(expected(&error), "{number}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let mock = Mock::start();
    let chain = RpcChain::connect(RpcConfig { chain_id: None, ..mock.config() }, GAME, 0).expect("any chain");
    assert_eq!((chain.chain_id(), chain.game(), chain.registry()), (CHAIN, GAME, REGISTRY));
    assert_eq!(chain.parameters(), Parameters::default());
    assert_eq!(chain.base_fee(), Ok(Wei(1_000_000_000)));
    for url in ["", "secret", "ftp://secret.example"] {
        let error = RpcChain::connect(RpcConfig::new(url), GAME, 0).expect_err("no endpoint");
        assert!(matches!(error, ChainError::Rpc(RpcError::BadEndpoint(_))), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn views_are_read_strictly() {
    let mock = Mock::start();
    let chain = mock.chain();
    let who = Account([1; 20]);
    assert_eq!(chain.owed(who), Ok(Wei(5)));
    let word = |byte: &str| json!(format!("0x{}", byte.repeat(32)));
    for (answer, fine) in
        [(word("00"), true), (word("ff"), false), (json!("0x"), false), (json!("0x05"), false)]
    {
        mock.fault("eth_call", Fault::Result(answer.clone()));
        assert_eq!(chain.owed(who).is_ok(), fine, "{answer}");
    }
    mock.fault("eth_getBalance", Fault::Result(word("ff")));
    assert_eq!(chain.balance(who), Err(ChainError::Overflow("the balance")));
}

#[test]
fn tls_that_does_not_come_about_is_an_error() {
    let mock = Mock::start();
    let url = mock.config().url.replace("http://", "https://");
    let error = RpcChain::connect(RpcConfig { url, ..mock.config() }, GAME, 0).expect_err("no TLS there");
    assert!(matches!(error, ChainError::Rpc(RpcError::Unreachable { attempts: 3, .. })), "{error}");
    assert!(error.to_string().contains("https://127.0.0.1:"), "{error}");
}

#[test]
fn a_chain_may_be_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<RpcChain>();
}

/// The same bytes to every request.
fn noisy(status: u16, body: Vec<u8>) -> (Server, RpcConfig) {
    let server =
        Server::start(Arc::new(move |_: &str, _: &Value, _: &Value| Reply::Http(status, "", body.clone())));
    let config = RpcConfig { attempts: 2, backoff: Duration::ZERO, ..RpcConfig::local(server.url()) };
    (server, config)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn noise_is_an_error_and_never_a_panic(status in 200u16..600, body: Vec<u8>) {
        let (_server, config) = noisy(status, body);
        prop_assert!(RpcChain::connect(config, GAME, 0).is_err());
    }
}

#[test]
fn answers_to_other_questions_are_errors_and_never_a_panic() {
    // Every kind of answer that any question has, given to every question of a connection.
    let mock = Mock::start();
    let log = Arc::new(Mutex::new(Vec::new()));
    drop(mock.chain());
    let answers = [
        json!(null),
        json!("0x"),
        json!("0x4d"),
        json!([]),
        json!({}),
        json!(true),
        json!(1.5),
        json!([[[[]]]]),
        json!({ "number": "0x0", "hash": format!("0x{}", "01".repeat(32)), "parentHash": "0x", "timestamp": "0x0" }),
    ];
    for answer in answers {
        let seen = Arc::clone(&log);
        let given = answer.clone();
        let server = Server::start(Arc::new(move |method: &str, _: &Value, id: &Value| {
            seen.lock().expect("no panic").push(method.to_owned());
            if method == "eth_chainId" {
                Reply::result(id, &json!("0x4d"))
            } else {
                Reply::result(id, &given)
            }
        }));
        let config = RpcConfig { attempts: 1, ..RpcConfig::local(server.url()) };
        assert!(RpcChain::connect(config, GAME, 0).is_err(), "{answer}");
    }
    assert!(log.lock().expect("no panic").iter().any(|method| method == "eth_getCode"));
}

#[tokio::test]
async fn it_may_be_called_from_asynchronous_code() {
    let mock = Mock::start();
    let chain = mock.chain();
    assert_eq!(chain.block(), Ok(0));
    assert_eq!(chain.events_from(0), Ok(vec![]));
    drop(chain);
}
