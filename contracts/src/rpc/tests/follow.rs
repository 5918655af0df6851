//! Events through lags, repetitions and reorganisations.

use narrows_bisection::Event;
use narrows_commitment::ProgramRoot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::json::registered;
use super::mock::{Fault, Mock, State};
use crate::rpc::{RpcChain, RpcConfig, RpcError};
use crate::{Chain, ChainError, LoggedEvent};

/// Which program an event of a test announces.
fn numbers(events: &[LoggedEvent]) -> Vec<u64> {
    let number = |event: &LoggedEvent| match event.event {
        Event::Registered { program: ProgramRoot(root) } => {
            u64::from_be_bytes(*root.0.last_chunk().expect("32 bytes"))
        }
        ref other => panic!("{other:?}"),
    };
    events.iter().map(number).collect()
}

/// All events from a cursor on, as a journal takes them.
fn all(chain: &RpcChain, mut cursor: u64) -> Result<Vec<u64>, ChainError> {
    let mut found = Vec::new();
    loop {
        let more = chain.events_from(cursor)?;
        if more.is_empty() {
            return Ok(found);
        }
        cursor += more.len() as u64;
        found.extend(numbers(&more));
    }
}

/// Blocks with one event each, numbered as the events.
fn mine(state: &mut State, events: impl IntoIterator<Item = u64>) {
    events.into_iter().for_each(|number| state.mine_logs(vec![registered(number)]));
}

fn gone(result: Result<Vec<u64>, ChainError>) -> (u64, u64) {
    match result {
        Err(ChainError::Rpc(RpcError::Reorganised { block, event })) => (block, event),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_are_read_in_order_from_any_cursor_with_their_block_and_sender() {
    let mock = Mock::start();
    {
        let mut state = mock.state();
        mine(&mut state, 0..30);
        state.mine_logs(vec![registered(30), registered(31), registered(32)]);
        state.mine_logs(vec![]);
        mine(&mut state, 33..40);
    }
    let chain = mock.chain();
    assert_eq!(all(&chain, 0), Ok((0..40).collect()));
    for cursor in (0..=41).rev() {
        assert_eq!(all(&chain, cursor), Ok((cursor..40).collect()), "from {cursor}");
    }
    assert_eq!(all(&chain, u64::MAX), Ok(vec![]));
    let three = chain.events_from(31).expect("events");
    let (state, event) = (mock.state(), &three[0]);
    assert_eq!((event.block, event.time.0), (31, state.blocks[31].time));
    assert_eq!(event.sender.0, state.blocks[31].transactions[1].from.0.0);
    drop(state);
    // A new process, whose journal holds most of it already, only counts what comes before.
    let (before, chain) = (mock.count("eth_getTransactionByHash"), mock.chain());
    assert_eq!(all(&chain, 38), Ok(vec![38, 39]));
    assert_eq!(mock.count("eth_getTransactionByHash") - before, 2);
    assert_eq!(all(&chain, 0), Ok((0..40).collect()), "and may be asked all the same");
}

#[test]
fn only_confirmed_blocks_count() {
    let mock = Mock::start();
    let chain = mock.chain_with(RpcConfig { confirmations: 3, ..mock.config() });
    for height in 1..30 {
        mine(&mut mock.state(), [height]);
        assert_eq!(all(&chain, 0), Ok((1..=height.saturating_sub(3)).collect()), "at {height}");
    }
}

#[test]
fn ranges_shrink_where_a_node_refuses() {
    for max_range in [1, 2, 3, 100] {
        let mock = Mock::start();
        mine(&mut mock.state(), 0..60);
        mock.state().max_range = max_range;
        assert_eq!(all(&mock.chain(), 0), Ok((0..60).collect()), "{max_range}");
    }
    // A node that refuses even one block.
    let mock = Mock::start();
    mine(&mut mock.state(), 0..60);
    mock.state().max_range = 0;
    let error = all(&mock.chain(), 0).expect_err("no logs at all");
    assert!(matches!(error, ChainError::Rpc(RpcError::Declined { method: "eth_getLogs", .. })), "{error}");
}

#[test]
fn an_answer_that_is_too_long_is_asked_for_in_parts() {
    let mock = Mock::start();
    mine(&mut mock.state(), 0..1_000);
    let small = RpcConfig { max_answer_bytes: 120_000, ..mock.config() };
    // Room for the contracts' code, and for a few hundred logs.
    assert_eq!(all(&mock.chain_with(small), 0), Ok((0..1_000).collect()));
    let whole = Mock::start();
    mine(&mut whole.state(), 0..1_000);
    assert_eq!(all(&whole.chain(), 0), Ok((0..1_000).collect()));
    assert!(mock.count("eth_getLogs") > whole.count("eth_getLogs") + 3, "it was asked for in parts");
}

/// Changes the first answer for logs.
fn with_logs(mock: &Mock, change: impl Fn(&mut Vec<Value>)) -> Result<Vec<u64>, ChainError> {
    let chain = mock.chain();
    // One block near the head: its logs as the node gives them, changed.
    let logs = {
        let state = mock.state();
        let block = &state.blocks[1];
        let log = |index: usize| {
            let (address, data) = &block.transactions[index].logs[0];
            json!({
                "address": address, "topics": data.topics(), "data": data.data, "blockNumber": "0x1",
                "blockHash": block.hash, "transactionHash": block.transactions[index].hash,
                "logIndex": format!("{index:#x}"), "removed": false,
            })
        };
        let mut logs = vec![log(0), log(1)];
        change(&mut logs);
        Value::from(logs)
    };
    mock.fault("eth_getLogs", Fault::Result(logs));
    all(&chain, 0)
}

#[test]
fn repeated_and_unordered_logs_are_put_right_and_others_refused() {
    let mock = Mock::start();
    mock.state().mine_logs(vec![registered(0), registered(1)]);
    let both = Ok(vec![0, 1]);
    assert_eq!(with_logs(&mock, |_| ()), both);
    assert_eq!(with_logs(&mock, |logs| logs.reverse()), both);
    assert_eq!(with_logs(&mock, |logs| logs.push(logs[0].clone())), both);
    assert_eq!(with_logs(&mock, |logs| logs[0]["removed"] = json!(true)), Ok(vec![1]));
    type Change = fn(&mut Vec<Value>);
    let changes: [Change; 10] = [
        |logs| logs[1]["logIndex"] = json!("0x0"),
        |logs| logs[0]["blockNumber"] = json!("0x2"),
        |logs| logs[0]["blockNumber"] = json!(null),
        |logs| logs[0]["blockHash"] = json!(format!("0x{}", "77".repeat(32))),
        |logs| logs[0]["transactionHash"] = json!(null),
        |logs| logs[0]["transactionHash"] = json!(format!("0x{}", "77".repeat(32))),
        |logs| logs[0]["address"] = json!(format!("0x{}", "77".repeat(20))),
        |logs| logs[0]["topics"] = json!([]),
        |logs| logs[0]["data"] = json!("0x00"),
        |logs| {
            let topic = logs[0]["topics"][0].clone();
            logs[0]["topics"] = json!([topic, topic, topic, topic, topic]);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let error = with_logs(&mock, change).expect_err("nonsense");
        let typed = matches!(error, ChainError::Rpc(RpcError::Nonsense { .. }) | ChainError::Decode(_));
        assert!(typed, "{number}: {error}");
    }
}

#[test]
fn a_node_that_is_behind_hides_nothing_for_good() {
    let mock = Mock::start();
    let chain = mock.chain();
    mine(&mut mock.state(), 0..50);
    // It gives a height and does not know the blocks; ranges are cut without a word.
    mock.state().shows = 40;
    let first = all(&chain, 0).expect("what it knows");
    assert_eq!(first, (0..first.len() as u64).collect::<Vec<_>>());
    assert!(first.len() <= 40);
    mock.state().shows = 20;
    assert_eq!(all(&chain, 0), Ok(first), "what was read is still there");
    mock.state().shows = u64::MAX;
    assert_eq!(all(&chain, 0), Ok((0..50).collect()));
}

#[test]
fn attack_31_a_reorganisation_above_what_is_confirmed_is_never_seen() {
    let mock = Mock::start();
    let chain = mock.chain_with(RpcConfig { confirmations: 3, ..mock.config() });
    mine(&mut mock.state(), 0..10);
    assert_eq!(all(&chain, 0), Ok((0..7).collect()));
    mock.state().undo(8);
    mine(&mut mock.state(), 107..120);
    assert_eq!(all(&chain, 0), Ok((0..7).chain(107..117).collect()));
}

#[test]
fn attack_31_a_deeper_one_is_read_anew_while_nothing_of_it_was_delivered() {
    let mock = Mock::start();
    mine(&mut mock.state(), 0..10);
    let chain = mock.chain();
    // Read up to the end, and delivered up to event 4 alone: the rest was beyond the answer's cursor.
    assert_eq!(all(&chain, 1_000), Ok(vec![]));
    mock.state().undo(3);
    mine(&mut mock.state(), 100..110);
    assert_eq!(all(&chain, 0), Ok([0, 1].into_iter().chain(100..110).collect()));
}

#[test]
fn attack_31_one_that_changes_what_was_delivered_stops_the_follower_for_good() {
    let mock = Mock::start();
    mine(&mut mock.state(), 0..10);
    let chain = mock.chain();
    assert_eq!(all(&chain, 0), Ok((0..10).collect()));
    let old = mock.state().blocks.clone();
    mock.state().undo(6);
    mine(&mut mock.state(), 105..120);
    // Event 5 was in block 6.
    assert_eq!(gone(all(&chain, 0)), (6, 5));
    // Even when the old branch comes back, what was said meanwhile is not known: start anew.
    mock.state().blocks = old;
    assert_eq!(gone(all(&chain, 0)), (6, 5));
    let error = chain.events_from(0).expect_err("stopped");
    assert!(!error.is_transient() && error.to_string().contains("journal"), "{error}");
    assert_eq!(all(&mock.chain(), 0), Ok((0..10).collect()), "a new connection is fine");
}

#[test]
fn attack_31_a_chain_that_became_shorter_is_waited_for() {
    let mock = Mock::start();
    mine(&mut mock.state(), 0..10);
    let chain = mock.chain();
    assert_eq!(all(&chain, 0), Ok((0..10).collect()));
    mock.state().undo(6);
    // Shorter than what was read: a node that is behind looks the same.
    assert_eq!(all(&chain, 10), Ok(vec![]));
    mine(&mut mock.state(), 105..109);
    assert_eq!(all(&chain, 10), Ok(vec![]));
    mine(&mut mock.state(), 109..110);
    assert_eq!(gone(all(&chain, 10)), (6, 5));
}

#[test]
fn attack_31_a_reorganisation_between_two_questions_mixes_nothing() {
    // Before each of the questions that reading a long chain asks, the chain changes below what is read.
    for method in ["eth_getLogs", "eth_getBlockByNumber", "eth_getBlockByHash", "eth_getTransactionByHash"] {
        for after in 0..6 {
            let mock = Mock::start();
            mine(&mut mock.state(), 0..40);
            let chain = mock.chain();
            for _ in 0..after {
                mock.state().hooks.push((method.to_owned(), Box::new(|_| ())));
            }
            let change = |state: &mut State| {
                state.undo(5);
                mine(state, 100..160);
            };
            mock.state().hooks.push((method.to_owned(), Box::new(change)));
            let mut found = Vec::new();
            let mut tries = 0;
            // Events of one branch only, whichever; or the typed error once some of the old were given away.
            let stopped = loop {
                match chain.events_from(found.len() as u64) {
                    Ok(more) if more.is_empty() && tries > 3 => break false,
                    Ok(more) => found.extend(numbers(&more)),
                    Err(ChainError::Rpc(RpcError::Reorganised { .. })) => break true,
                    Err(error) => assert!(error.is_transient(), "{error}"),
                }
                tries += 1;
                assert!(tries < 500, "it does not end");
            };
            let old: Vec<u64> = (0..40).collect();
            let new: Vec<u64> = (0..4).chain(100..160).collect();
            let whole = found == new || (stopped && old.starts_with(&found));
            assert!(whole, "{method} after {after}: {found:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Blocks come and, while they are not confirmed, go; the node stumbles; what is delivered is the chain's.
    #[test]
    fn attack_31_what_is_delivered_is_always_the_chain_s(steps in prop::collection::vec((0u8..8, 0u64..30), 1..40)) {
        let mock = Mock::start();
        let confirmations = 4;
        let chain = mock.chain_with(RpcConfig { confirmations, ..mock.config() });
        let (mut next, mut peak, mut found) = (0, 0, Vec::new());
        for (what, amount) in steps {
            let mut state = mock.state();
            match what {
                0..=2 => {
                    for _ in 0..amount {
                        let events = (0..next % 3).map(|_| { next += 1; registered(next) }).collect();
                        next += 1;
                        state.mine_logs(events);
                    }
                    peak = peak.max(state.height());
                }
                3 => {
                    // Nothing goes that ever had enough on top of it.
                    let lowest = peak.saturating_sub(confirmations) + 1;
                    let from = (state.height() + 1).saturating_sub(amount % (confirmations + 1));
                    state.undo(from.max(lowest));
                }
                4 => state.shows = state.height().saturating_sub(amount % 6),
                5 => state.shows = u64::MAX,
                6 => {
                    let faults = [Fault::Lost, Fault::WrongId, Fault::Error(-32000, "header not found", None)];
                    for method in ["eth_getLogs", "eth_getBlockByNumber", "eth_blockNumber"] {
                        state.fault(method, faults[amount as usize % faults.len()].clone());
                    }
                }
                _ => state.max_range = amount % 7 + 1,
            }
            drop(state);
            match chain.events_from(found.len() as u64) {
                Ok(events) => found.extend(numbers(&events)),
                Err(error) => prop_assert!(error.is_transient(), "{}", error),
            }
        }
        mock.state().shows = u64::MAX;
        mock.state().heal();
        // The chain ends with enough blocks for all of it.
        (0..confirmations + 1).for_each(|_| mock.state().mine_logs(vec![]));
        found.extend(all(&chain, found.len() as u64).expect("the rest"));
        let state = mock.state();
        let logs = state.blocks.iter().flat_map(|block| &block.transactions).flat_map(|mined| &mined.logs);
        let expected: Vec<u64> =
            logs.map(|(_, data)| u64::from_be_bytes(*data.topics()[1].0.last_chunk().expect("32 bytes"))).collect();
        drop(state);
        prop_assert_eq!(found, expected);
    }
}
